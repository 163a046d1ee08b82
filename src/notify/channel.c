/*-------------------------------------------------------------------------
 *
 * channel.c
 *		Makes channels and messages of what is stored, for C and for SQL.
 *
 * src/notify/channel.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/htup_details.h"
#include "common/jsonapi.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "notify/address.h"
#include "notify/notify.h"
#include "settings.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "worker/errand.h"

#define NAME_MOST 63
#define FILE_MOST 65536

PG_FUNCTION_INFO_V1(dbmaint_validate_channel);
PG_FUNCTION_INFO_V1(dbmaint_render_notification);
PG_FUNCTION_INFO_V1(dbmaint_want_notifier);

char *
secret_file_read(const char *path, bool all, Problem *problem)
{
	struct stat status;
	char	   *content;
	ssize_t		length;
	int			fd;

	if (path[0] != '/')
	{
		problem_set(problem, "the name of a file", "must begin with a slash", NULL);
		return NULL;
	}
	/* a FIFO must not hold us */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0 || fstat(fd, &status) != 0)
	{
		snprintf(problem->message, sizeof(problem->message),
				 "the file of a channel cannot be read: %s", strerror(errno));
		problem->hint = "It must be readable by the user that runs the server.";
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	if (!S_ISREG(status.st_mode) || status.st_uid != geteuid() ||
		(status.st_mode & (S_IRWXG | S_IRWXO)) != 0 ||
		status.st_size > FILE_MOST)
	{
		close(fd);
		problem_set(problem, "the file of a channel",
					"must be a regular file of the user that runs the server, of mode 0600 and at most 64 kB",
					"Use chown and chmod 600.");
		return NULL;
	}
	content = palloc0(FILE_MOST + 1);
	length = read(fd, content, FILE_MOST);
	close(fd);
	if (length < 0)
		length = 0;
	content[length] = '\0';
	if (strlen(content) != (size_t) length)
	{
		problem_set(problem, "the file of a channel", "holds a zero byte", NULL);
		return NULL;
	}
	if (!all)
		content[strcspn(content, "\r\n")] = '\0';
	return content;
}

/* Finds an option among those that are secrets and those that are not. */
static JsonbValue *
find_option(Jsonb *options, Jsonb *keys, const char *name)
{
	JsonbValue *value = NULL;

	if (options != NULL && JB_ROOT_IS_OBJECT(options))
		value = getKeyJsonValueFromContainer(&options->root, name,
											 strlen(name), NULL);
	if (value == NULL && keys != NULL && JB_ROOT_IS_OBJECT(keys))
		value = getKeyJsonValueFromContainer(&keys->root, name,
											 strlen(name), NULL);
	return value;
}

/* An option that is a string; NULL where there is none. */
static bool
load_string(Jsonb *options, Jsonb *keys, const char *name,
			const char **string, Problem *problem)
{
	JsonbValue *value = find_option(options, keys, name);

	if (value == NULL)
		return true;
	if (value->type != jbvString)
		return problem_set(problem, psprintf("the option %s", name),
						   "must be a string", NULL);
	*string = jsonb_value_string(value);
	return true;
}

/* The same for one that a file may hold instead: NAME_file. */
static bool
load_secret(Jsonb *options, Jsonb *keys, const char *name, bool all,
			const char **string, Problem *problem)
{
	const char *file = NULL;

	if (!load_string(options, keys, name, string, problem) ||
		!load_string(options, keys, psprintf("%s_file", name), &file, problem))
		return false;
	if (file == NULL)
		return true;
	if (*string != NULL)
		return problem_set(problem, psprintf("the option %s_file", name),
						   "stands beside what it would replace", NULL);
	*string = secret_file_read(file, all, problem);
	return *string != NULL;
}

