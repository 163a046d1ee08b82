/*-------------------------------------------------------------------------
 *
 * series.c
 *		Readings that have an instance: taken, and written.
 *
 * The history is one row a round: the numbers of the series, which ascend and
 * so take a byte each, and their values as whole numbers.  dbmaint_series
 * gives a series its number and says by what its values are multiplied.
 *
 * src/collect/series.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "collect/series.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "packed/packed.h"
#include "step/query.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* what a round may have at most; a source that gives more is not sane */
#define SERIES_MOST 20000
#define INSTANCE_LENGTH 512

/* A worker looks the numbers up again once an hour, which keeps them known. */
#define NUMBERS_KEPT_US (3600 * USECS_PER_SEC)

/* A reading with its series' number. */
typedef struct NumberedReading
{
	int			series_id;
	double		value;
} NumberedReading;

/* The hash table of numbers that were looked up. */
typedef struct SeriesNumber
{
	uint64		hash;			/* the key: of the metric and the instance */
	int			series_id;
} SeriesNumber;

static HTAB *numbers = NULL;
static MemoryContext numbers_context = NULL;
static TimestampTz numbers_at = 0;

void
series_add(Collection *collection, SeriesId metric, const char *instance,
		   double value)
{
	MemoryContext old = MemoryContextSwitchTo(collection->context);
	SeriesReading *reading;

	Assert(metric >= 0 && metric < SERIES_COUNT);
	if (collection->series_count == SERIES_MOST)
	{
		collection->series_dropped++;
		MemoryContextSwitchTo(old);
		return;
	}
	if (collection->series_count == collection->series_room)
	{
		collection->series_room = Max(64, collection->series_room * 2);
		collection->series = collection->series == NULL ?
			palloc_array(SeriesReading, collection->series_room) :
			repalloc(collection->series,
					 sizeof(SeriesReading) * collection->series_room);
	}
	reading = &collection->series[collection->series_count++];
	reading->metric = metric;
	reading->known = isfinite(value);
	reading->value = value;
	reading->collector = collection->collector;
	reading->instance = pnstrdup(instance,
								 pg_mbcliplen(instance, strlen(instance),
											  INSTANCE_LENGTH));
	MemoryContextSwitchTo(old);
}

void
series_complete(Collection *collection, SeriesId metric)
{
	Assert(metric >= 0 && metric < SERIES_COUNT);
	collection->complete_collector[metric] = collection->collector;
}

/* Values are kept as whole numbers: what a series' are multiplied by. */
static int
series_scale(SeriesId metric)
{
	const char *unit = series_table[metric].unit;

	if (strcmp(unit, "bytes") == 0)
		return 1;
	if (strcmp(unit, "ratio") == 0)
		return 1000000;
	return 1000;
}

static uint64
series_hash(const SeriesReading *reading)
{
	return hash_bytes_extended((const unsigned char *) reading->instance,
							   (int) strlen(reading->instance),
							   (uint64) reading->metric);
}

/*
 * A call from SQL may be rolled back, and numbers that it made with it: only a
 * worker, whose steps are transactions, remembers any.  Those of a step that
 * failed are forgotten by numbers_at, which is set when all went well.
 */
