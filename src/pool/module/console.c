/*-------------------------------------------------------------------------
 *
 * console.c
 *		PgBouncer's admin console by libpq, without waiting.
 *
 * Simple query protocol alone: the console refuses any other, and disconnects.
 * Rows are taken one by one, so that an answer without end is noticed.
 *
 * src/pool/module/console.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "parameters.h"
#include "pool/console.h"
#include "resolve.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "table.h"

DBMAINT_MODULE_MAGIC;

extern PGDLLEXPORT const ConsoleApi *dbmaint_pool_console(void);

typedef enum Step
{
	STEP_RESOLVE,
	STEP_CONNECT,
	STEP_SEND,
	STEP_RECEIVE
} Step;

struct ConsoleLink
{
	char	   *conninfo;
	Parameters	parameters;
	Resolver   *resolver;		/* while hosts are looked up */
	PGconn	   *conn;
	bool		holds_fd;		/* counted by the server as one of ours */
	Step		step;
	PostgresPollingStatusType polling;
	bool		kept;			/* the connection was there before */
	int			statement;		/* the one that runs; -1: SHOW VERSION */
	PoolTable	version;		/* the answer to that */
	char		notice[64];		/* the last one */
	size_t		received;		/* bytes of the answer, so far */
	TableRoom	room;			/* what is kept of it */
};

static void begin_connecting(Console *console);

static void
disconnect(Console *console)
{
	ConsoleLink *link = console->link;

	if (link->resolver != NULL)
		resolver_release(link->resolver);
	link->resolver = NULL;
	if (link->conn != NULL)
		PQfinish(link->conn);
	link->conn = NULL;
	if (link->holds_fd)
		ReleaseExternalFD();
	link->holds_fd = false;
	parameters_free(&link->parameters);
}

static void
fail(Console *console, PoolStage stage, const char *message)
{
	PoolTrouble *trouble = &console->trouble;

	trouble->stage = stage;
	pool_set_message(trouble, message);
	console->state = CONSOLE_FAILED;
	disconnect(console);
}

/* The connection was cut: one that was kept is made anew, once. */
static void
lose(Console *console)
{
	ConsoleLink *link = console->link;
	PoolStage	stage = link->statement < 0 ? STAGE_VERSION : STAGE_STATEMENT;

	if (link->kept && link->statement == 0 && link->received == 0)
	{
		disconnect(console);
		begin_connecting(console);
		return;
	}
	console->trouble.lost = true;
	fail(console, stage, PQerrorMessage(link->conn));
}

/* Is the descriptor ready?  libpq must not be asked to go on before. */
static bool
is_ready(int descriptor, short events)
{
	struct pollfd ready = {.fd = descriptor,.events = events};

	return poll(&ready, 1, 0) > 0;
}

static void
keep_notice(void *arg, const char *message)
{
	ConsoleLink *link = arg;
	PoolTrouble notice = {0};

	pool_set_message(&notice, message);
	strlcpy(link->notice, notice.message, sizeof(link->notice));
}

static const char *
current_statement(const Console *console)
{
	return console->link->statement < 0 ? "SHOW VERSION" :
		console->statements[console->link->statement];
}

static PoolTable *
current_table(Console *console)
{
	ConsoleLink *link = console->link;

	return link->statement < 0 ? &link->version : &console->answers[link->statement];
}

static void
send_statement(Console *console)
{
	ConsoleLink *link = console->link;

	table_free(current_table(console));
	link->received = 0;
	memset(&link->room, 0, sizeof(link->room));
	link->notice[0] = '\0';
	link->step = STEP_SEND;
	if (PQsendQuery(link->conn, current_statement(console)) != 1 ||
		PQsetSingleRowMode(link->conn) != 1)
		lose(console);
}

static void
start_connection(Console *console)
{
	ConsoleLink *link = console->link;
	const Resolution *found = link->resolver == NULL ? NULL : resolver_result(link->resolver);

	if (!parameters_finish(&link->parameters, found))
	{
		char		message[POOL_MESSAGE_LENGTH];

		snprintf(message, sizeof(message), "could not find the address of the host: %s",
				 found == NULL ? "out of memory" : found->error);
		fail(console, STAGE_RESOLVE, message);
		return;
	}
	if (link->resolver != NULL)
		resolver_release(link->resolver);
	link->resolver = NULL;

	link->holds_fd = AcquireExternalFD();
	if (!link->holds_fd)
	{
		fail(console, STAGE_CONNECT, "too many open files");
		return;
	}
	link->conn = PQconnectStartParams((const char *const *) link->parameters.keywords,
									  (const char *const *) link->parameters.values, 0);
	if (link->conn == NULL)
	{
		fail(console, STAGE_CONNECT, "out of memory");
		return;
	}
	PQsetNoticeProcessor(link->conn, keep_notice, link);
	/* tells the SQLSTATE of a refusal, too */
	PQsetErrorVerbosity(link->conn, PQERRORS_VERBOSE);
	if (PQstatus(link->conn) == CONNECTION_BAD)
	{
		fail(console, STAGE_CONNECT, PQerrorMessage(link->conn));
		return;
	}
	link->step = STEP_CONNECT;
	link->polling = PGRES_POLLING_WRITING;
}

