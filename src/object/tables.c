/*-------------------------------------------------------------------------
 *
 * tables.c
 *		Collector "tables": pg_stat_user_tables and pg_statio_user_tables.
 *
 * The views add up what the indexes of a table counted (idx_scan, most of
 * idx_tup_fetch, idx_blks_*); that is in the history of the indexes.  What
 * the index of a TOAST table counted is not kept.
 *
 * src/object/tables.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "object/object.h"

static const char *const columns[] = {
	"seq_scan",
	"seq_tup_read",
	"bitmap_tup_fetch",
	"n_tup_ins",
	"n_tup_upd",
	"n_tup_del",
	"n_tup_hot_upd",
	"heap_blks_read",
	"heap_blks_hit",
	"toast_blks_read",
	"toast_blks_hit",
	"vacuum_count",
	"autovacuum_count",
	"analyze_count",
	"autoanalyze_count",
	/* gauges */
	"n_live_tup",
	"n_dead_tup",
	"n_mod_since_analyze",
	"n_ins_since_vacuum",
	"table_bytes",
	"toast_bytes",
};

static bool
includes(Form_pg_class form)
{
	return form->relkind == RELKIND_RELATION ||
		form->relkind == RELKIND_MATVIEW ||
		form->relkind == RELKIND_PARTITIONED_TABLE;
}

static void
read_toast(Oid relation, int64 *values)
{
	bool		may_free;
	PgStat_StatTabEntry *stats = relation_stats_fetch(relation, &may_free);

	if (stats == NULL)
		return;
	values[9] = stats->blocks_fetched - stats->blocks_hit;
	values[10] = stats->blocks_hit;
	if (may_free)
		pfree(stats);
}

static void
read_table(Form_pg_class form, int64 *values, TimestampTz *counted_since)
{
	bool		may_free;
	PgStat_StatTabEntry *stats = relation_stats_fetch(form->oid, &may_free);

	if (OidIsValid(form->reltoastrelid))
		read_toast(form->reltoastrelid, values);
	if (stats == NULL)
		return;

	values[0] = stats->numscans;
	values[1] = stats->tuples_returned;
	values[2] = stats->tuples_fetched;
	values[3] = stats->tuples_inserted;
	values[4] = stats->tuples_updated;
	values[5] = stats->tuples_deleted;
	values[6] = stats->tuples_hot_updated;
	values[7] = stats->blocks_fetched - stats->blocks_hit;
	values[8] = stats->blocks_hit;
	values[11] = stats->vacuum_count;
	values[12] = RELATION_STATS(stats, autovacuum_count);
	values[13] = stats->analyze_count;
	values[14] = RELATION_STATS(stats, autoanalyze_count);
	values[15] = RELATION_STATS(stats, live_tuples);
	values[16] = RELATION_STATS(stats, dead_tuples);
	values[17] = RELATION_STATS(stats, mod_since_analyze);
	values[18] = RELATION_STATS(stats, ins_since_vacuum);
	*counted_since = RELATION_STATS_RESET(stats);
	if (may_free)
		pfree(stats);
}

static int64
written(const ObjectEntry *entry, const int64 *values)
{
	return values[3] + values[4];
}

static const ObjectKind tables = {
	.snapshot = SNAPSHOT_TABLES,
	.letter = "t",
	.table = "dbmaint_table_snapshots",
	.columns = columns,
	.counters = 15,
	.gauges = 6,
	.sizes = 2,
	.toast_from = 9,
	.toast_counters = 2,
	.includes = includes,
	.read = read_table,
	.written = written,
};

StaticAssertDecl(lengthof(columns) == 15 + 6, "tables have 21 columns");

void
collect_tables(Collection *collection)
{
	object_take_snapshot(&tables, collection);
}
