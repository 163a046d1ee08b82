/*-------------------------------------------------------------------------
 *
 * delivery.c
 *		What the notifier asks of the outbox, and tells it.
 *
 * src/notify/delivery.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <netinet/in.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "notify/address.h"
#include "notify/notifier.h"
#include "settings.h"
#include "step/guard.h"
#include "step/query.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#define TEND_INTERVAL_US (60 * USECS_PER_SEC)

/* What one claimed row says. */
typedef struct Claim
{
	Notifier   *notifier;
	Lane	   *lane;
	Delivery   *delivery;
	Jsonb	   *message;
	char	   *message_key;
	TimestampTz queued_at;
} Claim;

/* libcurl asks whether it may connect. */
static bool
connection_allowed(const struct sockaddr *to)
{
	Address		address;

	if (to->sa_family == AF_INET)
		address = address_from_ipv4((const uint8_t *)
									&((const struct sockaddr_in *) (const void *) to)->sin_addr);
	else if (to->sa_family == AF_INET6)
		address = address_from_ipv6((const uint8_t *)
									&((const struct sockaddr_in6 *) (const void *) to)->sin6_addr);
	else
		return false;
	return address_allowed(&address, setting_notify_allowed_networks);
}

static void
load_transport(Notifier *notifier)
{
	if (notifier->transport == NULL)
	{
		GetTransport get = (GetTransport) load_external_function(TRANSPORT_LIBRARY,
																 TRANSPORT_FUNCTION,
																 true, NULL);
		const Transport *transport = get();

		transport->begin(connection_allowed);
		notifier->transport = transport;
	}
}

static Delivery *
free_delivery(Notifier *notifier)
{
	for (int i = 0; i < IN_FLIGHT_MOST; i++)
	{
		if (notifier->deliveries[i].message_id == 0)
			return &notifier->deliveries[i];
	}
	elog(ERROR, "more notifications under way than there is room for");
	return NULL;				/* not reached */
}

/* Runs a statement of ours; its arguments follow the schema's name. */
static uint64
call(Notifier *notifier, const char *before, const char *after, int nargs,
	 Oid *types, Datum *values, const char *nulls)
{
	return query_begin(psprintf("%s%s.%s", before, notifier->extension.schema, after),
					   nargs, types, values, nulls);
}

static const char *const verdict_names[] = {
	[VERDICT_SENT] = "sent",
	[VERDICT_RETRY] = "retry",
	[VERDICT_REFUSED] = "refused",
};

/* Stores the results from that one on. */
static void
store_results(Notifier *notifier, int first)
{
	int			count = notifier->result_count - first;
	Datum		columns[6][RESULTS_MOST];
	bool		nulls[6][RESULTS_MOST] = {{false}};
	Oid			elements[6] = {INT8OID, TEXTOID, INT4OID, TEXTOID, FLOAT8OID, FLOAT8OID};
	Oid			types[7] = {INT8ARRAYOID, TEXTARRAYOID, INT4ARRAYOID, TEXTARRAYOID,
	FLOAT8ARRAYOID, FLOAT8ARRAYOID, TIMESTAMPTZOID};
	Datum		values[7];

	if (count == 0)
		return;
	for (int i = 0; i < count; i++)
	{
		const SendResult *result = &notifier->results[first + i];

		columns[0][i] = Int64GetDatum(result->message_id);
		columns[1][i] = CStringGetTextDatum(verdict_names[result->verdict]);
		columns[2][i] = Int32GetDatum(result->status);
		nulls[2][i] = result->status == 0;
		columns[3][i] = CStringGetTextDatum(result->error);
		nulls[3][i] = result->error[0] == '\0';
		columns[4][i] = Float8GetDatum(result->duration_ms);
		nulls[4][i] = result->duration_ms < 0;
		columns[5][i] = Float8GetDatum(result->wait_ms);
	}
	for (int i = 0; i < 6; i++)
		values[i] = query_array(columns[i], nulls[i], count, elements[i]);
	values[6] = TimestampTzGetDatum(notifier->now);
	call(notifier, "SELECT ", "dbmaint_finish_notifications($1, $2, $3, $4, $5, $6, $7)",
		 7, types, values, NULL);
	query_end();
}

