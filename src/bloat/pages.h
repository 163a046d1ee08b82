/*-------------------------------------------------------------------------
 *
 * pages.h
 *		Chooses pages of a relation and reads them.
 *
 * The pages come through a bulk-read ring, so that a sample pushes nothing
 * out of the shared buffers, in the order of the file, and announced ahead as
 * far as maintenance_io_concurrency says, so that a disk that can serves many
 * at once.
 *
 * Whoever reads holds AccessShareLock on the relation since before it counted
 * the pages.  What makes a file shorter (VACUUM's truncation, TRUNCATE, a
 * rewrite) needs AccessExclusiveLock, so a page that was counted is there;
 * pages that are added meanwhile are not in the sample.
 *
 * src/bloat/pages.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_PAGES_H
#define DBMAINT_PAGES_H

#include "storage/bufmgr.h"
#include "utils/rel.h"

typedef struct PageReader
{
	Relation	relation;
	const BlockNumber *blocks;
	uint32		count;
	uint32		read;
	uint32		announced;
	uint32		ahead;
	BufferAccessStrategy ring;
} PageReader;

/*
 * Chooses `size` of the `population` blocks that begin at `first`, one at
 * random from each stratum (see sample.h), in ascending order.  The same seed
 * chooses the same.  Palloc'd.
 */
extern BlockNumber *pages_choose(BlockNumber first, uint32 population,
								 uint32 size, uint64 seed);

/* Prepares to read the blocks, which must stay as they are meanwhile. */
extern void pages_begin(PageReader *reader, Relation relation,
						const BlockNumber *blocks, uint32 count);

/*
 * Gives the next block, pinned and locked for reading, or InvalidBuffer when
 * there is none left.  Checks for interrupts.
 */
extern Buffer pages_next(PageReader *reader);

extern void pages_end(PageReader *reader);

#endif							/* DBMAINT_PAGES_H */
