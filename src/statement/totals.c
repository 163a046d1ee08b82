/*-------------------------------------------------------------------------
 *
 * totals.c
 *		Reads the snapshots of statements back: as rows, and added up.
 *
 * Unnesting lists in SQL costs about a microsecond a value.  Here a list is
 * passed over eight bytes at a time to find one statement's value, and a day
 * of 288 snapshots of 5,000 statements is added up in memory.
 *
 * src/statement/totals.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "history/history.h"
#include "lib/stringinfo.h"
#include "packed/packed.h"
#include "port/pg_bitutils.h"
#include "statement/statement.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

/* snapshots that are fetched at a time */
#define FETCH_ROWS 64

/* statement ids in a block of totals */
#define BLOCK_IDS 1024

/* the query's columns before the counters */
#define COLUMN_TAKEN_AT 1
#define COLUMN_PREVIOUS_AT 2
#define COLUMN_INCOMPLETE 3
#define COLUMN_KNOWN 4
#define COLUMN_IDS 5
#define COLUMN_COUNTERS 6

/* what the result has before the counters */
#define ROW_COLUMNS 4			/* taken_at, previous_at, incomplete,
								 * statement_id */
#define TOTAL_COLUMNS 2			/* statement_id, snapshots */

PG_FUNCTION_INFO_V1(dbmaint_unpack_statements);
PG_FUNCTION_INFO_V1(dbmaint_total_statements);

/* A snapshot as it is stored. */
typedef struct StoredSnapshot
{
	Datum		taken_at;
	Datum		previous_at;
	bool		has_previous;
	Datum		incomplete;
	CounterSet	known;
	const struct varlena *ids;	/* NULL: nothing changed */
	const struct varlena *counter[COUNTER_COUNT];	/* NULL: zeroes */
} StoredSnapshot;

typedef void (*SnapshotVisitor) (const StoredSnapshot *snapshot, void *arg);

/* The sums of one statement. */
typedef struct StatementTotal
{
	int64		snapshots;
	int64		values[COUNTER_COUNT];
	double		squares[2];		/* sums of squared deviations: exec, plan */
} StatementTotal;

/* Everything that is added up, by statement_id. */
typedef struct Totals
{
	MemoryContext context;
	CounterSet	known;
	StatementTotal ***blocks;	/* of BLOCK_IDS neighbours, or NULL */
	int32		block_count;
} Totals;

/* What a result of rows needs. */
typedef struct RowOutput
{
	ReturnSetInfo *rsinfo;
	const int32 *wanted;		/* statement ids, or NULL: all */
	int			wanted_count;
} RowOutput;

static char *
snapshot_query(void)
{
	Extension	extension;
	StringInfoData sql;

	if (!history_find_extension(&extension))
		elog(ERROR, "extension \"dbmaint\" is not installed");
	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT taken_at, previous_at, incomplete, known_counters, statement_ids");
	for (int c = 0; c < COUNTER_COUNT; c++)
		appendStringInfo(&sql, ", %s", counters[c].name);
	appendStringInfo(&sql, " FROM %s.dbmaint_statement_snapshots WHERE database_oid OPERATOR(pg_catalog.=) $1 AND taken_at OPERATOR(pg_catalog.>) $2 AND taken_at OPERATOR(pg_catalog.<=) $3 ORDER BY database_oid, taken_at",
					 extension.schema);
	return sql.data;
}

static Datum
get_column(HeapTuple row, int column, bool *isnull)
{
	return SPI_getbinval(row, SPI_tuptable->tupdesc, column, isnull);
}

static void
read_snapshot(HeapTuple row, StoredSnapshot *snapshot)
{
	bool		isnull;
	Datum		value;

	snapshot->taken_at = get_column(row, COLUMN_TAKEN_AT, &isnull);
	snapshot->previous_at = get_column(row, COLUMN_PREVIOUS_AT, &isnull);
	snapshot->has_previous = !isnull;
	snapshot->incomplete = get_column(row, COLUMN_INCOMPLETE, &isnull);
	snapshot->known = (CounterSet) DatumGetInt64(get_column(row, COLUMN_KNOWN, &isnull));
	value = get_column(row, COLUMN_IDS, &isnull);
	snapshot->ids = isnull ? NULL : (struct varlena *) DatumGetPointer(value);
	for (int c = 0; c < COUNTER_COUNT; c++)
	{
		value = get_column(row, COLUMN_COUNTERS + c, &isnull);
		snapshot->counter[c] = isnull ? NULL : (struct varlena *) DatumGetPointer(value);
	}
}

