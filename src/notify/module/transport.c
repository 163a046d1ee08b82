/*-------------------------------------------------------------------------
 *
 * transport.c
 *		Sends requests with libcurl, several at once.
 *
 * libcurl tells which sockets it waits for (the multi_socket interface); we
 * wait for those and our latch together.  A set is made anew for each wait,
 * since one cannot take sockets out of it; there are few.
 *
 * While libcurl runs, all signals are blocked: the threads that it starts to
 * resolve names inherit that, and the server's handlers never run in them.
 *
 * src/notify/module/transport.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <curl/curl.h>
#include <signal.h>

#include "notify/transport.h"
#include "portability/instr_time.h"
#include "storage/latch.h"

#define CONNECT_TIMEOUT_MS 3000
#define HEADERS_MOST (64 * 1024)
#define SOCKETS_MOST 256
#define CONNECTIONS_KEPT 8
#define USER_AGENT "dbmaint/" DBMAINT_VERSION

#if LIBCURL_VERSION_NUM < 0x075500
#error "dbmaint needs libcurl 7.85 or newer"
#endif

DBMAINT_MODULE_MAGIC;

typedef struct Transfer
{
	struct Transfer *next;
	CURL	   *easy;
	struct curl_slist *headers;
	struct curl_slist *recipients;
	char	   *host;
	char	   *body;
	size_t		body_length;
	size_t		body_sent;
	size_t		header_bytes;
	bool		answer_cut;		/* we stopped reading it */
	bool		address_refused;
	instr_time	started;
	char		detail[CURL_ERROR_SIZE];
	Outcome		outcome;
} Transfer;

typedef struct Socket
{
	curl_socket_t fd;
	int			events;			/* WL_SOCKET_* */
} Socket;

static CURLM *multi = NULL;
static Transfer *running = NULL;
static Socket sockets[SOCKETS_MOST];
static int	socket_count = 0;
static instr_time timer_set;
static long timer_ms = -1;		/* -1: none */
static AddressCheck address_check = NULL;

extern PGDLLEXPORT const Transport *notify_transport(void);

static sigset_t
block_signals(void)
{
	sigset_t	all;
	sigset_t	before;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	return before;
}

static void
restore_signals(sigset_t before)
{
	sigprocmask(SIG_SETMASK, &before, NULL);
}

static double
ms_since(instr_time start)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, start);
	return INSTR_TIME_GET_MILLISEC(now);
}

/* libcurl tells what it waits for. */
static int
socket_changed(CURL *easy, curl_socket_t fd, int what, void *arg,
			   void *socket_arg)
{
	int			place = 0;

	(void) easy;
	(void) arg;
	(void) socket_arg;

	while (place < socket_count && sockets[place].fd != fd)
		place++;
	if (what == CURL_POLL_REMOVE)
	{
		if (place < socket_count)
			sockets[place] = sockets[--socket_count];
		return 0;
	}
	if (place == socket_count)
	{
		if (socket_count == SOCKETS_MOST)
			return -1;
		socket_count++;
	}
	sockets[place].fd = fd;
	sockets[place].events =
		((what & CURL_POLL_IN) ? WL_SOCKET_READABLE : 0) |
		((what & CURL_POLL_OUT) ? WL_SOCKET_WRITEABLE : 0);
	return 0;
}

static int
timer_changed(CURLM *handle, long timeout_ms, void *arg)
{
	(void) handle;
	(void) arg;

	timer_ms = timeout_ms;
	INSTR_TIME_SET_CURRENT(timer_set);
	return 0;
}

