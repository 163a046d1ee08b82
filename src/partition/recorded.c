/*-------------------------------------------------------------------------
 *
 * recorded.c
 *		What is recorded about partitioned tables: dbmaint_partition_sets.
 *
 * src/partition/recorded.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "history/history.h"
#include "partition/owner.h"
#include "partition/recorded.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#define SETS_TABLE "dbmaint_partition_sets"

/* columns of the table */
#define ATTNUM_PARENT 1
#define ATTNUM_TIME_ZONE 2
#define ATTNUM_EPOCH 3
#define ATTNUM_PERIOD 4

static char *
text_of(HeapTuple tuple, AttrNumber column, TupleDesc columns)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, column, columns, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

void
recorded_find(Oid extension_schema, Oid parent, SetOptions *options)
{
	Oid			table = get_relname_relid(SETS_TABLE, extension_schema);
	Oid			index;
	Relation	rel;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (!OidIsValid(table))
		return;
	rel = table_open(table, AccessShareLock);
	ScanKeyInit(&key, ATTNUM_PARENT, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(parent));
	index = relation_primary_key(rel);
	scan = systable_beginscan(rel, index, OidIsValid(index), NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		options->time_zone = text_of(tuple, ATTNUM_TIME_ZONE, RelationGetDescr(rel));
		options->epoch = text_of(tuple, ATTNUM_EPOCH, RelationGetDescr(rel));
		options->period = text_of(tuple, ATTNUM_PERIOD, RelationGetDescr(rel));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

static bool
says_more(const char *said, const char *recorded)
{
	return said != NULL && (recorded == NULL || strcmp(said, recorded) != 0);
}

Oid
recorded_owner(Oid extension_schema)
{
	return owner_of(get_relname_relid(SETS_TABLE, extension_schema));
}

void
recorded_store(Oid extension_schema, Oid parent, const SetOptions *options)
{
	SetOptions	recorded = {0};
	const char *texts[] = {options->time_zone, options->epoch, options->period};
	Oid			types[] = {OIDOID, TEXTOID, TEXTOID, TEXTOID};
	Datum		values[4] = {ObjectIdGetDatum(parent)};
	char		nulls[4] = {' ', ' ', ' ', ' '};
	Extension	extension;
	AsOwner		before;

	recorded_find(extension_schema, parent, &recorded);
	if (!says_more(options->time_zone, recorded.time_zone) &&
		!says_more(options->epoch, recorded.epoch) &&
		!says_more(options->period, recorded.period))
		return;
	/* no trigger may run as the extension's owner */
	if (!history_find_extension(&extension) || !history_lock(&extension, SETS_TABLE))
		return;

	for (int i = 0; i < 3; i++)
	{
		nulls[i + 1] = texts[i] == NULL ? 'n' : ' ';
		values[i + 1] = texts[i] == NULL ? (Datum) 0 : CStringGetTextDatum(texts[i]);
	}
	owner_begin(recorded_owner(extension_schema), &before);
	SPI_connect();
	SPI_execute_with_args(psprintf("SELECT %s.dbmaint_record_partition_set($1, $2, $3, $4)", extension.schema),
						  lengthof(types), types, values, nulls, false, 0);
	SPI_finish();
	owner_end(&before);
}