/*
 * Calls the visitor for each snapshot of this database that was taken after
 * from_at, and not after to_at, in their order.  The reader's own rights on
 * the table decide.
 */
static void
visit_snapshots(Datum from_at, Datum to_at, SnapshotVisitor visit, void *arg)
{
	Oid			types[3] = {OIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum		values[3];
	MemoryContext context;
	Portal		portal;
	char	   *sql = snapshot_query();

	values[0] = ObjectIdGetDatum(MyDatabaseId);
	values[1] = from_at;
	values[2] = to_at;

	SPI_connect();
	context = AllocSetContextCreate(CurrentMemoryContext, "dbmaint snapshot",
									ALLOCSET_DEFAULT_SIZES);
	portal = SPI_cursor_open_with_args(NULL, sql, 3, types, values, NULL, true, 0);
	do
	{
		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			StoredSnapshot snapshot;
			MemoryContext old = MemoryContextSwitchTo(context);

			CHECK_FOR_INTERRUPTS();
			read_snapshot(SPI_tuptable->vals[i], &snapshot);
			visit(&snapshot, arg);
			MemoryContextSwitchTo(old);
			MemoryContextReset(context);
		}
		SPI_freetuptable(SPI_tuptable);
	} while (SPI_processed > 0);
	SPI_cursor_close(portal);
	SPI_finish();
}

/* ---- rows ---- */

/*
 * A counter as the result has it: times in milliseconds.  NULL where the
 * server has no such counter, and for a gauge that says nothing.
 */
static Datum
counter_datum(int c, CounterSet known, int64 value, double number, bool *isnull)
{
	const CounterInfo *info = &counters[c];

	*isnull = (known & COUNTER_BIT(c)) == 0;
	switch (info->kind)
	{
		case COUNTER_NUMBER:
			return Int64GetDatum(value);
		case COUNTER_TIME:
			break;
		case COUNTER_MIN:
		case COUNTER_MAX:
			*isnull = *isnull || value == 0;
			break;
		case COUNTER_DEVIATION:
			*isnull = *isnull || number == 0;
			return Float8GetDatum(*isnull ? 0 : value / sqrt(number) / 1000);
	}
	return Float8GetDatum(value / 1000.0);
}

static void
put_row(RowOutput *output, const StoredSnapshot *snapshot, int32 statement_id,
		const int64 *row)
{
	Datum		values[ROW_COLUMNS + COUNTER_COUNT];
	bool		nulls[ROW_COLUMNS + COUNTER_COUNT] = {false};

	values[0] = snapshot->taken_at;
	values[1] = snapshot->previous_at;
	nulls[1] = !snapshot->has_previous;
	values[2] = snapshot->incomplete;
	values[3] = Int32GetDatum(statement_id);
	for (int c = 0; c < COUNTER_COUNT; c++)
		values[ROW_COLUMNS + c] = counter_datum(c, snapshot->known, row[c],
												row[counters[c].number],
												&nulls[ROW_COLUMNS + c]);
	tuplestore_putvalues(output->rsinfo->setResult, output->rsinfo->setDesc,
						 values, nulls);
}

/* One statement of the snapshot, if it changed. */
static void
visit_one(const StoredSnapshot *snapshot, int32 statement_id, RowOutput *output)
{
	int64		row[COUNTER_COUNT];
	int32		position = packed_find(snapshot->ids, statement_id);

	if (position == 0)
		return;
	for (int c = 0; c < COUNTER_COUNT; c++)
		row[c] = packed_nth(snapshot->counter[c], position, NULL);
	put_row(output, snapshot, statement_id, row);
}

