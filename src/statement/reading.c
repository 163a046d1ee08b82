/*-------------------------------------------------------------------------
 *
 * reading.c
 *		One reading of pg_stat_statements in memory, and what changed since
 *		another.
 *
 * Most counters of most statements are zero, so an entry keeps only the
 * others.  pg_stat_statements lists its entries in the order of a hash table
 * that seldom changes: the entry after the one that was found last is tried
 * first, and the hash only then.
 *
 * src/statement/reading.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>

#include "common/hashfn.h"
#include "common/int.h"
#include "port/pg_bitutils.h"
#include "statement/statement.h"

#define COUNTER(name, kind, column, old_column, number, total) \
	{#name, kind, column, old_column, COUNTER_ID_##number, COUNTER_ID_##total},
const CounterInfo counters[COUNTER_COUNT] = {
#include "statement/statement.def"
};
#undef COUNTER

/* the values of one entry, spread out */
typedef int64 Spread[COUNTER_COUNT];

StatementReading *
statement_reading_begin(const StatementReading *before)
{
	StatementReading *reading = palloc0_object(StatementReading);

	reading->entry_room = 256;
	reading->value_room = 4096;
	if (before != NULL)
	{
		reading->entry_room += before->entry_count;
		reading->value_room += before->value_count;
	}
	reading->entries = palloc_extended(sizeof(StatementEntry) * reading->entry_room,
									   MCXT_ALLOC_HUGE);
	reading->values = palloc_extended(sizeof(int64) * reading->value_room,
									  MCXT_ALLOC_HUGE);
	return reading;
}

/* Makes room for n more values. */
static int64 *
reserve_values(int64 *values, uint32 used, uint32 n, uint32 *room)
{
	if (used + n <= *room)
		return values;
	*room = (used + n) * 2;
	return repalloc_huge(values, sizeof(int64) * *room);
}

/* Appends an entry, without its values. */
static StatementEntry *
append_entry(StatementReading *reading, CounterSet set, const int64 *values)
{
	uint32		n = pg_popcount64(set);
	StatementEntry *entry;

	if (reading->entry_count == reading->entry_room)
	{
		reading->entry_room *= 2;
		reading->entries = repalloc_huge(reading->entries,
										 sizeof(StatementEntry) * reading->entry_room);
	}
	reading->values = reserve_values(reading->values, reading->value_count, n,
									 &reading->value_room);

	entry = &reading->entries[reading->entry_count++];
	memset(entry, 0, sizeof(StatementEntry));
	entry->set = set;
	entry->first_value = reading->value_count;
	if (n > 0)
		memcpy(reading->values + reading->value_count, values, sizeof(int64) * n);
	reading->value_count += n;
	return entry;
}

void
statement_reading_append(StatementReading *reading, const StatementReading *before,
						 uint32 old, const StatementKey *key, TimestampTz since,
						 CounterSet set, const int64 *values)
{
	StatementEntry *entry = append_entry(reading, set, values);

	entry->key = *key;
	entry->since = since;
	entry->old = old;
	if (old != 0)
	{
		entry->statement_id = before->entries[old - 1].statement_id;
		entry->used_on = before->entries[old - 1].used_on;
	}
}

void
statement_reading_append_unchanged(StatementReading *reading,
								   const StatementReading *before, uint32 old)
{
	StatementEntry *entry = append_entry(reading, 0, NULL);

	*entry = before->entries[old - 1];
	entry->old = old;
	entry->unchanged = true;
	reading->shared_count += pg_popcount64(entry->set);
}

static inline uint32
hash_key(const StatementKey *key)
{
	/* the query id is a hash already */
	return murmurhash32((uint32) key->query_id ^ (uint32) (key->query_id >> 32) ^
						(key->user_oid << 1) ^ (key->database_oid << 3) ^
						(uint32) key->toplevel);
}

static inline bool
same_key(const StatementKey *a, const StatementKey *b)
{
	return memcmp(a, b, sizeof(StatementKey)) == 0;
}

static void
fill_buckets(const StatementReading *reading, uint32 *buckets, uint32 count)
{
	memset(buckets, 0, sizeof(uint32) * count);
	for (uint32 i = 0; i < reading->entry_count; i++)
	{
		uint32		b = hash_key(&reading->entries[i].key) & (count - 1);

		while (buckets[b] != 0)
			b = (b + 1) & (count - 1);
		buckets[b] = i + 1;
	}
}

uint32
statement_reading_find(const StatementReading *reading, const StatementKey *key,
					   uint32 *last)
{
	uint32		b;

	if (*last < reading->entry_count &&
		same_key(&reading->entries[*last].key, key))
		return ++* last;
	if (reading->entry_count == 0)
		return 0;

	b = hash_key(key) & (reading->bucket_count - 1);
	while (reading->buckets[b] != 0)
	{
		uint32		place = reading->buckets[b];

		if (same_key(&reading->entries[place - 1].key, key))
			return *last = place;
		b = (b + 1) & (reading->bucket_count - 1);
	}
	return 0;
}

