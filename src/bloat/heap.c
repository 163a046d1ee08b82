/*-------------------------------------------------------------------------
 *
 * heap.c
 *		Live, dead and free bytes of a table, from a sample of its pages.
 *
 * Rows are judged as pgstattuple_approx judges them, by what VACUUM would
 * do.  Like it, we leave pages unread that the visibility map calls
 * all-visible, and take their free space from the free space map.  But that
 * alone is not good enough.  The rest of such a page is not all live rows:
 * line pointers and padding are up to a quarter of it where rows are narrow.
 * And the free space map, which is not WAL-logged, may be wrong or missing
 * after a crash, on a standby, after COPY FREEZE.  Hence of every four
 * all-visible pages of the sample one is read after all; what it really has
 * corrects the others; and where the map turns out to be wrong, they are read
 * as well.
 *
 * src/bloat/heap.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/visibilitymap.h"
#include "bloat/bloat.h"
#include "bloat/pages.h"
#include "storage/freespace.h"
#include "storage/procarray.h"

/* of so many all-visible pages, one is read */
#define READ_ONE_OF		4

/* fewer all-visible pages than this are not worth guessing */
#define SKIP_FROM		64

/* the map is right if it is so many bytes off, in the mean; its unit is 32 */
#define MAP_TOLERANCE	64

/* so many pages that were read tell of those between them that were not */
#define NEIGHBOURS		8

typedef struct HeapPage
{
	bool		visible;		/* by the visibility map */
	bool		skipped;		/* and therefore not read */
	uint16		map_free;		/* by the free space map, of visible ones */
	uint16		free;
	uint16		dead;
	double		live;
	double		kept;			/* live, or coming: being inserted now */
	double		needs;			/* pages for these, written anew */
} HeapPage;

typedef struct HeapSample
{
	Relation	relation;
	TransactionId horizon;
	BlockNumber population;
	uint32		size;
	BlockNumber *blocks;
	HeapPage   *pages;

	/* the page that the kept rows, written anew, are put on */
	uint32		capacity;
	uint32		filled;

	/* variance of a skipped page's guess, and of the means by it */
	double		free_unseen;
	double		live_unseen;
} HeapSample;

/*
 * Puts a row where a rewrite would: rows keep their order, and one that does
 * not fit on the page being filled begins the next.  What it leaves free there
 * is needed, too.  A page takes a row at any fill factor.
 */
static void
pack_row(HeapSample *sample, HeapPage *result, uint32 space)
{
	uint32		before = sample->filled;

	if (before > 0 && before + space > sample->capacity)
	{
		result->needs += (double) (sample->capacity - before) / sample->capacity;
		before = 0;
	}
	sample->filled = Min(before + space, sample->capacity);
	result->needs += (double) (sample->filled - before) / sample->capacity;
}

static void
count_row(HeapSample *sample, HeapPage *result, HTSV_Result state,
		  uint32 length)
{
	if (state == HEAPTUPLE_LIVE || state == HEAPTUPLE_DELETE_IN_PROGRESS)
		result->live += length;
	else
	{
		result->dead += length;
		if (state != HEAPTUPLE_INSERT_IN_PROGRESS)
			return;
	}
	result->kept += length;
	pack_row(sample, result, MAXALIGN(length) + sizeof(ItemIdData));
}

static void
count_page(HeapSample *sample, Buffer buffer, HeapPage *result)
{
	Page		page = BufferGetPage(buffer);
	bool		visible;
	HeapTupleData row;

	if (PageIsNew(page))
	{
		result->free = BLCKSZ - SizeOfPageHeaderData;
		return;
	}
	result->free = PageGetHeapFreeSpace(page);
	visible = PageIsAllVisible(page);
	row.t_tableOid = RelationGetRelid(sample->relation);

	for (OffsetNumber offset = FirstOffsetNumber;
		 offset <= PageGetMaxOffsetNumber(page);
		 offset = OffsetNumberNext(offset))
	{
		ItemId		item = PageGetItemId(page, offset);

		if (!ItemIdIsNormal(item))
			continue;
		row.t_len = ItemIdGetLength(item);
		row.t_data = (HeapTupleHeader) PageGetItem(page, item);
		ItemPointerSet(&row.t_self, BufferGetBlockNumber(buffer), offset);
		count_row(sample, result,
				  visible ? HEAPTUPLE_LIVE :
				  HeapTupleSatisfiesVacuum(&row, sample->horizon, buffer),
				  row.t_len);
	}
}

