/*-------------------------------------------------------------------------
 *
 * snapshot_statements.c
 *		Collector "statements": one snapshot of pg_stat_statements.
 *
 * src/statement/snapshot_statements.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_type.h"
#include "collect/collect.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "history/history.h"
#include "lib/stringinfo.h"
#include "packed/packed.h"
#include "port/pg_bitutils.h"
#include "snapshot/snapshot.h"
#include "statement/statement.h"
#include "step/query.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define TABLE_NAME "dbmaint_statement_snapshots"

/* the row's columns that are not counters */
#define FIXED_COLUMNS 11

PG_FUNCTION_INFO_V1(dbmaint_take_snapshot);

typedef struct Taken
{
	bool		available;		/* pg_stat_statements is there */
	bool		written;		/* else there is a snapshot of that time */
	int32		statements;
	bool		incomplete;
} Taken;

/* A change and the id of its statement, to sort by. */
typedef struct NumberedChange
{
	int32		statement_id;
	uint32		change;
} NumberedChange;

#define ST_SORT sort_changes
#define ST_ELEMENT_TYPE NumberedChange
#define ST_COMPARE(a, b) ((a)->statement_id < (b)->statement_id ? -1 : (a)->statement_id > (b)->statement_id)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* The row that is going to be written. */
typedef struct SnapshotRow
{
	StringInfoData names;
	StringInfoData places;
	int			count;
	Oid			types[FIXED_COLUMNS + COUNTER_COUNT];
	Datum		values[FIXED_COLUMNS + COUNTER_COUNT];
} SnapshotRow;

static void
put_column(SnapshotRow *row, const char *name, Oid type, Datum value)
{
	const char *comma = row->count > 0 ? ", " : "";

	row->types[row->count] = type;
	row->values[row->count++] = value;
	appendStringInfo(&row->names, "%s%s", comma, name);
	appendStringInfo(&row->places, "%s$%d", comma, row->count);
}

/* Gives the changed statements their ids; returns them in their order. */
static NumberedChange *
number_changes(const Extension *extension, const StatementReading *before,
			   StatementReading *now, const StatementChanges *changes)
{
	StatementEntry **entries = palloc_array(StatementEntry *, Max(changes->count, 1));
	NumberedChange *numbered = palloc_array(NumberedChange, Max(changes->count, 1));

	for (uint32 i = 0; i < changes->count; i++)
		entries[i] = &now->entries[changes->changes[i].entry];
	identity_assign(extension, now, entries, changes->count,
					before != NULL && before->texts_missing);

	for (uint32 i = 0; i < changes->count; i++)
	{
		numbered[i].statement_id = entries[i]->statement_id;
		numbered[i].change = i;
	}
	sort_changes(numbered, changes->count);
	pfree(entries);
	return numbered;
}

/* Puts the ids and the counters, each into a list. */
static void
put_changes(SnapshotRow *row, Oid packed_type, const StatementChanges *changes,
			const NumberedChange *numbered)
{
	PackedBuilder *columns = palloc_array(PackedBuilder, COUNTER_COUNT);
	PackedBuilder ids;

	packed_begin(&ids);
	for (int c = 0; c < COUNTER_COUNT; c++)
		packed_begin(&columns[c]);

	for (uint32 i = 0; i < changes->count; i++)
	{
		const StatementChange *change = &changes->changes[numbered[i].change];
		const int64 *values = changes->values + change->first_value;

		packed_add(&ids, numbered[i].statement_id);
		for (CounterSet set = change->set; set != 0; set &= set - 1)
			packed_add_at(&columns[pg_rightmost_one_pos64(set)], i, *values++);
	}

	if (changes->count > 0)
		put_column(row, "statement_ids", packed_type,
				   PointerGetDatum(packed_finish(&ids, false)));
	for (int c = 0; c < COUNTER_COUNT; c++)
	{
		struct varlena *list;

		packed_pad(&columns[c], changes->count);
		list = packed_finish(&columns[c], true);
		if (list != NULL)
			put_column(row, counters[c].name, packed_type, PointerGetDatum(list));
	}
}

/* What says how much is known of the interval. */
static void
put_interval(SnapshotRow *row, const StatementReading *before,
			 const StatementReading *now, const StatementChanges *changes)
{
	put_column(row, "taken_at", TIMESTAMPTZOID, TimestampTzGetDatum(now->at));
	put_column(row, "database_oid", OIDOID, ObjectIdGetDatum(MyDatabaseId));
	put_column(row, "known_counters", INT8OID, Int64GetDatum((int64) changes->known));
	put_column(row, "statements", INT4OID, Int32GetDatum((int32) changes->count));
	put_column(row, "incomplete", BOOLOID, BoolGetDatum(changes->incomplete));
	if (before == NULL)
		return;

	/* after the clock was set back, how long it was is unknown */
	if (before->at < now->at)
		put_column(row, "previous_at", TIMESTAMPTZOID, TimestampTzGetDatum(before->at));
	put_column(row, "restarted", INT4OID, Int32GetDatum(changes->restarted));
	put_column(row, "vanished", INT4OID, Int32GetDatum(changes->vanished));
	put_column(row, "was_reset", BOOLOID, BoolGetDatum(before->reset_at != now->reset_at));
	put_column(row, "evictions", INT8OID,
			   Int64GetDatum(now->evictions >= before->evictions ?
							 now->evictions - before->evictions : now->evictions));
}

