/*-------------------------------------------------------------------------
 *
 * create.c
 *		Makes the partitions that a set needs next.
 *
 * src/partition/create.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/relation.h"
#include "partition/create.h"
#include "partition/likeness.h"
#include "partition/name.h"
#include "partition/recorded.h"
#include "polite/polite.h"
#include "utils/lsyscache.h"

void
create_refuse_unknown_grid(const PartitionSet *set)
{
	if (set->zone_reason != NULL && set->grid_reason == set->zone_reason)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot tell the time zone in which the partitions of \"%s\" were made", set->name),
				 errdetail("%c%s.", pg_toupper(set->zone_reason[0]), set->zone_reason + 1),
				 errhint("Say it once: time_zone => 'America/New_York'. It is recorded with the first partition that is made.")));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("cannot tell the period of the partitions of \"%s\"", set->name),
			 errdetail("%c%s.", pg_toupper(set->grid_reason[0]), set->grid_reason + 1),
			 set->calendar != NULL ?
			 errhint("Say it: period => '1 month', '1 week', '1 day' or another interval.") :
			 errhint("Say it: period => '1000000', or another number of the key; for times in it say epoch => 'seconds' or 'milliseconds', too.")));
}

static bool
take_slot(const Slot *slot, void *arg)
{
	Creation   *creation = arg;
	PartitionSet *set = creation->set;
	Wanted	   *wanted;

	if (creation->count >= 2 * CREATE_MOST)
	{
		creation->too_many = true;
		return false;
	}
	if (creation->count == creation->room)
	{
		creation->room = creation->room == 0 ? 16 : creation->room * 2;
		creation->wanted = creation->wanted == NULL ?
			palloc_array(Wanted, creation->room) :
			repalloc(creation->wanted, sizeof(Wanted) * creation->room);
	}
	wanted = &creation->wanted[creation->count++];
	memset(wanted, 0, sizeof(*wanted));
	wanted->slot = *slot;
	if (slot->existing >= 0)
	{
		wanted->name = set_relation_name(set->partitions[slot->existing]);
		wanted->status = "exists";
	}
	else if (slot->kind == SLOT_GAP && !creation->request->fill_gaps)
		wanted->status = "skipped: a gap in the past; fill_gaps => true fills it";
	else if (!key_can_have(&set->key, slot->range.from) || !key_can_have(&set->key, slot->range.to))
		wanted->status = "skipped: the key cannot have these bounds";
	else
		wanted->to_create = true;
	return true;
}

static int
compare_wanted(const void *a, const void *b)
{
	const Wanted *left = a;
	const Wanted *right = b;

	return (left->slot.range.from > right->slot.range.from) -
		(left->slot.range.from < right->slot.range.from);
}

/* Of a time beyond the calendar there is nothing to make, and nothing to be silent about. */
static void
require_present(const Creation *creation)
{
	const PartitionSet *set = creation->set;

	for (int i = 0; i < creation->count; i++)
	{
		if (creation->wanted[i].slot.kind != SLOT_GAP)
			return;
	}
	if (creation->too_many)
		return;
	ereport(ERROR,
			(errcode(set->calendar != NULL ? ERRCODE_DATETIME_VALUE_OUT_OF_RANGE : ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("cannot compute the period of the present of \"%s\"", set->name),
			 set->calendar != NULL ?
			 errdetail("Calendars are computed from the year 1 to the year %d.", CALENDAR_END_YEAR - 1) :
			 errdetail("The greatest key in use is at the end of what numbers there are.")));
}

/* Reads the set under whatever lock the caller has, and plans. */
int
create_look(Creation *creation)
{
	const CreateRequest *request = creation->request;
	Relation	parent = try_relation_open(request->parent, AccessShareLock);
	PartitionSet *set;
	int			missing = 0;

	if (parent == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("there is no relation with OID %u", request->parent)));
	set = set_read(parent, &request->options, request->extension_schema);
	relation_close(parent, NoLock);
	if (!set->has_grid)
		create_refuse_unknown_grid(set);

	creation->set = set;
	creation->count = 0;
	creation->too_many = false;
	grid_plan(&set->grid, set->ranges, set->count, set_now(set, request->at),
			  request->count, request->fill_gaps, take_slot, creation);
	require_present(creation);
	for (int i = 0; i < creation->count; i++)
	{
		if (request->most > 0 && missing == request->most)
			creation->wanted[i].to_create = false;
		missing += creation->wanted[i].to_create;
		if (creation->wanted[i].to_create)
			creation->wanted[i].status = request->dry_run ? "planned" : "created";
	}
	if (creation->too_many || missing > CREATE_MOST)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("more than %d partitions of \"%s\" are missing", CREATE_MOST, set->name),
				 errhint("Ask for fewer, without fill_gaps, or with a longer period.")));
	qsort(creation->wanted, creation->count, sizeof(Wanted), compare_wanted);
	return missing;
}

void
create_name(Creation *creation)
{
	NamePattern pattern;
	bool		known = false;

	for (int i = 0; i < creation->count; i++)
	{
		Wanted	   *wanted = &creation->wanted[i];

		if (wanted->slot.existing >= 0)
			continue;
		if (!known)
			likeness_names(creation->set, &pattern);
		known = true;
		wanted->name = likeness_name(creation->set, &pattern, &wanted->slot.range);
	}
}

/*
 * The parent's lock keeps other calls and other DDL out; the model is read.
 * Which one is the model may change before the lock is there: a lock too many.
 */
static void
lock_parent(const Creation *creation, const char *what)
{
	PoliteLock	locks[] = {
		{creation->set->parent, ShareUpdateExclusiveLock},
		{likeness_model(creation->set), AccessShareLock}
	};

	polite_lock_all(what, creation->request->window_ms, locks, lengthof(locks));
}

/* Makes the tables, which stand alone until they are attached. */
static void
create_tables(Creation *creation)
{
	PartitionSet *set = creation->set;
	Likeness	likeness = {set, likeness_model(set), creation->request->caller, NULL};

	for (int i = 0; i < creation->count; i++)
	{
		Wanted	   *wanted = &creation->wanted[i];

		CHECK_FOR_INTERRUPTS();
		if (!wanted->to_create)
			continue;
		wanted->name = likeness_free_name(wanted->name, get_rel_namespace(likeness.model));
		likeness.remark = NULL;
		wanted->quoted = likeness_create(&likeness, wanted->name, &wanted->slot.range, wanted->check);
		if (likeness.remark != NULL)
			wanted->status = psprintf("created: %s", likeness.remark);
	}
}

/* What was found out, or said, holds for later calls. */
static void
record(const Creation *creation)
{
	const PartitionSet *set = creation->set;
	SetOptions	options = creation->request->options;

	if (set->calendar != NULL)
		options.time_zone = pstrdup(pg_get_timezone_name(set->zone));
	if (set->key.kind == KEY_SECONDS || set->key.kind == KEY_MILLISECONDS)
		options.epoch = set->key.kind == KEY_SECONDS ? "seconds" : "milliseconds";
	recorded_store(creation->request->extension_schema, set->parent, &options);
}

void
create_partitions(Creation *creation)
{
	char	   *what = psprintf("create partitions of \"%s\"", creation->set->name);
	int			missing;

	lock_parent(creation, what);
	/* somebody else may have made them before the lock was there */
	missing = create_look(creation);
	create_name(creation);
	if (missing == 0)
		return;
	attach_judge_default(creation);
	create_tables(creation);
	attach_partitions(creation);
	record(creation);
}
