/*-------------------------------------------------------------------------
 *
 * drop.c
 *		Retires the partitions that are old enough.
 *
 * src/partition/drop.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "object/object.h"
#include "partition/drop.h"
#include "partition/foreign.h"
#include "partition/owner.h"
#include "polite/polite.h"
#include "storage/sinval.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

void
drop_check_interval(const Interval *keep)
{
	if (keep->month < 0 || keep->day < 0 || keep->time < 0 ||
		(keep->month == 0 && keep->day == 0 && keep->time == 0) ||
		keep->month > 12 * 1000 || keep->day > 366 * 1000)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("keep must be a positive interval of at most 1000 years")));
}

int64
drop_limit(const DropRequest *request, const PartitionSet *set)
{
	int64		now = set_now(set, request->at);
	int64		limit;
	Interval   *keep = unconstify(Interval *, &request->keep);

	if (set->calendar == NULL)
	{
		if (!request->by_step)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the partitions of \"%s\" have no age: its key is a plain number", set->name),
					 errhint("Say how far behind the greatest key to keep them: drop_old_partitions('%s', keep_values => 1000000).", set->name)));
		return __builtin_sub_overflow(now, request->keep_step, &limit) ? RANGE_MINVALUE : limit;
	}
	if (request->by_step)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the partitions of \"%s\" are ranges of time", set->name),
				 errhint("Say how long to keep them: drop_old_partitions('%s', 12) for months, or drop_old_partitions('%s', interval '90 days').", set->name, set->name)));

	/* the calendar of the set, not of the session */
	limit = calendar_to_local(set->calendar, now);
	limit = DatumGetTimestamp(DirectFunctionCall2(timestamp_mi_interval, TimestampGetDatum(limit), IntervalPGetDatum(keep)));
	return calendar_to_utc(set->calendar, limit);
}

int64
drop_size(Oid partition)
{
	List	   *tables = get_rel_relkind(partition) == RELKIND_PARTITIONED_TABLE ?
	find_all_inheritors(partition, AccessShareLock, NULL) : list_make1_oid(partition);
	ListCell   *cell;
	int64		bytes = 0;

	foreach(cell, tables)
	{
		Relation	rel = try_relation_open(lfirst_oid(cell), AccessShareLock);

		if (rel == NULL)
			continue;
		if (RELKIND_HAS_STORAGE(rel->rd_rel->relkind))
			bytes += relation_total_bytes(rel);
		relation_close(rel, NoLock);
	}
	list_free(tables);
	return bytes;
}

void
drop_require_zone(const PartitionSet *set)
{
	if (!key_is_instant(&set->key) || set->zone_reason == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("cannot tell the time zone in which the partitions of \"%s\" were made", set->name),
			 errdetail("%c%s.", pg_toupper(set->zone_reason[0]), set->zone_reason + 1),
			 errhint("Say it once, in create_future_partitions(..., time_zone => 'America/New_York') or dbmaint_set_partition_policy().")));
}

int
drop_count_old(const PartitionSet *set, int64 limit, int64 now)
{
	int			count = 0;

	/* the last one always stays */
	while (count < set->count - 1 &&
		   set->ranges[count].to <= limit && set->ranges[count].to <= now)
		count++;
	return count;
}

static void
measure(Retirement *retirement)
{
	for (int i = 0; i < retirement->count; i++)
		retirement->retired[i].size_bytes = drop_size(retirement->retired[i].partition);
}

void
drop_look(Retirement *retirement, bool locked)
{
	const DropRequest *request = retirement->request;
	SetOptions	options = {.ranges_only = true};
	Relation	parent = try_relation_open(request->parent, AccessShareLock);
	PartitionSet *set;
	int64		limit;
	int64		now;
	int			old;

	if (parent == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("there is no relation with OID %u", request->parent)));
	retirement->invalidations = SharedInvalidMessageCounter;
	set = set_read(parent, &options, request->extension_schema);
	relation_close(parent, NoLock);
	drop_require_zone(set);

	retirement->set = set;
	retirement->count = 0;
	retirement->retired = palloc_array(Retired, Max(set->count, 1));
	limit = drop_limit(request, set);
	now = set_now(set, request->at);
	old = drop_count_old(set, limit, now);
	for (int i = 0; i < old; i++)
	{
		Retired    *retired = &retirement->retired[retirement->count];

		retired->partition = set->partitions[i];
		retired->range = set->ranges[i];
		retired->name = set_relation_name(retired->partition);
		retired->size_bytes = 0;
		retired->status = request->dry_run ?
			(request->detach_only || request->move_to_schema != NULL ? "would be detached" : "would be dropped") :
			request->move_to_schema != NULL ? psprintf("moved to schema \"%s\"", request->move_to_schema) :
			request->detach_only ? "detached" : "dropped";
		retirement->count++;
	}
	if (request->dry_run || locked)
		measure(retirement);
}

