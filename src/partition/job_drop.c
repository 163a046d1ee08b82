/*-------------------------------------------------------------------------
 *
 * job_drop.c
 *		The kind "partition_drop": retires what a policy does not keep.
 *
 * A detach that was begun, a partition that is detached and was to be dropped
 * are found by the next run and brought to their end.
 *
 * src/partition/job_drop.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "partition/drop.h"
#include "partition/foreign.h"
#include "partition/job_step.h"
#include "partition/owner.h"
#include "partition/retiring.h"
#include "polite/polite.h"
#include "settings.h"
#include "step/query.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "worker/errand.h"

/* A partition that was noted as one to be retired. */
typedef struct Noted
{
	Oid			partition;
	char	   *name;			/* for SQL */
	char	   *range_from;
	char	   *range_to;
	int64		size_bytes;
	char	   *state;
} Noted;

/* What the steps of a run share. */
typedef struct DropRun
{
	PolicyRun	base;
	Oid			partition;		/* to retire */
	bool		wants_lock;
	bool		detached;
	Noted		noted;
	int			left;			/* noted by an earlier run */
	Obstacle	obstacle;		/* of the first one that has to stay */
} DropRun;

static char *
copy_text(MemoryContext context, HeapTuple row, TupleDesc columns, const char *column)
{
	char	   *text = SPI_getvalue(row, columns, SPI_fnumber(columns, column));

	return text == NULL ? NULL : MemoryContextStrdup(context, text);
}

/* The first one that is noted, and how far it is. */
static void
step_left(void *arg)
{
	DropRun    *run = arg;
	Job		   *job = run->base.job;
	Oid			type = OIDOID;
	Datum		value = ObjectIdGetDatum(job->target_oid);

	policy_step_begin(&run->base);
	retiring_lock(job);
	run->left = (int) query_begin(psprintf("SELECT r.*, %1$s.dbmaint_retirement_state(r.partition_oid, r.parent_oid, r.partition_name) AS state"
										   " FROM %1$s.dbmaint_left_retiring($1) AS r", job->extension->schema),
								  1, &type, &value, NULL);
	if (run->left > 0)
	{
		HeapTuple	row = SPI_tuptable->vals[0];
		TupleDesc	columns = SPI_tuptable->tupdesc;
		Noted	   *noted = &run->noted;
		bool		isnull;
		Datum		size;

		noted->partition = DatumGetObjectId(SPI_getbinval(row, columns, SPI_fnumber(columns, "partition_oid"), &isnull));
		size = SPI_getbinval(row, columns, SPI_fnumber(columns, "size_bytes"), &isnull);
		noted->size_bytes = isnull ? 0 : DatumGetInt64(size);
		noted->name = copy_text(run->base.context, row, columns, "partition_name");
		noted->range_from = copy_text(run->base.context, row, columns, "range_from");
		noted->range_to = copy_text(run->base.context, row, columns, "range_to");
		noted->state = copy_text(run->base.context, row, columns, "state");
	}
	query_end();
}

static void
step_forget(void *arg)
{
	DropRun    *run = arg;

	policy_step_begin(&run->base);
	retiring_forget(run->base.job, run->noted.partition);
}

/* What is detached is dropped, moved or left, in one transaction with the note. */
static void
step_end(void *arg)
{
	DropRun    *run = arg;
	const Noted *noted = &run->noted;
	const DropRequest *request = &run->base.policy.drop;
	PoliteLock	lock = {noted->partition, AccessExclusiveLock};
	int			locks = 1;
	const char *status;

	policy_step_begin(&run->base);
	if (!run->base.found)
		return;
	retiring_lock(run->base.job);
	/* to drop its foreign keys takes a lock of what they refer to */
	polite_lock_all(psprintf("retire %s", noted->name), request->window_ms,
					request->detach_only || request->move_to_schema != NULL ? &lock :
					foreign_locks(noted->partition, AccessExclusiveLock, &lock, &locks), locks);
	/* its owner need not be the parent's any more: then it is not ours */
	if (!relation_owned_by(noted->partition, run->base.job->requester))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of table %s", noted->name)));
	drop_end(request, owner_of(noted->partition), noted->partition);
	retiring_forget(run->base.job, noted->partition);
	status = request->move_to_schema != NULL ? psprintf("moved to schema \"%s\"", request->move_to_schema) :
		request->detach_only ? "detached" : "dropped";
	drop_log(run->base.job->target, noted->name, noted->range_from,
			 noted->range_to == NULL ? "?" : noted->range_to, noted->size_bytes, status);
	job_say("%s: %s, " INT64_FORMAT " bytes", noted->name, status, noted->size_bytes);
}

/*
 * One of the commands that make their own transactions.  What it waits for are
 * transactions that used the table, behind which it stops nobody; a lock on
 * the partition itself it wants at the end alone.  Where that is not to be had,
 * the state says what has become of it.
 */