/* Is the address one that we may talk to?  If not, there is no socket. */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	Transfer   *transfer = arg;

	(void) purpose;
	if (!address_check(&to->addr))
	{
		transfer->address_refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* Keeps the first bytes of the answer, and ends one that does not end. */
static size_t
take_body(char *bytes, size_t size, size_t count, void *arg)
{
	Transfer   *transfer = arg;
	Answer	   *answer = &transfer->outcome.answer;
	size_t		length = size * count;
	size_t		kept = Min(answer->body_length, ANSWER_KEPT);

	memcpy(answer->body + kept, bytes, Min(length, ANSWER_KEPT - kept));
	answer->body_length += length;
	if (answer->body_length > ANSWER_MOST)
	{
		transfer->answer_cut = true;
		return CURL_WRITEFUNC_ERROR;
	}
	return length;
}

static size_t
take_header(char *bytes, size_t size, size_t count, void *arg)
{
	static const char name[] = "retry-after:";
	Transfer   *transfer = arg;
	size_t		length = size * count;

	transfer->header_bytes += length;
	if (transfer->header_bytes > HEADERS_MOST)
		return 0;
	if (length > strlen(name) &&
		length - strlen(name) < sizeof(transfer->outcome.retry_after) &&
		pg_strncasecmp(bytes, name, strlen(name)) == 0)
	{
		memcpy(transfer->outcome.retry_after, bytes + strlen(name),
			   length - strlen(name));
		transfer->outcome.retry_after[length - strlen(name)] = '\0';
	}
	return length;
}

static size_t
give_body(char *buffer, size_t size, size_t count, void *arg)
{
	Transfer   *transfer = arg;
	size_t		length = Min(size * count,
							 transfer->body_length - transfer->body_sent);

	memcpy(buffer, transfer->body + transfer->body_sent, length);
	transfer->body_sent += length;
	return length;
}

/* Adds each line, or each item between commas, to the list; false: no memory. */
static bool
add_items(struct curl_slist **list, const char *items, char separator)
{
	while (items != NULL && *items != '\0')
	{
		const char *end = strchr(items, separator);
		size_t		length = end != NULL ? (size_t) (end - items) : strlen(items);
		char	   *item = strndup(items, length);
		struct curl_slist *longer;

		if (item == NULL)
			return false;
		longer = curl_slist_append(*list, item + strspn(item, " "));
		free(item);
		if (longer == NULL)
			return false;
		*list = longer;
		items = end != NULL ? end + 1 : NULL;
	}
	return true;
}

static void
free_transfer(Transfer *transfer)
{
	if (transfer->easy != NULL)
		curl_easy_cleanup(transfer->easy);
	curl_slist_free_all(transfer->headers);
	curl_slist_free_all(transfer->recipients);
	free(transfer->host);
	free(transfer->body);
	free(transfer);
}

/* What holds for every request. */
static bool
set_common(Transfer *transfer, const Outgoing *outgoing)
{
	CURL	   *easy = transfer->easy;
	bool		http = outgoing->carrier == CARRIER_HTTP;
	CURLcode	failed = CURLE_OK;

#define SET(option, value) \
	do { \
		if (failed == CURLE_OK) \
			failed = curl_easy_setopt(easy, option, value); \
	} while (0)

	SET(CURLOPT_PRIVATE, transfer);
	SET(CURLOPT_ERRORBUFFER, transfer->detail);
	SET(CURLOPT_URL, outgoing->url);
	SET(CURLOPT_PROTOCOLS_STR, http ? "http,https" : "smtp,smtps");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long) Min(outgoing->timeout_ms, CONNECT_TIMEOUT_MS));
	SET(CURLOPT_TIMEOUT_MS, (long) outgoing->timeout_ms);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	if (outgoing->ca_file != NULL)
	{
		/* this one instead of the system's, not beside them */
		SET(CURLOPT_CAINFO, outgoing->ca_file);
		SET(CURLOPT_CAPATH, NULL);
	}
#if LIBCURL_VERSION_NUM >= 0x075700
	/* a name that takes long to resolve must not hold whoever gives it up */
	SET(CURLOPT_QUICK_EXIT, 1L);
