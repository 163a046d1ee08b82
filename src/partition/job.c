/*-------------------------------------------------------------------------
 *
 * job.c
 *		The kinds "partition_create" and "partition_drop": what a policy wants,
 *		done by the runner.
 *
 * Each step is a transaction of its own, so that no lock outlives its step,
 * and each leaves the set in order: a CHECK on a default partition that is not
 * used, a detach that was begun, a partition that is detached and was to be
 * dropped are found by the next run and brought to their end.  Where a lock is
 * not to be had in a few turns, the step ends, and begins again after a pause
 * in which nothing is held.
 *
 * src/partition/job.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "executor/spi.h"
#include "job/job.h"
#include "partition/policy.h"
#include "polite/polite.h"
#include "settings.h"
#include "step/guard.h"
#include "step/query.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "worker/errand.h"

/* How long a step is tried, and the pause between two tries. */
#define WINDOW_US (60 * USECS_PER_SEC)
#define PAUSE_MS 250

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
typedef struct Run
{
	Job		   *job;
	MemoryContext context;		/* of what outlives a step */
	Policy		policy;
	bool		found;			/* there is a policy */
	int			made;			/* by the last step */
	char	   *blocked;		/* why one could not be made */
	bool		excluded;		/* there is a CHECK to validate */
	const Range *range;
	Oid			partition;		/* to retire */
	bool		wants_lock;
	bool		detached;
	Noted		noted;
	char	   *command;
	int			left;			/* noted by an earlier run */
} Run;

const JobOption partition_options[] = {
	{NULL, JOB_OPTION_BOOL, 0, 0, NULL}
};

void
partition_check(Job *job)
{
	relation_check(job, "rmpiI");
	if (job->target_relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("%s is not a partitioned table", job->target)));
	if (!relation_owned_by(job->target_oid, job->requester))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of table %s", job->target)));
}

/* Ends a try of a step; again after a pause, or the error is raised. */
static void
judge_error(ErrorData *error, TimestampTz begin)
{
	if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE &&
		error->sqlerrcode != ERRCODE_T_R_DEADLOCK_DETECTED)
		ReThrowError(error);
	if (GetCurrentTimestamp() - begin > WINDOW_US || errand_must_leave())
		ReThrowError(error);
	job_progress("waits for a lock: %s", error->message);
	FreeErrorData(error);
	(void) errand_wait((long) (PAUSE_MS * (0.5 + pg_prng_double(&pg_global_prng_state))));
}

static void
run_step(GuardedStep step, Run *run)
{
	TimestampTz begin = GetCurrentTimestamp();
	ErrorData  *error;

	while ((error = guard_try(step, run)) != NULL)
		judge_error(error, begin);
	errand_set_progress(NULL);
}

/* Reads the policy, each time anew: it may have changed, and the owner too. */
static void
begin_step(Run *run)
{
	Job		   *job = run->job;
	MemoryContext old = MemoryContextSwitchTo(run->context);

	/* no step waits for long but by polite_lock_all() */
	SetConfigOption("lock_timeout", psprintf("%d", setting_max_lock_wait_ms), PGC_SUSET, PGC_S_SESSION);
	partition_check(job);
	run->found = policy_find(job->extension, job->target_oid, job->requester,
							 GetCurrentTimestamp(), &run->policy);
	MemoryContextSwitchTo(old);
}

static void
step_find(void *arg)
{
	begin_step(arg);
}

static bool
begin_run(Run *run, Job *job)
{
	memset(run, 0, sizeof(Run));
	run->job = job;
	run->context = CurrentMemoryContext;
	run_step(step_find, run);
	if (!run->found)
		job_say("There is no policy for %s, or it is disabled: see dbmaint_set_partition_policy().", job->target);
	return run->found;
}

/*
 * Making partitions.
 */

static void
step_exclude(void *arg)
{
	Run		   *run = arg;
	Creation	creation = {.request = &run->policy.create};

	begin_step(run);
	run->excluded = run->found && attach_exclude(&creation);
}

static void
step_validate(void *arg)
{
	Run		   *run = arg;
	Creation	creation = {.request = &run->policy.create};

	begin_step(run);
	if (run->found && create_look(&creation) > 0)
		attach_validate(&creation);
}

static void
step_unexclude(void *arg)
{
	Run		   *run = arg;
	Creation	creation = {.request = &run->policy.create};

	begin_step(run);
	attach_unexclude(&creation);
}

