/*-------------------------------------------------------------------------
 *
 * history.h
 *		Writes what was collected into performance_metrics, and deletes what
 *		is too old.
 *
 * Both are called inside a step (step/guard.h).
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
	Oid			schema_oid;
	char	   *schema;			/* quoted */
	char	   *version;
} Extension;

/*
 * Looks the extension up in the catalog; returns false if it is not
 * installed.  The strings are in the current memory context.
 */
extern bool history_find_extension(Extension *extension);

/*
 * Inserts the collection as a row.  Returns false if the table is gone, as
 * it is when the extension was dropped meanwhile.  Refuses a table on which
 * somebody put triggers or rules, since they would run as superuser.
 */
extern bool history_write(const Extension *extension,
						  const Collection *collection);

/* Deletes one batch of expired rows; returns how many. */
extern int64 history_expire(const Extension *extension, TimestampTz at);

#endif							/* DBMAINT_HISTORY_H */
