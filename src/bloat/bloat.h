/*-------------------------------------------------------------------------
 *
 * bloat.h
 *		Estimates from a sample of pages how full a table or an index is.
 *
 * heap.c and btree.c each sample one relation that the caller has opened
 * with AccessShareLock and checked with bloat_check_table() or
 * bloat_check_index().  relation.c has the SQL functions for one relation,
 * database.c the one for all.
 *
 * src/bloat/bloat.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_BLOAT_H
#define DBMAINT_BLOAT_H

#include "bloat/sample.h"
#include "utils/rel.h"

/* What one call may read of one relation: 8 GB, and 50 MB of memory. */
#define SAMPLE_PAGES_MOST	1000000

/* Shares of the bytes of the table's pages. */
typedef struct TableBloat
{
	BlockNumber pages;
	uint32		sampled;
	Estimate	live;
	Estimate	dead;
	Estimate	free;

	/* share of its pages that its rows would fill, written anew */
	Estimate	needed;
} TableBloat;

typedef struct IndexBloat
{
	BlockNumber pages;
	uint32		sampled;
	Estimate	leaf_density;
	double		empty_pages;
	double		deleted_pages;

	/* share of the pages but the first that a new index would not have */
	Estimate	wasted;
} IndexBloat;

/* Raise an error that says what to do if the relation cannot be sampled. */
extern void bloat_check_table(Relation relation);
extern void bloat_check_index(Relation relation);

/* Sample at most so many pages; all of them if the relation has no more. */
extern void bloat_sample_table(Relation relation, uint32 pages, uint64 seed,
							   TableBloat *bloat);
extern void bloat_sample_index(Relation relation, uint32 pages, uint64 seed,
							   IndexBloat *bloat);

/* Give the bytes of whole pages that a share of so many pages is. */
extern int64 bloat_bytes(double share, BlockNumber pages);

#endif							/* DBMAINT_BLOAT_H */