static void
step_create(void *arg)
{
	Run		   *run = arg;
	Creation	creation = {.request = &run->policy.create};
	bool		refused;

	begin_step(run);
	run->made = 0;
	if (!run->found)
		return;
	/* rows are moved for one partition at a time, under a lock */
	if (run->policy.create.default_rows == DEFAULT_ROWS_MOVE)
		run->policy.create.most = 1;
	/* rows in the way of one partition are no reason to go without the others */
	refused = run->policy.create.default_rows == DEFAULT_ROWS_ERROR;
	if (refused)
		run->policy.create.default_rows = DEFAULT_ROWS_SKIP;
	if (create_look(&creation) == 0)
		return;
	create_partitions(&creation);
	for (int i = 0; i < creation.count; i++)
	{
		const Wanted *wanted = &creation.wanted[i];

		run->made += wanted->to_create;
		if (refused && wanted->in_default && run->blocked == NULL)
			run->blocked = MemoryContextStrdup(run->context, psprintf("\"%s\" was %s", wanted->name, wanted->status));
		if (wanted->slot.existing < 0 && wanted->status != NULL)
			job_say("%s: %s", wanted->name, wanted->status);
	}
}

void
partition_create_run(Job *job)
{
	Run			run;

	if (!begin_run(&run, job))
		return;
	run_step(step_exclude, &run);
	if (run.excluded)
		run_step(step_validate, &run);
	do
	{
		CHECK_FOR_INTERRUPTS();
		run_step(step_create, &run);
	} while (run.made > 0 && run.policy.create.most > 0);
	if (run.excluded)
		run_step(step_unexclude, &run);
	if (run.blocked != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("partition %s", run.blocked),
				 errhint("create_future_partitions(..., default_rows => 'move') moves them; so does a policy that says so.")));
}

static void
clean_step(void *arg)
{
	Run		   *run = arg;

	run_step(step_unexclude, run);
}

/* Rows of the range could not come in while the CHECK is there. */
void
partition_create_clean(Job *job)
{
	Run			run = {.job = job,.context = CurrentMemoryContext};
	int			sqlstate;
	char	   *failure = guard_run_top_level(clean_step, &run, 2 * WINDOW_US / 1000, &sqlstate);

	command_reset();
	if (failure != NULL)
		job_say("Could not clear away: %s.", failure);
}

/*
 * Retiring partitions.
 */

static void
call_with_oid(const Job *job, const char *function, Oid oid)
{
	Oid			type = OIDOID;
	Datum		value = ObjectIdGetDatum(oid);

	query_begin(psprintf("SELECT %s.%s($1)", job->extension->schema, function), 1, &type, &value, NULL);
	query_end();
}

/* Our table may have no triggers: they would run as the superuser. */
static void
lock_notes(const Job *job)
{
	if (!history_lock(job->extension, "dbmaint_retiring_partitions"))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table dbmaint_retiring_partitions does not exist")));
}

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
	Run		   *run = arg;
	Job		   *job = run->job;
	Oid			type = OIDOID;
	Datum		value = ObjectIdGetDatum(job->target_oid);

	begin_step(run);
	lock_notes(job);
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
		noted->name = copy_text(run->context, row, columns, "partition_name");
		noted->range_from = copy_text(run->context, row, columns, "range_from");
		noted->range_to = copy_text(run->context, row, columns, "range_to");
		noted->state = copy_text(run->context, row, columns, "state");
	}
	query_end();
}

static void
step_forget(void *arg)
{
	Run		   *run = arg;

	begin_step(run);
	lock_notes(run->job);
	call_with_oid(run->job, "dbmaint_forget_retiring", run->noted.partition);
}

/* What is detached is dropped, moved or left, in one transaction with the note. */
static void
step_end(void *arg)
{
	Run		   *run = arg;
	const Noted *noted = &run->noted;
	const DropRequest *request = &run->policy.drop;
	PoliteLock	lock = {noted->partition, AccessExclusiveLock};
	const char *status;

	begin_step(run);
	if (!run->found)
		return;
	lock_notes(run->job);
	polite_lock_all(psprintf("retire %s", noted->name), request->window_ms, &lock, 1);
	/* its owner need not be the parent's any more: then it is not ours */
	if (!relation_owned_by(noted->partition, run->job->requester))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of table %s", noted->name)));
	drop_end(request, run->job->requester, noted->partition);
	call_with_oid(run->job, "dbmaint_forget_retiring", noted->partition);
	status = request->move_to_schema != NULL ? psprintf("moved to schema \"%s\"", request->move_to_schema) :
		request->detach_only ? "detached" : "dropped";
	drop_log(run->job->target, noted->name, noted->range_from,
			 noted->range_to == NULL ? "?" : noted->range_to, noted->size_bytes, status);
	job_say("%s: %s, " INT64_FORMAT " bytes", noted->name, status, noted->size_bytes);
}

static void
run_command(void *arg)
{
	const Run  *run = arg;

	command_run(run->command, run->job->requester, setting_max_lock_wait_ms);
}

