/*-------------------------------------------------------------------------
 *
 * history.h
 *		Writes what was collected into performance_metrics, rolls it up by
 *		hour and day, and deletes what is too old.
 *
 * All are called inside a step (step/guard.h).
 *
 * src/history/history.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_HISTORY_H
#define DBMAINT_HISTORY_H

#include "collect/collect.h"

/* The schema in which the extension is installed in this database. */
typedef struct Extension
{
	Oid			oid;
	Oid			schema_oid;
	char	   *schema;			/* quoted */
	char	   *version;
} Extension;

/*
 * Looks the extension up in the catalog; returns false if it is not
 * installed.  The strings are in the current memory context.
 */
extern bool history_find_extension(Extension *extension);

/* Raises an error unless it is of the library's version. */
extern void history_require_version(const Extension *extension);

/* Returns the type of ours that has the name. */
extern Oid	history_type(const Extension *extension, const char *name);

/*
 * Locks a table of history, to be written by whoever calls.  Returns false if
 * it is gone, as it is when the extension was dropped meanwhile.  Refuses one
 * on which somebody put triggers or rules, since they would run as superuser.
 */
extern bool history_lock(const Extension *extension, const char *table);

/*
 * Inserts the collection as a row of performance_metrics.  Returns false if
 * the table is gone; refuses it as history_lock() does.
 */
extern bool history_write(const Extension *extension,
						  const Collection *collection);

/*
 * Rolls up a bounded number of the hours and days that were over at that time
 * and are not rolled up yet; returns how many.  Refuses tables with triggers
 * or rules, as history_write() does.
 */
extern int64 history_roll_up(const Extension *extension, TimestampTz at);

/* Calls a function of ours (at timestamptz) that returns bool. */
extern bool history_ask(const Extension *extension, const char *function,
						TimestampTz at);

/* Deletes one batch of expired rows; returns how many. */
extern int64 history_expire(const Extension *extension, TimestampTz at);

#endif							/* DBMAINT_HISTORY_H */
