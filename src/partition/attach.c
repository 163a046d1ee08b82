/*-------------------------------------------------------------------------
 *
 * attach.c
 *		Attaches new partitions, beside a default partition or not.
 *
 * src/partition/attach.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "catalog/pg_inherits.h"
#include "partition/create.h"
#include "partition/exclude.h"
#include "partition/foreign.h"
#include "partition/likeness.h"
#include "partition/move.h"
#include "partition/owner.h"
#include "polite/polite.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* Rows of a range are counted up to here. */
#define ROWS_COUNTED 10000

#define SMALL_PAGES 128

/* What begins so soon is the present before a large table is looked through. */
#define SOON_US USECS_PER_HOUR

/*
 * A file without a page has no row for sure, which is how a default partition
 * should be: to see that costs less than to plan a query.  Where somebody locks
 * it, the query waits, and for a while only.
 */
static bool
has_no_page(Oid relation)
{
	Relation	rel;
	bool		none;

	if (!ConditionalLockRelationOid(relation, AccessShareLock))
		return false;
	rel = try_relation_open(relation, NoLock);
	if (rel == NULL)
		return false;
	none = rel->rd_rel->relkind == RELKIND_RELATION &&
		rel->rd_rel->relam == HEAP_TABLE_AM_OID && RelationGetNumberOfBlocks(rel) == 0;
	relation_close(rel, NoLock);
	return none;
}

/* Rows of the default partition in the range, up to ROWS_COUNTED + 1 of them. */
static int64
count_default_rows(const PartitionSet *set, const Range *range, int64 most)
{
	int64		rows = 0;

	if (has_no_page(set->default_partition))
		return 0;
	(void) owner_ask(set->owner,
					 psprintf("SELECT pg_catalog.count(*) FROM (SELECT FROM %s WHERE %s LIMIT " INT64_FORMAT ") AS r",
							  set_quoted_name(set->default_partition), set_inside(set, range), most),
					 &rows);
	return rows;
}

static void
refuse_default_rows(const PartitionSet *set, const Range *range, int64 rows)
{
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("default partition \"%s\" holds rows of a new partition", set_relation_name(set->default_partition)),
			 errdetail("%s of them are in the range from %s to %s.",
					   rows > ROWS_COUNTED ? psprintf("More than %d", ROWS_COUNTED) : psprintf(INT64_FORMAT, rows),
					   key_text(&set->key, range->from, set->zone), key_text(&set->key, range->to, set->zone)),
			 errhint("default_rows => 'move' moves them into the new partition, 'skip' leaves this partition out.")));
}

/* Says of one new partition what becomes of the rows that belong into it. */
static void
judge_range(Creation *creation, Wanted *wanted)
{
	PartitionSet *set = creation->set;
	int64		rows = count_default_rows(set, &wanted->slot.range, ROWS_COUNTED + 1);
	DefaultRows what = creation->request->default_rows;
	char	   *obstacle = NULL;

	if (rows == 0)
		return;
	if (what == DEFAULT_ROWS_MOVE || what == DEFAULT_ROWS_MOVE_FEW)
		obstacle = move_obstacle(set->owner, set->default_partition);
	if (what == DEFAULT_ROWS_MOVE_FEW && (rows > ROWS_COUNTED || obstacle != NULL))
		what = DEFAULT_ROWS_SKIP;
	switch (what)
	{
		case DEFAULT_ROWS_ERROR:
			refuse_default_rows(set, &wanted->slot.range, rows);
			break;
		case DEFAULT_ROWS_MOVE:
		case DEFAULT_ROWS_MOVE_FEW:
			if (obstacle != NULL)
				move_refuse(set, obstacle);
			wanted->check = set_range_check(set, &wanted->slot.range);
			break;
		case DEFAULT_ROWS_SKIP:
			wanted->to_create = false;
			wanted->in_default = true;
			wanted->status = psprintf("skipped: default partition \"%s\" holds %s" INT64_FORMAT " rows of this range",
									  set_relation_name(set->default_partition), rows > ROWS_COUNTED ? "more than " : "",
									  Min(rows, ROWS_COUNTED));
			break;
	}
}

/* To be attached, with nothing that says that the default partition has no rows of it. */
static bool
is_open(const Wanted *wanted)
{
	return wanted->to_create && !wanted->excluded;
}

/* The range that has all of them in it; false if there is none. */
static bool
span_of(const Creation *creation, Range *span)
{
	bool		found = false;

	for (int i = 0; i < creation->count; i++)
	{
		const Wanted *wanted = &creation->wanted[i];

		if (!is_open(wanted))
			continue;
		if (!found)
			*span = wanted->slot.range;
		span->to = wanted->slot.range.to;
		found = true;
	}
	return found;
}