static void
begin_connecting(Console *console)
{
	ConsoleLink *link = console->link;
	char	   *hosts[RESOLVE_MAX_HOSTS];
	int			count;

	link->kept = false;
	link->statement = -1;
	console->version[0] = '\0';
	if (!parameters_read(&link->parameters, link->conninfo, &console->trouble))
	{
		console->state = CONSOLE_FAILED;
		disconnect(console);
		return;
	}
	count = parameters_unresolved(&link->parameters, hosts);
	if (count == 0)
	{
		start_connection(console);
		return;
	}
	link->step = STEP_RESOLVE;
	link->resolver = resolver_start(hosts, count);
	if (link->resolver == NULL)
		fail(console, STAGE_RESOLVE, "could not look up the host: earlier look-ups still wait for an answer");
}

static PoolStage
connection_stage(const PGconn *conn)
{
	switch (PQstatus(conn))
	{
		case CONNECTION_STARTED:
		case CONNECTION_NEEDED:
			return STAGE_CONNECT;
		case CONNECTION_SSL_STARTUP:
			return STAGE_TLS;
		default:
			return STAGE_LOGIN;
	}
}

/* Goes on connecting; returns false when it has to wait, or has failed. */
static bool
go_on_connecting(Console *console)
{
	ConsoleLink *link = console->link;
	PoolStage	stage = connection_stage(link->conn);

	if (!is_ready(PQsocket(link->conn),
				  link->polling == PGRES_POLLING_WRITING ? POLLOUT : POLLIN))
		return false;
	link->polling = PQconnectPoll(link->conn);
	switch (link->polling)
	{
		case PGRES_POLLING_OK:
			break;
		case PGRES_POLLING_FAILED:
			console->trouble.wants_password = PQconnectionNeedsPassword(link->conn);
			fail(console, stage, PQerrorMessage(link->conn));
			return false;
		default:
			return true;
	}
	if (PQsetnonblocking(link->conn, 1) != 0)
	{
		lose(console);
		return false;
	}
	send_statement(console);
	return console->state == CONSOLE_WORKING;
}

static bool
go_on_sending(Console *console)
{
	ConsoleLink *link = console->link;

	switch (PQflush(link->conn))
	{
		case 0:
			link->step = STEP_RECEIVE;
			return true;
		case 1:
			return false;
		default:
			lose(console);
			return console->state == CONSOLE_WORKING;
	}
}

static void
refuse_answer(Console *console, const char *problem)
{
	char		message[POOL_MESSAGE_LENGTH];

	snprintf(message, sizeof(message), "the answer to %s %s", current_statement(console), problem);
	console->trouble.too_large = true;
	fail(console, STAGE_STATEMENT, message);
}

/* Takes one result of the statement; false where it failed. */
static bool
take_result(Console *console, const PGresult *result)
{
	ConsoleLink *link = console->link;
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	switch (PQresultStatus(result))
	{
		case PGRES_SINGLE_TUPLE:
		case PGRES_TUPLES_OK:
		case PGRES_COMMAND_OK:
		case PGRES_EMPTY_QUERY:
			if (!table_take(current_table(console), &link->room, result))
			{
				refuse_answer(console, "is too large");
				return false;
			}
			if (link->statement >= 0)
				strlcpy(console->tags[link->statement], PQcmdStatus(unconstify(PGresult *, result)),
						sizeof(console->tags[0]));
			return true;
		case PGRES_FATAL_ERROR:
			/* a cut connection has no SQLSTATE, or is told as one */
			if (text == NULL || PQstatus(link->conn) == CONNECTION_BAD)
			{
				lose(console);
				return false;
			}
			fail(console, link->statement < 0 ? STAGE_VERSION : STAGE_STATEMENT, text);
			if (sqlstate != NULL)
				strlcpy(console->trouble.sqlstate, sqlstate, sizeof(console->trouble.sqlstate));
			return false;
		default:
			refuse_answer(console, "is no table");
			return false;
	}
}

/* Is what answered to SHOW VERSION a PgBouncer?  Old ones did it by a notice. */
static bool
check_version(Console *console)
{
	ConsoleLink *link = console->link;
	const char *version = pool_value(&link->version, 0, 0);

	if (version == NULL)
		version = link->notice;
	if (pg_strncasecmp(version, "PgBouncer", 9) != 0)
	{
		char		message[POOL_MESSAGE_LENGTH];

		snprintf(message, sizeof(message), "it answers to SHOW VERSION with \"%.60s\"", version);
		fail(console, STAGE_VERSION, message);
		return false;
	}
	strlcpy(console->version, version, sizeof(console->version));
	return true;
}

/* Goes on to the next statement; returns false after the last one. */
static bool
finish_statement(Console *console)
{
	ConsoleLink *link = console->link;

	if (link->statement < 0 && !check_version(console))
		return false;
	if (++link->statement >= console->count)
	{
		console->state = CONSOLE_DONE;
		return false;
	}
	send_statement(console);
	return console->state == CONSOLE_WORKING;
}