/*
 * One of the commands that make their own transactions.  What it waits for are
 * transactions that used the table, behind which it stops nobody; a lock on
 * the partition itself it wants at the end alone.
 */
static void
step_command(Run *run, const char *command)
{
	ErrorData  *error;

	run->command = MemoryContextStrdup(run->context, command);
	error = guard_try_command(run_command, run);
	if (error == NULL)
		return;
	command_reset();
	/* the state says what has become of it */
	if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE &&
		error->sqlerrcode != ERRCODE_T_R_DEADLOCK_DETECTED)
		ReThrowError(error);
	FreeErrorData(error);
	(void) errand_wait((long) (PAUSE_MS * (0.5 + pg_prng_double(&pg_global_prng_state))));
}

/* Detaches with the parent locked, for a moment. */
static void
step_detach(void *arg)
{
	Run		   *run = arg;
	Retirement	retirement = {.request = &run->policy.drop};

	begin_step(run);
	run->detached = false;
	if (!run->found || !run->policy.keeps)
		return;
	drop_look(&retirement, false);
	run->detached = drop_detach(&retirement, run->noted.partition);
}

/* Brings the one that is noted a step further. */
static void
advance(Run *run, TimestampTz begin)
{
	const Noted *noted = &run->noted;

	job_progress("%s is %s", noted->name, noted->state);
	if (strcmp(noted->state, "detached") == 0)
		run_step(step_end, run);
	else if (strcmp(noted->state, "pending") == 0)
		step_command(run, psprintf("ALTER TABLE %s DETACH PARTITION %s FINALIZE", run->job->target, noted->name));
	else if (strcmp(noted->state, "attached") == 0 && noted->partition == run->partition)
	{
		if (!run->wants_lock)
			step_command(run, psprintf("ALTER TABLE %s DETACH PARTITION %s CONCURRENTLY", run->job->target, noted->name));
		else
		{
			run_step(step_detach, run);
			if (!run->detached)
				run->partition = InvalidOid;
		}
	}
	else
	{
		/* not begun, and judged anew; or gone, or somebody else's now */
		run_step(step_forget, run);
		job_say("%s: %s", noted->name, strcmp(noted->state, "renamed") == 0 ? "left alone, since it was renamed" : noted->state);
	}
	if (GetCurrentTimestamp() - begin > WINDOW_US || errand_must_leave())
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("could not retire partition %s within %d s", noted->name, (int) (WINDOW_US / USECS_PER_SEC)),
				 errdetail("Transactions that use it, or that began before, go on."),
				 errhint("The next run goes on where this one ended.")));
}

/* Looks for the oldest one that is too old, and notes it. */
static void
step_note(void *arg)
{
	Run		   *run = arg;
	Job		   *job = run->job;
	Retirement	retirement = {.request = &run->policy.drop};
	const Retired *retired;
	Oid			types[] = {OIDOID, OIDOID, TEXTOID, TEXTOID, INT8OID};
	Datum		values[lengthof(types)];
	char		nulls[] = {' ', ' ', ' ', ' ', ' '};
	const char *from;

	begin_step(run);
	run->partition = InvalidOid;
	if (!run->found || !run->policy.keeps)
		return;
	drop_look(&retirement, false);
	if (retirement.count == 0)
		return;
	retired = &retirement.retired[0];
	drop_check(&retirement, retired);
	lock_notes(job);

	from = key_text(&retirement.set->key, retired->range.from, retirement.set->zone);
	values[0] = ObjectIdGetDatum(retired->partition);
	values[1] = ObjectIdGetDatum(job->target_oid);
	nulls[2] = from == NULL ? 'n' : ' ';
	values[2] = from == NULL ? (Datum) 0 : CStringGetTextDatum(from);
	values[3] = CStringGetTextDatum(key_text(&retirement.set->key, retired->range.to, retirement.set->zone));
	values[4] = Int64GetDatum(drop_size(retired->partition));
	query_begin(psprintf("SELECT %s.dbmaint_note_retiring($1, $2, $3, $4, $5)", job->extension->schema),
				lengthof(types), types, values, nulls);
	query_end();
	run->wants_lock = drop_wants_lock(&retirement);
	run->partition = retired->partition;
}

/* What is noted comes to its end before another one is begun. */
static void
end_noted(Run *run)
{
	TimestampTz begin = GetCurrentTimestamp();

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		run_step(step_left, run);
		if (run->left == 0)
			return;
		advance(run, begin);
	}
}

void
partition_drop_run(Job *job)
{
	Run			run;

	if (!begin_run(&run, job))
		return;
	end_noted(&run);
	for (;;)
	{
		run_step(step_note, &run);
		if (!OidIsValid(run.partition))
			return;
		end_noted(&run);
	}
}
