/*-------------------------------------------------------------------------
 *
 * take.c
 *		Takes a snapshot of the tables or of the indexes.
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
 * src/object/take.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "history/history.h"
#include "lib/stringinfo.h"
#include "object/object.h"
#include "packed/packed.h"
#include "snapshot/snapshot.h"
#include "step/query.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/*
 * How many objects are looked at in the file system in one snapshot: those
 * that were written most since their size was looked at last.  The others are
 * later, when more was written.
 */
#define MEASURED_MOST 1000

/* taken_at, database_oid, interval_ms, complete, restarts, object_ids */
#define FIXED_COLUMNS 6

/* A schema, as far as it matters. */
typedef struct Space
{
	Oid			oid;			/* the hash key */
	bool		counted;		/* pg_stat_user_tables would show it */
	uint32		hash;			/* of its name */
} Space;

/* An object that goes into the snapshot, or whose size may have changed. */
typedef struct Change
{
	int32		object_id;
	bool		stored;			/* goes into the snapshot */
	Oid			tablespace;
	Oid			toast;
	Size		now;			/* where it is in the new reading */
	Size		before;			/* and in the previous one; 0: not there */
	int64		unmeasured;		/* rows written since its size was known */
} Change;

/* A file of a TOAST table. */
typedef struct ToastFile
{
	Oid			relation;
	Oid			tablespace;
	Oid			filenode;
} ToastFile;

/* Numbers that grow in a list. */
typedef struct Numbers
{
	Datum	   *items;
	int			count;
	int			room;
} Numbers;

typedef struct Taking
{
	const ObjectKind *kind;
	Collection *collection;
	Extension	extension;
	int			value_count;	/* counters, gauges, and hidden ones */
	int			sizes_from;		/* where in the values the sizes begin, */
	int			since;			/* and the hidden values are */
	int			written;
	int			measured;
	uint32		forced;			/* values that are kept even if they are 0 */

	ReadingIndex before;
	bool		fresh;			/* there is no previous reading */
	Reading		now;

	HTAB	   *spaces;
	const Space *space;			/* the one asked for last */
	Change	   *changes;
	int			change_count;
	int			change_room;
	ToastFile  *toasts;
	int			toast_count;
	int			toast_room;
	Numbers		unnamed_ids;	/* to be written into the dictionary */
	Numbers		unnamed_oids;
	Numbers		unnamed_places; /* where they are in the new reading */
	int			restarts;		/* objects that began to count anew */
} Taking;

static void
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

static Datum
numbers_array(const Numbers *numbers, Oid type)
{
	if (numbers->count == 0)
		return PointerGetDatum(construct_empty_array(type));
	return PointerGetDatum(construct_array(numbers->items, numbers->count,
										   type, sizeof(int32), true, 'i'));
}

/*
 * The dictionary stands in for a previous reading: it knows the objects, but
 * not what they had counted.
 */
static void
read_dictionary(Taking *taking)
{
	Oid			type = TEXTOID;
	Datum		letter = CStringGetTextDatum(taking->kind->letter);
	char	   *sql = psprintf("SELECT object_id, relation_oid FROM %s.dbmaint_read_objects($1)",
							   taking->extension.schema);
	MemoryContext context = CurrentMemoryContext;
	Reading		reading;
	int32		last_id = 0;

	reading_begin(&reading, 0);
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
			reading_append(&reading, &entry, NULL, 0, 0);
	}
	MemoryContextSwitchTo(context);
	query_end();

	reading_header(&reading)->next_object_id = last_id + 1;
	reading_index(&taking->before, reading.data, reading.used);
	taking->fresh = true;
}

static void
read_previous(Taking *taking)
{
	Size		size;
	char	   *data = snapshot_previous(taking->kind->snapshot, &size);

	if (data == NULL)
	{
		read_dictionary(taking);
		return;
	}
	reading_index(&taking->before, data, size);
}

static const ReadingHeader *
previous_header(const Taking *taking)
{
	return (const ReadingHeader *) taking->before.data;
}

static const Space *
find_space(Taking *taking, Oid oid)
{
	bool		found;
	Space	   *space;

	if (taking->space != NULL && taking->space->oid == oid)
		return taking->space;

	space = hash_search(taking->spaces, &oid, HASH_ENTER, &found);
	if (!found)
	{
		char	   *name = get_namespace_name(oid);

		space->counted = name != NULL &&
			strcmp(name, "pg_catalog") != 0 &&
			strcmp(name, "information_schema") != 0 &&
			strncmp(name, "pg_toast", strlen("pg_toast")) != 0;
		space->hash = name == NULL ? 0 :
			hash_bytes((unsigned char *) name, strlen(name));
	}
	taking->space = space;
	return space;
}