/* The option headers: an object of strings, or lines in a file. */
static bool
load_headers(Jsonb *options, Jsonb *keys, Channel *channel, Problem *problem)
{
	JsonbValue *value = find_option(options, keys, "headers");
	StringInfoData lines;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	item;
	const char *file = NULL;

	initStringInfo(&lines);
	if (!load_string(options, keys, "headers_file", &file, problem))
		return false;
	if (file != NULL)
	{
		char	   *content = secret_file_read(file, true, problem);

		if (content == NULL)
			return false;
		for (char *c = content; *c != '\0'; c++)
		{
			if (c[0] != '\r' || c[1] != '\n')
				appendStringInfoChar(&lines, *c);
		}
		while (lines.len > 0 && lines.data[lines.len - 1] == '\n')
			lines.data[--lines.len] = '\0';
	}
	if (value != NULL)
	{
		if (value->type != jbvBinary || file != NULL ||
			!JsonContainerIsObject(value->val.binary.data))
			return problem_set(problem, "the option headers",
							   "must be an object of names and strings", NULL);
		iterator = JsonbIteratorInit(value->val.binary.data);
		while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
		{
			char	   *string;

			if (token != WJB_KEY && token != WJB_VALUE)
				continue;
			if (item.type != jbvString)
				return problem_set(problem, "the option headers",
								   "must be an object of names and strings", NULL);
			string = jsonb_value_string(&item);
			/* a line break in one would make another header of the rest */
			if (strpbrk(string, "\r\n") != NULL ||
				(token == WJB_KEY && strchr(string, ':') != NULL))
				return problem_set(problem, "the option headers",
								   "has a line break, or a colon in a name", NULL);
			if (token == WJB_KEY && lines.len > 0)
				appendStringInfoChar(&lines, '\n');
			appendStringInfo(&lines, token == WJB_KEY ? "%s: " : "%s", string);
		}
	}
	if (lines.len > 0)
		channel->headers = lines.data;
	return true;
}

/* Is each option one that the kind knows? */
static bool
check_names(const ChannelKind *kind, Jsonb *options, Problem *problem)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	item;

	if (options == NULL)
		return true;
	if (!JB_ROOT_IS_OBJECT(options))
		return problem_set(problem, "options", "must be a JSON object", NULL);
	iterator = JsonbIteratorInit(&options->root);
	while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
	{
		char	   *name;

		if (token != WJB_KEY)
			continue;
		name = pnstrdup(item.val.string.val, item.val.string.len);
		if (strchr(name, ',') != NULL || name[0] == '\0' ||
			!channel_kind_knows(kind, name))
			return problem_set(problem, "options have a name",
							   "that this kind of channel does not know",
							   psprintf("It knows %s%s%s.", common_options,
										kind->options[0] != '\0' ? "," : "", kind->options));
	}
	return true;
}

/* An option that is a number in a range, if it is there. */
static bool
check_number(Jsonb *options, const char *name, double least, double most,
			 bool whole, Problem *problem)
{
	JsonbValue *value = find_option(options, NULL, name);
	double		number;

	if (value == NULL)
		return true;
	if (value->type == jbvNumeric)
	{
		number = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
													NumericGetDatum(value->val.numeric)));
		if (number >= least && number <= most &&
			(!whole || number == (int) number))
			return true;
	}
	return problem_set(problem, psprintf("the option %s", name),
					   psprintf("must be a %snumber from %g to %g",
								whole ? "whole " : "", least, most), NULL);
}

static bool
load_bool(Jsonb *options, const char *name, bool *flag, Problem *problem)
{
	JsonbValue *value = find_option(options, NULL, name);

	if (value == NULL)
		return true;
	if (value->type != jbvBool)
		return problem_set(problem, psprintf("the option %s", name),
						   "must be true or false", NULL);
	*flag = value->val.boolean;
	return true;
}

