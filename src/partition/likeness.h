/*-------------------------------------------------------------------------
 *
 * likeness.h
 *		Making a table that is like another partition in everything.
 *
 * The table stands alone: nobody sees it, and nobody waits for it, until it is
 * attached.
 *
 * src/partition/likeness.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_LIKENESS_H
#define DBMAINT_LIKENESS_H

#include "partition/set.h"

/*
 * What a new table is made like: a partition, or the parent where it has none.
 */
typedef struct Likeness
{
	const PartitionSet *set;
	Oid			model;
	Oid			caller;			/* adds it to publications, which are not the
								 * owner's */
	const char *remark;			/* out: in what the new one is not like it;
								 * NULL: in nothing */
} Likeness;

/* The partition nearest to the end of which another can be made, or the parent. */
extern Oid	likeness_model(const PartitionSet *set);

/*
 * Makes a table of the name in the model's schema, sub-partitions included,
 * with one more CHECK where check is not NULL; returns its name for SQL.  The
 * range is what sub-partitions of the same column share among them.
 */
extern char *likeness_create(Likeness *likeness, const char *name,
							 const Range *range, const char *check);

/* A name that is free in the schema: the one given, or numbered. */
extern char *likeness_free_name(const char *name, Oid schema);

/*
 * A pattern for the names of the set's partitions: that of those it has, or one
 * that tells its periods apart.
 */
struct NamePattern;
extern void likeness_names(const PartitionSet *set, struct NamePattern *pattern);
extern void likeness_default_names(const PartitionSet *set, const Range *first,
								   struct NamePattern *pattern);
extern char *likeness_name(const PartitionSet *set,
						   const struct NamePattern *pattern,
						   const Range *range);

/* FROM (...) TO (...) */
extern char *likeness_bound(const PartitionSet *set, const Range *range);

#endif							/* DBMAINT_LIKENESS_H */