/* Counts what is there to be read, before libpq makes room for it. */
static bool
count_bytes(Console *console)
{
	int			there = 0;

	if (ioctl(PQsocket(console->link->conn), FIONREAD, &there) == 0 && there > 0)
		console->link->received += there;
	return console->link->received <= 4 * (size_t) CONSOLE_MAX_BYTES;
}

static bool
go_on_receiving(Console *console)
{
	ConsoleLink *link = console->link;

	if (is_ready(PQsocket(link->conn), POLLIN))
	{
		if (!count_bytes(console))
		{
			refuse_answer(console, "is too large");
			return false;
		}
		if (PQconsumeInput(link->conn) != 1)
		{
			lose(console);
			return console->state == CONSOLE_WORKING;
		}
	}
	else if (PQisBusy(link->conn))
		return false;

	while (!PQisBusy(link->conn))
	{
		PGresult   *result = PQgetResult(link->conn);
		bool		taken;

		if (result == NULL)
			return finish_statement(console);
		taken = take_result(console, result);
		PQclear(result);
		if (!taken)
			return console->state == CONSOLE_WORKING;
	}
	/* until there is nothing more to be read */
	return true;
}

static void
console_advance(Console *console)
{
	bool		more = console->state == CONSOLE_WORKING;

	while (more)
	{
		switch (console->link->step)
		{
			case STEP_RESOLVE:
				more = resolver_result(console->link->resolver) != NULL;
				if (more)
					start_connection(console);
				break;
			case STEP_CONNECT:
				more = go_on_connecting(console);
				break;
			case STEP_SEND:
				more = go_on_sending(console);
				break;
			case STEP_RECEIVE:
				more = go_on_receiving(console);
				break;
		}
		more = more && console->state == CONSOLE_WORKING;
	}
}

static int
console_wait_for(const Console *console, int *descriptor)
{
	const ConsoleLink *link = console->link;

	if (console->state != CONSOLE_WORKING)
		return 0;
	if (link->step == STEP_RESOLVE)
	{
		*descriptor = resolver_descriptor(link->resolver);
		return WL_SOCKET_READABLE;
	}
	*descriptor = PQsocket(link->conn);
	if (*descriptor < 0)
		return 0;
	if (link->step == STEP_CONNECT)
		return link->polling == PGRES_POLLING_WRITING ? WL_SOCKET_WRITEABLE : WL_SOCKET_READABLE;
	return link->step == STEP_SEND ? WL_SOCKET_WRITEABLE : WL_SOCKET_READABLE;
}

static void
console_begin(Console *console)
{
	ConsoleLink *link = console->link;

	memset(&console->trouble, 0, sizeof(console->trouble));
	for (int i = 0; i < CONSOLE_STATEMENTS; i++)
	{
		table_free(&console->answers[i]);
		console->tags[i][0] = '\0';
	}
	console->state = CONSOLE_WORKING;
	if (link->conn == NULL)
	{
		begin_connecting(console);
		return;
	}
	link->kept = true;
	link->statement = 0;
	send_statement(console);
}

static void
console_give_up(Console *console)
{
	ConsoleLink *link = console->link;
	char		message[POOL_MESSAGE_LENGTH];
	PoolStage	stage = STAGE_STATEMENT;

	if (console->state != CONSOLE_WORKING)
		return;
	switch (link->step)
	{
		case STEP_RESOLVE:
			stage = STAGE_RESOLVE;
			snprintf(message, sizeof(message), "the host's address was not found in time");
			break;
		case STEP_CONNECT:
			stage = connection_stage(link->conn);
			snprintf(message, sizeof(message), "%s in time",
					 stage == STAGE_CONNECT ? "the connection was not made" :
					 "PgBouncer let nobody in");
			break;
		default:
			snprintf(message, sizeof(message), "%s was not answered in time", current_statement(console));
			break;
	}
	console->trouble.timed_out = true;
	fail(console, stage, message);
}

static void
console_close(Console *console)
{
	disconnect(console);
	table_free(&console->link->version);
	for (int i = 0; i < CONSOLE_STATEMENTS; i++)
		table_free(&console->answers[i]);
	free(console->link->conninfo);
	free(console->link);
	free(console);
}

static Console *
console_open(const char *conninfo)
{
	Console    *console = calloc(1, sizeof(Console));
	ConsoleLink *link = calloc(1, sizeof(ConsoleLink));

	if (console == NULL || link == NULL || (link->conninfo = strdup(conninfo)) == NULL)
	{
		free(console);
		free(link);
		return NULL;
	}
	console->link = link;
	return console;
}

const ConsoleApi *
dbmaint_pool_console(void)
{
	static const ConsoleApi api = {
		.version = CONSOLE_API_VERSION,
		.open = console_open,
		.close = console_close,
		.begin = console_begin,
		.advance = console_advance,
		.wait_for = console_wait_for,
		.give_up = console_give_up,
	};

	return &api;
}
