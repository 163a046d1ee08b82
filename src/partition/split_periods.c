/*-------------------------------------------------------------------------
 *
 * split_periods.c
 *		Which periods the rows of a partition have.
 *
 * With an index that begins with the key each period is asked for by itself;
 * else that would read the table each time, and it is read once instead.
 *
 * src/partition/split_periods.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/genam.h"
#include "access/relation.h"
#include "catalog/pg_am.h"
#include "executor/spi.h"
#include "partition/owner.h"
#include "partition/split.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* Rows are read so many at once; and so many keys are kept before they are sorted. */
#define FETCH_ROWS 10000
#define KEYS_KEPT (64 * CREATE_MOST)

#define CALENDAR_BEGIN (calendar_days(1, 1, 1) * USECS_A_DAY)
#define CALENDAR_END (calendar_days(CALENDAR_END_YEAR, 1, 1) * USECS_A_DAY)

/* Where the periods are looked for. */
typedef struct Periods
{
	Split	   *split;
	bool		read;			/* all of the rows were read: */
	int64	   *keys;			/* where each period begins, in order */
	int			count;
	int			most;			/* to be kept */
	Range		last;			/* the last row's */
} Periods;

static int
compare_keys(const void *a, const void *b)
{
	int64		left = *(const int64 *) a;
	int64		right = *(const int64 *) b;

	return left < right ? -1 : left > right;
}

static bool
has_key_index(Split *split)
{
	Relation	rel = relation_open(split->partition, AccessShareLock);
	AttrNumber	column = get_attnum(split->partition, split->set->column_name);
	List	   *indexes = RelationGetIndexList(rel);
	bool		found = false;
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		found = found || (index->rd_index->indisvalid && index->rd_rel->relam == BTREE_AM_OID &&
						  index->rd_index->indkey.values[0] == column && RelationGetIndexPredicate(index) == NIL);
		index_close(index, AccessShareLock);
	}
	relation_close(rel, NoLock);
	return found;
}

/*
 * Cuts a period to what no other partition has.  Returns false where one has
 * the value itself, which another column of the key keeps out of it.
 */
static bool
cut_range(const PartitionSet *set, int64 value, Range *range)
{
	for (int i = 0; i < set->count; i++)
	{
		if (set->ranges[i].from <= value && set->ranges[i].to > value)
		{
			*range = set->ranges[i];
			return false;
		}
		if (set->ranges[i].to <= value && set->ranges[i].to > range->from)
			range->from = set->ranges[i].to;
		if (set->ranges[i].from > value && set->ranges[i].from < range->to)
			range->to = set->ranges[i].from;
	}
	return true;
}

/* The period of a key, or what is left of it; or the key alone. */
static Range
period_of(const Split *split, int64 key)
{
	const PartitionSet *set = split->set;
	Range		period = {key, key};

	if (set->calendar != NULL && (key < CALENDAR_BEGIN || key >= CALENDAR_END))
		period.from = period.to = key < CALENDAR_BEGIN ? RANGE_MINVALUE : RANGE_MAXVALUE;
	else if (!grid_floor(&set->grid, key, &period.from) || !grid_next(&set->grid, key, &period.to))
		period.from = period.to = key;
	else if (split->is_default)
		(void) cut_range(set, key, &period);
	else
		period.from = Max(period.from, split->range.from);
	return period;
}

/*
 * Sorts them, without those that are the same.  Of more periods than can be
 * made those that would not be are left out: of a range the first ones.
 */
static void
sort_keys(Periods *periods)
{
	int64	   *keys = periods->keys;
	int			most = periods->most;
	int			count = 0;

	qsort(keys, periods->count, sizeof(int64), compare_keys);
	for (int i = 0; i < periods->count; i++)
	{
		if (count == 0 || keys[i] != keys[count - 1])
			keys[count++] = keys[i];
	}
	if (count > most && !periods->split->is_default)
		memmove(keys, keys + count - most, sizeof(int64) * most);
	periods->count = Min(count, most);
}

static void
take_rows(Periods *periods)
{
	const Key  *column = &periods->split->set->key;

	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		int64		key = key_value(column, SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));

		if (periods->count > 0 && key >= periods->last.from && key < periods->last.to)
			continue;
		if (periods->count == periods->most + KEYS_KEPT)
			sort_keys(periods);
		periods->last = period_of(periods->split, key);
		periods->keys[periods->count++] = periods->last.from;
	}
}