static void
visit_all(const StoredSnapshot *snapshot, RowOutput *output)
{
	PackedReader ids;
	PackedReader readers[COUNTER_COUNT];
	int64		row[COUNTER_COUNT];
	int64		statement_id;

	packed_open(&ids, snapshot->ids);
	for (int c = 0; c < COUNTER_COUNT; c++)
		packed_open(&readers[c], snapshot->counter[c]);
	while (packed_next(&ids, &statement_id))
	{
		CHECK_FOR_INTERRUPTS();
		for (int c = 0; c < COUNTER_COUNT; c++)
			packed_next(&readers[c], &row[c]);
		put_row(output, snapshot, (int32) statement_id, row);
	}
}

static void
visit_rows(const StoredSnapshot *snapshot, void *arg)
{
	RowOutput  *output = arg;

	if (output->wanted == NULL)
		visit_all(snapshot, output);
	for (int i = 0; i < output->wanted_count; i++)
		visit_one(snapshot, output->wanted[i], output);
}

/* SQL: dbmaint_unpack_statements(from_at, to_at, statement_ids int[]) */
Datum
dbmaint_unpack_statements(PG_FUNCTION_ARGS)
{
	RowOutput	output = {0};

	InitMaterializedSRF(fcinfo, 0);
	output.rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	if (output.rsinfo->setDesc->natts != ROW_COLUMNS + COUNTER_COUNT)
		elog(ERROR, "dbmaint_unpack_statements has other columns than the library");
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return (Datum) 0;

	if (!PG_ARGISNULL(2))
	{
		ArrayType  *array = PG_GETARG_ARRAYTYPE_P(2);

		if (array_contains_nulls(array))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("statement ids must not be null"),
					 errhint("Give no array at all to read every statement.")));
		output.wanted = (const int32 *) ARR_DATA_PTR(array);
		output.wanted_count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	}
	visit_snapshots(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1), visit_rows, &output);
	return (Datum) 0;
}

/* ---- sums ---- */

/*
 * The sums of a statement.  Ids are nearly without gaps; they are found by
 * their place in a block of neighbours, so that one odd id costs one block.
 */
static StatementTotal *
find_total(Totals *totals, int64 statement_id)
{
	StatementTotal ***block;
	StatementTotal **total;

	if (statement_id < 0 || statement_id > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("statement id " INT64_FORMAT " is out of range", statement_id),
				 errhint("Delete the row of dbmaint_statement_snapshots.")));

	if (statement_id / BLOCK_IDS >= totals->block_count)
	{
		int32		count = (int32) (statement_id / BLOCK_IDS) + 16;
		Size		size = sizeof(StatementTotal **) * (Size) count;
		StatementTotal ***blocks = MemoryContextAllocZero(totals->context, size);

		if (totals->blocks != NULL)
		{
			memcpy(blocks, totals->blocks,
				   sizeof(StatementTotal **) * (Size) totals->block_count);
			pfree(totals->blocks);
		}
		totals->blocks = blocks;
		totals->block_count = count;
	}

	block = &totals->blocks[statement_id / BLOCK_IDS];
	if (*block == NULL)
		*block = MemoryContextAllocZero(totals->context,
										sizeof(StatementTotal *) * BLOCK_IDS);
	total = &(*block)[statement_id % BLOCK_IDS];
	if (*total == NULL)
		*total = MemoryContextAllocZero(totals->context, sizeof(StatementTotal));
	return *total;
}

/* Adds the sum of squared deviations of an interval; before its totals. */
static void
add_squares(StatementTotal *total, double *squares, int c,
			const int64 *const *values, int32 i)
{
	const CounterInfo *info = &counters[c];
	double		n1 = total->values[info->number];
	double		n2 = values[info->number] != NULL ? values[info->number][i] : 0;
	double		d = values[c] != NULL ? values[c][i] : 0;
	double		sum2 = values[info->total] != NULL ? values[info->total][i] : 0;

	if (n2 <= 0)
		return;
	*squares += d * d;
	if (n1 > 0)
	{
		double		distance = total->values[info->total] / n1 - sum2 / n2;

		*squares += n1 * n2 / (n1 + n2) * distance * distance;
	}
}

static inline int64
add_saturating(int64 a, int64 b)
{
	/* neither is negative */
	return a > PG_INT64_MAX - b ? PG_INT64_MAX : a + b;
}

