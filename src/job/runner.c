/*-------------------------------------------------------------------------
 *
 * runner.c
 *		The process that does a database's jobs, one after another.
 *
 * A job is marked as running in a transaction of its own, then done, then what
 * became of it is written.  So a job that is found marked when the runner
 * comes was interrupted: by a crash, or by whoever wanted the database for
 * himself.  It runs again where that is safe, as often as it may.
 *
 * src/job/runner.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "job/job.h"
#include "portability/instr_time.h"
#include "settings.h"
#include "step/guard.h"
#include "storage/ipc.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "worker/errand.h"
#include "worker/schedule.h"

#define DEFAULT_ATTEMPTS 3
#define RETRY_AFTER_MS 30000
#define RETRY_MOST_US (60 * 60 * USECS_PER_SEC)

/* to write what became of a job */
#define STORE_TRIES 5
#define STORE_RETRY_MS 1000

/* What the steps share. */
typedef struct Turn
{
	MemoryContext context;
	Extension	extension;
	bool		installed;
	Job		   *job;
	JobOutcome	outcome;
} Turn;

static void
step_take(void *arg)
{
	Turn	   *turn = arg;
	MemoryContext old = MemoryContextSwitchTo(turn->context);

	turn->installed = job_open_tables(&turn->extension);
	if (turn->installed)
		turn->job = job_take(&turn->extension, GetCurrentTimestamp());
	/* before others see that it runs, and may want to cancel it */
	if (turn->job != NULL)
		errand_set_work(turn->job->job_id);
	MemoryContextSwitchTo(old);
}

static void
step_take_left(void *arg)
{
	Turn	   *turn = arg;
	MemoryContext old = MemoryContextSwitchTo(turn->context);

	turn->installed = job_open_tables(&turn->extension);
	if (turn->installed)
		turn->job = job_take_left(&turn->extension);
	MemoryContextSwitchTo(old);
}

static void
step_put_back(void *arg)
{
	Turn	   *turn = arg;

	turn->installed = job_open_tables(&turn->extension);
	if (turn->installed)
		job_put_back(turn->job, &turn->outcome);
}

/*
 * Is the job still what its requester may ask for?  What the kind has to
 * remember is written before anything happens.
 */
static void
check_again(Turn *turn)
{
	Job		   *job = turn->job;
	MemoryContext old;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	old = MemoryContextSwitchTo(turn->context);
	if (job->kind == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("this version of dbmaint has no such kind of job")));
	if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(job->requester)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role \"%s\", which asked for the job, does not exist any more",
						job->requested_by)));
	job_check_options(job);
	job->kind->check(job);
	if (job->kind->journal != NULL && job->journal == NULL)
	{
		job->journal = job->kind->journal(job);
		job_keep_journal(job);
	}
	MemoryContextSwitchTo(old);
	PopActiveSnapshot();
	CommitTransactionCommand();
}

static void
step_run(void *arg)
{
	Turn	   *turn = arg;
	Job		   *job = turn->job;

	/* who cancelled it before there was anything to interrupt is heard now */
	if (OidIsValid(errand_cancelled_by()))
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("canceling statement due to user request")));

	check_again(turn);
	MemoryContextSwitchTo(turn->context);
	if (!job->kind->top_level)
	{
		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		MemoryContextSwitchTo(turn->context);
	}
	job->kind->run(job);
	if (!job->kind->top_level)
	{
		PopActiveSnapshot();
		CommitTransactionCommand();
	}
}

/* Will it do any good to try again? */
static bool
worth_retrying(int sqlstate)
{
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case ERRCODE_FEATURE_NOT_SUPPORTED:
		case ERRCODE_DATA_EXCEPTION:
		case ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION:
		case ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION:
		case ERRCODE_INVALID_CATALOG_NAME:
		case ERRCODE_INVALID_SCHEMA_NAME:
		case ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION:
			return false;
		default:
			return sqlstate != ERRCODE_QUERY_CANCELED;
	}
}

static int64
retry_delay_us(const Job *job)
{
	int			first_ms = job_option_time_ms(job, "retry_after", RETRY_AFTER_MS);

	return schedule_backoff(job->attempt, first_ms * INT64CONST(1000),
							Max(RETRY_MOST_US, first_ms * INT64CONST(1000)));
}

static bool
may_try_again(const Job *job)
{
	return job->kind != NULL &&
		job->attempt < job_option_int(job, "attempts", DEFAULT_ATTEMPTS);
}

/* "canceled by role ..." where the message only says that somebody did */
static char *
cancel_message(bool timed_out, int timeout_ms)
{
	MemoryContext caller = CurrentMemoryContext;
	char	   *name = NULL;
	Oid			role = errand_cancelled_by();

	if (timed_out)
		return psprintf("the attempt took longer than its limit of %d ms", timeout_ms);
	StartTransactionCommand();
	if (OidIsValid(role))
		name = GetUserNameFromId(role, true);
	name = name == NULL ? NULL : MemoryContextStrdup(caller, name);
	CommitTransactionCommand();
	MemoryContextSwitchTo(caller);
	return name == NULL ? pstrdup("cancelled by a signal") :
		psprintf("cancelled by role \"%s\"", name);
}