static void
read_rows(Periods *periods)
{
	Split	   *split = periods->split;
	const PartitionSet *set = split->set;
	SPIParseOpenOptions options = {.read_only = false};
	AsOwner		before;
	Portal		portal;

	periods->read = true;
	/* some of the default partition's are another one's */
	periods->most = CREATE_MOST + 2 + set->count;
	periods->keys = palloc_array(int64, periods->most + KEYS_KEPT);
	owner_begin(set->owner, &before);
	SPI_connect();
	portal = SPI_cursor_parse_open(NULL, psprintf("SELECT r.%1$s FROM ONLY %2$s AS r WHERE r.%1$s IS NOT NULL%3$s",
												  quote_identifier(set->column_name), split->quoted, set->others_present),
								   &options);
	do
	{
		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		take_rows(periods);
		SPI_freetuptable(SPI_tuptable);
	} while (SPI_processed > 0);
	SPI_cursor_close(portal);
	SPI_finish();
	owner_end(&before);
	sort_keys(periods);
}

/* The least key from a value on, or the greatest one below it. */
static bool
ask_key(const Periods *periods, bool least, int64 limit, int64 *found)
{
	const Split *split = periods->split;
	const PartitionSet *set = split->set;
	const char *column = quote_identifier(set->column_name);
	bool		limited = limit != (least ? RANGE_MINVALUE : RANGE_MAXVALUE);
	Datum		value;

	if (!owner_ask_value(set->owner,
						 psprintf("SELECT r.%1$s FROM ONLY %2$s AS r WHERE r.%1$s IS NOT NULL%5$s%3$s ORDER BY r.%1$s %4$s LIMIT 1",
								  column, split->quoted,
								  limited ? psprintf(" AND r.%s %s %s", column, least ? ">=" : "<", key_literal(&set->key, limit)) : "",
								  least ? "ASC" : "DESC", set->others_present),
						 &value))
		return false;
	*found = key_value(&set->key, value);
	return true;
}

static bool
next_key(const Periods *periods, int64 from, int64 *found)
{
	if (!periods->read)
		return ask_key(periods, true, from, found);
	for (int i = 0; i < periods->count; i++)
	{
		*found = periods->keys[i];
		if (*found >= from)
			return true;
	}
	return false;
}

static bool
last_key(const Periods *periods, int64 to, int64 *found)
{
	if (!periods->read)
		return ask_key(periods, false, to, found);
	for (int i = periods->count - 1; i >= 0; i--)
	{
		*found = periods->keys[i];
		if (*found < to || to == RANGE_MAXVALUE)
			return true;
	}
	return false;
}

/* The least one that lies on a calendar; what is before that has no period. */
static bool
least_key(const Periods *periods, int64 from, int64 *found)
{
	const PartitionSet *set = periods->split->set;

	if (from == RANGE_MINVALUE && set->calendar != NULL && set->key.kind != KEY_UUID7 &&
		next_key(periods, from, found) &&
		(*found == RANGE_MINVALUE || *found < CALENDAR_BEGIN))
		from = CALENDAR_BEGIN;
	return next_key(periods, from, found);
}

static void
add_part(Split *split, Range range)
{
	SplitPart  *part = &split->parts[split->count++];

	memset(part, 0, sizeof(*part));
	part->range = range;
	part->period = range;
}

/*
 * Every period from the first row's on to the end of the rows; false where
 * there would be too many.
 */
static bool
plan_each(Split *split, int64 cursor, int64 end)
{
	const Grid *grid = &split->set->grid;
	Range		whole = split->range;

	if (!grid_floor(grid, cursor, &cursor) || cursor < whole.from)
		cursor = whole.from;
	while (cursor < end)
	{
		Range		range = {cursor, whole.to};

		CHECK_FOR_INTERRUPTS();
		if (split->count == CREATE_MOST)
			return false;
		if (!grid_next(grid, cursor, &range.to) || range.to > whole.to ||
			!key_can_have(&split->set->key, range.to))
			range.to = whole.to;
		if (whole.to == RANGE_MAXVALUE && range.to >= end)
			range.to = whole.to;
		add_part(split, range);
		cursor = range.to;
	}
	return true;
}

