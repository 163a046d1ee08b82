/*-------------------------------------------------------------------------
 *
 * take.c
 *		Takes a snapshot of the tables or of the indexes.
 *
 * One walk over pg_class finds the objects; of each the cumulative statistics
 * are read, and compared with the previous reading.  What differs is stored
 * (store.c), and the new reading becomes the previous one.
 *
 * src/object/take.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "common/hashfn.h"
#include "object/take.h"
#include "snapshot/snapshot.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/*
 * How many objects are looked at in the file system in one snapshot: those
 * that were written most since their size was looked at last.  The others are
 * later, when more was written.
 */
#define MEASURED_MOST 1000

/* A schema, as far as it matters. */
typedef struct Space
{
	Oid			oid;			/* the hash key */
	bool		counted;		/* pg_stat_user_tables would show it */
	uint32		hash;			/* of its name */
} Space;

/* A file of a TOAST table. */
typedef struct ToastFile
{
	Oid			relation;
	Oid			tablespace;
	Oid			filenode;
} ToastFile;

static void
read_previous(Taking *taking)
{
	PreviousReading previous;
	char	   *data;

	snapshot_previous(taking->kind->snapshot, &previous);
	if (previous.data == NULL)
	{
		store_read_dictionary(taking);
		return;
	}

	/* objects are taken out of it as they are found */
	data = MemoryContextAllocHuge(CurrentMemoryContext, previous.size);
	memcpy(data, previous.data, previous.size);
	object_reading_index(&taking->before, data, previous.size);
	snapshot_release(&previous);
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
	change->object_id = object_reading_entry(taking->now.data, now)->object_id;
	change->tablespace = form->reltablespace;
	change->toast = form->reltoastrelid;
	change->now = now;
	change->before = before;
	change->predecessor = 0;
	return change;
}

static void
note_unnamed(Taking *taking, Size place)
{
	const ObjectEntry *entry = object_reading_entry(taking->now.data, place);

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

static bool
none_fell(const int64 *now, const int64 *before, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (now[i] < before[i])
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
	Size		before = object_reading_take(&taking->before, form->oid);
	const ObjectEntry *old = before == 0 ? NULL :
	object_reading_entry(taking->before.data, before);
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
		entry.object_id = object_reading_header(&taking->now)->next_object_id++;

	/* what was vacuumed or analyzed has other pages, too */
	other_file = old == NULL || taking->fresh ||
		old->filenode != entry.filenode || old->pages != entry.pages;
	stored = other_file || differs(taking, values, previous);

	values[taking->written] = previous[taking->written];
	values[taking->measured] = previous[taking->measured];
	if (stored)
		values[taking->written] = kind->written(&entry, values);

	now = object_reading_append(&taking->now, &entry, values, taking->value_count,
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
 * REINDEX CONCURRENTLY makes another index, gives it the name of the old one
 * and all that this has counted.  That is known by it: who has a name that
 * another one had, and no counter that is less than that one's, goes on from
 * there.  (What was dropped and made again begins with zeroes.)
 */
static void
find_predecessors(Taking *taking)
{
	for (int i = 0; i < taking->change_count; i++)
	{
		Change	   *change = &taking->changes[i];
		const ObjectEntry *entry = object_reading_entry(taking->now.data, change->now);
		int64		now[OBJECT_VALUES_MAX];
		int64		had[OBJECT_VALUES_MAX];
		Size		named;

		CHECK_FOR_INTERRUPTS();
		if (change->before != 0)
		{
			const ObjectEntry *before = object_reading_entry(taking->before.data, change->before);

			/*
			 * seen while it was built; another one that is renamed goes on as
			 * it is
			 */
			entry_values(before, had, taking->value_count);
			if (before->name_hash == entry->name_hash || had[0] != 0)
				continue;
		}
		entry_values(entry, now, taking->value_count);
		if (all_zero(now, taking->kind->counters))
			continue;
		named = object_reading_named(&taking->before, entry->name_hash);
		if (named == 0)
			continue;
		entry_values(object_reading_entry(taking->before.data, named), had, taking->value_count);
		if (!all_zero(had, taking->kind->counters) && none_fell(now, had, taking->kind->counters))
			change->predecessor = named;
	}
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

	object_reading_begin(&taking->now, taking->before.size);
	object_reading_header(&taking->now)->at = taking->collection->at;
	object_reading_header(&taking->now)->next_object_id =
		previous_header(taking)->next_object_id;
	database = pgstat_fetch_stat_dbentry(MyDatabaseId);
	if (database != NULL)
		object_reading_header(&taking->now)->database_reset =
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
	ObjectEntry *entry = object_reading_entry(taking->now.data, change->now);
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

static void
write_reading(void *address, void *arg)
{
	const Reading *now = arg;

	memcpy(address, now->data, now->used);
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
	if (taking->kind->inherits && !taking->fresh)
		find_predecessors(taking);
	measure(taking);
	if (!store_snapshot(taking))
		return;
	store_names(taking);
	store_gone(taking);
	snapshot_remember(taking->kind->snapshot, taking->now.used,
					  write_reading, &taking->now);
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
		history_lock(&taking->extension, "dbmaint_objects"))
		take(taking);

	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