static void
store_lanes(Notifier *notifier)
{
	for (int i = 0; i < notifier->lane_count; i++)
	{
		Lane	   *lane = &notifier->lanes[i];
		Oid			types[6] = {TEXTOID, INT4OID, TIMESTAMPTZOID, BOOLOID, TEXTOID, TIMESTAMPTZOID};
		Datum		values[6] = {
			CStringGetTextDatum(NameStr(lane->name)), Int32GetDatum(lane->failures),
			TimestampTzGetDatum(lane->paused_until), BoolGetDatum(lane->sent),
			CStringGetTextDatum(lane->error), TimestampTzGetDatum(notifier->now)
		};
		char		nulls[7] = "      ";

		if (!lane->changed)
			continue;
		if (lane->paused_until == 0)
			nulls[2] = 'n';
		if (lane->error[0] == '\0')
			nulls[4] = 'n';
		call(notifier, "SELECT ", "dbmaint_note_channel($1, $2, $3, $4, $5, $6)",
			 6, types, values, nulls);
		query_end();
	}
}

static Datum
column(uint64 row, int number, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, number,
						 isnull);
}

/* A column's value, copied into the context; NULL for NULL. */
static char *
string_column(uint64 row, int number, MemoryContext context)
{
	bool		isnull;
	Datum		value = column(row, number, &isnull);
	MemoryContext old = MemoryContextSwitchTo(context);
	char	   *string = isnull ? NULL : TextDatumGetCString(value);

	MemoryContextSwitchTo(old);
	return string;
}

static Jsonb *
jsonb_column(uint64 row, int number, MemoryContext context)
{
	bool		isnull;
	Datum		value = column(row, number, &isnull);
	MemoryContext old = MemoryContextSwitchTo(context);
	Jsonb	   *json = isnull ? NULL : DatumGetJsonbPCopy(value);

	MemoryContextSwitchTo(old);
	return json;
}

/* Takes one row of dbmaint_due_channels(). */
static void
list_lane(Notifier *notifier, uint64 row)
{
	MemoryContext context = notifier->turn_context;
	char	   *name = string_column(row, 1, context);
	char	   *kind = string_column(row, 2, context);
	char	   *target = string_column(row, 3, context);
	Jsonb	   *options = jsonb_column(row, 4, context);
	Jsonb	   *keys = jsonb_column(row, 5, context);
	Lane	   *lane = lane_find(notifier, name);
	MemoryContext old;
	Datum		value;
	bool		isnull;

	if (lane == NULL)
		return;
	lane->kind = channel_kind_find(kind);
	if (lane->kind == NULL)
		return;
	value = column(row, 6, &isnull);
	lane->rate = isnull ? lane->kind->rate : DatumGetFloat8(value);
	value = column(row, 7, &isnull);
	lane->concurrency = isnull ? lane->kind->concurrency : DatumGetInt32(value);
	value = column(row, 8, &isnull);
	if (!lane->known && !isnull)
		lane->failures = DatumGetInt32(value);
	value = column(row, 9, &isnull);
	lane->due_at = DatumGetTimestampTz(value);
	lane->listed = lane->known = true;

	old = MemoryContextSwitchTo(context);
	lane->channel = palloc_object(Channel);
	if (!channel_load(lane->channel, NameStr(lane->name), kind, target, options,
					  keys, &lane->problem))
		lane->channel = NULL;
	MemoryContextSwitchTo(old);
}

static void
list_lanes(Notifier *notifier)
{
	Oid			type = TIMESTAMPTZOID;
	Datum		at = TimestampTzGetDatum(notifier->now);
	uint64		count;

	for (int i = 0; i < notifier->lane_count; i++)
	{
		notifier->lanes[i].listed = false;
		notifier->lanes[i].channel = NULL;
	}
	count = call(notifier, "SELECT name, kind, target, options, keys, rate, concurrency, failures, due_at FROM ",
				 "dbmaint_due_channels($1)", 1, &type, &at, NULL);
	for (uint64 row = 0; row < count; row++)
		list_lane(notifier, row);
	query_end();
}

