/*-------------------------------------------------------------------------
 *
 * notify.h
 *		Tells people: channels, an outbox, and the process that delivers it.
 *
 * A notification is queued in the transaction of what it tells, as a row of
 * dbmaint_outbox (outbox.sql).  The notifier (notifier.c) claims rows, sends
 * them with the transport and notes the results.  It never holds a
 * transaction while it waits.  Delivery is at least once; the receiver can
 * tell a repeated message by its id.
 *
 * src/notify/notify.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_NOTIFY_H
#define DBMAINT_NOTIFY_H

#include "notify/kind.h"
#include "utils/jsonb.h"

/* Entry point of the process. */
extern PGDLLEXPORT void notifier_main(Datum arg);

/*
 * Makes a channel of what is stored; options and keys may be NULL.  Reads the
 * files that options name.  Returns false and says why if it is not valid.
 * In the current memory context.
 */
extern bool channel_load(Channel *channel, const char *name, const char *kind,
						 const char *target, Jsonb *options, Jsonb *keys,
						 Problem *problem);

/* Makes a message of its JSON object; strings as UTF-8, in this context. */
extern void message_load(Message *message, Jsonb *json);

/*
 * Reads the first line of a file, or all of it: a regular file of the server's
 * user that nobody else may read.  NULL where it cannot, and says why.
 */
extern char *secret_file_read(const char *path, bool all, Problem *problem);

/* The string in UTF-8, as far as it can be converted; palloc'd. */
extern char *string_to_utf8(const char *string);

/* The string that a JSON value is, in UTF-8. */
extern char *jsonb_value_string(const JsonbValue *value);

/* The headers of an HTTP request: the channel's, the id, the signature. */
extern char *http_headers(const Channel *channel, const Request *request,
						  const char *message_key);

#endif							/* DBMAINT_NOTIFY_H */
