/*-------------------------------------------------------------------------
 *
 * btree.c
 *		How full the leaves of a B-tree are, from a sample of its pages.
 *
 * Pages are told apart as pgstatindex does.  Block 0, the meta page, is in no
 * sample.  What a new index would not have is, of each deleted or empty page,
 * all; of each leaf, what would be left if leaves were as full as the fill
 * factor says; of the pages above the leaves, nothing, for they are a
 * hundredth.
 *
 * src/bloat/btree.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/nbtree.h"
#include "bloat/bloat.h"
#include "bloat/pages.h"

typedef enum PageKind
{
	PAGE_LEAF,
	PAGE_INNER,
	PAGE_EMPTY,
	PAGE_DELETED,
} PageKind;

static PageKind
page_kind(Relation index, Buffer buffer)
{
	Page		page = BufferGetPage(buffer);
	BTPageOpaque opaque;

	/* a crash or an extension under way leaves a page without anything */
	if (PageIsNew(page))
		return PAGE_EMPTY;

	if (PageGetSpecialSize(page) != MAXALIGN(sizeof(BTPageOpaqueData)))
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("index \"%s\" contains a damaged page at block %u",
						RelationGetRelationName(index),
						BufferGetBlockNumber(buffer)),
				 errhint("Look at it with amcheck, then REINDEX it.")));

	opaque = BTPageGetOpaque(page);
	if (P_ISDELETED(opaque))
		return PAGE_DELETED;
	if (P_IGNORE(opaque))
		return PAGE_EMPTY;		/* half dead: VACUUM has yet to unlink it */
	if (P_ISLEAF(opaque))
		return PAGE_LEAF;
	return PAGE_INNER;
}

static double
page_density(Buffer buffer)
{
	Page		page = BufferGetPage(buffer);
	double		room = ((PageHeader) page)->pd_special - SizeOfPageHeaderData;

	return 1 - PageGetFreeSpace(page) / room;
}

static void
summarise(Relation index, const PageKind *kinds, const double *density,
		  uint32 population, IndexBloat *bloat)
{
	uint32		size = bloat->sampled;
	double		fill = BTGetFillFactor(index) / 100.0;
	double	   *wasted = palloc0_array(double, size);
	bool	   *chosen = palloc_array(bool, size);

	for (uint32 i = 0; i < size; i++)
	{
		if (kinds[i] == PAGE_LEAF)
			wasted[i] = 1 - density[i] / fill;
		else if (kinds[i] != PAGE_INNER)
			wasted[i] = 1;
	}
	if (population > 0)
		sample_mean(wasted, NULL, size, population, 0, &bloat->wasted);

	for (uint32 i = 0; i < size; i++)
		chosen[i] = kinds[i] == PAGE_LEAF;
	sample_mean(density, chosen, size, population, 0, &bloat->leaf_density);

	for (uint32 i = 0; i < size; i++)
		chosen[i] = kinds[i] == PAGE_EMPTY;
	bloat->empty_pages = sample_total(chosen, size, population);

	for (uint32 i = 0; i < size; i++)
		chosen[i] = kinds[i] == PAGE_DELETED;
	bloat->deleted_pages = sample_total(chosen, size, population);

	pfree(chosen);
	pfree(wasted);
}

void
bloat_sample_index(Relation index, uint32 pages, uint64 seed,
				   IndexBloat *bloat)
{
	uint32		population;
	BlockNumber *blocks;
	PageKind   *kinds;
	double	   *density;
	PageReader	reader;
	Buffer		buffer;

	memset(bloat, 0, sizeof(IndexBloat));
	bloat->pages = RelationGetNumberOfBlocks(index);
	population = bloat->pages > BTREE_METAPAGE ? bloat->pages - 1 - BTREE_METAPAGE : 0;
	bloat->sampled = Min(population, pages);

	blocks = pages_choose(BTREE_METAPAGE + 1, population, bloat->sampled, seed);
	kinds = palloc_array(PageKind, bloat->sampled);
	density = palloc0_array(double, bloat->sampled);

	pages_begin(&reader, index, blocks, bloat->sampled);
	for (uint32 i = 0; (buffer = pages_next(&reader)) != InvalidBuffer; i++)
	{
		kinds[i] = page_kind(index, buffer);
		if (kinds[i] == PAGE_LEAF)
			density[i] = page_density(buffer);
		UnlockReleaseBuffer(buffer);
	}
	pages_end(&reader);

	summarise(index, kinds, density, population, bloat);
	pfree(density);
	pfree(kinds);
	pfree(blocks);
}
