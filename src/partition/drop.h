/*-------------------------------------------------------------------------
 *
 * drop.h
 *		Retires the partitions that are old enough.
 *
 * Only those whose whole range is old; never the default partition, the one
 * that holds the present, one without an end, or the last one there is.
 *
 * src/partition/drop.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_DROP_H
#define DBMAINT_DROP_H

#include "partition/set.h"
#include "utils/timestamp.h"

typedef struct DropRequest
{
	Oid			parent;
	Oid			extension_schema;
	Interval	keep;			/* of a calendar */
	int64		keep_step;		/* of plain numbers */
	bool		by_step;
	bool		dry_run;
	bool		detach_only;
	char	   *move_to_schema; /* NULL: none */
	int			window_ms;
	TimestampTz at;
} DropRequest;

/* One row of the answer. */
typedef struct Retired
{
	Oid			partition;
	Range		range;
	char	   *name;
	int64		size_bytes;
	const char *status;
} Retired;

typedef struct Retirement
{
	const DropRequest *request;
	PartitionSet *set;
	int			count;
	Retired    *retired;
} Retirement;

/*
 * Says what is old enough: fills in set, count and retired.  Sizes are looked
 * up for a dry run, and when all is locked.
 */
extern void drop_look(Retirement *retirement, bool locked);

/* Does it in the current transaction. */
extern void drop_partitions(Retirement *retirement);

#endif							/* DBMAINT_DROP_H */