/* Writes the request of a claimed notification, and delivers what is local. */
static void
step_prepare(void *arg)
{
	Claim	   *claim = arg;
	Notifier   *notifier = claim->notifier;
	Channel    *channel = claim->lane->channel;
	Message		message;
	Request		request = {0};
	Prepared   *prepared;
	Outgoing   *outgoing;
	Url			url;

	message_load(&message, claim->message);
	message.message_id = claim->message_key;
	message.at_s = timestamptz_to_time_t(claim->queued_at);
	text_begin(&request.body, notifier->body, BODY_MOST);
	channel->kind->build(channel, &message, &request);
	if (request.too_large)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the message is too large")));

	if (channel->kind->carrier == CARRIER_NOTIFY)
	{
		Oid			types[2] = {TEXTOID, TEXTOID};
		Datum		values[2] = {CStringGetTextDatum(channel->target),
		CStringGetTextDatum(request.body.data)};

		query_begin("SELECT pg_catalog.pg_notify($1, $2)", 2, types, values, NULL);
		query_end();
		return;
	}
	if (channel->kind->carrier == CARRIER_LOG)
	{
		if (!message_level_is_interesting(LOG))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("the server's log takes no such messages: log_min_messages is \"%s\"",
							GetConfigOption("log_min_messages", false, false)),
					 errhint("Set log_min_messages to log, or to anything that shows more.")));
		ereport(LOG,
				(errmsg("%s", pg_any_to_server(request.body.data,
											   (int) request.body.length, PG_UTF8))));
		return;
	}

	load_transport(notifier);
	prepared = &notifier->prepared[notifier->prepared_count];
	prepared->delivery = claim->delivery;
	outgoing = &prepared->outgoing;
	memset(outgoing, 0, sizeof(Outgoing));
	outgoing->id = claim->delivery->message_id;
	outgoing->carrier = channel->kind->carrier;
	outgoing->url = request.url;
	outgoing->host = url_parse(request.url, &url) == NULL ? pstrdup(url.host) : "";
	outgoing->ca_file = channel->ca_file;
	outgoing->method = request.method;
	outgoing->mail_from = channel->from;
	outgoing->recipients = channel->target;
	outgoing->username = channel->username;
	outgoing->password = channel->password;
	outgoing->plaintext = channel->insecure_plaintext;
	if (outgoing->carrier == CARRIER_HTTP)
	{
		outgoing->headers = http_headers(channel, &request, claim->message_key);
		outgoing->recipients = NULL;
	}
	outgoing->body_length = request.body.length;
	outgoing->body = memcpy(palloc(request.body.length + 1), request.body.data,
							request.body.length + 1);
	outgoing->timeout_ms = setting_notify_timeout_ms;
	notifier->prepared_count++;
}

/* Writes one that was claimed, or notes why it cannot be. */
static void
prepare(Notifier *notifier, Claim *claim)
{
	Lane	   *lane = claim->lane;
	MemoryContext old;
	char	   *failure;

	notifier->in_flight++;
	lane->in_flight++;
	if (lane->channel == NULL)
	{
		/* somebody may mend it */
		lane_add_result(notifier, claim->delivery, VERDICT_RETRY, 0,
						lane->problem.message, -1, 0);
		return;
	}
	old = MemoryContextSwitchTo(notifier->turn_context);
	failure = guard_run("notification", step_prepare, claim);
	MemoryContextSwitchTo(old);
	if (failure != NULL)
		lane_add_result(notifier, claim->delivery,
						notifier->transport == NULL && lane->kind->carrier <= CARRIER_SMTP ?
						VERDICT_RETRY : VERDICT_REFUSED, 0, failure, -1, 0);
	else if (lane->kind->carrier > CARRIER_SMTP)
		lane_add_result(notifier, claim->delivery, VERDICT_SENT, 0, "", -1, 0);
}

/* Claims up to that many of the lane's notifications, and writes them. */
static void
claim_lane(Notifier *notifier, Lane *lane, int room)
{
	Oid			types[3] = {TEXTOID, INT4OID, TIMESTAMPTZOID};
	Datum		values[3] = {CStringGetTextDatum(NameStr(lane->name)),
	Int32GetDatum(room), TimestampTzGetDatum(notifier->now)};
	Claim	   *claims = palloc_array(Claim, room);
	uint64		count;

	count = call(notifier, "SELECT message_id, message_key, attempt, queued_at, message FROM ",
				 "dbmaint_claim_notifications($1, $2, $3)", 3, types, values, NULL);
	if (count > (uint64) room)
		elog(ERROR, "more notifications were claimed than there is room for");
	for (uint64 row = 0; row < count; row++)
	{
		Claim	   *claim = &claims[row];
		bool		isnull;

		claim->notifier = notifier;
		claim->lane = lane;
		claim->delivery = free_delivery(notifier);
		claim->delivery->message_id = DatumGetInt64(column(row, 1, &isnull));
		claim->delivery->lane = lane;
		claim->delivery->attempt = DatumGetInt32(column(row, 3, &isnull));
		claim->delivery->started_at = notifier->now;
		claim->delivery->fresh = true;
		claim->message_key = string_column(row, 2, notifier->turn_context);
		claim->queued_at = DatumGetTimestampTz(column(row, 4, &isnull));
		claim->message = jsonb_column(row, 5, notifier->turn_context);
	}
	query_end();

	lane->tokens -= (double) count;
	lane->short_of = count < (uint64) room;
	for (uint64 i = 0; i < count; i++)
		prepare(notifier, &claims[i]);
}

