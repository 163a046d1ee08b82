/*-------------------------------------------------------------------------
 *
 * exclude.h
 *		The CHECK on a default partition that excludes rows of new partitions.
 *
 * While it is there and looked through, partitions of its ranges are attached
 * without a scan of the default partition; and rows of these ranges, which
 * have no other partition yet, are refused.
 *
 * src/partition/exclude.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_EXCLUDE_H
#define DBMAINT_EXCLUDE_H

#include "partition/set.h"

/* One that was found, or made. */
typedef struct Excluded
{
	char	   *constraint;		/* NULL: there is none */
	bool		validated;
	int			count;
	Range	   *ranges;
} Excluded;

/*
 * Finds the one that we made, by the comment on it: what its owner calls so is
 * his own.  False, and nothing in *excluded, where there is none.
 */
extern bool exclude_find(const PartitionSet *set, Excluded *excluded);

/* Is the range excluded, and does it count? */
extern bool exclude_covers(const Excluded *excluded, const Range *range);

/* The default partition is locked against all use. */
extern void exclude_add(const PartitionSet *set, const Range *ranges, int count,
						bool not_valid, Excluded *excluded);
extern void exclude_drop(const PartitionSet *set, const Excluded *excluded);

/* Nobody waits for it. */
extern void exclude_validate(const PartitionSet *set, const Excluded *excluded);

#endif							/* DBMAINT_EXCLUDE_H */