#endif
	SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
	SET(CURLOPT_OPENSOCKETDATA, transfer);
	SET(CURLOPT_WRITEFUNCTION, take_body);
	SET(CURLOPT_WRITEDATA, transfer);
	SET(CURLOPT_HEADERFUNCTION, take_header);
	SET(CURLOPT_HEADERDATA, transfer);
	if (http)
	{
		SET(CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
		SET(CURLOPT_USERAGENT, USER_AGENT);
		SET(CURLOPT_CUSTOMREQUEST, outgoing->method);
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) transfer->body_length);
		SET(CURLOPT_POSTFIELDS, transfer->body);
		SET(CURLOPT_HTTPHEADER, transfer->headers);
	}
	else
	{
		SET(CURLOPT_MAIL_FROM, outgoing->mail_from);
		SET(CURLOPT_MAIL_RCPT, transfer->recipients);
		/* one address that is wrong must not keep it from the others */
		SET(CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
		SET(CURLOPT_UPLOAD, 1L);
		SET(CURLOPT_READFUNCTION, give_body);
		SET(CURLOPT_READDATA, transfer);
		SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t) transfer->body_length);
		SET(CURLOPT_USE_SSL, (long) (outgoing->plaintext ? CURLUSESSL_NONE : CURLUSESSL_ALL));
		if (outgoing->username != NULL)
		{
			SET(CURLOPT_USERNAME, outgoing->username);
			SET(CURLOPT_PASSWORD, outgoing->password);
		}
	}
#undef SET
	return failed == CURLE_OK;
}

static bool
transport_submit(const Outgoing *outgoing)
{
	Transfer   *transfer = calloc(1, sizeof(Transfer));
	sigset_t	mask;
	bool		added;

	if (transfer == NULL)
		return false;
	transfer->outcome.id = outgoing->id;
	transfer->easy = curl_easy_init();
	transfer->host = strdup(outgoing->host);
	transfer->body = malloc(outgoing->body_length + 1);
	transfer->body_length = outgoing->body_length;
	if (transfer->body != NULL)
		memcpy(transfer->body, outgoing->body, outgoing->body_length);
	INSTR_TIME_SET_CURRENT(transfer->started);

	added = transfer->easy != NULL && transfer->host != NULL &&
		transfer->body != NULL &&
		add_items(&transfer->headers, outgoing->headers, '\n') &&
		add_items(&transfer->recipients, outgoing->recipients, ',') &&
		set_common(transfer, outgoing);
	mask = block_signals();
	added = added && curl_multi_add_handle(multi, transfer->easy) == CURLM_OK;
	if (added)
	{
		transfer->next = running;
		running = transfer;
	}
	else
		free_transfer(transfer);
	restore_signals(mask);
	return added;
}

/* How long libcurl is content to wait, at most that long. */
static long
until_timer(long timeout_ms)
{
	long		left;

	if (timer_ms < 0)
		return timeout_ms;
	left = timer_ms - (long) ms_since(timer_set);
	return Min(timeout_ms, Max(left, 0));
}

static void
run_timer(void)
{
	int			still_running;

	if (timer_ms < 0 || timer_ms - (long) ms_since(timer_set) > 0)
		return;
	/* libcurl sets the next one meanwhile, or none */
	timer_ms = -1;
	(void) curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &still_running);
}

static void
transport_wait(long timeout_ms, uint32 wait_event)
{
	WaitEventSet *set = CREATE_WAIT_EVENT_SET(socket_count + 2);
	WaitEvent	events[SOCKETS_MOST + 2];
	sigset_t	mask;
	int			count;
	int			still_running;

	AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	for (int i = 0; i < socket_count; i++)
	{
		if (sockets[i].events != 0)
			AddWaitEventToSet(set, sockets[i].events, sockets[i].fd, NULL, NULL);
	}
	count = WaitEventSetWait(set, until_timer(timeout_ms), events,
							 lengthof(events), wait_event);
	FreeWaitEventSet(set);

	mask = block_signals();
	for (int i = 0; i < count; i++)
	{
		int			what = 0;

		if ((events[i].events & (WL_SOCKET_READABLE | WL_SOCKET_WRITEABLE)) == 0)
			continue;
		if (events[i].events & WL_SOCKET_READABLE)
			what |= CURL_CSELECT_IN;
		if (events[i].events & WL_SOCKET_WRITEABLE)
			what |= CURL_CSELECT_OUT;
		(void) curl_multi_socket_action(multi, events[i].fd, what, &still_running);
	}
	run_timer();
	restore_signals(mask);
}