static uint32
hash_name(const Space *space, Form_pg_class form)
{
	const char *name = NameStr(form->relname);
	uint32		hash = hash_combine(space->hash,
									hash_bytes((const unsigned char *) name,
											   strlen(name)));

	return Max(hash, 1);
}

static void
note_toast(Taking *taking, Form_pg_class form)
{
	ToastFile  *toast;

	if (taking->toast_count == taking->toast_room)
	{
		taking->toast_room = Max(taking->toast_room * 2, 256);
		taking->toasts = taking->toasts == NULL ?
			palloc_array(ToastFile, taking->toast_room) :
			repalloc_huge(taking->toasts,
						  taking->toast_room * sizeof(ToastFile));
	}
	toast = &taking->toasts[taking->toast_count++];
	toast->relation = form->oid;
	toast->tablespace = form->reltablespace;
	toast->filenode = form->relfilenode;
}

static Change *
note_change(Taking *taking, Form_pg_class form, Size now, Size before)
{
	Change	   *change;

	if (taking->change_count == taking->change_room)
	{
		taking->change_room = Max(taking->change_room * 2, 256);
		taking->changes = taking->changes == NULL ?
			palloc_array(Change, taking->change_room) :
			repalloc_huge(taking->changes,
						  taking->change_room * sizeof(Change));
	}
	change = &taking->changes[taking->change_count++];
	change->object_id = reading_entry(taking->now.data, now)->object_id;
	change->tablespace = form->reltablespace;
	change->toast = form->reltoastrelid;
	change->now = now;
	change->before = before;
	return change;
}

static void
note_unnamed(Taking *taking, Size place)
{
	const ObjectEntry *entry = reading_entry(taking->now.data, place);

	numbers_add(&taking->unnamed_ids, Int32GetDatum(entry->object_id));
	numbers_add(&taking->unnamed_oids, ObjectIdGetDatum(entry->relation));
	numbers_add(&taking->unnamed_places, (Datum) place);
}

static bool
all_zero(const int64 *values, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (values[i] != 0)
			return false;
	}
	return true;
}

/* Did it do anything?  Its size and what follows are not looked at. */
static bool
differs(const Taking *taking, const int64 *now, const int64 *before)
{
	return now[taking->since] != before[taking->since] ||
		memcmp(now, before, taking->sizes_from * sizeof(int64)) != 0;
}

/*
 * Reads one object.  Until measure() knows better, its size is the previous
 * one's.
 */
static void
read_object(Taking *taking, Form_pg_class form, uint32 name_hash)
{
	const ObjectKind *kind = taking->kind;
	Size		before = reading_take(&taking->before, form->oid);
	const ObjectEntry *old = before == 0 ? NULL :
		reading_entry(taking->before.data, before);
	int64		values[OBJECT_VALUES_MAX] = {0};
	int64		previous[OBJECT_VALUES_MAX] = {0};
	ObjectEntry entry = {
		.relation = form->oid,
		.name_hash = name_hash,
		.filenode = form->relfilenode,
		.pages = form->relpages
	};
	bool		other_file;
	bool		stored;
	Size		now;

	kind->read(form, values, &values[taking->since]);
	if (old != NULL)
	{
		entry.object_id = old->object_id;
		entry.table = old->table;
		entry_values(old, previous, taking->value_count);
		memcpy(values + taking->sizes_from, previous + taking->sizes_from,
			   kind->sizes * sizeof(int64));
	}
	else if (form->relpages <= 0 && all_zero(values, taking->sizes_from))
		return;
	else
		entry.object_id = reading_header(&taking->now)->next_object_id++;

	/* what was vacuumed or analyzed has other pages, too */
	other_file = old == NULL || taking->fresh ||
		old->filenode != entry.filenode || old->pages != entry.pages;
	stored = other_file || differs(taking, values, previous);

	values[taking->written] = previous[taking->written];
	values[taking->measured] = previous[taking->measured];
	if (stored)
		values[taking->written] = kind->written(&entry, values);

	now = reading_append(&taking->now, &entry, values, taking->value_count,
						 taking->forced);
	if (stored || values[taking->written] != values[taking->measured])
	{
		Change	   *change = note_change(taking, form, now, before);

		change->stored = stored;
		if (other_file || values[taking->written] < values[taking->measured])
			change->unmeasured = PG_INT64_MAX;
		else
			change->unmeasured = values[taking->written] -
				values[taking->measured];
	}
	if (old == NULL || old->name_hash != name_hash)
		note_unnamed(taking, now);
}

