/*-------------------------------------------------------------------------
 *
 * job_split.c
 *		The kind "partition_split": divides a partition by periods, online.
 *
 * Until the new partitions are in their place everything is thrown away when
 * the job ends, and a next try begins anew.  Afterwards the old one is a table
 * of its own, which is dropped if that was asked for.
 *
 * src/partition/job_split.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_class.h"
#include "partition/drop.h"
#include "partition/job_step.h"
#include "partition/owner.h"
#include "partition/retiring.h"
#include "partition/split.h"
#include "polite/polite.h"
#include "portability/instr_time.h"
#include "settings.h"
#include "storage/lmgr.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "worker/errand.h"

/* How long copying a batch of pages should take, and how many it has. */
#define BATCH_MS 200
#define FIRST_BATCH 256
#define LARGEST_BATCH 32768

/*
 * So few notes, or so much work, are left before the lock is asked for; so often
 * they are tried.
 */
#define FEW_NOTES 500
#define FEW_NOTES_MS 50
#define MOST_PASSES 100

/* After so many notes what they leave is cleared away. */
#define NOTES_TO_VACUUM 100000

/* What the steps of a run share. */
typedef struct SplitRun
{
	Job		   *job;
	MemoryContext context;		/* of what outlives a step */
	MemoryContext step_context;
	Split		split;
	bool		excluded;
	BlockNumber from;			/* of the batch */
	BlockNumber to;
	uint64		copied;
	uint64		followed;		/* notes, by the last pass */
	uint64		dead;			/* notes since they were vacuumed */
	bool		swapped;
	TimestampTz locked;			/* for the swap, and how long */
	double		locked_ms;
	char	   *original;
	char	   *parent;			/* for SQL */
	int			part;			/* to make */
	bool		drop;
	bool		left;			/* there is an original to drop */
	int64		size_bytes;
} SplitRun;

const JobOption split_options[] = {
	{"period", JOB_OPTION_TEXT, 0, 0, NULL},
	{"drop_original", JOB_OPTION_BOOL, 0, 0, NULL},
	{NULL, JOB_OPTION_BOOL, 0, 0, NULL}
};

static bool
is_retiring(const Job *job)
{
	Extension	extension;

	if (job->extension != NULL)
		return retiring_has(job->extension, job->target_oid);
	return history_find_extension(&extension) && retiring_has(&extension, job->target_oid);
}

void
split_check(Job *job)
{
	relation_check(job, "rmpiIfvS");
	if (!relation_owned_by(job->target_oid, job->requester))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of table %s", job->target)));
	/* one that was taken out of its set, and is to be dropped still */
	if (!get_rel_relispartition(job->target_oid) &&
		(job->journal != NULL || is_retiring(job)))
		return;
	(void) split_parent(job->target_oid);
}

/* In the memory that each step has for itself, but for what it hands on. */
static void
run_in_context(GuardedStep step, SplitRun *run)
{
	MemoryContext old = MemoryContextSwitchTo(run->step_context);

	job_step(step, run);
	MemoryContextSwitchTo(old);
	MemoryContextReset(run->step_context);
}

static void
step_begin(SplitRun *run)
{
	MemoryContext old = MemoryContextSwitchTo(run->context);

	job_step_begin();
	/* it is there as long as the step looks at it, or it is not there at all */
	LockRelationOid(run->job->target_oid, AccessShareLock);
	split_check(run->job);
	MemoryContextSwitchTo(old);
}

static void
step_left(void *arg)
{
	SplitRun   *run = arg;

	step_begin(run);
	run->left = !get_rel_relispartition(run->job->target_oid);
	if (!run->left)
		split_clear(run->job->target_oid, run->job->requester, STEP_TURNS_MS);
}

static void
plan(SplitRun *run, void (*how) (Split *split))
{
	MemoryContext old = MemoryContextSwitchTo(run->context);
	Split	   *split = &run->split;

	memset(split, 0, sizeof(Split));
	split->partition = run->job->target_oid;
	split->extension_schema = run->job->extension->schema_oid;
	split->caller = run->job->requester;
	split->period = job_option_text(run->job, "period");
	split->window_ms = STEP_TURNS_MS;
	split->most_notes = 2 * FEW_NOTES;
	how(split);
	MemoryContextSwitchTo(old);
}

static void
step_exclude(void *arg)
{
	SplitRun   *run = arg;

	step_begin(run);
	plan(run, split_look);
	run->excluded = split_exclude(&run->split);
}

static void
step_validate(void *arg)
{
	SplitRun   *run = arg;

	step_begin(run);
	split_validate(&run->split);
}