static void
add_value(StatementTotal *total, int c, int64 value)
{
	int64	   *sum = &total->values[c];

	switch (counters[c].kind)
	{
		case COUNTER_NUMBER:
		case COUNTER_TIME:
			*sum = add_saturating(*sum, value);
			break;
		case COUNTER_MIN:
			if (value != 0 && (*sum == 0 || value < *sum))
				*sum = value;
			break;
		case COUNTER_MAX:
			*sum = Max(*sum, value);
			break;
		case COUNTER_DEVIATION:
			break;
	}
}

/* Lists of one snapshot that are not as long as the others are damage. */
static void
check_count(int32 count, int32 expected)
{
	if (count != expected)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("lists of a snapshot have %d and %d values",
						expected, count),
				 errhint("Delete the row of dbmaint_statement_snapshots.")));
}

static void
visit_totals(const StoredSnapshot *snapshot, void *arg)
{
	Totals	   *totals = arg;
	int64	   *values[COUNTER_COUNT] = {NULL};
	StatementTotal **found;
	int32		count;
	int64	   *ids = packed_values(snapshot->ids, &count);

	totals->known |= snapshot->known;
	if (count == 0)
		return;
	found = palloc_array(StatementTotal *, count);
	for (int32 i = 0; i < count; i++)
	{
		found[i] = find_total(totals, ids[i]);
		found[i]->snapshots++;
	}

	for (int c = 0; c < COUNTER_COUNT; c++)
	{
		int32		got;

		if (snapshot->counter[c] == NULL)
			continue;
		values[c] = packed_values(snapshot->counter[c], &got);
		check_count(got, count);
	}

	for (int32 i = 0; i < count; i++)
	{
		add_squares(found[i], &found[i]->squares[0], COUNTER_ID_exec_deviation_us,
					(const int64 *const *) values, i);
		if (values[COUNTER_ID_plans] != NULL)
			add_squares(found[i], &found[i]->squares[1], COUNTER_ID_plan_deviation_us,
						(const int64 *const *) values, i);
	}
	for (int c = 0; c < COUNTER_COUNT; c++)
	{
		if (values[c] == NULL)
			continue;
		for (int32 i = 0; i < count; i++)
		{
			if (values[c][i] != 0)
				add_value(found[i], c, values[c][i]);
		}
	}
}

static void
put_total(ReturnSetInfo *rsinfo, CounterSet known, int32 statement_id,
		  StatementTotal *total)
{
	Datum		values[TOTAL_COLUMNS + COUNTER_COUNT];
	bool		nulls[TOTAL_COLUMNS + COUNTER_COUNT] = {false};

	total->values[COUNTER_ID_exec_deviation_us] = (int64) rint(sqrt(total->squares[0]));
	total->values[COUNTER_ID_plan_deviation_us] = (int64) rint(sqrt(total->squares[1]));
	values[0] = Int32GetDatum(statement_id);
	values[1] = Int64GetDatum(total->snapshots);
	for (int c = 0; c < COUNTER_COUNT; c++)
		values[TOTAL_COLUMNS + c] = counter_datum(c, known, total->values[c],
												  total->values[counters[c].number],
												  &nulls[TOTAL_COLUMNS + c]);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* SQL: dbmaint_total_statements(from_at, to_at) */
Datum
dbmaint_total_statements(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Totals		totals = {0};

	InitMaterializedSRF(fcinfo, 0);
	if (rsinfo->setDesc->natts != TOTAL_COLUMNS + COUNTER_COUNT)
		elog(ERROR, "dbmaint_total_statements has other columns than the library");
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return (Datum) 0;

	totals.context = CurrentMemoryContext;
	visit_snapshots(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1), visit_totals, &totals);
	for (int32 b = 0; b < totals.block_count; b++)
	{
		for (int32 i = 0; totals.blocks[b] != NULL && i < BLOCK_IDS; i++)
		{
			if (totals.blocks[b][i] != NULL)
				put_total(rsinfo, totals.known, b * BLOCK_IDS + i, totals.blocks[b][i]);
		}
	}
	return (Datum) 0;
}
