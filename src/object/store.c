/*-------------------------------------------------------------------------
 *
 * store.c
 *		Writes a snapshot of objects, and their names.
 *
 * What is stored of a counter is its increase since the previous reading:
 *
 *	- without a previous reading it is not known, and stored as 0; the row
 *	  says that it is not complete;
 *	- of an object that the previous reading did not have it is all that was
 *	  counted, since idle and empty objects are left out of a reading;
 *	- of an object that counts less than before it is what was counted since
 *	  it began anew: what was counted before that is lost, and the row says so.
 *
 * So an increase is never negative, and never more than really happened.
 *
 * src/object/store.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "object/take.h"
#include "packed/packed.h"
#include "step/query.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* taken_at, database_oid, interval_ms, complete, restarts, object_ids */
#define FIXED_COLUMNS 6

void
numbers_add(Numbers *numbers, Datum item)
{
	if (numbers->count == numbers->room)
	{
		numbers->room = Max(numbers->room * 2, 64);
		numbers->items = numbers->items == NULL ?
			palloc_array(Datum, numbers->room) :
			repalloc_huge(numbers->items, numbers->room * sizeof(Datum));
	}
	numbers->items[numbers->count++] = item;
}

void
store_read_dictionary(Taking *taking)
{
	Oid			type = TEXTOID;
	Datum		letter = CStringGetTextDatum(taking->kind->letter);
	char	   *sql = psprintf("SELECT object_id, relation_oid FROM %s.dbmaint_known_objects($1)",
							   taking->extension.schema);
	MemoryContext context = CurrentMemoryContext;
	Reading		reading;
	int32		last_id = 0;

	object_reading_begin(&reading, 0);
	query_begin(sql, 1, &type, &letter, NULL);
	context = MemoryContextSwitchTo(context);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		ObjectEntry entry = {0};
		bool		isnull;

		entry.object_id =
			DatumGetInt32(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &isnull));
		entry.relation =
			DatumGetObjectId(SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &isnull));
		last_id = Max(last_id, entry.object_id);
		/* the last row is not of an object: it has the highest number */
		if (!isnull)
			object_reading_append(&reading, &entry, NULL, 0, 0);
	}
	MemoryContextSwitchTo(context);
	query_end();

	object_reading_header(&reading)->next_object_id = last_id + 1;
	object_reading_index(&taking->before, reading.data, reading.used);
	taking->fresh = true;
}

/* Did one of these counters fall?  Nothing but a new start makes it. */
static bool
fell(const int64 *now, const int64 *before, int from, int to)
{
	for (int i = from; i < to; i++)
	{
		if (now[i] < before[i])
			return true;
	}
	return false;
}

/*
 * Turns totals into increases.  A table and its TOAST table are counted apart,
 * and so each may begin anew by itself: VACUUM FULL gives a table another
 * TOAST table.  Returns whether one did.
 */
static bool
subtract(const Taking *taking, int64 *now, const int64 *before)
{
	const ObjectKind *kind = taking->kind;
	int			toast_to = kind->toast_from + kind->toast_counters;
	bool		toast_anew = fell(now, before, kind->toast_from, toast_to);
	bool		anew = fell(now, before, 0, kind->toast_from) ||
	fell(now, before, toast_to, kind->counters) ||
	now[taking->since] != before[taking->since];

	for (int i = 0; i < kind->counters; i++)
	{
		bool		of_toast = i >= kind->toast_from && i < toast_to;

		if (!(of_toast ? toast_anew : anew))
			now[i] -= before[i];
	}
	return anew || toast_anew;
}

/*
 * Adds one object to the lists.  Its last number is by how much it grew.
 */
static void
put_change(Taking *taking, const Change *change, PackedBuilder *lists)
{
	const ObjectKind *kind = taking->kind;
	int64		now[OBJECT_VALUES_MAX];
	int64		before[OBJECT_VALUES_MAX] = {0};
	int64		grown = 0;

	entry_values(object_reading_entry(taking->now.data, change->now), now,
				 taking->value_count);
	if (change->before != 0)
		entry_values(object_reading_entry(taking->before.data, change->before), before,
					 taking->value_count);

	for (int i = taking->sizes_from; i < taking->since; i++)
		grown += now[i] - before[i];
	if (taking->fresh)
	{
		memset(now, 0, kind->counters * sizeof(int64));
		grown = 0;
	}
	else if (change->predecessor != 0)
	{
		/* the other one's file goes, or has gone */
		entry_values(object_reading_entry(taking->before.data, change->predecessor), before,
					 taking->value_count);
		for (int i = taking->sizes_from; i < taking->since; i++)
			grown -= before[i];
		for (int i = 0; i < kind->counters; i++)
			now[i] -= before[i];
	}
	else if (change->before != 0 && subtract(taking, now, before))
		taking->restarts++;

	packed_add(&lists[0], change->object_id);
	for (int i = 0; i < kind->counters + kind->gauges; i++)
		packed_add(&lists[i + 1], now[i]);
	packed_add(&lists[kind->counters + kind->gauges + 1], grown);
}

/* "INSERT INTO s.t (...) VALUES ($1, ...)" */
static char *
insert_statement(const Taking *taking)
{
	const ObjectKind *kind = taking->kind;
	int			lists = kind->counters + kind->gauges;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql,
					 "INSERT INTO %s.%s (taken_at, database_oid, interval_ms, complete, restarts, object_ids",
					 taking->extension.schema, kind->table);
	for (int i = 0; i < lists; i++)
		appendStringInfo(&sql, ", %s", kind->columns[i]);
	appendStringInfoString(&sql, ", grown_bytes) VALUES ($1");
	for (int i = 1; i < FIXED_COLUMNS + lists + 1; i++)
		appendStringInfo(&sql, ", $%d", i + 1);
	appendStringInfoString(&sql, ") ON CONFLICT DO NOTHING");
	return sql.data;
}

