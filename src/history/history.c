/*-------------------------------------------------------------------------
 *
 * history.c
 *		Writes samples, rolls them up, expires them.
 *
 * src/history/history.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "history/history.h"
#include "lib/stringinfo.h"
#include "step/query.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

/* the row's first columns: "timestamp", database_oid, latency_histogram */
#define FIXED_COLUMNS 3

/* given, since a call that leaves an argument out could be captured */
#define EXPIRY_BATCH_ROWS 10000

void
history_require_version(const Extension *extension)
{
	if (strcmp(extension->version, DBMAINT_VERSION) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension version %s does not match version %s of the library",
						extension->version, DBMAINT_VERSION),
				 errhint("Run ALTER EXTENSION dbmaint UPDATE, or restart the server.")));
}

bool
history_find_extension(Extension *extension)
{
	Relation	rel = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber,
				F_NAMEEQ, CStringGetDatum("dbmaint"));
	scan = systable_beginscan(rel, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		version = heap_getattr(tuple, Anum_pg_extension_extversion,
										   RelationGetDescr(rel), &isnull);

		extension->oid = ((Form_pg_extension) GETSTRUCT(tuple))->oid;
		extension->schema_oid =
			((Form_pg_extension) GETSTRUCT(tuple))->extnamespace;
		extension->schema = pstrdup(quote_identifier(get_namespace_name(extension->schema_oid)));
		extension->version = TextDatumGetCString(version);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);

	return HeapTupleIsValid(tuple);
}

Oid
history_type(const Extension *extension, const char *name)
{
	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
						   CStringGetDatum(name),
						   ObjectIdGetDatum(extension->schema_oid));
}

bool
history_lock(const Extension *extension, const char *table)
{
	Oid			relid = get_relname_relid(table, extension->schema_oid);
	Relation	rel;
	bool		foreign_code;

	if (!OidIsValid(relid))
		return false;
	rel = try_relation_open(relid, RowExclusiveLock);
	if (rel == NULL)
		return false;
	foreign_code = rel->trigdesc != NULL || rel->rd_rules != NULL;
	relation_close(rel, NoLock);

	if (foreign_code)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" has triggers or rules", table),
				 errdetail("They would run with the rights of a superuser."),
				 errhint("Drop them.")));
	return true;
}

static Datum
reading_datum(MetricId metric, double value)
{
	switch (metrics[metric].sqltype)
	{
		case INT4OID:
			return Int32GetDatum((int32) Min(Max(value, PG_INT32_MIN),
											 PG_INT32_MAX));
		case INT8OID:
			/* 2^63 as a double is past the end */
			return Int64GetDatum(value >= (double) PG_INT64_MAX ?
								 PG_INT64_MAX : (int64) value);
		default:
			return Float8GetDatum(value);
	}
}

/* "INSERT INTO s.performance_metrics (...) VALUES ($1, ...)" */
static char *
insert_statement(const char *schema)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql,
					 "INSERT INTO %s.performance_metrics (\"timestamp\", database_oid, latency_histogram",
					 schema);
	for (int i = 0; i < METRIC_COUNT; i++)
		appendStringInfo(&sql, ", %s", metrics[i].name);
	appendStringInfoString(&sql, ") VALUES ($1");
	for (int i = 1; i < METRIC_COUNT + FIXED_COLUMNS; i++)
		appendStringInfo(&sql, ", $%d", i + 1);
	appendStringInfoString(&sql, ") ON CONFLICT DO NOTHING");
	return sql.data;
}

bool
history_write(const Extension *extension, const Collection *collection)
{
	Oid			types[METRIC_COUNT + FIXED_COLUMNS];
	Datum		values[METRIC_COUNT + FIXED_COLUMNS];
	char		nulls[METRIC_COUNT + FIXED_COLUMNS];

	if (!history_lock(extension, "performance_metrics"))
		return false;

	memset(nulls, ' ', sizeof(nulls));
	types[0] = TIMESTAMPTZOID;
	values[0] = TimestampTzGetDatum(collection->at);
	types[1] = OIDOID;
	values[1] = ObjectIdGetDatum(MyDatabaseId);
	types[2] = history_type(extension, "dbmaint_histogram");
	values[2] = PointerGetDatum(collection->histogram);
	if (collection->histogram == NULL)
		nulls[2] = 'n';

	for (int i = 0; i < METRIC_COUNT; i++)
	{
		types[i + FIXED_COLUMNS] = metrics[i].sqltype;
		if (collection->readings.known[i])
			values[i + FIXED_COLUMNS] =
				reading_datum(i, collection->readings.value[i]);
		else
		{
			values[i + FIXED_COLUMNS] = (Datum) 0;
			nulls[i + FIXED_COLUMNS] = 'n';
		}
	}

	query_begin(insert_statement(extension->schema),
				METRIC_COUNT + FIXED_COLUMNS, types, values, nulls);
	query_end();
	return true;
}

/* Calls a function of ours that returns a bigint, given a statement with $1. */
static int64
call_at(const char *sql, TimestampTz at)
{
	Oid			type = TIMESTAMPTZOID;
	Datum		value = TimestampTzGetDatum(at);
	int64		result = 0;
	bool		isnull;

	if (query_begin(sql, 1, &type, &value, NULL) > 0)
		result = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
											 SPI_tuptable->tupdesc, 1,
											 &isnull));
	query_end();
	return result;
}

bool
history_ask(const Extension *extension, const char *function, TimestampTz at)
{
	return call_at(psprintf("SELECT %s.%s($1)::pg_catalog.int4::pg_catalog.int8",
							extension->schema, function), at) > 0;
}

int64
history_roll_up(const Extension *extension, TimestampTz at)
{
	static const char *const roll_ups[] = {
		"dbmaint_hourly_metrics", "dbmaint_packed_hours", "dbmaint_daily_metrics",
		"dbmaint_daily_statements", "dbmaint_daily_indexes", "dbmaint_daily_tables",
		"dbmaint_monthly_indexes", "dbmaint_monthly_tables",
		"dbmaint_daily_pools"
	};

	for (int i = 0; i < (int) lengthof(roll_ups); i++)
	{
		if (!history_lock(extension, roll_ups[i]))
			return 0;
	}
	return call_at(psprintf("SELECT %s.dbmaint_roll_up($1)", extension->schema),
				   at);
}

int64
history_expire(const Extension *extension, TimestampTz at)
{
	if (!history_lock(extension, "performance_metrics"))
		return 0;
	return call_at(psprintf("SELECT %s.dbmaint_expire_history($1, %d)",
							extension->schema, EXPIRY_BATCH_ROWS), at);
}
