/*-------------------------------------------------------------------------
 *
 * job_step.c
 *		What the kinds of jobs on partitioned tables share: their steps.
 *
 * src/partition/job_step.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_class.h"
#include "common/pg_prng.h"
#include "partition/job_step.h"
#include "settings.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "worker/errand.h"

/* The pause between two tries of a step. */
#define PAUSE_MS 250

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

/* A lock was not to be had. */
static bool
was_kept_out(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED;
}

/* The error of a try: it is raised, or there is a pause before another one. */
static void
pause_after(ErrorData *error)
{
	if (!was_kept_out(error) || errand_must_leave())
		ReThrowError(error);
	job_progress("waits for a lock: %s", error->message);
	FreeErrorData(error);
	(void) errand_wait((long) (PAUSE_MS * (0.5 + pg_prng_double(&pg_global_prng_state))));
}

bool
job_step_once(GuardedStep step, void *arg)
{
	ErrorData  *error = guard_try(step, arg);

	if (error != NULL)
	{
		pause_after(error);
		return false;
	}
	errand_set_progress(NULL);
	return true;
}

void
job_step(GuardedStep step, void *arg)
{
	TimestampTz begin = GetCurrentTimestamp();
	ErrorData  *error;

	while ((error = guard_try(step, arg)) != NULL)
	{
		if (TimestampDifferenceExceeds(begin, GetCurrentTimestamp(), STEP_WINDOW_MS))
			ReThrowError(error);
		pause_after(error);
	}
	errand_set_progress(NULL);
}

void
job_step_begin(void)
{
	SetConfigOption("lock_timeout", psprintf("%d", setting_max_lock_wait_ms), PGC_SUSET, PGC_S_SESSION);
}

/* A command for job_step_command(). */
typedef struct Command
{
	const char *sql;
	Oid			role;
	int			lock_timeout_ms;
} Command;

static void
run_command(void *arg)
{
	const Command *command = arg;

	command_run(command->sql, command->role, command->lock_timeout_ms);
}

bool
job_step_command(const char *sql, Oid role, int lock_timeout_ms)
{
	Command		command = {sql, role, lock_timeout_ms};
	ErrorData  *error = guard_try_command(run_command, &command);

	if (error == NULL)
		return true;
	command_reset();
	pause_after(error);
	return false;
}

/* A step with its argument, for guard_run_top_level(). */
typedef struct Cleaning
{
	GuardedStep step;
	void	   *arg;
} Cleaning;

static void
clean(void *arg)
{
	const Cleaning *cleaning = arg;

	job_step(cleaning->step, cleaning->arg);
}

void
job_step_clean(GuardedStep step, void *arg)
{
	Cleaning	cleaning = {step, arg};
	int			sqlstate;
	char	   *failure = guard_run_top_level(clean, &cleaning, 2 * STEP_WINDOW_MS, &sqlstate);

	command_reset();
	if (failure != NULL)
		job_say("Could not clear away: %s.", failure);
}

void
policy_step_begin(PolicyRun *run)
{
	Job		   *job = run->job;
	MemoryContext old = MemoryContextSwitchTo(run->context);

	job_step_begin();
	partition_check(job);
	run->found = policy_find(job->extension, job->target_oid, job->requester,
							 GetCurrentTimestamp(), &run->policy);
	MemoryContextSwitchTo(old);
}

static void
step_find(void *arg)
{
	policy_step_begin(arg);
}

bool
policy_run_begin(PolicyRun *run, Job *job)
{
	run->job = job;
	run->context = CurrentMemoryContext;
	job_step(step_find, run);
	if (!run->found)
		job_say("There is no policy for %s, or it is disabled: see dbmaint_set_partition_policy().", job->target);
	return run->found;
}
