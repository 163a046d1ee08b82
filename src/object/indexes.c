/*-------------------------------------------------------------------------
 *
 * indexes.c
 *		Collector "indexes": pg_stat_user_indexes and pg_statio_user_indexes.
 *
 * src/object/indexes.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "object/object.h"

static const char *const columns[] = {
	"idx_scan",
	"idx_tup_read",
	"idx_tup_fetch",
	"idx_blks_read",
	"idx_blks_hit",
	"index_bytes",
};

static bool
includes(Form_pg_class form)
{
	return form->relkind == RELKIND_INDEX;
}

static void
read_index(Form_pg_class form, int64 *values, TimestampTz *counted_since)
{
	bool		may_free;
	PgStat_StatTabEntry *stats = relation_stats_fetch(form->oid, &may_free);

	if (stats == NULL)
		return;
	values[0] = stats->numscans;
	values[1] = stats->tuples_returned;
	values[2] = stats->tuples_fetched;
	values[3] = stats->blocks_fetched - stats->blocks_hit;
	values[4] = stats->blocks_hit;
	*counted_since = RELATION_STATS_RESET(stats);
	if (may_free)
		pfree(stats);
}

/* A HOT update makes no entry in any index. */
static int64
written(const ObjectEntry *entry, const int64 *values)
{
	bool		may_free;
	PgStat_StatTabEntry *stats;
	int64		rows;

	if (!OidIsValid(entry->table))
		return 0;
	stats = relation_stats_fetch(entry->table, &may_free);
	if (stats == NULL)
		return 0;
	rows = stats->tuples_inserted + stats->tuples_updated -
		stats->tuples_hot_updated;
	if (may_free)
		pfree(stats);
	return rows;
}

static const ObjectKind indexes = {
	.snapshot = SNAPSHOT_INDEXES,
	.letter = "i",
	.table = "dbmaint_index_snapshots",
	.columns = columns,
	.counters = 5,
	.gauges = 1,
	.sizes = 1,
	.inherits = true,
	.includes = includes,
	.read = read_index,
	.written = written,
};

StaticAssertDecl(lengthof(columns) == 5 + 1, "indexes have 6 columns");

void
collect_indexes(Collection *collection)
{
	object_take_snapshot(&indexes, collection);
}