static void
step_stage(void *arg)
{
	SplitRun   *run = arg;
	MemoryContext old = MemoryContextSwitchTo(run->context);

	step_begin(run);
	/* as it is now: what is planned is made in the same transaction */
	plan(run, split_plan);
	split_stage(&run->split);
	run->parent = pstrdup(run->split.set->quoted);
	MemoryContextSwitchTo(old);
}

static void
step_add(void *arg)
{
	SplitRun   *run = arg;
	MemoryContext old;

	step_begin(run);
	old = MemoryContextSwitchTo(run->context);
	split_add(&run->split, run->part);
	MemoryContextSwitchTo(old);
}

static void
step_capture(void *arg)
{
	SplitRun   *run = arg;

	step_begin(run);
	split_capture(&run->split);
}

/* Each in a transaction of its own: they are many, and nobody is to wait. */
static void
add_parts(SplitRun *run)
{
	int			count = run->split.count + (run->split.is_default ? 1 : 0);

	for (run->part = 0; run->part < count; run->part++)
	{
		CHECK_FOR_INTERRUPTS();
		job_progress("makes partition %d of %d", run->part + 1, count);
		run_in_context(step_add, run);
	}
}

static void
step_copy(void *arg)
{
	SplitRun   *run = arg;

	step_begin(run);
	run->copied += split_copy(&run->split, run->from, run->to);
}

static void
step_follow(void *arg)
{
	SplitRun   *run = arg;

	step_begin(run);
	run->followed = split_follow(&run->split);
	run->dead += run->followed;
}

/* Each pass reads all of the notes' table, and what was there before, too. */
static void
vacuum_notes(SplitRun *run)
{
	if (run->dead < NOTES_TO_VACUUM)
		return;
	run->dead = 0;
	(void) job_step_command(psprintf("VACUUM (TRUNCATE false) %s", run->split.notes), run->job->requester, setting_max_lock_wait_ms);
}

/* Batches of a length that nobody notices. */
static void
copy_pages(SplitRun *run)
{
	BlockNumber batch = FIRST_BATCH;
	BlockNumber pages = run->split.pages;

	for (run->from = 0; run->from < pages; run->from = run->to)
	{
		instr_time	begin;
		instr_time	duration;

		CHECK_FOR_INTERRUPTS();
		run->to = pages - run->from > batch ? run->from + batch : pages;
		job_progress("copied %u of %u pages", run->from, pages);
		INSTR_TIME_SET_CURRENT(begin);
		run_in_context(step_copy, run);
		run->split.copied = run->to;
		INSTR_TIME_SET_CURRENT(duration);
		INSTR_TIME_SUBTRACT(duration, begin);
		if (INSTR_TIME_GET_MILLISEC(duration) < BATCH_MS / 2)
			batch = Min(batch * 2, LARGEST_BATCH);
		else if (INSTR_TIME_GET_MILLISEC(duration) > BATCH_MS * 2)
			batch = Max(batch / 2, 1);
		/* the notes must not grow as long as the table is copied */
		run_in_context(step_follow, run);
		vacuum_notes(run);
	}
}

/* Until so few notes come meanwhile that the rest takes no time. */
static void
follow(SplitRun *run)
{
	for (int pass = 0; pass < MOST_PASSES; pass++)
	{
		instr_time	begin;
		instr_time	duration;
		double		ms;

		CHECK_FOR_INTERRUPTS();
		job_progress("follows changes");
		INSTR_TIME_SET_CURRENT(begin);
		run_in_context(step_follow, run);
		INSTR_TIME_SET_CURRENT(duration);
		INSTR_TIME_SUBTRACT(duration, begin);
		ms = INSTR_TIME_GET_MILLISEC(duration);
		vacuum_notes(run);
		/* what comes while the lock is waited for may take as long as that */
		if (run->followed > FEW_NOTES && ms > 0)
			run->split.most_notes = Max(2 * FEW_NOTES, (int) Min(run->followed / ms * setting_max_lock_wait_ms / 2, PG_INT32_MAX / 2));
		if (run->followed <= FEW_NOTES || ms < FEW_NOTES_MS)
			return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("changes of %s come faster than they are followed", run->job->target),
			 errhint("Split it at a time when it is written less.")));
}

static void
note_original(SplitRun *run)
{
	const PartitionSet *set = run->split.set;

	if (run->drop)
		retiring_note(run->job, run->split.partition, set->parent,
					  run->split.is_default ? NULL : key_text(&set->key, run->split.range.from, set->zone),
					  run->split.is_default ? NULL : key_text(&set->key, run->split.range.to, set->zone),
					  run->size_bytes);
}

/* With it in the queue a next try knows that it is done. */
static void
keep_swapped(SplitRun *run)
{
	MemoryContext old = MemoryContextSwitchTo(run->context);

	run->job->journal = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum("\"swapped\"")));
	job_keep_journal(run->job);
	run->job->journal = NULL;
	MemoryContextSwitchTo(old);
}

