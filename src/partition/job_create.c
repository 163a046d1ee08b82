/*-------------------------------------------------------------------------
 *
 * job_create.c
 *		The kind "partition_create": makes what a policy wants.
 *
 * A CHECK on a default partition that is not used, as after a crash, is found
 * by the next run and brought to its end.
 *
 * src/partition/job_create.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "partition/job_step.h"
#include "utils/memutils.h"

/* What the steps of a run share. */
typedef struct CreateRun
{
	PolicyRun	base;
	int			made;			/* by the last step */
	char	   *blocked;		/* why one could not be made */
	bool		excluded;		/* there is a CHECK to validate */
} CreateRun;

static void
step_exclude(void *arg)
{
	CreateRun  *run = arg;
	Creation	creation = {.request = &run->base.policy.create};

	policy_step_begin(&run->base);
	run->excluded = run->base.found && attach_exclude(&creation);
}

static void
step_validate(void *arg)
{
	CreateRun  *run = arg;
	Creation	creation = {.request = &run->base.policy.create};

	policy_step_begin(&run->base);
	if (run->base.found && create_look(&creation) > 0)
		attach_validate(&creation);
}

static void
step_unexclude(void *arg)
{
	CreateRun  *run = arg;
	Creation	creation = {.request = &run->base.policy.create};

	policy_step_begin(&run->base);
	attach_unexclude(&creation);
}

static void
step_create(void *arg)
{
	CreateRun  *run = arg;
	Creation	creation = {.request = &run->base.policy.create};
	bool		refused;

	policy_step_begin(&run->base);
	run->made = 0;
	if (!run->base.found)
		return;
	/* rows are moved for one partition at a time, under a lock */
	if (run->base.policy.create.default_rows == DEFAULT_ROWS_MOVE)
		run->base.policy.create.most = 1;
	/* rows in the way of one partition are no reason to go without the others */
	refused = run->base.policy.create.default_rows == DEFAULT_ROWS_ERROR;
	if (refused)
		run->base.policy.create.default_rows = DEFAULT_ROWS_SKIP;
	if (create_look(&creation) == 0)
		return;
	create_partitions(&creation);
	for (int i = 0; i < creation.count; i++)
	{
		const Wanted *wanted = &creation.wanted[i];

		run->made += wanted->to_create;
		if (refused && wanted->in_default && run->blocked == NULL)
			run->blocked = MemoryContextStrdup(run->base.context, psprintf("\"%s\" was %s", wanted->name, wanted->status));
		if (wanted->slot.existing < 0 && wanted->status != NULL)
			job_say("%s: %s", wanted->name, wanted->status);
	}
}

void
partition_create_run(Job *job)
{
	CreateRun	run = {0};

	if (!policy_run_begin(&run.base, job))
		return;
	job_step(step_exclude, &run);
	if (run.excluded)
		job_step(step_validate, &run);
	do
	{
		CHECK_FOR_INTERRUPTS();
		job_step(step_create, &run);
	} while (run.made > 0 && run.base.policy.create.most > 0);
	if (run.excluded)
		job_step(step_unexclude, &run);
	if (run.blocked != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("partition %s", run.blocked),
				 errhint("create_future_partitions(..., default_rows => 'move') moves them; so does a policy that says so.")));
}

/* Rows of the range could not come in while the CHECK is there. */
void
partition_create_clean(Job *job)
{
	CreateRun	run = {.base = {.job = job,.context = CurrentMemoryContext}};

	job_step_clean(step_unexclude, &run);
}