/* Most often there are none, which one probe tells for all of them. */
static bool
has_open_rows(const Creation *creation)
{
	Range		span;

	return span_of(creation, &span) && count_default_rows(creation->set, &span, 1) > 0;
}

static void
find_excluded(Creation *creation, Excluded *excluded)
{
	(void) exclude_find(creation->set, excluded);
	for (int i = 0; i < creation->count; i++)
		creation->wanted[i].excluded = exclude_covers(excluded, &creation->wanted[i].slot.range);
}

/* With its partitions, if it has some. */
static BlockNumber
pages_of(Oid relation)
{
	List	   *tables = find_all_inheritors(relation, AccessShareLock, NULL);
	ListCell   *cell;
	BlockNumber pages = 0;

	foreach(cell, tables)
	{
		Relation	rel = relation_open(lfirst_oid(cell), NoLock);

		if (rel->rd_rel->relkind == RELKIND_RELATION)
			pages += RelationGetNumberOfBlocks(rel);
		relation_close(rel, NoLock);
	}
	return pages;
}

/* Leaves out what could be attached only by a long scan under the lock. */
static void
spare_default(Creation *creation)
{
	Oid			partition = creation->set->default_partition;
	BlockNumber most = (BlockNumber) creation->request->scan_pages;
	BlockNumber pages = most > 0 ? pages_of(partition) : 0;

	for (int i = 0; pages > most && i < creation->count; i++)
	{
		Wanted	   *wanted = &creation->wanted[i];

		if (!is_open(wanted))
			continue;
		wanted->to_create = false;
		wanted->in_default = true;
		wanted->status = psprintf("skipped: default partition \"%s\" of %u MB would be scanned under a lock",
								  set_relation_name(partition), pages / (1024 * 1024 / BLCKSZ));
	}
}

void
attach_judge_default(Creation *creation)
{
	Excluded	excluded;
	bool		has_rows;

	if (!OidIsValid(creation->set->default_partition))
		return;
	find_excluded(creation, &excluded);
	has_rows = has_open_rows(creation);
	for (int i = 0; has_rows && i < creation->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (is_open(&creation->wanted[i]))
			judge_range(creation, &creation->wanted[i]);
	}
	spare_default(creation);
}

/*
 * What ATTACH PARTITION will lock: the default partition, and tables that
 * foreign keys connect with the parent, on whatever side they are.
 */
static void
lock_neighbours(const Creation *creation)
{
	const PartitionSet *set = creation->set;
	PoliteLock	own = {set->default_partition, AccessExclusiveLock};
	int			count = OidIsValid(set->default_partition) ? 1 : 0;
	PoliteLock *locks = foreign_locks_both(set->parent, ShareRowExclusiveLock, &own, &count);

	if (count > 0)
		polite_lock_all(psprintf("attach partitions to \"%s\"", set->name),
						creation->request->window_ms, locks, count);
}

/*
 * Each ATTACH scans the default partition, unless a CHECK says that there is
 * nothing to find.  Those for which none was made beforehand, attach_exclude(),
 * share the one scan of a CHECK that is made now: none of their rows is left.
 */
static void
exclude_open(const Creation *creation, Excluded *excluded)
{
	const PartitionSet *set = creation->set;
	Range	   *ranges = palloc_array(Range, creation->count);
	int			count = 0;

	for (int i = 0; i < creation->count; i++)
	{
		if (is_open(&creation->wanted[i]))
			ranges[count++] = creation->wanted[i].slot.range;
	}
	if (count >= 2 && pages_of(set->default_partition) > SMALL_PAGES)
		exclude_add(set, ranges, count, false, excluded);
}

static void
lock_default(const Creation *creation, const char *what)
{
	PoliteLock	locks[] = {
		{creation->set->parent, ShareUpdateExclusiveLock},
		{creation->set->default_partition, AccessExclusiveLock}
	};

	polite_lock_all(psprintf("%s \"%s\"", what, set_relation_name(creation->set->default_partition)),
					creation->request->window_ms, locks, lengthof(locks));
}

/* While it is looked for rows of the range, would rows of now be refused? */
static bool
is_present(const Creation *creation, const Slot *slot, int64 now)
{
	if (slot->kind == SLOT_CURRENT)
		return true;
	return creation->set->calendar != NULL && slot->range.to > now && slot->range.from <= now + SOON_US;
}