/* Writes the row; returns false if there is one of that time already. */
static bool
write_row(const Extension *extension, const StatementReading *before,
		  StatementReading *now, const StatementChanges *changes)
{
	NumberedChange *numbered = number_changes(extension, before, now, changes);
	Oid			packed_type = history_type(extension, "dbmaint_packed");
	SnapshotRow *row = palloc0_object(SnapshotRow);
	bool		written;

	initStringInfo(&row->names);
	initStringInfo(&row->places);
	put_interval(row, before, now, changes);
	put_changes(row, packed_type, changes, numbered);

	written = query_begin(psprintf("INSERT INTO %s." TABLE_NAME " (%s) VALUES (%s) ON CONFLICT DO NOTHING",
								   extension->schema, row->names.data, row->places.data),
						  row->count, row->types, row->values, NULL) > 0;
	query_end();
	return written;
}

/* What the next snapshot subtracts. */
typedef struct Remembered
{
	const StatementReading *before;
	const StatementReading *now;
} Remembered;

static void
write_reading(void *address, void *arg)
{
	const Remembered *remembered = arg;

	statement_reading_write(remembered->now, remembered->before, address);
}

/* Stores what changed since before, which may be NULL. */
static void
take(const Extension *extension, TimestampTz at, const StatementReading *before,
	 Taken *taken)
{
	StatementReading *now = source_read(at, before);
	Remembered	remembered = {before, now};
	StatementChanges *changes;

	taken->available = now != NULL;
	if (now == NULL)
		return;
	changes = statement_reading_compare(before, now);
	taken->written = write_row(extension, before, now, changes);
	/* else what changed is left for the next one to store */
	if (!taken->written)
		return;

	snapshot_remember(SNAPSHOT_STATEMENTS, statement_reading_size(now),
					  write_reading, &remembered);
	taken->statements = changes->count;
	taken->incomplete = changes->incomplete;
}

/* Takes a snapshot, in the current memory context, which it fills. */
static void
take_since_previous(const Extension *extension, TimestampTz at, Taken *taken)
{
	PreviousReading previous;

	snapshot_previous(SNAPSHOT_STATEMENTS, &previous);
	take(extension, at,
		 previous.data != NULL ?
		 statement_reading_restore(previous.data, previous.size) : NULL, taken);
	snapshot_release(&previous);
}

/* Takes a snapshot in a memory context of its own. */
static void
take_snapshot(TimestampTz at, Taken *taken)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "dbmaint statements",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Extension	extension;

	memset(taken, 0, sizeof(Taken));
	if (history_find_extension(&extension) &&
		history_lock(&extension, "dbmaint_statements") &&
		history_lock(&extension, TABLE_NAME))
		take_since_previous(&extension, at, taken);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

void
collect_statements(Collection *collection)
{
	Taken		taken;

	/* where pg_stat_statements is not there, a health check says so */
	take_snapshot(collection->at, &taken);
}

/* SQL: dbmaint_take_snapshot(at) -> (taken_at, statements, incomplete) */
Datum
dbmaint_take_snapshot(PG_FUNCTION_ARGS)
{
	TimestampTz at;
	Taken		taken;
	TupleDesc	columns;
	Datum		values[3];
	bool		nulls[3] = {false};

	if (PG_ARGISNULL(0) || TIMESTAMP_NOT_FINITE(PG_GETARG_TIMESTAMPTZ(0)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the time of a snapshot must be a finite time"),
				 errhint("For example: dbmaint_take_snapshot(now()).")));
	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	at = PG_GETARG_TIMESTAMPTZ(0);
	take_snapshot(at, &taken);
	if (!taken.available)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pg_stat_statements is not available in this database"),
				 errhint("Add it to shared_preload_libraries, restart the server, and run CREATE EXTENSION pg_stat_statements.")));

	if (!taken.written)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("there is a snapshot of %s already", timestamptz_to_str(at)),
				 errhint("Give another time, or none for that of the call.")));

	values[0] = TimestampTzGetDatum(at);
	values[1] = Int32GetDatum(taken.statements);
	values[2] = BoolGetDatum(taken.incomplete);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns),
													  values, nulls)));
}