static void
tend(Notifier *notifier)
{
	Oid			type = TIMESTAMPTZOID;
	Datum		at = TimestampTzGetDatum(notifier->now);

	if (!notifier->released)
	{
		call(notifier, "SELECT ", "dbmaint_release_notifications($1)", 1, &type, &at, NULL);
		query_end();
	}
	if (notifier->tended_at == 0 ||
		notifier->now > notifier->tended_at + TEND_INTERVAL_US ||
		notifier->now < notifier->tended_at)
	{
		call(notifier, "SELECT ", "dbmaint_tend_outbox($1)", 1, &type, &at, NULL);
		query_end();
		notifier->tended_at = notifier->now;
	}
}

/* Finds our tables; a table with triggers or rules is an error. */
static bool
find_outbox(Notifier *notifier)
{
	MemoryContext old = MemoryContextSwitchTo(notifier->turn_context);
	bool		found = history_find_extension(&notifier->extension) &&
	strcmp(notifier->extension.version, DBMAINT_VERSION) == 0 &&
	history_lock(&notifier->extension, "dbmaint_outbox") &&
	history_lock(&notifier->extension, "dbmaint_notification_attempts") &&
	history_lock(&notifier->extension, "dbmaint_channel_states");

	MemoryContextSwitchTo(old);
	return found;
}

/* The transaction of a turn: notes, claims, writes. */
void
delivery_step(void *arg)
{
	Notifier   *notifier = arg;
	int			first = notifier->result_count;
	bool		more = false;

	notifier->installed = find_outbox(notifier);
	if (!notifier->installed)
		return;
	tend(notifier);
	store_results(notifier, 0);
	store_lanes(notifier);

	list_lanes(notifier);
	notifier->next_look = DT_NOEND;
	for (int i = 0; i < notifier->lane_count; i++)
	{
		Lane	   *lane = &notifier->lanes[i];
		int			room;

		lane->short_of = false;
		if (!lane->listed)
			continue;
		room = lane_room(notifier, lane);
		if (room > 0)
			claim_lane(notifier, lane, room);
		notifier->next_look = Min(notifier->next_look, lane_next(notifier, lane));

		/*
		 * What the server carried is sent when this commits, what cannot be
		 * sent is known now.  Stored lane by lane, it takes no other's room.
		 */
		more = more || notifier->result_count > first;
		store_results(notifier, first);
		notifier->result_count = first;
	}
	if (more)
		store_lanes(notifier);
}

/* The last transaction: only notes. */
void
delivery_finish_step(void *arg)
{
	Notifier   *notifier = arg;

	if (find_outbox(notifier))
	{
		store_results(notifier, 0);
		store_lanes(notifier);
	}
}

/* The turn's transaction committed: what it stored needs no more care. */
void
delivery_committed(Notifier *notifier)
{
	notifier->result_count = 0;
	notifier->released = true;
	notifier->failures = 0;
	for (int i = 0; i < notifier->lane_count; i++)
	{
		Lane	   *lane = &notifier->lanes[i];

		lane->changed = lane->sent = false;
		lane->error[0] = '\0';
	}
	for (int i = 0; i < IN_FLIGHT_MOST; i++)
		notifier->deliveries[i].fresh = false;
}

/* It did not: nothing was claimed, and the results are still to be stored. */
void
delivery_failed(Notifier *notifier, int results)
{
	notifier->result_count = results;
	notifier->prepared_count = 0;
	notifier->tended_at = 0;
	for (int i = 0; i < notifier->lane_count; i++)
		notifier->lanes[i].in_flight = 0;
	notifier->in_flight = 0;
	for (int i = 0; i < IN_FLIGHT_MOST; i++)
	{
		Delivery   *delivery = &notifier->deliveries[i];

		if (delivery->fresh)
			delivery->message_id = 0;
		delivery->fresh = false;
		if (delivery->message_id != 0)
		{
			delivery->lane->in_flight++;
			notifier->in_flight++;
		}
	}
}