/*
 * Says what went wrong.  What libcurl adds to its codes names hosts and more;
 * only what it says of certificates is worth it, without the host.
 */
static void
describe_failure(Transfer *transfer, CURLcode code, char *error)
{
	bool		tls = code == CURLE_SSL_CONNECT_ERROR ||
	code == CURLE_PEER_FAILED_VERIFICATION ||
	code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_ISSUER_ERROR;
	char	   *host;

	if (transfer->address_refused)
	{
		strlcpy(error, "the address is loopback, private, link-local or reserved: see dbmaint.notify_allowed_networks",
				TRANSPORT_ERROR_LENGTH);
		return;
	}
	if (!tls || transfer->detail[0] == '\0')
	{
		strlcpy(error, curl_easy_strerror(code), TRANSPORT_ERROR_LENGTH);
		return;
	}
	while (transfer->host[0] != '\0' &&
		   (host = strstr(transfer->detail, transfer->host)) != NULL)
	{
		size_t		length = strlen(transfer->host);

		memmove(host, host + length, strlen(host + length) + 1);
	}
	for (char *c = transfer->detail; *c != '\0'; c++)
	{
		if ((unsigned char) *c < 0x20 || (unsigned char) *c > 0x7E)
			*c = '?';
	}
	strlcpy(error, transfer->detail, TRANSPORT_ERROR_LENGTH);
}

static bool
transport_collect(Outcome *outcome)
{
	sigset_t	mask = block_signals();
	CURLMsg    *message;
	int			left;
	Transfer   *transfer = NULL;
	CURLcode	code = CURLE_OK;

	while (transfer == NULL && (message = curl_multi_info_read(multi, &left)) != NULL)
	{
		if (message->msg != CURLMSG_DONE)
			continue;
		code = message->data.result;
		(void) curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
	}
	if (transfer != NULL)
	{
		long		status = 0;

		(void) curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
		transfer->outcome.answer.status = (int) status;
		transfer->outcome.duration_ms = ms_since(transfer->started);
		transfer->outcome.answered = code == CURLE_OK || transfer->answer_cut;
		if (!transfer->outcome.answered)
			describe_failure(transfer, code, transfer->outcome.error);
		*outcome = transfer->outcome;

		for (Transfer **place = &running; *place != NULL; place = &(*place)->next)
		{
			if (*place == transfer)
			{
				*place = transfer->next;
				break;
			}
		}
		(void) curl_multi_remove_handle(multi, transfer->easy);
		free_transfer(transfer);
	}
	restore_signals(mask);
	return transfer != NULL;
}

static void
transport_abandon(void)
{
	sigset_t	mask = block_signals();

	while (running != NULL)
	{
		Transfer   *transfer = running;

		running = transfer->next;
		(void) curl_multi_remove_handle(multi, transfer->easy);
		free_transfer(transfer);
	}
	restore_signals(mask);
}

static void
transport_begin(AddressCheck allowed)
{
	const curl_version_info_data *version;
	sigset_t	mask = block_signals();
	bool		ready = curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK &&
	(multi = curl_multi_init()) != NULL;

	restore_signals(mask);
	if (!ready)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("libcurl could not be initialized")));

	version = curl_version_info(CURLVERSION_NOW);
	if (version->version_num < 0x075500 ||
		(version->features & CURL_VERSION_ASYNCHDNS) == 0 ||
		(version->features & CURL_VERSION_SSL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("libcurl %s is not fit for notifications", version->version),
				 errdetail("It must be 7.85 or newer, resolve names asynchronously and know TLS.")));

	address_check = allowed;
	(void) curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket_changed);
	(void) curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer_changed);
	(void) curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long) CONNECTIONS_KEPT);
}

const Transport *
notify_transport(void)
{
	static const Transport transport = {
		.begin = transport_begin,
		.submit = transport_submit,
		.wait = transport_wait,
		.collect = transport_collect,
		.abandon = transport_abandon,
	};

	return &transport;
}
