/*-------------------------------------------------------------------------
 *
 * job_step.h
 *		What the kinds of jobs on partitioned tables share: their steps.
 *
 * Each step is a transaction of its own, so that no lock outlives its step,
 * and each leaves the set in order.  Where a lock is not to be had in a few
 * turns, the step ends, and begins again after a pause in which nothing is
 * held.
 *
 * src/partition/job_step.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_JOB_STEP_H
#define DBMAINT_JOB_STEP_H

#include "job/job.h"
#include "partition/policy.h"
#include "step/guard.h"

/*
 * How long a step is tried; and how long its locks are tried for in one try,
 * which may hold weak ones meanwhile.
 */
#define STEP_WINDOW_MS (60 * 1000)
#define STEP_TURNS_MS 1000

/* Runs a step until it went well, or its window is over. */
extern void job_step(GuardedStep step, void *arg);

/* Runs it once; false, after a pause, where a lock was not to be had. */
extern bool job_step_once(GuardedStep step, void *arg);

/* Called in a step: nothing in it waits for long but by polite_lock_all(). */
extern void job_step_begin(void);

/*
 * Runs one of the commands that make their own transactions, as the role;
 * false where a lock was not to be had, after a pause.  Locks: 0 waits as long
 * as the job may take.
 */
extern bool job_step_command(const char *command, Oid role, int lock_timeout_ms);

/* Runs a step after a job that failed; what fails in it is said alone. */
extern void job_step_clean(GuardedStep step, void *arg);

/* What steps of a policy's jobs share: its state, read anew in each. */
typedef struct PolicyRun
{
	Job		   *job;
	MemoryContext context;		/* of what outlives a step */
	Policy		policy;
	bool		found;			/* there is a policy */
} PolicyRun;

/* False, and says so, where there is no policy. */
extern bool policy_run_begin(PolicyRun *run, Job *job);

/* Begins a step: reads the policy, which may have changed, and the owner too. */
extern void policy_step_begin(PolicyRun *run);

#endif							/* DBMAINT_JOB_STEP_H */
