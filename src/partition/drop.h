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
	uint64		invalidations;	/* that had come when it was looked at */
} Retirement;

/* Why a partition cannot be retired as is asked. */
typedef struct Obstacle
{
	int			sqlstate;
	char	   *message;
	char	   *detail;			/* NULL: none, as the hint */
	char	   *hint;
} Obstacle;

/*
 * Says what is old enough: fills in set, count and retired.  Sizes are looked
 * up for a dry run, and when all is locked.
 */
extern void drop_look(Retirement *retirement, bool locked);

/* Does it in the current transaction. */
extern void drop_partitions(Retirement *retirement);

/*
 * What the runner does in transactions of its own.  drop_wants_lock(): must
 * the parent be locked, since DETACH CONCURRENTLY is not possible?  drop_obstacle()
 * finds out what would be in the way once it is detached.  drop_detach() detaches one that is old still, and returns whether it is;
 * drop_end() does the rest with one that is detached.
 */
extern bool drop_wants_lock(const Retirement *retirement);
extern int64 drop_size(Oid partition);
extern bool drop_obstacle(const Retirement *retirement, const Retired *retired, Obstacle *obstacle);
extern bool drop_detach(Retirement *retirement, Oid partition);
extern void drop_end(const DropRequest *request, Oid owner, Oid partition);
extern void drop_log(const char *parent, const char *name, const char *from,
					 const char *to, int64 size_bytes, const char *status);

/* Raises an error unless it is a time to keep partitions for. */
extern void drop_check_interval(const Interval *keep);

/* Raises an error where the time zone of the set is not known. */
extern void drop_require_zone(const PartitionSet *set);

/*
 * The value before which everything is old, and how many partitions, from the
 * first on, are before it and before the present.
 */
extern int64 drop_limit(const DropRequest *request, const PartitionSet *set);
extern int	drop_count_old(const PartitionSet *set, int64 limit, int64 now);

#endif							/* DBMAINT_DROP_H */