static void
prepare_numbers(TimestampTz at)
{
	HASHCTL		control = {0};

	if (numbers != NULL && numbers_at != 0 && AmBackgroundWorkerProcess() &&
		at >= numbers_at && at - numbers_at < NUMBERS_KEPT_US)
		return;
	if (numbers_context == NULL)
		numbers_context = AllocSetContextCreate(TopMemoryContext,
												"dbmaint series numbers",
												ALLOCSET_SMALL_SIZES);
	MemoryContextReset(numbers_context);
	control.keysize = sizeof(uint64);
	control.entrysize = sizeof(SeriesNumber);
	control.hcxt = numbers_context;
	numbers = hash_create("dbmaint series numbers", 256, &control,
						  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	numbers_at = 0;
}

/* Asks for the numbers of the readings that have none yet. */
static void
look_up(const Extension *extension, TimestampTz at,
		const SeriesReading **unknown, int count)
{
	char	   *sql = psprintf("SELECT n, series_id FROM %s.dbmaint_find_series($1, $2, $3, $4)",
							   extension->schema);
	Oid			types[] = {TIMESTAMPTZOID, TEXTARRAYOID, TEXTARRAYOID, INT4ARRAYOID};
	Datum		arguments[4];
	Datum	   *elements = palloc_array(Datum, count);
	uint64		found;

	arguments[0] = TimestampTzGetDatum(at);
	for (int i = 0; i < count; i++)
		elements[i] = CStringGetTextDatum(series_table[unknown[i]->metric].name);
	arguments[1] = query_array(elements, NULL, count, TEXTOID);
	for (int i = 0; i < count; i++)
		elements[i] = CStringGetTextDatum(unknown[i]->instance);
	arguments[2] = query_array(elements, NULL, count, TEXTOID);
	for (int i = 0; i < count; i++)
		elements[i] = Int32GetDatum(series_scale(unknown[i]->metric));
	arguments[3] = query_array(elements, NULL, count, INT4OID);

	found = query_begin(sql, lengthof(types), types, arguments, NULL);
	for (uint64 i = 0; i < found; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	columns = SPI_tuptable->tupdesc;
		bool		isnull;
		int			n = DatumGetInt32(SPI_getbinval(row, columns, 1, &isnull));
		uint64		hash;
		SeriesNumber *number;

		Assert(n >= 1 && n <= count);
		hash = series_hash(unknown[n - 1]);
		number = hash_search(numbers, &hash, HASH_ENTER, NULL);
		number->series_id =
			DatumGetInt32(SPI_getbinval(row, columns, 2, &isnull));
	}
	query_end();
	pfree(elements);
}

static int
compare_readings(const void *a, const void *b)
{
	const NumberedReading *x = a;
	const NumberedReading *y = b;

	return (x->series_id > y->series_id) - (x->series_id < y->series_id);
}

/* The readings that are known with their numbers, in the numbers' order. */
static NumberedReading *
number_readings(const Extension *extension, const Collection *collection,
				int *count)
{
	NumberedReading *numbered = palloc_array(NumberedReading, collection->series_count);
	const SeriesReading **unknown = palloc_array(const SeriesReading *,
												 collection->series_count);
	int			unknowns = 0;

	prepare_numbers(collection->at);
	for (int i = 0; i < collection->series_count; i++)
	{
		const SeriesReading *reading = &collection->series[i];
		uint64		hash = series_hash(reading);

		if (reading->known && hash_search(numbers, &hash, HASH_FIND, NULL) == NULL)
			unknown[unknowns++] = reading;
	}
	if (unknowns > 0)
		look_up(extension, collection->at, unknown, unknowns);

	*count = 0;
	for (int i = 0; i < collection->series_count; i++)
	{
		const SeriesReading *reading = &collection->series[i];
		uint64		hash = series_hash(reading);
		const SeriesNumber *number;

		if (!reading->known)
			continue;
		number = hash_search(numbers, &hash, HASH_FIND, NULL);
		if (number == NULL)
			continue;
		numbered[*count].series_id = number->series_id;
		numbered[(*count)++].value = reading->value * series_scale(reading->metric);
	}
	qsort(numbered, *count, sizeof(NumberedReading), compare_readings);
	return numbered;
}

static int64
whole_number(double value)
{
	if (value >= (double) PG_INT64_MAX)
		return PG_INT64_MAX;
	if (value <= (double) PG_INT64_MIN)
		return PG_INT64_MIN;
	return (int64) rint(value);
}

bool
series_write(const Extension *extension, const Collection *collection)
{
	char	   *sql = psprintf("INSERT INTO %s.dbmaint_series_samples (taken_at, database_oid, series, readings) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
							   extension->schema);
	Oid			packed = history_type(extension, "dbmaint_packed");
	Oid			types[] = {TIMESTAMPTZOID, OIDOID, packed, packed};
	Datum		values[4];
	NumberedReading *readings;
	PackedBuilder ids;
	PackedBuilder numbers_of;
	int			count;

	if (!history_lock(extension, "dbmaint_series") ||
		!history_lock(extension, "dbmaint_series_samples"))
		return false;
	readings = number_readings(extension, collection, &count);
	if (count == 0)
		return true;

	packed_begin(&ids);
	packed_begin(&numbers_of);
	for (int i = 0; i < count; i++)
	{
		/* of two of one series, one is enough */
		if (i > 0 && readings[i].series_id == readings[i - 1].series_id)
			continue;
		packed_add(&ids, readings[i].series_id);
		packed_add(&numbers_of, whole_number(readings[i].value));
	}
	values[0] = TimestampTzGetDatum(collection->at);
	values[1] = ObjectIdGetDatum(MyDatabaseId);
	values[2] = PointerGetDatum(packed_finish(&ids, false));
	values[3] = PointerGetDatum(packed_finish(&numbers_of, false));
	query_begin(sql, lengthof(types), types, values, NULL);
	query_end();
	numbers_at = numbers_at != 0 ? numbers_at : collection->at;
	return true;
}
