/*-------------------------------------------------------------------------
 *
 * set.h
 *		A partitioned table and its partitions, as ranges on a grid.
 *
 * src/partition/set.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_SET_H
#define DBMAINT_SET_H

#include "partition/key.h"
#include "pgtime.h"
#include "utils/rel.h"

/* What is said about a set, by an argument or by its recorded row. */
typedef struct SetOptions
{
	char	   *period;			/* NULL: from the partitions */
	char	   *time_zone;		/* NULL: from the partitions */
	char	   *epoch;			/* "seconds", "milliseconds", "none"; NULL:
								 * from the partitions */
	bool		ranges_only;	/* no grid is needed */
} SetOptions;

typedef struct PartitionSet
{
	Oid			parent;
	Oid			owner;
	Oid			schema;
	char	   *name;			/* of the parent, not quoted */
	char	   *quoted;			/* with its schema */

	Key			key;
	AttrNumber	column;			/* of the key; the first one where there are
								 * several */
	char	   *column_name;
	int			column_count;
	char	   *others_present; /* " AND b IS NOT NULL" of the other columns,
								 * and */
	char	   *others_absent;	/* " OR b IS NULL": a row without one of them
								 * has no partition but the default one */
	bool		nullable;		/* rows without a key have no partition but
								 * the default one */

	int			count;			/* partitions in the order of their ranges */
	Range	   *ranges;
	Oid		   *partitions;
	Oid			default_partition;	/* InvalidOid: none */
	bool		has_pending;	/* a detach was begun and not ended */

	pg_tz	   *zone;			/* NULL: not known, or of no importance */
	const char *zone_reason;	/* why the zone is not known */
	Calendar   *calendar;		/* NULL: plain numbers */
	bool		has_grid;
	Grid		grid;
	const char *grid_reason;	/* why there is none */
} PartitionSet;

/*
 * Raises an error unless the current user may do this to the table: before
 * anything is locked, so that nobody can stop what is not his.
 */
extern void set_check_rights(Oid parent);

/*
 * Reads a set, in the current memory context.  Raises an error where it is
 * none: not partitioned by ranges of one column, or a column of a type that is
 * no time and no number.  The parent is locked by the caller.
 */
extern PartitionSet *set_read(Relation parent, const SetOptions *options,
							  Oid extension_schema);

/*
 * The same of a table that is not partitioned yet, by a column of it; without
 * partitions.  Raises an error where the column cannot be a key.
 */
extern PartitionSet *set_of_plain_table(Relation table, const char *column,
										const SetOptions *options);

/*
 * The value that stands for the time: of a set of plain numbers the greatest
 * one in use, which is looked for as the owner.
 */
extern int64 set_now(const PartitionSet *set, TimestampTz at);

/* The partition that is asked for it first; InvalidOid: none is. */
extern Oid	set_asked_for_now(const PartitionSet *set);

/* The period that a user wrote: an interval, or a number for plain numbers. */
extern Period set_parse_period(const PartitionSet *set, const char *text);
extern char *set_period_text(const Period *period);

/* A relation's name for people, as in the catalog; and for SQL. */
extern char *set_relation_name(Oid relation);
extern char *set_quoted_name(Oid relation);

/*
 * condition.c, for SQL: is a row of a range, or of none but the default one
 * because it is not in the range?  And a CHECK that has only rows of the range.
 */
#define SET_RANGE_CHECK "dbmaint_range"
extern char *set_inside(const PartitionSet *set, const Range *range);
extern char *set_outside(const PartitionSet *set, const Range *range);
extern char *set_range_check(const PartitionSet *set, const Range *range);

/* The columns that can be written, for INSERT and RETURNING, each after "alias.". */
extern char *set_written_columns(Oid relation, const char *alias);

/* The time zone of the name; raises an error if it is not known. */
extern pg_tz *set_find_zone(const char *name);

#endif							/* DBMAINT_SET_H */