/* Reads the pages of the sample that are skipped, or those that are not. */
static void
read_pages(HeapSample *sample, bool skipped)
{
	BlockNumber *blocks = palloc_array(BlockNumber, sample->size);
	uint32	   *places = palloc_array(uint32, sample->size);
	uint32		count = 0;
	PageReader	reader;
	Buffer		buffer;

	for (uint32 i = 0; i < sample->size; i++)
	{
		if (sample->pages[i].skipped != skipped)
			continue;
		places[count] = i;
		blocks[count++] = sample->blocks[i];
	}

	pages_begin(&reader, sample->relation, blocks, count);
	for (uint32 i = 0; (buffer = pages_next(&reader)) != InvalidBuffer; i++)
	{
		count_page(sample, buffer, &sample->pages[places[i]]);
		sample->pages[places[i]].skipped = false;
		UnlockReleaseBuffer(buffer);
	}
	pages_end(&reader);
	pfree(places);
	pfree(blocks);
}

/*
 * Marks the pages that need not be read.  A table that is read whole is to be
 * known exactly: there, nothing is skipped.
 */
static void
skip_visible_pages(HeapSample *sample)
{
	Buffer		map = InvalidBuffer;
	uint32		visible = 0;

	if (sample->size == sample->population)
		return;

	for (uint32 i = 0; i < sample->size; i++)
	{
		HeapPage   *page = &sample->pages[i];

		CHECK_FOR_INTERRUPTS();
		page->visible = VM_ALL_VISIBLE(sample->relation, sample->blocks[i], &map);
		if (page->visible)
			page->skipped = visible++ % READ_ONE_OF != 0;
	}
	if (BufferIsValid(map))
		ReleaseBuffer(map);

	for (uint32 i = 0; i < sample->size; i++)
	{
		HeapPage   *page = &sample->pages[i];

		CHECK_FOR_INTERRUPTS();
		if (visible < SKIP_FROM)
			page->visible = page->skipped = false;
		else if (page->visible)
			page->map_free = GetRecordedFreeSpace(sample->relation, sample->blocks[i]);
	}
}

/* What the all-visible pages that were read tell of those that were not. */
typedef struct MapErrors
{
	double		count;
	double		skipped;
	double		free_more;		/* mean of what is free beyond the map's word */
	double		free_off;		/* mean of how far the map is off */
	double		free_variance;
	double		live_share;		/* live bytes of what is not free */
	double		live_variance;
} MapErrors;

static double
map_error(const HeapPage *page)
{
	return (double) page->free - page->map_free;
}

static void
measure_map(const HeapSample *sample, MapErrors *errors)
{
	double		live = 0;
	double		used = 0;

	memset(errors, 0, sizeof(MapErrors));
	for (uint32 i = 0; i < sample->size; i++)
	{
		const HeapPage *page = &sample->pages[i];

		errors->skipped += page->skipped;
		if (!page->visible || page->skipped)
			continue;
		errors->count++;
		errors->free_more += map_error(page);
		errors->free_off += fabs(map_error(page));
		live += page->live;
		used += BLCKSZ - page->free;
	}
	if (errors->count < 2)
		return;
	errors->free_more /= errors->count;
	errors->free_off /= errors->count;
	errors->live_share = used > 0 ? live / used : 0;

	for (uint32 i = 0; i < sample->size; i++)
	{
		const HeapPage *page = &sample->pages[i];
		double		free_rest;
		double		live_rest;

		if (!page->visible || page->skipped)
			continue;
		free_rest = map_error(page) - errors->free_more;
		live_rest = page->live - errors->live_share * (BLCKSZ - page->free);
		errors->free_variance += free_rest * free_rest / (errors->count - 1);
		errors->live_variance += live_rest * live_rest / (errors->count - 1);
	}
}

/* What guessed pages add to the variance of a mean of shares. */
static double
guess_variance(const HeapSample *sample, const MapErrors *errors,
			   double variance)
{
	double		visible = errors->count + errors->skipped;
	double		share = visible / sample->size;

	return variance / ((double) BLCKSZ * BLCKSZ) * share * share *
		(1 / errors->count - 1 / visible);
}

