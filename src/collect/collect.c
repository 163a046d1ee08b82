/*-------------------------------------------------------------------------
 *
 * collect.c
 *		The collector table, and the readings that SQL takes.
 *
 * src/collect/collect.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "activity/activity.h"
#include "activity/message_log.h"
#include "catalog/pg_type.h"
#include "collect/collect.h"
#include "executor/spi.h"
#include "pool/pool.h"
#include "settings.h"
#include "step/query.h"
#include "utils/timestamp.h"

const CollectorInfo collectors[] =
{
	{"response_time", METRIC_DATABASE, &setting_sample_interval_s,
	collect_response_time, false},
	{"activity", METRIC_CLUSTER, &setting_sample_interval_s,
	collect_activity, false},
	{"database", METRIC_DATABASE, &setting_sample_interval_s,
	collect_database, false},
	{"database_size", METRIC_DATABASE, &setting_objects_interval_s,
	collect_database_size, false},
	{"server", METRIC_CLUSTER, &setting_sample_interval_s,
	collect_server, false},
	{"host", METRIC_CLUSTER, &setting_sample_interval_s,
	collect_host, false},
	{"indexes", METRIC_DATABASE, &setting_objects_interval_s,
	collect_indexes, true},
	{"tables", METRIC_DATABASE, &setting_objects_interval_s,
	collect_tables, true},
	{"statements", METRIC_CLUSTER, &setting_statements_interval_s,
	collect_statements, true},
	{"activity_history", METRIC_CLUSTER, &setting_activity_history_interval_s,
	collect_activity_history, true},
	{"log", METRIC_CLUSTER, &setting_activity_history_interval_s,
	collect_log, true},
	{"connections", METRIC_CLUSTER, &connections_interval_s,
	collect_connections, true},
	{"changes", METRIC_DATABASE, &setting_objects_interval_s,
	collect_changes, true},
	{"capacity", METRIC_DATABASE, &setting_objects_interval_s,
	collect_capacity, true},
	{"pool", METRIC_CLUSTER, &setting_pool_interval_s,
	collect_pool, true},
	{"signals", METRIC_DATABASE, &setting_signals_interval_s,
	collect_signals, true},
	{"partitions", METRIC_DATABASE, &setting_signals_interval_s,
	collect_partitions, true},
	{"object_signals", METRIC_DATABASE, &setting_objects_interval_s,
	collect_object_signals, true},
	{"capacity_signals", METRIC_CLUSTER, &setting_objects_interval_s,
	collect_capacity_signals, true},
};

const int	collector_count = lengthof(collectors);

StaticAssertDecl(lengthof(collectors) <= MAX_COLLECTORS,
				 "MAX_COLLECTORS is too small");

CollectorDemand
collector_demand(int collector)
{
	return collectors[collector].collect == collect_pool ? pool_demand() :
		DEMAND_BY_INTERVAL;
}

void
collector_retire(Collection *collection, int collector)
{
	collection->collector = collector;
	if (collectors[collector].collect == collect_pool)
		pool_complete(collection);
}

void
collect_record(Collection *collection, MetricId metric, double value)
{
	const SampleMemory *before = collection->before;
	SampleMemory *now = collection->now;
	int			c = collection->collector;

	if (metrics[metric].type == METRIC_GAUGE)
	{
		reading_set(&collection->readings, metric, value);
		return;
	}

	reading_set(&now->totals, metric, value);
	if (before->totals.known[metric] &&
		before->epoch[c] == now->epoch[c] &&
		value >= before->totals.value[metric])
		reading_set(&collection->readings, metric,
					value - before->totals.value[metric]);
}

static double
datum_to_double(Datum value, Oid type)
{
	switch (type)
	{
		case INT4OID:
			return DatumGetInt32(value);
		case INT8OID:
			return (double) DatumGetInt64(value);
		case FLOAT8OID:
			return DatumGetFloat8(value);
		default:
			elog(ERROR, "unexpected type %u of a reading", type);
	}
}

/*
 * Records the row that a function of collect.sql returns: each column is a
 * metric, but for stats_reset, which says since when its counters count.
 */
static void
record_row(Collection *collection, HeapTuple row, TupleDesc columns)
{
	for (int pass = 0; pass < 2; pass++)
	{
		for (int i = 0; i < columns->natts; i++)
		{
			const char *name = NameStr(TupleDescAttr(columns, i)->attname);
			bool		is_epoch = strcmp(name, "stats_reset") == 0;
			bool		isnull;
			Datum		value = SPI_getbinval(row, columns, i + 1, &isnull);
			int			metric;

			/* the epoch first: the counters are judged by it */
			if (isnull || is_epoch != (pass == 0))
				continue;
			if (is_epoch)
			{
				collection->now->epoch[collection->collector] =
					DatumGetTimestampTz(value);
				continue;
			}
			metric = metric_find(name);
			if (metric < 0)
				elog(ERROR, "\"%s\" is not a metric", name);
			collect_record(collection, metric,
						   datum_to_double(value,
										   TupleDescAttr(columns, i)->atttypid));
		}
	}
}

static void
collect_by_sql(Collection *collection, const char *function)
{
	char	   *sql = psprintf("SELECT * FROM %s.%s()",
							   collection->schema, function);

	if (query_begin(sql, 0, NULL, NULL, NULL) > 0)
		record_row(collection, SPI_tuptable->vals[0], SPI_tuptable->tupdesc);
	query_end();
}

void
collect_activity(Collection *collection)
{
	collect_by_sql(collection, "dbmaint_read_activity");
}

void
collect_database(Collection *collection)
{
	Readings   *readings = &collection->readings;

	collect_by_sql(collection, "dbmaint_read_database");

	if (readings->known[METRIC_blocks_hit] && readings->known[METRIC_blocks_read])
	{
		double		hit = readings->value[METRIC_blocks_hit];
		double		all = hit + readings->value[METRIC_blocks_read];

		if (all > 0)
			reading_set(readings, METRIC_cache_hit_ratio, hit / all);
	}
}

void
collect_database_size(Collection *collection)
{
	collect_by_sql(collection, "dbmaint_read_database_size");
}

void
collect_server(Collection *collection)
{
	collect_by_sql(collection, "dbmaint_read_server");
}

/*
 * Calls a function that takes the round's time, and whether this is the home
 * database, and writes what it finds into a table of its own.
 */
static void
note_by_sql(Collection *collection, const char *function)
{
	char	   *sql = psprintf("SELECT %s.%s($1, $2)",
							   collection->schema, function);
	Oid			types[] = {TIMESTAMPTZOID, BOOLOID};
	Datum		values[] = {TimestampTzGetDatum(collection->at),
	BoolGetDatum(collection->home)};

	query_begin(sql, lengthof(types), types, values, NULL);
	query_end();
}

void
collect_changes(Collection *collection)
{
	note_by_sql(collection, "dbmaint_note_changes");
}

void
collect_capacity(Collection *collection)
{
	note_by_sql(collection, "dbmaint_note_capacity");
}

void
collect_partitions(Collection *collection)
{
	note_by_sql(collection, "dbmaint_queue_partition_jobs");
}
