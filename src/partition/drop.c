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
#include "commands/trigger.h"
#include "partition/drop.h"
#include "partition/owner.h"
#include "polite/polite.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
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
	List	   *leaves = find_all_inheritors(partition, AccessShareLock, NULL);
	ListCell   *cell;
	int64		bytes = 0;

	foreach(cell, leaves)
	{
		if (RELKIND_HAS_STORAGE(get_rel_relkind(lfirst_oid(cell))))
			bytes += DatumGetInt64(DirectFunctionCall1(pg_total_relation_size, ObjectIdGetDatum(lfirst_oid(cell))));
	}
	list_free(leaves);
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
		retired->size_bytes = request->dry_run || locked ? drop_size(retired->partition) : 0;
		retired->status = request->dry_run ?
			(request->detach_only || request->move_to_schema != NULL ? "would be detached" : "would be dropped") :
			request->move_to_schema != NULL ? psprintf("moved to schema \"%s\"", request->move_to_schema) :
			request->detach_only ? "detached" : "dropped";
		retirement->count++;
	}
}

/* Does a foreign key refer to the parent's rows? Then DROP alone is refused. */
static bool
is_referenced(Oid relation)
{
	Relation	rel = relation_open(relation, NoLock);
	bool		referenced = false;

	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		if (RI_FKey_trigger_type(rel->trigdesc->triggers[i].tgfoid) == RI_TRIGGER_PK)
			referenced = true;
	}
	relation_close(rel, NoLock);
	return referenced;
}

/*
 * A foreign key that points at this partition, and not at the parent, makes
 * DROP fail and recommend CASCADE, which would take the whole constraint.
 */
static void
refuse_referenced(const Retired *retired)
{
	Relation	rel = relation_open(retired->partition, AccessShareLock);

	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (RI_FKey_trigger_type(trigger->tgfoid) == RI_TRIGGER_PK && !trigger->tgisclone)
			ereport(ERROR,
					(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
					 errmsg("cannot drop partition \"%s\"", retired->name),
					 errdetail("Foreign key \"%s\" of table \"%s\" refers to it.",
							   get_constraint_name(trigger->tgconstraint), set_relation_name(trigger->tgconstrrelid)),
					 errhint("Drop that foreign key, or say detach_only => true.")));
	}
	relation_close(rel, NoLock);
}

bool
drop_wants_lock(const Retirement *retirement)
{
	return OidIsValid(retirement->set->default_partition) ||
		is_referenced(retirement->request->parent);
}

void
drop_check(const Retirement *retirement, const Retired *retired)
{
	const DropRequest *request = retirement->request;

	if (request->move_to_schema != NULL)
		(void) get_namespace_oid(request->move_to_schema, false);
	else if (!request->detach_only)
		refuse_referenced(retired);
}

/* The parent first, as everybody does who uses it. */
static void
lock_all(const Retirement *retirement)
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
	polite_lock_all(psprintf("retire partitions of \"%s\"", retirement->set->name),
					retirement->request->window_ms, locks, count);
}

static void
detach_partition(const PartitionSet *set, const Retired *retired)
{
	owner_run(set->owner, psprintf("ALTER TABLE %s DETACH PARTITION %s",
								   set->quoted, set_quoted_name(retired->partition)));
}

void
drop_end(const DropRequest *request, Oid owner, Oid partition)
{
	char	   *quoted = set_quoted_name(partition);

	if (request->move_to_schema != NULL)
		owner_run(owner, psprintf("ALTER TABLE %s SET SCHEMA %s", quoted, quote_identifier(request->move_to_schema)));
	else if (!request->detach_only)
		owner_run(owner, psprintf("DROP %sTABLE %s RESTRICT",
								  get_rel_relkind(partition) == RELKIND_FOREIGN_TABLE ? "FOREIGN " : "", quoted));
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

	drop_check(retirement, retired);
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
	lock_all(retirement);
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
	lock_all(retirement);
	/* somebody else may have dropped some before the locks were there */
	drop_look(retirement, true);
	detach = request->detach_only || request->move_to_schema != NULL ||
		is_referenced(request->parent);
	for (int i = 0; i < retirement->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		retire(retirement, &retirement->retired[i], detach);
	}
}