static void
step_command(DropRun *run, const char *command)
{
	(void) job_step_command(command, run->base.job->requester, setting_max_lock_wait_ms);
}

/* Detaches with the parent locked, for a moment. */
static void
step_detach(void *arg)
{
	DropRun    *run = arg;
	Retirement	retirement = {.request = &run->base.policy.drop};

	policy_step_begin(&run->base);
	run->detached = false;
	if (!run->base.found || !run->base.policy.keeps)
		return;
	drop_look(&retirement, false);
	run->detached = drop_detach(&retirement, run->noted.partition);
}

/* Brings the one that is noted a step further. */
static void
advance(DropRun *run, TimestampTz begin)
{
	const Noted *noted = &run->noted;

	job_progress("%s is %s", noted->name, noted->state);
	if (strcmp(noted->state, "detached") == 0)
		job_step(step_end, run);
	else if (strcmp(noted->state, "pending") == 0)
		step_command(run, psprintf("ALTER TABLE %s DETACH PARTITION %s FINALIZE", run->base.job->target, noted->name));
	else if (strcmp(noted->state, "attached") == 0 && noted->partition == run->partition)
	{
		if (!run->wants_lock)
			step_command(run, psprintf("ALTER TABLE %s DETACH PARTITION %s CONCURRENTLY", run->base.job->target, noted->name));
		else
		{
			job_step(step_detach, run);
			if (!run->detached)
				run->partition = InvalidOid;
		}
	}
	else
	{
		/* not begun, and judged anew; or gone, or somebody else's now */
		job_step(step_forget, run);
		job_say("%s: %s", noted->name, strcmp(noted->state, "renamed") == 0 ? "left alone, since it was renamed" : noted->state);
	}
	if (TimestampDifferenceExceeds(begin, GetCurrentTimestamp(), STEP_WINDOW_MS) || errand_must_leave())
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("could not retire partition %s within %d s", noted->name, STEP_WINDOW_MS / 1000),
				 errdetail("Transactions that use it, or that began before, go on."),
				 errhint("The next run goes on where this one ended.")));
}

/* It stays; the others go, and then the job says why. */
static void
keep_obstacle(DropRun *run, const Obstacle *obstacle)
{
	MemoryContext old;

	if (run->obstacle.message != NULL)
		return;
	old = MemoryContextSwitchTo(run->base.context);
	run->obstacle.sqlstate = obstacle->sqlstate;
	run->obstacle.message = pstrdup(obstacle->message);
	run->obstacle.detail = pstrdup(obstacle->detail);
	run->obstacle.hint = pstrdup(obstacle->hint);
	MemoryContextSwitchTo(old);
}

/* Looks for the oldest one that is too old and can go, and notes it. */
static void
step_note(void *arg)
{
	DropRun    *run = arg;
	Job		   *job = run->base.job;
	Retirement	retirement = {.request = &run->base.policy.drop};
	const Retired *retired = NULL;

	policy_step_begin(&run->base);
	run->partition = InvalidOid;
	if (!run->base.found || !run->base.policy.keeps)
		return;
	drop_look(&retirement, false);
	for (int i = 0; i < retirement.count && retired == NULL; i++)
	{
		Obstacle	obstacle = {0};

		CHECK_FOR_INTERRUPTS();
		if (drop_obstacle(&retirement, &retirement.retired[i], &obstacle))
			keep_obstacle(run, &obstacle);
		else
			retired = &retirement.retired[i];
	}
	if (retired == NULL)
		return;
	retiring_note(job, retired->partition, job->target_oid,
				  key_text(&retirement.set->key, retired->range.from, retirement.set->zone),
				  key_text(&retirement.set->key, retired->range.to, retirement.set->zone),
				  drop_size(retired->partition));
	run->wants_lock = drop_wants_lock(&retirement);
	run->partition = retired->partition;
}

/* What is noted comes to its end before another one is begun. */
static void
end_noted(DropRun *run)
{
	TimestampTz begin = GetCurrentTimestamp();

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		job_step(step_left, run);
		if (run->left == 0)
			return;
		advance(run, begin);
	}
}

void
partition_drop_run(Job *job)
{
	DropRun		run = {0};

	if (!policy_run_begin(&run.base, job))
		return;
	end_noted(&run);
	for (;;)
	{
		job_step(step_note, &run);
		if (!OidIsValid(run.partition))
			break;
		end_noted(&run);
	}
	if (run.obstacle.message != NULL)
		ereport(ERROR,
				(errcode(run.obstacle.sqlstate),
				 errmsg_internal("%s", run.obstacle.message),
				 errdetail_internal("%s", run.obstacle.detail),
				 errhint("%s", run.obstacle.hint)));
}
