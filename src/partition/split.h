/*-------------------------------------------------------------------------
 *
 * split.h
 *		Divides a partition by the periods of its set, online.
 *
 * Its rows are copied in batches into new tables, of a period each, which
 * stand aside and which nobody sees, while a trigger notes what changes
 * meanwhile; what was noted is copied again until little is left.  Then, under
 * a lock of the whole set that lasts as long as a few changes of the catalogs,
 * the last of it is copied and the new tables take the place of the old one.
 * No row is out of sight at any time, none is deleted, and up to that moment
 * everything can be thrown away.
 *
 * The partition is one that holds more than a period, or the default one: of
 * that, the rows that have no period go into a new default partition.
 *
 * src/partition/split.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_SPLIT_H
#define DBMAINT_SPLIT_H

#include "partition/create.h"
#include "utils/timestamp.h"

/* One of the new tables. */
typedef struct SplitPart
{
	Range		range;
	Range		period;			/* after which it is named */
	char	   *name;
	char	   *quoted;			/* for SQL, when it is made */
} SplitPart;

typedef struct Split
{
	Oid			partition;
	Oid			extension_schema;
	Oid			caller;			/* with whose rights publications change */
	char	   *period;			/* NULL: the set's */
	int			window_ms;		/* for which locks are tried */
	int			most_notes;		/* to work on under the lock of all */

	PartitionSet *set;
	char	   *quoted;			/* the partition, for SQL */
	bool		is_default;
	Range		range;			/* of the partition, if it is not the default */
	SplitPart  *parts;			/* oldest first */
	int			count;
	bool		cut;			/* there would be more: the first part is
								 * longer, or the rest stays in the default */

	/* set by split_stage() */
	char	   *staging;		/* the table that has the new ones as its
								 * partitions */
	char	   *notes;			/* of rows that change, for SQL */
	char	   *sums;			/* of rows that the copy has not, for SQL */
	char	   *rest;			/* the new default partition */
	List	   *identity;
	char	   *join;			/* of a row (r) and a note (n) */
	char	   *written;		/* the columns */
	char	   *shape;			/* of the set, which must stay as it is */
	BlockNumber pages;			/* to copy */

	BlockNumber copied;			/* of them; the caller says so */
} Split;

/*
 * Says what is to be made: fills in the first half, in the current memory
 * context.  Raises an error where it cannot be split.
 */
extern void split_plan(Split *split);

/* The same without the parts, for which rows are looked at. */
extern void split_look(Split *split);

/* split_periods.c: the parts, without their names. */
extern void split_find_periods(Split *split);

/*
 * Raises an error where a publication, a view or another object means the
 * partition itself: also before the swap, since one may have come meanwhile.
 */
extern void split_refuse_users(const Split *split);

/* Finds the partition's parent; raises an error where there is none. */
extern Oid	split_parent(Oid partition);

/*
 * Each in a transaction of its own.  split_exclude() and split_validate() come
 * first where the set has another default partition, so that it is not scanned
 * under the lock; split_exclude() says whether it is so.
 */
extern bool split_exclude(const Split *split);
extern void split_validate(const Split *split);

/*
 * Makes the table that has the new ones as its partitions; then those, one
 * after another (number count, of the default partition, is its rest); then
 * begins to note what changes.
 */
extern void split_stage(Split *split);
extern void split_add(Split *split, int number);
extern void split_capture(Split *split);

/*
 * Raises an error where the partition is not what it was when it was planned;
 * or where the disk has too little room for the rest.
 */
extern void split_require_shape(const Split *split);
extern void split_require_room(const Split *split, BlockNumber copied);

/*
 * split_copy.c: copies rows of the pages, but for those that were changed;
 * returns how many.
 */
extern uint64 split_copy(const Split *split, BlockNumber from, BlockNumber to);

/* Copies what was noted, once more; returns how many notes there were. */
extern uint64 split_follow(const Split *split);

/*
 * The same when nobody writes.  Returns false, with nothing done, where there
 * are too many notes; raises an error where the copy has not all rows.
 */
extern bool split_follow_last(const Split *split);

/*
 * Puts the new tables in their place.  Returns false, with nothing done, where
 * more has changed than can be copied under the lock.  The old one is detached
 * and returned by its name, in the current memory context; *locked is when the
 * lock was there.
 */
extern bool split_swap(const Split *split, char **original, TimestampTz *locked);

/* split_close.c: what was detached refuses to be written from then on. */
#define SPLIT_CLOSED "dbmaint_split_closed"
extern void split_close(const Split *split, const char *original);

/*
 * Drops what a split left, but for its result: of tables that are the role's,
 * with the rights of their owner.  Also before one, after a crash.
 */
extern void split_clear(Oid partition, Oid role, int window_ms);

#endif							/* DBMAINT_SPLIT_H */