/* The ranges that can be excluded: that have no rows, and get none for now. */
static int
free_ranges(const Creation *creation, Range *ranges)
{
	const PartitionSet *set = creation->set;
	int64		now = set->calendar != NULL ? set_now(set, creation->request->at) : 0;
	bool		has_rows = has_open_rows(creation);
	int			count = 0;

	for (int i = 0; i < creation->count; i++)
	{
		const Wanted *wanted = &creation->wanted[i];

		CHECK_FOR_INTERRUPTS();
		if (wanted->to_create && !is_present(creation, &wanted->slot, now) &&
			!(has_rows && count_default_rows(set, &wanted->slot.range, 1) > 0))
			ranges[count++] = wanted->slot.range;
	}
	return count;
}

bool
attach_exclude(Creation *creation)
{
	const PartitionSet *set;
	Range	   *ranges;
	Excluded	excluded;
	int			count;

	if (create_look(creation) == 0)
		return false;
	set = creation->set;
	if (!OidIsValid(set->default_partition) || pages_of(set->default_partition) <= SMALL_PAGES)
		return false;
	ranges = palloc_array(Range, creation->count);
	count = free_ranges(creation, ranges);
	if (count == 0)
		return false;
	lock_default(creation, "exclude ranges from default partition");
	if (exclude_find(set, &excluded))
		exclude_drop(set, &excluded);
	exclude_add(set, ranges, count, true, &excluded);
	return true;
}

void
attach_validate(Creation *creation)
{
	const PartitionSet *set = creation->set;
	PoliteLock	lock = {set->default_partition, ShareUpdateExclusiveLock};
	Excluded	excluded;

	/* a call of create_future_partitions() may have dropped it */
	if (!exclude_find(set, &excluded) || excluded.validated)
		return;
	polite_lock_all(psprintf("look through default partition \"%s\"", set_relation_name(set->default_partition)),
					creation->request->window_ms, &lock, 1);
	if (exclude_find(set, &excluded))
		exclude_validate(set, &excluded);
}

void
attach_unexclude(Creation *creation)
{
	Excluded	excluded;

	(void) create_look(creation);
	if (!exclude_find(creation->set, &excluded))
		return;
	lock_default(creation, "drop a CHECK of default partition");
	if (exclude_find(creation->set, &excluded))
		exclude_drop(creation->set, &excluded);
}

/*
 * Rows that came in while the lock was waited for: they are judged as the
 * others were, only that the tables are there by now.
 */
static void
judge_late_rows(Creation *creation)
{
	const PartitionSet *set = creation->set;
	bool		has_rows = has_open_rows(creation);

	for (int i = 0; has_rows && i < creation->count; i++)
	{
		Wanted	   *wanted = &creation->wanted[i];

		CHECK_FOR_INTERRUPTS();
		if (!is_open(wanted) || wanted->check != NULL)
			continue;
		judge_range(creation, wanted);
		if (!wanted->to_create)
			owner_run(set->owner, psprintf("DROP TABLE %s RESTRICT", wanted->quoted));
		else if (wanted->check != NULL)
			owner_run(set->owner, psprintf("ALTER TABLE %s ADD %s", wanted->quoted, wanted->check));
	}
}

/* Leaves nothing in the default partition that belongs into one of them. */
static void
move_all_rows(Creation *creation)
{
	const PartitionSet *set = creation->set;

	for (int i = 0; i < creation->count; i++)
	{
		Wanted	   *wanted = &creation->wanted[i];

		if (wanted->check != NULL)
			wanted->status = psprintf("%s: " UINT64_FORMAT " rows moved from \"%s\"", wanted->status,
									  move_rows(set, &wanted->slot.range, wanted->quoted),
									  set_relation_name(set->default_partition));
	}
}

static void
attach_one(const PartitionSet *set, const Wanted *wanted)
{
	owner_run(set->owner, psprintf("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES %s",
								   set->quoted, wanted->quoted, likeness_bound(set, &wanted->slot.range)));
	if (wanted->check != NULL)
		owner_run(set->owner, psprintf("ALTER TABLE %s DROP CONSTRAINT " SET_RANGE_CHECK, wanted->quoted));
}

void
attach_partitions(Creation *creation)
{
	PartitionSet *set = creation->set;
	Excluded	before = {0};
	Excluded	now = {0};

	lock_neighbours(creation);
	if (OidIsValid(set->default_partition))
	{
		/* a CHECK has kept such rows out of some */
		find_excluded(creation, &before);
		judge_late_rows(creation);
		move_all_rows(creation);
		exclude_open(creation, &now);
	}
	for (int i = 0; i < creation->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (creation->wanted[i].to_create)
			attach_one(set, &creation->wanted[i]);
	}
	if (now.constraint != NULL)
		exclude_drop(set, &now);
	/* who makes them one by one needs it for the next one */
	if (before.constraint != NULL && creation->request->most == 0)
		exclude_drop(set, &before);
}