/* Walks over pg_class; no other relation is opened. */
static void
read_objects(Taking *taking)
{
	Relation	rel = table_open(RelationRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;

	while ((tuple = systable_getnext(scan)) != NULL)
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);
		const Space *space;

		CHECK_FOR_INTERRUPTS();
		if (form->relkind == RELKIND_TOASTVALUE && taking->kind->toast_counters > 0)
			note_toast(taking, form);
		if (!taking->kind->includes(form) ||
			form->relpersistence == RELPERSISTENCE_TEMP)
			continue;
		space = find_space(taking, form->relnamespace);
		if (space->counted)
			read_object(taking, form, hash_name(space, form));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

/*
 * Statistics of the moment, and no copies of them in this session: neither
 * are those of 100,000 tables kept, nor those that somebody looked at before.
 */
static void
read_now(Taking *taking)
{
	int			nest_level = NewGUCNestLevel();
	PgStat_StatDBEntry *database;

	(void) set_config_option("stats_fetch_consistency", "none", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);

	reading_begin(&taking->now, taking->before.size);
	reading_header(&taking->now)->at = taking->collection->at;
	reading_header(&taking->now)->next_object_id =
		previous_header(taking)->next_object_id;
	database = pgstat_fetch_stat_dbentry(MyDatabaseId);
	if (database != NULL)
		reading_header(&taking->now)->database_reset =
			database->stat_reset_timestamp;
	read_objects(taking);

	AtEOXact_GUC(true, nest_level);
}

static int
compare_toasts(const void *a, const void *b)
{
	Oid			left = ((const ToastFile *) a)->relation;
	Oid			right = ((const ToastFile *) b)->relation;

	return (left > right) - (left < right);
}

static int
compare_changes(const void *a, const void *b)
{
	int32		left = ((const Change *) a)->object_id;
	int32		right = ((const Change *) b)->object_id;

	return (left > right) - (left < right);
}

static int
compare_unmeasured(const void *a, const void *b)
{
	int64		left = ((const Change *) a)->unmeasured;
	int64		right = ((const Change *) b)->unmeasured;

	return (left < right) - (left > right);
}

static int64
toast_bytes(const Taking *taking, Oid relation)
{
	ToastFile	key = {.relation = relation};
	const ToastFile *toast = NULL;

	if (OidIsValid(relation))
		toast = bsearch(&key, taking->toasts, taking->toast_count,
						sizeof(ToastFile), compare_toasts);
	return toast == NULL ? 0 :
		relation_file_bytes(toast->tablespace, toast->filenode);
}

static void
measure_one(Taking *taking, Change *change)
{
	ObjectEntry *entry = reading_entry(taking->now.data, change->now);
	int64		values[OBJECT_VALUES_MAX];

	entry_set(entry, taking->sizes_from,
			  relation_file_bytes(change->tablespace, entry->filenode));
	if (taking->kind->sizes > 1)
		entry_set(entry, taking->sizes_from + 1,
				  toast_bytes(taking, change->toast));
	entry_values(entry, values, taking->value_count);
	entry_set(entry, taking->measured, values[taking->written]);
	change->stored = true;
}

/*
 * Asks for the true size of what may have grown.  A first reading asks for
 * all, since its sizes are what the next ones' growth is counted from.
 */
static void
measure(Taking *taking)
{
	int			most = taking->fresh ? taking->change_count : MEASURED_MOST;

	if (taking->kind->sizes > 1)
		qsort(taking->toasts, taking->toast_count, sizeof(ToastFile),
			  compare_toasts);
	if (taking->change_count > most)
		qsort(taking->changes, taking->change_count, sizeof(Change),
			  compare_unmeasured);

	for (int i = 0; i < Min(taking->change_count, most); i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (taking->changes[i].unmeasured > 0)
			measure_one(taking, &taking->changes[i]);
	}
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

	entry_values(reading_entry(taking->now.data, change->now), now,
				 taking->value_count);
	if (change->before != 0)
		entry_values(reading_entry(taking->before.data, change->before), before,
					 taking->value_count);

	for (int i = taking->sizes_from; i < taking->since; i++)
		grown += now[i] - before[i];
	if (taking->fresh)
	{
		memset(now, 0, kind->counters * sizeof(int64));
		grown = 0;
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

/* Writes the snapshot.  Returns false if there is one of that time already. */
static bool
write_snapshot(Taking *taking)
{
	const ObjectKind *kind = taking->kind;
	int			lists = kind->counters + kind->gauges + 2;
	const ReadingHeader *before = previous_header(taking);
	const ReadingHeader *now = reading_header(&taking->now);
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

	packed_type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
								  CStringGetDatum("dbmaint_packed"),
								  ObjectIdGetDatum(taking->extension.schema_oid));
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

/*
 * Writes new and changed names into the dictionary, and gets to know the
 * tables of indexes.  What was not found is looked for again the next time.
 */
static void
write_names(Taking *taking)
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
	values[2] = numbers_array(&taking->unnamed_ids, INT4OID);
	values[3] = numbers_array(&taking->unnamed_oids, OIDOID);
	query_begin(sql, lengthof(values), types, values, NULL);
	deconstruct_array(DatumGetArrayTypeP(SPI_getbinval(SPI_tuptable->vals[0],
													   SPI_tuptable->tupdesc,
													   1, &isnull)),
					  OIDOID, sizeof(Oid), true, 'i', &tables, NULL, &count);
	for (int i = 0; i < count; i++)
	{
		ObjectEntry *entry = reading_entry(taking->now.data,
										   (Size) taking->unnamed_places.items[i]);

		entry->table = DatumGetObjectId(tables[i]);
		if (!OidIsValid(entry->table))
			entry->name_hash = 0;
	}
	query_end();
}

/* Notes in the dictionary what is no longer there. */
static void
write_gone(Taking *taking)
{
	Oid			types[] = {TIMESTAMPTZOID, TEXTOID, INT4ARRAYOID};
	Datum		values[3];
	char	   *sql = psprintf("SELECT %s.dbmaint_bury_objects($1, $2, $3)",
							   taking->extension.schema);
	Numbers		gone = {0};

	for (Size at = sizeof(ReadingHeader); at < taking->before.size;
		 at = reading_next(taking->before.data, at))
	{
		const ObjectEntry *entry = reading_entry(taking->before.data, at);

		if (!entry_was_taken(entry))
			numbers_add(&gone, Int32GetDatum(entry->object_id));
	}
	if (gone.count == 0)
		return;
	values[0] = TimestampTzGetDatum(taking->collection->at);
	values[1] = CStringGetTextDatum(taking->kind->letter);
	values[2] = numbers_array(&gone, INT4OID);
	query_begin(sql, lengthof(values), types, values, NULL);
	query_end();
}

static void
take(Taking *taking)
{
	HASHCTL		control = {
		.keysize = sizeof(Oid),
		.entrysize = sizeof(Space),
		.hcxt = CurrentMemoryContext
	};

	taking->spaces = hash_create("dbmaint schemas", 64, &control,
								 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);

	read_previous(taking);
	read_now(taking);
	measure(taking);
	if (!write_snapshot(taking))
		return;
	write_names(taking);
	write_gone(taking);
	snapshot_remember(taking->kind->snapshot, taking->now.data,
					  taking->now.used);
}

void
object_take_snapshot(const ObjectKind *kind, Collection *collection)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "dbmaint snapshot of objects",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Taking	   *taking = palloc0_object(Taking);

	taking->kind = kind;
	taking->collection = collection;
	taking->sizes_from = kind->counters + kind->gauges - kind->sizes;
	taking->since = kind->counters + kind->gauges;
	taking->written = taking->since + 1;
	taking->measured = taking->since + 2;
	taking->value_count = taking->since + OBJECT_HIDDEN_VALUES;
	Assert(taking->value_count <= OBJECT_VALUES_MAX);
	for (int i = 0; i < kind->sizes; i++)
		taking->forced |= (uint32) 1 << (taking->sizes_from + i);
	taking->forced |= (uint32) 1 << taking->measured;

	if (history_find_extension(&taking->extension) &&
		history_lock(&taking->extension, kind->table) &&
		history_lock(&taking->extension, "dbmaint_object"))
		take(taking);

	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
