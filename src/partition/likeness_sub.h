/*-------------------------------------------------------------------------
 *
 * likeness_sub.h
 *		Making sub-partitions like those of another partition.
 *
 * src/partition/likeness_sub.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_LIKENESS_SUB_H
#define DBMAINT_LIKENESS_SUB_H

#include "partition/likeness.h"

/*
 * Divides the new table of the name, and of the range, as its model is.  Where
 * the model is divided by the key of the set, so is the range: by the same
 * period, or at the same distances from its beginning.  Where its partitions
 * are for its own range in another way, by a date that follows from the key,
 * one takes all.  Else the bounds are the same.
 */
extern void likeness_sub_partitions(Likeness *likeness, const char *name,
									const char *quoted, const Range *range);

#endif							/* DBMAINT_LIKENESS_SUB_H */