/* Says what became of a run that failed. */
static void
judge_failure(Turn *turn, char *failure, int timeout_ms)
{
	JobOutcome *outcome = &turn->outcome;

	outcome->state = "failed";
	outcome->message = failure;
	if (outcome->sqlstate == ERRCODE_QUERY_CANCELED)
	{
		bool		timed_out = timeout_ms > 0 &&
		outcome->duration_ms >= timeout_ms &&
		!OidIsValid(errand_cancelled_by());

		if (!timed_out)
			outcome->state = "cancelled";
		outcome->message = cancel_message(timed_out, timeout_ms);
	}
	else if (worth_retrying(outcome->sqlstate) && may_try_again(turn->job))
		outcome->again_at = GetCurrentTimestamp() + retry_delay_us(turn->job);
	else if (outcome->sqlstate == ERRCODE_LOCK_NOT_AVAILABLE)
		outcome->state = "skipped";
}

static void
clean_up(Job *job)
{
	if (job->kind == NULL || job->kind->clean == NULL)
		return;
	job_progress("clearing away what the attempt left");
	job->kind->clean(job);
}

static void
run_job(Turn *turn)
{
	Job		   *job = turn->job;
	JobOutcome *outcome = &turn->outcome;
	int			timeout_ms;
	instr_time	started;
	instr_time	ended;
	char	   *failure;

	timeout_ms = job_option_time_ms(job, "timeout",
									(int) Min(setting_job_timeout_s * INT64CONST(1000),
											  PG_INT32_MAX));
	outcome->started_at = GetCurrentTimestamp();
	INSTR_TIME_SET_CURRENT(started);
	command_listen();
	failure = guard_run_top_level(step_run, turn, timeout_ms,
								  &outcome->sqlstate);
	command_reset();
	MemoryContextSwitchTo(turn->context);

	INSTR_TIME_SET_CURRENT(ended);
	INSTR_TIME_SUBTRACT(ended, started);
	outcome->duration_ms = INSTR_TIME_GET_MILLISEC(ended);
	outcome->ended_at = GetCurrentTimestamp();
	outcome->state = "done";
	if (failure != NULL)
	{
		clean_up(job);
		judge_failure(turn, failure, timeout_ms);
	}
	else
		outcome->again_at = job->again_at;
	outcome->output = command_heard();
}

/* Writes what became of the job; without that it would run again. */
static void
put_back(Turn *turn)
{
	char	   *failure;

	for (int try = 1;; try++)
	{
		/* whoever was told that it is cancelled does not expect it again */
		if (turn->outcome.again_at != 0 && OidIsValid(errand_cancelled_by()))
		{
			turn->outcome.again_at = 0;
			turn->outcome.state = "cancelled";
			turn->outcome.message = cancel_message(false, 0);
		}
		failure = guard_run("job", step_put_back, turn);
		if (failure == NULL)
			break;
		errand_note_error(failure);
		/* ends in back-off; the next runner finds the job interrupted */
		if (try == STORE_TRIES || errand_must_leave())
			proc_exit(0);
		(void) errand_wait(STORE_RETRY_MS);
	}
	errand_set_work(0);
	if (!turn->installed)
		errand_leave(false);
}

static void
begin_turn(Turn *turn)
{
	MemoryContext context = turn->context;

	MemoryContextReset(context);
	MemoryContextSwitchTo(context);
	memset(turn, 0, sizeof(Turn));
	turn->context = context;
}

/* Runs a step that takes a job; false if there is none to take. */
static bool
take(Turn *turn, GuardedStep step)
{
	char	   *failure = guard_run("jobs", step, turn);

	if (failure != NULL)
	{
		errand_note_error(failure);
		/* without taking leave: the launcher tries again later */
		proc_exit(0);
	}
	if (!turn->installed)
		errand_leave(false);
	return turn->job != NULL;
}

/* Does the job that is due next; false if none is. */
static bool
do_next(Turn *turn)
{
	begin_turn(turn);
	if (!take(turn, step_take))
		return false;
	run_job(turn);
	put_back(turn);
	return true;
}

/*
 * What an earlier runner had begun did not come to its end.  One whose row a
 * session has locked is left for the next look.
 */
static void
recover(Turn *turn)
{
	for (;;)
	{
		JobOutcome *outcome = &turn->outcome;

		begin_turn(turn);
		if (!take(turn, step_take_left))
			return;
		command_listen();
		clean_up(turn->job);
		outcome->output = command_heard();
		outcome->ended_at = GetCurrentTimestamp();
		outcome->duration_ms = -1;
		outcome->state = "interrupted";
		outcome->message = pstrdup("the server or the runner ended while the job ran");
		if (turn->job->kind != NULL && turn->job->kind->rerun_safe &&
			may_try_again(turn->job))
			outcome->again_at = outcome->ended_at;
		put_back(turn);
		if (errand_must_leave())
			errand_leave(true);
	}
}

void
runner_main(Datum arg)
{
	Turn		turn = {0};

	errand_begin(DatumGetObjectId(arg), ERRAND_RUNNER);
	turn.context = AllocSetContextCreate(TopMemoryContext, "dbmaint job",
										 ALLOCSET_DEFAULT_SIZES);
	for (;;)
	{
		bool		more = true;

		errand_attend();
		recover(&turn);
		while (more && !errand_must_leave())
			more = do_next(&turn);
		if (more)
			errand_leave(true);
		if (!errand_wait(errand_idle_ms()))
			errand_leave(false);
	}
}
