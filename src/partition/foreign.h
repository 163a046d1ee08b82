/*-------------------------------------------------------------------------
 *
 * foreign.h
 *		Foreign keys of tables that hold a copy of another one's rows.
 *
 * A copy lags behind.  Were its foreign keys in force, who deletes a row, and
 * then what it referred to, would be told that the copy refers to it still.
 * The rows are those of a table whose foreign keys hold, so the copy's are
 * there for the catalogs and stand still until it takes that table's place.
 *
 * src/partition/foreign.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_FOREIGN_H
#define DBMAINT_FOREIGN_H

#include "nodes/pg_list.h"
#include "polite/polite.h"

/* Those of the table: ForeignKeyCacheInfo, copied. */
extern List *foreign_keys(Oid table);

/*
 * Locks for polite_lock_all(): count of own ones, then the tables that foreign
 * keys of the table refer to, in the mode.  Sets *count.
 */
extern PoliteLock *foreign_locks(Oid table, LOCKMODE mode, const PoliteLock *own, int *count);

/* And then those whose foreign keys refer to the table. */
extern PoliteLock *foreign_locks_both(Oid table, LOCKMODE mode, const PoliteLock *own, int *count);

/* Does a foreign key refer to the table's rows?  Then DROP alone is refused. */
extern bool foreign_is_referenced(Oid table);

/* Gives an empty table the foreign keys of another one, as the role. */
extern void foreign_copy(Oid role, Oid from, Oid table, const char *quoted);

/* Their triggers stand still, those on the tables referred to as well. */
extern void foreign_stop(Oid table);

/* Those on the table itself work again. */
extern void foreign_start(Oid table);

/* Drops, as the role, the foreign keys that stand still; says whether there are any. */
extern bool foreign_has_stopped(Oid table);
extern void foreign_drop_stopped(Oid role, Oid table, const char *quoted);

#endif							/* DBMAINT_FOREIGN_H */
