/*-------------------------------------------------------------------------
 *
 * reading.c
 *		A reading of many objects, in few bytes.
 *
 * A reading is kept in shared memory between two snapshots, and a database
 * may have 100,000 tables, most of them idle: so the values that are 0 are
 * left out.  Entries are in the order of pg_class, which hardly changes from
 * one reading to the next: the object that is looked for is nearly always the
 * one after the object found before.
 *
 * src/object/reading.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "object/object.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#define LEAST_ROOM (64 * 1024)

/* Where an object is in a reading. */
typedef struct EntryPlace
{
	Oid			relation;
	Size		offset;
} EntryPlace;

typedef struct NamePlace
{
	uint32		name_hash;
	Size		offset;
} NamePlace;

void
object_reading_begin(Reading *reading, Size expected)
{
	reading->room = expected + LEAST_ROOM;
	reading->data = MemoryContextAllocHuge(CurrentMemoryContext,
										   reading->room);
	reading->used = sizeof(ReadingHeader);
	memset(reading->data, 0, reading->used);
}

ReadingHeader *
object_reading_header(const Reading *reading)
{
	return (ReadingHeader *) reading->data;
}

ObjectEntry *
object_reading_entry(const char *data, Size offset)
{
	return (ObjectEntry *) (data + offset);
}

static Size
entry_size(const ObjectEntry *entry)
{
	return offsetof(ObjectEntry, values) +
		pg_popcount32(entry->present) * sizeof(int64);
}

Size
object_reading_next(const char *data, Size offset)
{
	return offset + entry_size(object_reading_entry(data, offset));
}

Size
object_reading_append(Reading *reading, const ObjectEntry *entry,
					  const int64 *values, int count, uint32 forced)
{
	Size		offset = reading->used;
	ObjectEntry *to;
	int			kept = 0;

	Assert(count <= OBJECT_VALUES_MAX);
	if (reading->room - offset <
		offsetof(ObjectEntry, values) + count * sizeof(int64))
	{
		reading->room *= 2;
		reading->data = repalloc_huge(reading->data, reading->room);
	}

	to = object_reading_entry(reading->data, offset);
	memcpy(to, entry, offsetof(ObjectEntry, values));
	to->present = forced;
	for (int i = 0; i < count; i++)
	{
		if (values[i] != 0)
			to->present |= (uint32) 1 << i;
		if (to->present & ((uint32) 1 << i))
			to->values[kept++] = values[i];
	}
	reading->used += entry_size(to);
	object_reading_header(reading)->count++;
	return offset;
}

void
entry_values(const ObjectEntry *entry, int64 *values, int count)
{
	uint32		left = entry->present;
	const int64 *from = entry->values;

	memset(values, 0, count * sizeof(int64));
	while (left != 0)
	{
		values[pg_rightmost_one_pos32(left)] = *from++;
		left &= left - 1;
	}
}

void
entry_set(ObjectEntry *entry, int value, int64 to)
{
	uint32		below = entry->present & (((uint32) 1 << value) - 1);

	Assert(entry->present & ((uint32) 1 << value));
	entry->values[pg_popcount32(below)] = to;
}

void
object_reading_index(ReadingIndex *index, char *data, Size size)
{
	index->data = data;
	index->size = size;
	index->cursor = sizeof(ReadingHeader);
	index->places = NULL;
	index->place_count = 0;
	index->names = NULL;
}

static int
compare_places(const void *a, const void *b)
{
	Oid			left = ((const EntryPlace *) a)->relation;
	Oid			right = ((const EntryPlace *) b)->relation;

	return (left > right) - (left < right);
}

static void
sort_places(ReadingIndex *index)
{
	int			count = ((const ReadingHeader *) index->data)->count;

	index->places = MemoryContextAllocHuge(CurrentMemoryContext,
										   Max(count, 1) * sizeof(EntryPlace));
	for (Size at = sizeof(ReadingHeader); at < index->size;
		 at = object_reading_next(index->data, at))
	{
		const ObjectEntry *entry = object_reading_entry(index->data, at);

		if (entry_was_taken(entry))
			continue;
		index->places[index->place_count].relation = entry->relation;
		index->places[index->place_count].offset = at;
		index->place_count++;
	}
	qsort(index->places, index->place_count, sizeof(EntryPlace),
		  compare_places);
}

static Size
find_place(ReadingIndex *index, Oid relation)
{
	EntryPlace	key = {.relation = relation};
	EntryPlace *place;

	if (index->places == NULL)
		sort_places(index);
	place = bsearch(&key, index->places, index->place_count,
					sizeof(EntryPlace), compare_places);
	if (place == NULL ||
		entry_was_taken(object_reading_entry(index->data, place->offset)))
		return 0;
	return place->offset;
}

Size
object_reading_take(ReadingIndex *index, Oid relation)
{
	Size		found = 0;

	if (index->data == NULL)
		return 0;
	if (index->cursor < index->size &&
		object_reading_entry(index->data, index->cursor)->relation == relation)
		found = index->cursor;
	else
		found = find_place(index, relation);

	if (found != 0)
	{
		object_reading_entry(index->data, found)->relation = InvalidOid;
		index->cursor = object_reading_next(index->data, found);
	}
	return found;
}

static int
compare_names(const void *a, const void *b)
{
	uint32		left = ((const NamePlace *) a)->name_hash;
	uint32		right = ((const NamePlace *) b)->name_hash;

	return (left > right) - (left < right);
}

Size
object_reading_named(ReadingIndex *index, uint32 name_hash)
{
	int			count = index->data == NULL ? 0 : ((const ReadingHeader *) index->data)->count;
	NamePlace	key = {.name_hash = name_hash};
	NamePlace  *place;

	if (count == 0 || name_hash == 0)
		return 0;
	if (index->names == NULL)
	{
		int			n = 0;

		index->names = MemoryContextAllocHuge(CurrentMemoryContext, count * sizeof(NamePlace));
		for (Size at = sizeof(ReadingHeader); at < index->size;
			 at = object_reading_next(index->data, at))
		{
			index->names[n].name_hash = object_reading_entry(index->data, at)->name_hash;
			index->names[n].offset = at;
			n++;
		}
		Assert(n == count);
		qsort(index->names, count, sizeof(NamePlace), compare_names);
	}
	place = bsearch(&key, index->names, count, sizeof(NamePlace), compare_names);
	return place == NULL ? 0 : place->offset;
}
