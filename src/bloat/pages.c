/*-------------------------------------------------------------------------
 *
 * pages.c
 *		Chooses pages of a relation and reads them.
 *
 * src/bloat/pages.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "bloat/pages.h"
#include "bloat/sample.h"
#include "common/pg_prng.h"
#include "utils/spccache.h"

BlockNumber *
pages_choose(BlockNumber first, uint32 population, uint32 size, uint64 seed)
{
	BlockNumber *blocks = palloc_array(BlockNumber, size);
	pg_prng_state random;

	pg_prng_seed(&random, seed);
	for (uint32 i = 0; i < size; i++)
	{
		uint32		begin = sample_stratum(population, size, i);
		uint32		end = sample_stratum(population, size, i + 1);

		blocks[i] = first + (BlockNumber) pg_prng_uint64_range(&random, begin, end - 1);
	}
	return blocks;
}

void
pages_begin(PageReader *reader, Relation relation, const BlockNumber *blocks,
			uint32 count)
{
	reader->relation = relation;
	reader->blocks = blocks;
	reader->count = count;
	reader->read = 0;
	reader->announced = 0;
	reader->ahead = get_tablespace_maintenance_io_concurrency(relation->rd_rel->reltablespace);
	reader->ring = GetAccessStrategy(BAS_BULKREAD);
}

Buffer
pages_next(PageReader *reader)
{
	Buffer		buffer;

	CHECK_FOR_INTERRUPTS();
	if (reader->read >= reader->count)
		return InvalidBuffer;

	/* the one that is read now needs no announcement */
	if (reader->announced <= reader->read)
		reader->announced = reader->read + 1;
	while (reader->announced < reader->count &&
		   reader->announced <= reader->read + reader->ahead)
		PrefetchBuffer(reader->relation, MAIN_FORKNUM,
					   reader->blocks[reader->announced++]);

	buffer = ReadBufferExtended(reader->relation, MAIN_FORKNUM,
								reader->blocks[reader->read++], RBM_NORMAL,
								reader->ring);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	return buffer;
}

void
pages_end(PageReader *reader)
{
	if (reader->ring != NULL)
		FreeAccessStrategy(reader->ring);
}
