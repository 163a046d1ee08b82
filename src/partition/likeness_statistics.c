/*-------------------------------------------------------------------------
 *
 * likeness_statistics.c
 *		Statistics targets that CREATE TABLE (LIKE ...) leaves out: of extended
 *		statistics and of the columns of indexes.
 *
 * src/partition/likeness_statistics.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_statistic_ext.h"
#include "partition/likeness_extras.h"
#include "partition/owner.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/*
 * The target of a row of a catalog, -1 for the default one.  17 and newer have
 * NULL for that, and an int16 where older ones have an int32: the low half says
 * the same in both.
 */
static int
target_of(int cache, HeapTuple tuple, AttrNumber column)
{
	bool		isnull;
	Datum		value = SysCacheGetAttr(cache, tuple, column, &isnull);

	return isnull ? -1 : (int16) DatumGetInt32(value);
}

static char *
statistics_name(HeapTuple tuple)
{
	Form_pg_statistic_ext statistics = (Form_pg_statistic_ext) GETSTRUCT(tuple);

	return quote_qualified_identifier(get_namespace_name(statistics->stxnamespace), NameStr(statistics->stxname));
}

static void
copy_statistics_target(Oid owner, Oid model, Oid copy)
{
	HeapTuple	from = SearchSysCache1(STATEXTOID, ObjectIdGetDatum(model));
	HeapTuple	to = SearchSysCache1(STATEXTOID, ObjectIdGetDatum(copy));
	char	   *name = NULL;
	int			target = -1;

	if (HeapTupleIsValid(from) && HeapTupleIsValid(to))
	{
		target = target_of(STATEXTOID, from, Anum_pg_statistic_ext_stxstattarget);
		name = statistics_name(to);
	}
	if (HeapTupleIsValid(from))
		ReleaseSysCache(from);
	if (HeapTupleIsValid(to))
		ReleaseSysCache(to);
	if (target >= 0)
		owner_run(owner, psprintf("ALTER STATISTICS %s SET STATISTICS %d", name, target));
}

/* They are made in the order of the model's. */
static void
copy_statistics_targets(Oid owner, Relation model, Oid table)
{
	List	   *models = RelationGetStatExtList(model);
	Relation	rel = relation_open(table, AccessShareLock);
	List	   *copies = RelationGetStatExtList(rel);
	ListCell   *from;
	ListCell   *to;

	relation_close(rel, NoLock);
	if (list_length(models) != list_length(copies))
		return;
	forboth(from, models, to, copies)
		copy_statistics_target(owner, lfirst_oid(from), lfirst_oid(to));
}

static void
copy_index_targets(Oid owner, Relation model, Oid index, Oid table)
{
	Relation	rel = relation_open(index, AccessShareLock);
	int			columns = RelationGetNumberOfAttributes(rel);
	char	   *name = NULL;

	for (int column = 1; column <= columns; column++)
	{
		HeapTuple	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(index), Int16GetDatum(column));
		int			target;

		if (!HeapTupleIsValid(tuple))
			continue;
		target = target_of(ATTNUM, tuple, Anum_pg_attribute_attstattarget);
		ReleaseSysCache(tuple);
		/* -1, or 0 of a plain column of an index, which has none of its own */
		if (target < 0 || rel->rd_index->indkey.values[column - 1] != 0)
			continue;
		if (name == NULL)
			name = likeness_find_index(model, index, table);
		if (name != NULL)
			owner_run(owner, psprintf("ALTER INDEX %s ALTER COLUMN %d SET STATISTICS %d",
									  quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)), name), column, target));
	}
	relation_close(rel, NoLock);
}

void
likeness_statistics(Oid owner, Relation model, Oid table)
{
	List	   *indexes = RelationGetIndexList(model);
	ListCell   *cell;

	copy_statistics_targets(owner, model, table);
	foreach(cell, indexes)
		copy_index_targets(owner, model, lfirst_oid(cell), table);
}
