/*-------------------------------------------------------------------------
 *
 * move.h
 *		Moves rows of a default partition into a table that will be a partition.
 *
 * src/partition/move.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_MOVE_H
#define DBMAINT_MOVE_H

#include "partition/set.h"

/* Why rows cannot be moved out of the default partition; NULL: they can be. */
extern char *move_obstacle(Oid owner, Oid default_partition);
pg_noreturn extern void move_refuse(const PartitionSet *set, const char *obstacle);

/* Moves those of the range, and fires no trigger; returns how many. */
extern uint64 move_rows(const PartitionSet *set, const Range *range, const char *to);

#endif							/* DBMAINT_MOVE_H */