static int
compare_changes(const void *a, const void *b)
{
	int32		left = ((const Change *) a)->object_id;
	int32		right = ((const Change *) b)->object_id;

	return (left > right) - (left < right);
}

bool
store_snapshot(Taking *taking)
{
	const ObjectKind *kind = taking->kind;
	int			lists = kind->counters + kind->gauges + 2;
	const ReadingHeader *before = previous_header(taking);
	const ReadingHeader *now = object_reading_header(&taking->now);
	bool		forwards = !taking->fresh && now->at > before->at;
	Oid			types[OBJECT_VALUES_MAX + FIXED_COLUMNS + 2];
	Datum		values[OBJECT_VALUES_MAX + FIXED_COLUMNS + 2];
	char		nulls[OBJECT_VALUES_MAX + FIXED_COLUMNS + 2];
	PackedBuilder builders[OBJECT_VALUES_MAX + 2];
	Oid			packed_type;
	bool		written;

	qsort(taking->changes, taking->change_count, sizeof(Change),
		  compare_changes);
	for (int i = 0; i < lists; i++)
		packed_begin(&builders[i]);
	for (int i = 0; i < taking->change_count; i++)
	{
		if (taking->changes[i].stored)
			put_change(taking, &taking->changes[i], builders);
	}

	memset(nulls, ' ', sizeof(nulls));
	types[0] = TIMESTAMPTZOID;
	values[0] = TimestampTzGetDatum(now->at);
	types[1] = OIDOID;
	values[1] = ObjectIdGetDatum(MyDatabaseId);
	types[2] = FLOAT8OID;
	/* the clock may have been set back: no time, but not unknown */
	values[2] = Float8GetDatum(forwards ? (now->at - before->at) / 1000.0 : 0);
	if (taking->fresh)
		nulls[2] = 'n';
	types[3] = BOOLOID;
	values[3] = BoolGetDatum(forwards && taking->restarts == 0 &&
							 now->database_reset == before->database_reset);
	types[4] = INT4OID;
	values[4] = Int32GetDatum(taking->restarts);

	packed_type = history_type(&taking->extension, "dbmaint_packed");
	for (int i = 0; i < lists; i++)
	{
		struct varlena *list = packed_finish(&builders[i], i > 0);
		int			at = FIXED_COLUMNS - 1 + i;

		types[at] = packed_type;
		values[at] = PointerGetDatum(list);
		if (list == NULL)
			nulls[at] = 'n';
	}

	written = query_begin(insert_statement(taking),
						  FIXED_COLUMNS - 1 + lists, types, values, nulls) > 0;
	query_end();
	return written;
}

void
store_names(Taking *taking)
{
	Oid			types[] = {TIMESTAMPTZOID, TEXTOID, INT4ARRAYOID, OIDARRAYOID};
	Datum		values[4];
	char	   *sql = psprintf("SELECT %s.dbmaint_name_objects($1, $2, $3, $4)",
							   taking->extension.schema);
	Datum	   *tables;
	int			count;
	bool		isnull;

	if (taking->unnamed_ids.count == 0)
		return;
	values[0] = TimestampTzGetDatum(taking->collection->at);
	values[1] = CStringGetTextDatum(taking->kind->letter);
	values[2] = query_array(taking->unnamed_ids.items, NULL, taking->unnamed_ids.count, INT4OID);
	values[3] = query_array(taking->unnamed_oids.items, NULL, taking->unnamed_oids.count, OIDOID);
	query_begin(sql, lengthof(values), types, values, NULL);
	deconstruct_array(DatumGetArrayTypeP(SPI_getbinval(SPI_tuptable->vals[0],
													   SPI_tuptable->tupdesc,
													   1, &isnull)),
					  OIDOID, sizeof(Oid), true, 'i', &tables, NULL, &count);
	if (count != taking->unnamed_places.count)
		elog(ERROR, "%d of %d objects were named", count,
			 taking->unnamed_places.count);
	for (int i = 0; i < count; i++)
	{
		ObjectEntry *entry = object_reading_entry(taking->now.data,
												  (Size) taking->unnamed_places.items[i]);

		entry->table = DatumGetObjectId(tables[i]);
		if (!OidIsValid(entry->table))
			entry->name_hash = 0;
	}
	query_end();
}

void
store_gone(Taking *taking)
{
	Oid			types[] = {TIMESTAMPTZOID, TEXTOID, INT4ARRAYOID};
	Datum		values[3];
	char	   *sql = psprintf("SELECT %s.dbmaint_bury_objects($1, $2, $3)",
							   taking->extension.schema);
	Numbers		gone = {0};

	for (Size at = sizeof(ReadingHeader); at < taking->before.size;
		 at = object_reading_next(taking->before.data, at))
	{
		const ObjectEntry *entry = object_reading_entry(taking->before.data, at);

		if (!entry_was_taken(entry))
			numbers_add(&gone, Int32GetDatum(entry->object_id));
	}
	if (gone.count == 0)
		return;
	values[0] = TimestampTzGetDatum(taking->collection->at);
	values[1] = CStringGetTextDatum(taking->kind->letter);
	values[2] = query_array(gone.items, NULL, gone.count, INT4OID);
	query_begin(sql, lengthof(values), types, values, NULL);
	query_end();
}
