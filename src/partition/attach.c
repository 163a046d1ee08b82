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

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "catalog/pg_constraint.h"
#include "partition/create.h"
#include "partition/foreign.h"
#include "partition/likeness.h"
#include "partition/move.h"
#include "partition/owner.h"
#include "polite/polite.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* Rows of a range are counted up to here. */
#define ROWS_COUNTED 10000

#define SMALL_PAGES 128

#define EXCLUDING_CHECK "dbmaint_excluded_ranges"

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

/* The range that has all new ones in it; false if there is none. */
static bool
span_of(const Creation *creation, Range *span)
{
	bool		found = false;

	for (int i = 0; i < creation->count; i++)
	{
		const Wanted *wanted = &creation->wanted[i];

		if (!wanted->to_create)
			continue;
		if (!found)
			*span = wanted->slot.range;
		span->to = wanted->slot.range.to;
		found = true;
	}
	return found;
}

void
attach_judge_default(Creation *creation)
{
	Range		span;

	if (!OidIsValid(creation->set->default_partition) || !span_of(creation, &span))
		return;
	/* most often there are none, which one probe tells for all of them */
	if (count_default_rows(creation->set, &span, 1) == 0)
		return;
	for (int i = 0; i < creation->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (creation->wanted[i].to_create)
			judge_range(creation, &creation->wanted[i]);
	}
}

/*
 * What ATTACH PARTITION will lock, in the order in which it does: tables that
 * a foreign key of the parent refers to, and the default partition.
 */
static void
lock_neighbours(const Creation *creation)
{
	const PartitionSet *set = creation->set;
	PoliteLock	own = {set->default_partition, AccessExclusiveLock};
	int			count = OidIsValid(set->default_partition) ? 1 : 0;
	PoliteLock *locks = foreign_locks(set->parent, ShareRowExclusiveLock, &own, &count);

	if (count > 0)
		polite_lock_all(psprintf("attach partitions to \"%s\"", set->name),
						creation->request->window_ms, locks, count);
}

/* So few pages are scanned sooner than a CHECK is made. */
static bool
is_small(Oid relation)
{
	Relation	rel = relation_open(relation, AccessShareLock);
	bool		small = rel->rd_rel->relkind == RELKIND_RELATION &&
	RelationGetNumberOfBlocks(rel) <= SMALL_PAGES;

	relation_close(rel, NoLock);
	return small;
}

static void
drop_excluding_check(const PartitionSet *set)
{
	owner_run(set->owner, psprintf("ALTER TABLE %s DROP CONSTRAINT " EXCLUDING_CHECK,
								   set_quoted_name(set->default_partition)));
}

static int
count_attached(const Creation *creation)
{
	int			attached = 0;

	for (int i = 0; i < creation->count; i++)
		attached += creation->wanted[i].to_create;
	return attached;
}

/* The CHECK that excludes what lies in the span. */
static char *
excluding_check(const PartitionSet *set, const Range *span)
{
	return psprintf("ALTER TABLE %s ADD CONSTRAINT " EXCLUDING_CHECK " CHECK (%s)",
					set_quoted_name(set->default_partition), set_outside(set, span));
}

/* Is there one, and does it count? */
static bool
find_excluding_check(const PartitionSet *set, bool *validated)
{
	Oid			oid = get_relation_constraint_oid(set->default_partition, EXCLUDING_CHECK, true);
	HeapTuple	tuple;

	*validated = false;
	if (!OidIsValid(oid))
		return false;
	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(oid));
	if (!HeapTupleIsValid(tuple))
		return false;
	*validated = ((Form_pg_constraint) GETSTRUCT(tuple))->convalidated;
	ReleaseSysCache(tuple);
	return true;
}

/*
 * Each ATTACH scans the default partition, unless a CHECK says that there is
 * nothing to find.  Where none was made beforehand, attach_exclude(), several
 * of them share the one scan of a CHECK that is made now.  empty: there are
 * none of their rows for sure.
 */
