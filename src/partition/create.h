/*-------------------------------------------------------------------------
 *
 * create.h
 *		Makes the partitions that a set needs next.
 *
 * A partition is made as a table that stands alone, like its siblings in
 * everything, and then attached: that locks the parent in SHARE UPDATE
 * EXCLUSIVE mode, which reading and writing do not notice.  Where the set has
 * a default partition, attaching locks that one alone in ACCESS EXCLUSIVE mode.
 *
 * src/partition/create.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_CREATE_H
#define DBMAINT_CREATE_H

#include "partition/set.h"

/* At most so many partitions are made at a time. */
#define CREATE_MOST 1000

/* Rows of the default partition that belong into a new one. */
typedef enum DefaultRows
{
	DEFAULT_ROWS_ERROR,
	DEFAULT_ROWS_MOVE,
	DEFAULT_ROWS_MOVE_FEW,		/* of a range that holds many, skip */
	DEFAULT_ROWS_SKIP
} DefaultRows;

typedef struct CreateRequest
{
	Oid			parent;
	Oid			extension_schema;
	int			count;
	SetOptions	options;
	bool		fill_gaps;
	DefaultRows default_rows;
	bool		dry_run;
	int			window_ms;
	TimestampTz at;
	Oid			caller;			/* with whose rights publications change */
	int			most;			/* to make at a time; 0: all */
	int			scan_pages;		/* a default partition of more pages is not
								 * scanned under its lock; 0: of any size is */
} CreateRequest;

/* One row of the answer. */
typedef struct Wanted
{
	Slot		slot;
	bool		to_create;
	bool		in_default;		/* left out, for rows of the default
								 * partition, or for its size */
	bool		excluded;		/* the default partition has no rows of it: a
								 * CHECK says so */
	char	   *name;
	char	   *quoted;			/* of a new one, for SQL */
	char	   *check;			/* of a new one that rows are moved into */
	char	   *status;
} Wanted;

typedef struct Creation
{
	const CreateRequest *request;
	PartitionSet *set;
	int			count;
	int			room;
	Wanted	   *wanted;
	bool		too_many;
} Creation;

/*
 * Says what is there and what is missing: fills in count, wanted and set, in
 * the current memory context.  Returns how many are to be created.  What they
 * would be called is found out apart: only the last look needs it.
 */
extern int	create_look(Creation *creation);
extern void create_name(Creation *creation);

/* Does it all in the current transaction, with a look and the names. */
extern void create_partitions(Creation *creation);

/*
 * The rest of create_partitions(), attach.c: looks for rows of the new ranges
 * in the default partition, and attaches what was made.
 */
extern void attach_judge_default(Creation *creation);
extern void attach_partitions(Creation *creation);

/*
 * Beside a default partition that is not small, before create_partitions() and
 * each in a transaction of its own, so that nobody waits for its scan: adds a
 * CHECK that excludes what is to be created, but for ranges that it has rows of
 * and for the present, whose rows come in (false: nothing is left, or there is
 * no need); then looks whether all rows agree.  create_partitions() drops it
 * where it makes all at a time; attach_unexclude() does else, and where that
 * did not come about.
 */
extern bool attach_exclude(Creation *creation);
extern void attach_validate(Creation *creation);
extern void attach_unexclude(Creation *creation);

/* Raises the error of a set whose period or time zone is not known. */
pg_noreturn extern void create_refuse_unknown_grid(const PartitionSet *set);

#endif							/* DBMAINT_CREATE_H */