static bool
load_options(Channel *channel, Jsonb *options, Jsonb *keys, Problem *problem)
{
	bool		unused;

	return check_names(channel->kind, options, problem) &&
		check_names(channel->kind, keys, problem) &&
		check_number(options, "escalation_level", 1, 3, true, problem) &&
		check_number(options, "rate_per_second", 0.01, 1000, false, problem) &&
		check_number(options, "concurrency", 1, 16, true, problem) &&
		load_bool(options, "query_texts", &unused, problem) &&
		load_bool(options, "evidence", &unused, problem) &&
		load_bool(options, "insecure_plaintext", &channel->insecure_plaintext, problem) &&
		load_secret(options, keys, "target", false, &channel->target, problem) &&
		load_string(options, keys, "url", &channel->url, problem) &&
		load_string(options, keys, "smtp", &channel->smtp, problem) &&
		load_string(options, keys, "from", &channel->from, problem) &&
		load_string(options, keys, "username", &channel->username, problem) &&
		load_secret(options, keys, "password", false, &channel->password, problem) &&
		load_string(options, keys, "method", &channel->method, problem) &&
		load_string(options, keys, "content_type", &channel->content_type, problem) &&
		load_string(options, keys, "body", &channel->body, problem) &&
		load_headers(options, keys, channel, problem) &&
		load_secret(options, keys, "signing_key", false, &channel->signing_key, problem) &&
		load_string(options, keys, "signature_header", &channel->signature_header, problem) &&
		load_string(options, keys, "ca_file", &channel->ca_file, problem);
}

static bool
has_control(const char *string)
{
	for (const char *c = string; c != NULL && *c != '\0'; c++)
	{
		if ((unsigned char) *c < 0x20 || *c == 0x7F)
			return true;
	}
	return false;
}

bool
channel_load(Channel *channel, const char *name, const char *kind,
			 const char *target, Jsonb *options, Jsonb *keys,
			 Problem *problem)
{
	memset(channel, 0, sizeof(Channel));
	memset(problem, 0, sizeof(Problem));
	channel->name = name;
	channel->kind = channel_kind_find(kind);
	if (channel->kind == NULL)
		return problem_set(problem, "a channel", "has a kind that is not known",
						   "Kinds are slack, pagerduty, email, sms, webhook, notify and log.");
	channel->target = target != NULL ? string_to_utf8(target) : NULL;
	if (!load_options(channel, options, keys, problem))
		return false;
	if (channel->target == NULL && channel->kind->carrier == CARRIER_LOG)
		channel->target = "";
	if (channel->target == NULL)
		return problem_set(problem, "a channel", "needs a target, or the option target_file", NULL);
	if (has_control(channel->target) || has_control(channel->username) ||
		has_control(channel->password))
		return problem_set(problem, "target, username and password",
						   "must be one line without control characters", NULL);
	if (channel->ca_file != NULL &&
		(channel->ca_file[0] != '/' || access(channel->ca_file, R_OK) != 0))
		return problem_set(problem, "the option ca_file",
						   "must name a file that the server can read", NULL);
	return channel->kind->check(channel, setting_notify_allowed_networks, problem);
}

static char *
text_argument(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL :
		text_to_cstring(PG_GETARG_TEXT_PP(number));
}

static Jsonb *
jsonb_argument(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : PG_GETARG_JSONB_P(number);
}

static void
raise_problem(const Problem *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s", problem->message),
			 problem->hint != NULL ? errhint("%s", problem->hint) : 0));
}

/* Writes the message as the channel would send it; the body in *request. */
static void
render(const Channel *channel, const Message *message, Request *request)
{
	memset(request, 0, sizeof(Request));
	text_begin(&request->body, palloc(BODY_MOST), BODY_MOST);
	channel->kind->build(channel, message, request);
}

static bool
json_is_valid(char *json)
{
	return json_check(json) == JSON_SUCCESS;
}

/*
 * A template must give valid JSON whatever the message says; the hostile one
 * shows whether a placeholder stands where no value can.
 */