/*
 * The last period before a value that has rows; *above where there are rows
 * behind it that have no period.
 */
static bool
last_period(const Periods *periods, int64 before, Range *period, bool *above)
{
	const PartitionSet *set = periods->split->set;
	Range		whole = periods->split->range;
	int64		end = set->calendar != NULL ? CALENDAR_END : RANGE_MAXVALUE - 1;
	int64		key;

	*above = false;
	if (!last_key(periods, before, &key))
		return false;
	if (key >= end)
	{
		*above = true;
		if (!key_can_have(&set->key, end) || !last_key(periods, end, &key))
			return false;
	}
	if ((set->calendar != NULL && key < CALENDAR_BEGIN) || !grid_floor(&set->grid, key, &period->from))
		return false;
	period->from = Max(period->from, whole.from);
	if (period->from != RANGE_MINVALUE && !key_can_have(&set->key, period->from))
		return false;
	if (!grid_next(&set->grid, key, &period->to) || period->to > before || !key_can_have(&set->key, period->to))
		period->to = before;
	return true;
}

/*
 * The last periods that have rows, and between them one part for all those that
 * have none.
 */
static void
plan_last(Periods *periods)
{
	Split	   *split = periods->split;
	int64		before = split->range.to;
	int64		key;
	Range		period;
	Range		behind;			/* it, to the one before */
	bool		above;

	while (split->count < CREATE_MOST && before > split->range.from &&
		   last_period(periods, before, &period, &above))
	{
		CHECK_FOR_INTERRUPTS();
		if (before == RANGE_MAXVALUE && !above)
			period.to = before;
		behind.from = period.to;
		behind.to = before;
		if (behind.from < behind.to)
			add_part(split, behind);
		before = period.to;
		if (split->count < CREATE_MOST)
		{
			add_part(split, period);
			before = period.from;
		}
	}
	split->cut = split->count == CREATE_MOST && before > split->range.from && last_key(periods, before, &key);
	/* oldest first */
	for (int i = 0; i < split->count / 2; i++)
	{
		SplitPart	part = split->parts[i];

		split->parts[i] = split->parts[split->count - 1 - i];
		split->parts[split->count - 1 - i] = part;
	}
}

/*
 * From the first row's period on to the partition's end.  Its range is covered
 * as it was: what was accepted before is accepted afterwards.
 */
static void
plan_range(Periods *periods)
{
	Split	   *split = periods->split;
	int64		end = split->range.to;
	int64		first;

	if (!least_key(periods, RANGE_MINVALUE, &first))
		return;
	if (end == RANGE_MAXVALUE)
	{
		if (!last_key(periods, RANGE_MAXVALUE, &end))
			return;
		end = end == RANGE_MAXVALUE ? end : end + 1;
	}
	if (!plan_each(split, first, end))
	{
		split->count = 0;
		plan_last(periods);
	}
	if (split->count > 0)
		split->parts[0].range.from = split->range.from;
}

/* Each period of which there are rows. */
static void
plan_default(Periods *periods)
{
	Split	   *split = periods->split;
	const PartitionSet *set = split->set;
	int64		from = RANGE_MINVALUE;
	int64		value;

	while (least_key(periods, from, &value))
	{
		Range		range;

		CHECK_FOR_INTERRUPTS();
		if (split->count == CREATE_MOST)
		{
			split->cut = true;
			return;
		}
		if (!grid_floor(&set->grid, value, &range.from) || !grid_next(&set->grid, value, &range.to))
			return;
		if (cut_range(set, value, &range) && key_can_have(&set->key, range.from) && key_can_have(&set->key, range.to))
			add_part(split, range);
		if (range.to == RANGE_MAXVALUE || !key_can_have(&set->key, range.to))
			return;
		from = range.to;
	}
}

void
split_find_periods(Split *split)
{
	Periods		periods = {.split = split};

	if (!has_key_index(split))
		read_rows(&periods);
	if (split->is_default)
		plan_default(&periods);
	else
		plan_range(&periods);
	if (periods.read)
		pfree(periods.keys);
}