static bool
exclude_from_default(Creation *creation, bool empty)
{
	const PartitionSet *set = creation->set;
	Range		span = {0, 0};
	bool		validated;

	if (find_excluding_check(set, &validated))
	{
		if (validated)
			return true;
		drop_excluding_check(set);
	}
	if (count_attached(creation) < 2 || is_small(set->default_partition) ||
		!span_of(creation, &span) || (!empty && count_default_rows(set, &span, 1) > 0))
		return false;
	owner_run(set->owner, excluding_check(set, &span));
	return true;
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

bool
attach_exclude(Creation *creation)
{
	const PartitionSet *set;
	Range		span;
	bool		validated;

	if (create_look(creation) == 0)
		return false;
	set = creation->set;
	if (!OidIsValid(set->default_partition) || is_small(set->default_partition) ||
		!span_of(creation, &span) || count_default_rows(set, &span, 1) > 0)
		return false;
	lock_default(creation, "exclude ranges from default partition");
	if (find_excluding_check(set, &validated))
		drop_excluding_check(set);
	owner_run(set->owner, psprintf("%s NOT VALID", excluding_check(set, &span)));
	return true;
}

void
attach_validate(Creation *creation)
{
	const PartitionSet *set = creation->set;
	PoliteLock	lock = {set->default_partition, ShareUpdateExclusiveLock};

	polite_lock_all(psprintf("look through default partition \"%s\"", set_relation_name(set->default_partition)),
					creation->request->window_ms, &lock, 1);
	owner_run(set->owner, psprintf("ALTER TABLE %s VALIDATE CONSTRAINT " EXCLUDING_CHECK,
								   set_quoted_name(set->default_partition)));
}

void
attach_unexclude(Creation *creation)
{
	bool		validated;

	(void) create_look(creation);
	if (!OidIsValid(creation->set->default_partition) ||
		!find_excluding_check(creation->set, &validated))
		return;
	lock_default(creation, "drop a CHECK of default partition");
	drop_excluding_check(creation->set);
}

/*
 * Rows that came in while the lock was waited for: they are judged as the
 * others were, only that the tables are there by now.  Returns whether the
 * default partition holds nothing of what is to be attached.
 */
static bool
judge_late_rows(Creation *creation)
{
	const PartitionSet *set = creation->set;
	Range		span;

	if (!span_of(creation, &span) || count_default_rows(set, &span, 1) == 0)
		return true;
	for (int i = 0; i < creation->count; i++)
	{
		Wanted	   *wanted = &creation->wanted[i];

		CHECK_FOR_INTERRUPTS();
		if (!wanted->to_create || wanted->check != NULL)
			continue;
		judge_range(creation, wanted);
		if (!wanted->to_create)
			owner_run(set->owner, psprintf("DROP TABLE %s RESTRICT", wanted->quoted));
		else if (wanted->check != NULL)
			owner_run(set->owner, psprintf("ALTER TABLE %s ADD %s", wanted->quoted, wanted->check));
	}
	return false;
}

void
attach_partitions(Creation *creation)
{
	PartitionSet *set = creation->set;
	bool		has_default = OidIsValid(set->default_partition);
	bool		validated = false;
	bool		excluded;
	bool		empty = true;

	lock_neighbours(creation);
	/* a CHECK has kept such rows out */
	if (has_default && !(find_excluding_check(set, &validated) && validated))
		empty = judge_late_rows(creation);
	for (int i = 0; has_default && i < creation->count; i++)
	{
		Wanted	   *wanted = &creation->wanted[i];

		if (wanted->check != NULL)
			wanted->status = psprintf("%s: " UINT64_FORMAT " rows moved from \"%s\"", wanted->status,
									  move_rows(set, &wanted->slot.range, wanted->quoted),
									  set_relation_name(set->default_partition));
	}
	excluded = has_default && exclude_from_default(creation, empty);
	for (int i = 0; i < creation->count; i++)
	{
		Wanted	   *wanted = &creation->wanted[i];

		CHECK_FOR_INTERRUPTS();
		if (!wanted->to_create)
			continue;
		owner_run(set->owner, psprintf("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES %s",
									   set->quoted, wanted->quoted, likeness_bound(set, &wanted->slot.range)));
		if (wanted->check != NULL)
			owner_run(set->owner, psprintf("ALTER TABLE %s DROP CONSTRAINT " SET_RANGE_CHECK, wanted->quoted));
	}
	if (excluded)
		drop_excluding_check(set);
}