bool
drop_wants_lock(const Retirement *retirement)
{
	return OidIsValid(retirement->set->default_partition) ||
		foreign_is_referenced(retirement->request->parent);
}

/*
 * The parent first, as everybody does who uses it; where it is detached, the
 * tables that foreign keys connect with it, too.
 */
static void
lock_all(const Retirement *retirement, bool detach)
{
	PoliteLock *locks = palloc_array(PoliteLock, retirement->count + 2);
	int			count = 0;

	locks[count++] = (PoliteLock)
	{
		retirement->request->parent, AccessExclusiveLock
	};
	if (OidIsValid(retirement->set->default_partition))
		locks[count++] = (PoliteLock)
	{
		retirement->set->default_partition, AccessExclusiveLock
	};
	for (int i = 0; i < retirement->count; i++)
		locks[count++] = (PoliteLock)
	{
		retirement->retired[i].partition, AccessExclusiveLock
	};
	if (detach)
		locks = foreign_locks_both(retirement->request->parent, ShareRowExclusiveLock, locks, &count);
	polite_lock_all(psprintf("retire partitions of \"%s\"", retirement->set->name),
					retirement->request->window_ms, locks, count);
}

static void
detach_partition(const PartitionSet *set, const Retired *retired)
{
	owner_run(set->owner, psprintf("ALTER TABLE %s DETACH PARTITION %s",
								   set->quoted, set_quoted_name(retired->partition)));
}

/* DROP recommends CASCADE, which would take a view, or a foreign key, along. */
static void
advise_otherwise(void *arg)
{
	(void) arg;
	if (geterrcode() == ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST)
		errhint("Drop what depends on it first, or have it detached only (detach_only => true).");
}

void
drop_end(const DropRequest *request, Oid owner, Oid partition)
{
	char	   *quoted = set_quoted_name(partition);
	ErrorContextCallback advice = {.previous = error_context_stack,.callback = advise_otherwise};

	error_context_stack = &advice;
	if (request->move_to_schema != NULL)
		owner_run(owner, psprintf("ALTER TABLE %s SET SCHEMA %s", quoted, quote_identifier(request->move_to_schema)));
	else if (!request->detach_only)
		owner_run(owner, psprintf("DROP %sTABLE %s RESTRICT",
								  get_rel_relkind(partition) == RELKIND_FOREIGN_TABLE ? "FOREIGN " : "", quoted));
	error_context_stack = advice.previous;
}

/* What a drop deletes cannot be seen afterwards. */
void
drop_log(const char *parent, const char *name, const char *from, const char *to,
		 int64 size_bytes, const char *status)
{
	ereport(LOG,
			(errmsg("dbmaint: partition \"%s\" of \"%s\", from %s to %s, " INT64_FORMAT " bytes: %s",
					name, parent, from == NULL ? "the beginning" : from, to, size_bytes, status),
			 errhidestmt(true)));
}

static void
retire(const Retirement *retirement, const Retired *retired, bool detach)
{
	const PartitionSet *set = retirement->set;

	if (detach)
		detach_partition(set, retired);
	drop_end(retirement->request, set->owner, retired->partition);
	drop_log(set->name, retired->name, key_text(&set->key, retired->range.from, set->zone),
			 key_text(&set->key, retired->range.to, set->zone), retired->size_bytes, retired->status);
}

bool
drop_detach(Retirement *retirement, Oid partition)
{
	const Retired *found = NULL;

	for (int i = 0; i < retirement->count; i++)
	{
		if (retirement->retired[i].partition == partition)
			found = &retirement->retired[i];
	}
	if (found == NULL)
		return false;
	retirement->retired[0] = *found;
	retirement->count = 1;
	lock_all(retirement, true);
	drop_look(retirement, true);
	for (int i = 0; i < retirement->count; i++)
	{
		if (retirement->retired[i].partition != partition)
			continue;
		detach_partition(retirement->set, &retirement->retired[i]);
		return true;
	}
	return false;
}

void
drop_partitions(Retirement *retirement)
{
	const DropRequest *request = retirement->request;
	bool		detach;

	if (request->move_to_schema != NULL)
		(void) get_namespace_oid(request->move_to_schema, false);
	if (retirement->count == 0)
		return;
	detach = request->detach_only || request->move_to_schema != NULL ||
		foreign_is_referenced(request->parent);
	lock_all(retirement, detach);
	/* somebody else may have dropped some before the locks were there */
	if (retirement->invalidations != SharedInvalidMessageCounter)
		drop_look(retirement, true);
	else
		measure(retirement);
	for (int i = 0; i < retirement->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		retire(retirement, &retirement->retired[i], detach);
	}
}