static void
check_rendered(const Channel *channel)
{
	Message		messages[2] = {0};
	Problem		problem;
	Request		request;

	for (int i = 0; i < message_member_count; i++)
	{
		static const char *const hostile[] = {"\"'\\\n{}[],:\xff", "-1.5", "{\"a\": [1]}"};

		memcpy((char *) &messages[1] + message_members[i].offset,
			   &hostile[message_members[i].type], sizeof(hostile[0]));
	}
	messages[0].json = messages[1].json = "{}";
	for (int i = 0; i < 2; i++)
	{
		render(channel, &messages[i], &request);
		if (content_type_is_json(request.content_type) &&
			!json_is_valid(request.body.data))
		{
			problem_set(&problem, "the option body", "does not give valid JSON",
						"A placeholder is a JSON value, or part of a string between quotes.");
			raise_problem(&problem);
		}
	}
}

/* SQL: dbmaint_validate_channel(name, kind, target, min_severity, options) */
Datum
dbmaint_validate_channel(PG_FUNCTION_ARGS)
{
	char	   *name = text_argument(fcinfo, 0);
	char	   *kind = text_argument(fcinfo, 1);
	char	   *severity = text_argument(fcinfo, 3);
	Jsonb	   *options = jsonb_argument(fcinfo, 4);
	Channel		channel;
	Problem		problem = {0};

	if (name == NULL || name[0] == '\0' || strlen(name) > NAME_MOST ||
		has_control(name))
		problem_set(&problem, "the name of a channel",
					"must have 1 to 63 bytes and no control characters", NULL);
	else if (severity == NULL ||
			 (strcmp(severity, "warning") != 0 &&
			  strcmp(severity, "critical") != 0 &&
			  strcmp(severity, "emergency") != 0))
		problem_set(&problem, "min_severity",
					"must be warning, critical or emergency", NULL);
	else if (kind == NULL || options == NULL)
		problem_set(&problem, "kind and options", "must not be NULL",
					"Options may be an empty object: '{}'.");
	else
		(void) channel_load(&channel, name, kind, text_argument(fcinfo, 2),
							options, NULL, &problem);
	if (problem.message[0] != '\0')
		raise_problem(&problem);
	if (channel.kind->carrier == CARRIER_HTTP)
		check_rendered(&channel);
	PG_RETURN_VOID();
}

/* SQL: dbmaint_render_notification(name, kind, target, options, keys, message) */
Datum
dbmaint_render_notification(PG_FUNCTION_ARGS)
{
	char	   *name = text_argument(fcinfo, 0);
	char	   *kind = text_argument(fcinfo, 1);
	Jsonb	   *json = jsonb_argument(fcinfo, 5);
	Channel		channel;
	Message		message;
	Problem		problem = {0};
	Request		request;
	TupleDesc	desc;
	Datum		values[2] = {0};
	bool		nulls[2] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (name == NULL || kind == NULL || json == NULL || !JB_ROOT_IS_OBJECT(json))
		problem_set(&problem, "a message", "must be a JSON object", NULL);
	else
		(void) channel_load(&channel, name, kind, text_argument(fcinfo, 2),
							jsonb_argument(fcinfo, 3), jsonb_argument(fcinfo, 4),
							&problem);
	if (problem.message[0] != '\0')
		raise_problem(&problem);
	message_load(&message, json);
	if (message.at != NULL)
		message.at_s = timestamptz_to_time_t(DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in,
																					 CStringGetDatum(message.at),
																					 ObjectIdGetDatum(InvalidOid),
																					 Int32GetDatum(-1))));
	if (message.message_id == NULL)
		message.message_id = "00000000-0000-0000-0000-000000000000";
	render(&channel, &message, &request);

	nulls[0] = request.content_type == NULL;
	if (!nulls[0])
		values[0] = CStringGetTextDatum(request.content_type);
	values[1] = CStringGetTextDatum(pg_any_to_server(request.body.data,
													 (int) request.body.length, PG_UTF8));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* SQL: dbmaint_want_notifier() */
Datum
dbmaint_want_notifier(PG_FUNCTION_ARGS)
{
	errand_want_at_commit(ERRAND_NOTIFIER);
	PG_RETURN_VOID();
}