int64
statement_reading_value(const StatementReading *reading, const StatementEntry *entry,
						CounterId counter)
{
	CounterSet	before = entry->set & (COUNTER_BIT(counter) - 1);

	if ((entry->set & COUNTER_BIT(counter)) == 0)
		return 0;
	return reading->values[entry->first_value + pg_popcount64(before)];
}

/* Spreads the values of a set; those not in it are left as they are. */
static inline void
spread(CounterSet set, const int64 *values, int64 *out)
{
	while (set != 0)
	{
		int			c = pg_rightmost_one_pos64(set);

		out[c] = *values++;
		set &= set - 1;
	}
}

static inline void
clear(CounterSet set, int64 *out)
{
	for (; set != 0; set &= set - 1)
		out[pg_rightmost_one_pos64(set)] = 0;
}

static double
bits_to_double(int64 bits)
{
	double		value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* The square root of the interval's sum of squared deviations; see above. */
static int64
interval_deviation(const CounterInfo *info, int c, const int64 *before,
				   const int64 *now)
{
	double		n1 = before[info->number];
	double		n2 = (double) now[info->number] - n1;
	double		sum;
	double		distance;

	if (n2 < 2)
		return 0;
	sum = bits_to_double(now[c]) - bits_to_double(before[c]);
	if (n1 > 0)
	{
		distance = before[info->total] / n1 -
			((double) now[info->total] - before[info->total]) / n2;
		sum -= n1 * n2 / (n1 + n2) * distance * distance;
	}
	/* what is left of a difference that is zero may be below it */
	return sum > 0 ? (int64) Min(rint(sqrt(sum)), 1e18) : 0;
}

/* What a gauge says of the interval; 0 where it says nothing. */
static int64
interval_gauge(int c, const int64 *before, const int64 *now)
{
	const CounterInfo *info = &counters[c];

	if (info->kind == COUNTER_DEVIATION)
		return interval_deviation(info, c, before, now);
	if (now[info->number] == before[info->number])
		return 0;
	if (info->kind == COUNTER_MAX)
		return now[c] > before[c] ? now[c] : 0;

	/* 0 after its reset; before the first execution there was none */
	return now[c] > 0 && (before[c] == 0 || now[c] < before[c]) ? now[c] : 0;
}

/*
 * Does the entry count less than it did?  With with_gauges a minimum that rose
 * and a maximum that fell tell, too: before 1.11 nothing but a new beginning
 * makes them.
 */
static bool
any_fell(CounterSet set, const int64 *before, const int64 *now,
		 bool with_gauges)
{
	for (; set != 0; set &= set - 1)
	{
		int			c = pg_rightmost_one_pos64(set);

		switch (counters[c].kind)
		{
			case COUNTER_NUMBER:
			case COUNTER_TIME:
				if (now[c] < before[c])
					return true;
				break;
			case COUNTER_MIN:
				if (with_gauges && before[c] != 0 && now[c] > before[c])
					return true;
				break;
			case COUNTER_MAX:
				if (with_gauges && now[c] < before[c])
					return true;
				break;
			case COUNTER_DEVIATION:
				break;
		}
	}
	return false;
}

/* Did other counters rise though nothing ran?  Then it ran as often anew. */
static bool
grew_without_running(const int64 *before, const int64 *now)
{
	return now[COUNTER_ID_calls] == before[COUNTER_ID_calls] &&
		now[COUNTER_ID_plans] == before[COUNTER_ID_plans] &&
		(now[COUNTER_ID_total_exec_time_us] != before[COUNTER_ID_total_exec_time_us] ||
		 now[COUNTER_ID_total_plan_time_us] != before[COUNTER_ID_total_plan_time_us]);
}

/* Appends the increases from before to now, unless nothing ran. */
static void
add_change(StatementChanges *changes, uint32 entry, CounterSet set,
		   const int64 *before, const int64 *now)
{
	StatementChange *change = &changes->changes[changes->count];
	int64	   *values = changes->values + changes->value_count;
	int			n = 0;

	change->entry = entry;
	change->set = 0;
	change->first_value = changes->value_count;
	for (; set != 0; set &= set - 1)
	{
		int			c = pg_rightmost_one_pos64(set);
		int64		value;

		if (counters[c].kind <= COUNTER_TIME)
			value = now[c] - before[c];
		else
			value = interval_gauge(c, before, now);
		if (value == 0)
			continue;
		change->set |= COUNTER_BIT(c);
		values[n++] = value;
	}
	if (n == 0)
		return;
	changes->count++;
	changes->value_count += n;
}

/* Did the whole of pg_stat_statements begin anew? */
static bool
was_reset(const StatementReading *before, const StatementReading *now)
{
	return before->reset_at != now->reset_at;
}

static bool
entry_restarted(const StatementReading *before, const StatementReading *now,
				const StatementEntry *old, const StatementEntry *new)
{
	if (before->has_since && now->has_since)
		return old->since != new->since;
	return was_reset(before, now);
}

static void
compare_entry(const StatementReading *before, const StatementReading *now,
			  uint32 entry, int64 *was, int64 *is, StatementChanges *changes)
{
	const StatementEntry *new = &now->entries[entry];
	const StatementEntry *old = new->old != 0 ? &before->entries[new->old - 1] : NULL;
	CounterSet	old_set = old != NULL ? old->set : 0;
	CounterSet	all = (old_set | new->set) & changes->known;

	spread(new->set, now->values + new->first_value, is);
	if (old != NULL)
	{
		spread(old_set, before->values + old->first_value, was);
		if (entry_restarted(before, now, old, new) ||
			any_fell(all, was, is, !now->has_since) ||
			grew_without_running(was, is))
		{
			clear(old_set, was);
			changes->restarted++;
		}
	}
	add_change(changes, entry, all, was, is);
	clear(old_set, was);
	clear(new->set, is);
}

StatementChanges *
statement_reading_compare(const StatementReading *before, const StatementReading *now)
{
	StatementChanges *changes = palloc0_object(StatementChanges);
	Spread		was = {0};
	Spread		is = {0};
	uint32		found = 0;

	/* without one before, nobody knows when it was that they ran */
	if (before == NULL)
	{
		changes->incomplete = true;
		changes->known = now->known;
		return changes;
	}

	/* an update of the extension brings counters that began before it */
	changes->known = before->known & now->known;

	changes->changes = palloc_extended(Max(sizeof(StatementChange) * now->entry_count, 1),
									   MCXT_ALLOC_HUGE);
	changes->values = palloc_extended(Max(sizeof(int64) * now->value_count, 1),
									  MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < now->entry_count; i++)
	{
		if (now->entries[i].old != 0)
			found++;
		if (!now->entries[i].unchanged)
			compare_entry(before, now, i, was, is, changes);
	}
	changes->vanished = before->entry_count - found;
	changes->incomplete = changes->restarted > 0 || changes->vanished > 0 ||
		was_reset(before, now) || before->evictions != now->evictions_after;
	return changes;
}

/* ---- one piece of memory ---- */

/* Where the parts of a reading are in its piece of memory. */
typedef struct FlatParts
{
	Size		entries;
	Size		values;
	Size		buckets;
	Size		end;
} FlatParts;

static FlatParts
flat_parts(uint32 entry_count, uint32 value_count, uint32 bucket_count)
{
	FlatParts	at;

	at.entries = MAXALIGN(sizeof(StatementReading));
	at.values = at.entries + MAXALIGN(sizeof(StatementEntry) * (Size) entry_count);
	at.buckets = at.values + sizeof(int64) * (Size) value_count;
	at.end = at.buckets + sizeof(uint32) * (Size) bucket_count;
	return at;
}

/* Half of the buckets stay free. */
static uint32
wanted_buckets(const StatementReading *reading)
{
	return Max(16, pg_nextpower2_32(reading->entry_count * 2 + 1));
}

Size
statement_reading_size(const StatementReading *reading)
{
	return flat_parts(reading->entry_count,
					  reading->value_count + reading->shared_count,
					  wanted_buckets(reading)).end;
}

void
statement_reading_write(const StatementReading *reading,
						const StatementReading *before, void *flat)
{
	StatementReading *header = flat;
	FlatParts	at;
	StatementEntry *entries;
	int64	   *values;
	uint32		count = 0;

	*header = *reading;
	header->value_count += header->shared_count;
	header->shared_count = 0;
	header->bucket_count = wanted_buckets(reading);
	header->entries = NULL;
	header->values = NULL;
	header->buckets = NULL;

	at = flat_parts(header->entry_count, header->value_count, header->bucket_count);
	entries = (StatementEntry *) ((char *) flat + at.entries);
	values = (int64 *) ((char *) flat + at.values);
	memcpy(entries, reading->entries,
		   sizeof(StatementEntry) * (Size) reading->entry_count);
	for (uint32 i = 0; i < reading->entry_count; i++)
	{
		StatementEntry *entry = &entries[i];
		const int64 *from = entry->unchanged ? before->values : reading->values;
		uint32		n = pg_popcount64(entry->set);

		memcpy(values + count, from + entry->first_value, sizeof(int64) * n);
		entry->first_value = count;
		count += n;
	}
	Assert(count == header->value_count);
	fill_buckets(reading, (uint32 *) ((char *) flat + at.buckets),
				 header->bucket_count);
}

StatementReading *
statement_reading_restore(const void *flat, Size size)
{
	StatementReading *reading = palloc_object(StatementReading);
	FlatParts	at;

	/* the pointers are ours; what they point to is everybody's */
	memcpy(reading, flat, sizeof(StatementReading));
	at = flat_parts(reading->entry_count, reading->value_count, reading->bucket_count);
	Assert(size == at.end);
	reading->entries = (StatementEntry *) ((char *) flat + at.entries);
	reading->values = (int64 *) ((char *) flat + at.values);
	reading->buckets = (uint32 *) ((char *) flat + at.buckets);
	return reading;
}