static void
step_swap(void *arg)
{
	SplitRun   *run = arg;
	char	   *original = NULL;

	step_begin(run);
	run->size_bytes = drop_size(run->split.partition);
	run->swapped = split_swap(&run->split, &original, &run->locked);
	if (!run->swapped)
		return;
	note_original(run);
	keep_swapped(run);
	run->original = MemoryContextStrdup(run->context, original);
}

/* The lock may be long in coming; what is copied is not given up for that. */
static void
swap(SplitRun *run)
{
	bool		swapped = false;

	while (!swapped)
	{
		MemoryContext old;

		CHECK_FOR_INTERRUPTS();
		follow(run);
		job_progress("waits to put the new partitions in their place");
		old = MemoryContextSwitchTo(run->step_context);
		swapped = job_step_once(step_swap, run) && run->swapped;
		run->locked_ms = (GetCurrentTimestamp() - run->locked) / 1000.0;
		MemoryContextSwitchTo(old);
		MemoryContextReset(run->step_context);
	}
}

static void
step_clear(void *arg)
{
	SplitRun   *run = arg;

	job_step_begin();
	split_clear(run->job->target_oid, run->job->requester, STEP_TURNS_MS);
}

/* The original, with the note of it. */
static void
step_drop(void *arg)
{
	SplitRun   *run = arg;
	Oid			original = run->job->target_oid;
	PoliteLock	lock = {original, AccessExclusiveLock};
	DropRequest request = {0};
	char	   *name;

	step_begin(run);
	retiring_lock(run->job);
	polite_lock_all(psprintf("drop %s", run->job->target), STEP_TURNS_MS, &lock, 1);
	/* it may have been attached again, or renamed, before the lock was there */
	if (!is_retiring(run->job))
	{
		job_say("%s is left alone.", run->job->target);
		return;
	}
	name = set_relation_name(original);
	run->size_bytes = drop_size(original);
	drop_end(&request, owner_of(original), original);
	retiring_forget(run->job, original);
	drop_log(name, name, NULL, "the end", run->size_bytes, "dropped, its rows are in new partitions");
	job_say("%s: dropped, " INT64_FORMAT " bytes", name, run->size_bytes);
}

static void
report(const SplitRun *run)
{
	const Split *split = &run->split;

	job_say("%d partitions of %s, from \"%s\" to \"%s\": " UINT64_FORMAT " rows copied; under a lock of %.0f ms they took their place.", split->count, run->parent,
			split->parts[0].name, split->parts[split->count - 1].name, run->copied, run->locked_ms);
	if (split->cut)
		job_say(split->is_default ? "Other rows have a period of their own still." :
				"The first of them is longer than a period: more than %d would have been needed.", CREATE_MOST);
	if (!run->drop)
		job_say("What was split is the table %s now, which refuses writes (DROP TRIGGER " SPLIT_CLOSED " ON it where it is to be written)."
				" DROP TABLE %s; when it is not needed any more.", run->original, run->original);
}

void
split_run(Job *job)
{
	SplitRun	run = {.job = job,.context = CurrentMemoryContext};

	run.step_context = AllocSetContextCreate(CurrentMemoryContext, "dbmaint split", ALLOCSET_DEFAULT_SIZES);
	run.drop = job_option_bool(job, "drop_original", false);
	run_in_context(step_left, &run);
	if (run.left)
	{
		run_in_context(step_clear, &run);
		if (run.drop || job->journal == NULL)
			run_in_context(step_drop, &run);
		else
			job_say("An earlier attempt split it. What was split is the table %s now.", job->target);
		return;
	}
	run_in_context(step_exclude, &run);
	if (run.excluded)
		run_in_context(step_validate, &run);
	run_in_context(step_stage, &run);
	add_parts(&run);
	run_in_context(step_capture, &run);
	copy_pages(&run);
	job_progress("looks through the copy");
	/* statistics and visibility, before the first query meets them */
	while (!job_step_command(psprintf("VACUUM (ANALYZE) %s", run.split.staging), job->requester, 0))
		CHECK_FOR_INTERRUPTS();
	swap(&run);

	report(&run);
	run_in_context(step_clear, &run);
	if (run.drop)
		run_in_context(step_drop, &run);
	(void) job_step_command(psprintf("ANALYZE %s", run.parent), job->requester, 0);
}

/* Before a next try, and after the last: the copy is of no use any more. */
void
split_clean(Job *job)
{
	SplitRun	run = {.job = job,.context = CurrentMemoryContext};

	job_step_clean(step_clear, &run);
}