/* Fills in the pages that were skipped, or reads them if the map is wrong. */
static void
guess_skipped_pages(HeapSample *sample)
{
	MapErrors	errors;

	measure_map(sample, &errors);
	if (errors.skipped == 0)
		return;
	if (errors.free_off > MAP_TOLERANCE)
	{
		read_pages(sample, true);
		return;
	}

	for (uint32 i = 0; i < sample->size; i++)
	{
		HeapPage   *page = &sample->pages[i];
		double		free;

		if (!page->skipped)
			continue;
		free = page->map_free + errors.free_more;
		page->free = (uint16) Min(Max(free, 0), BLCKSZ - SizeOfPageHeaderData);
		page->live = page->kept = errors.live_share * (BLCKSZ - page->free);
	}
	sample->free_unseen = guess_variance(sample, &errors, errors.free_variance);
	sample->live_unseen = guess_variance(sample, &errors, errors.live_variance);
}

/*
 * Fills in what the skipped pages among a run of the sample's need: what is
 * used on them needs as many pages as on their neighbours, whose rows are like
 * theirs.  In the table as a whole there may be rows of quite other widths.
 * Where no neighbour was read, pages_a_byte is what it is, else it is set.
 */
static void
guess_needs(HeapSample *sample, uint32 from, uint32 to, double *pages_a_byte)
{
	double		used = 0;
	double		needs = 0;

	for (uint32 i = from; i < to; i++)
	{
		const HeapPage *page = &sample->pages[i];

		if (!page->visible || page->skipped)
			continue;
		used += BLCKSZ - page->free;
		needs += page->needs;
	}
	if (used > 0)
		*pages_a_byte = needs / used;
	for (uint32 i = from; i < to; i++)
	{
		HeapPage   *page = &sample->pages[i];

		if (page->skipped)
			page->needs = (BLCKSZ - page->free) * *pages_a_byte;
	}
}

static void
guess_all_needs(HeapSample *sample)
{
	double		pages_a_byte = 0;
	uint32		neighbours = 0;
	uint32		from = 0;

	for (uint32 i = 0; i < sample->size; i++)
	{
		neighbours += sample->pages[i].visible && !sample->pages[i].skipped;
		if (neighbours == NEIGHBOURS || i + 1 == sample->size)
		{
			guess_needs(sample, from, i + 1, &pages_a_byte);
			from = i + 1;
			neighbours = 0;
		}
	}
}

/* The share of its pages that the table's rows would fill, written anew. */
static void
estimate_needed(HeapSample *sample, double *shares, Estimate *needed)
{
	double		kept = 0;
	double		needs = 0;

	guess_all_needs(sample);
	for (uint32 i = 0; i < sample->size; i++)
	{
		kept += sample->pages[i].kept / BLCKSZ;
		needs += sample->pages[i].needs;
		shares[i] = sample->pages[i].needs;
	}
	sample_mean(shares, NULL, sample->size, sample->population,
				kept > 0 ? sample->live_unseen * (needs / kept) * (needs / kept) : 0,
				needed);
}

static void
summarise(HeapSample *sample, TableBloat *bloat)
{
	double	   *shares = palloc_array(double, sample->size);

	for (uint32 i = 0; i < sample->size; i++)
		shares[i] = (double) sample->pages[i].dead / BLCKSZ;
	sample_mean(shares, NULL, sample->size, sample->population, 0, &bloat->dead);

	for (uint32 i = 0; i < sample->size; i++)
		shares[i] = (double) sample->pages[i].free / BLCKSZ;
	sample_mean(shares, NULL, sample->size, sample->population,
				sample->free_unseen, &bloat->free);

	for (uint32 i = 0; i < sample->size; i++)
		shares[i] = sample->pages[i].live / BLCKSZ;
	sample_mean(shares, NULL, sample->size, sample->population,
				sample->live_unseen, &bloat->live);

	estimate_needed(sample, shares, &bloat->needed);
	pfree(shares);
}

void
bloat_sample_table(Relation relation, uint32 pages, uint64 seed,
				   TableBloat *bloat)
{
	HeapSample	sample = {0};

	memset(bloat, 0, sizeof(TableBloat));
	bloat->pages = RelationGetNumberOfBlocks(relation);
	bloat->sampled = Min(bloat->pages, pages);

	sample.relation = relation;
	sample.horizon = GetOldestNonRemovableTransactionId(relation);
	sample.population = bloat->pages;
	sample.size = bloat->sampled;
	sample.capacity = BLCKSZ - SizeOfPageHeaderData -
		RelationGetTargetPageFreeSpace(relation, HEAP_DEFAULT_FILLFACTOR);
	sample.blocks = pages_choose(0, sample.population, sample.size, seed);
	sample.pages = palloc0_array(HeapPage, sample.size);

	skip_visible_pages(&sample);
	read_pages(&sample, false);
	guess_skipped_pages(&sample);
	summarise(&sample, bloat);

	pfree(sample.pages);
	pfree(sample.blocks);
}
