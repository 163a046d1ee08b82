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
} CreateRequest;

/* One row of the answer. */
typedef struct Wanted
{
	Slot		slot;
	bool		to_create;
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
 * the current memory context.  Returns how many are to be created.
 */
extern int	create_look(Creation *creation);

/* Does it all in the current transaction. */
extern void create_partitions(Creation *creation);

/*
 * The rest of create_partitions(), attach.c: looks for rows of the new ranges
 * in the default partition, and attaches what was made.
 */
extern void attach_judge_default(Creation *creation);
extern void attach_partitions(Creation *creation);

#endif							/* DBMAINT_CREATE_H */
