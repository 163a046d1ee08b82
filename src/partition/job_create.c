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

#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "partition/job_step.h"
#include "partition/move.h"
#include "partition/owner.h"
#include "partition/split.h"
#include "settings.h"
#include "step/query.h"
#include "utils/memutils.h"

/* So many are scanned in a millisecond, on a machine of these days. */
#define PAGES_A_MS 50

/* What the steps of a run share. */
typedef struct CreateRun
{
	PolicyRun	base;
	int			made;			/* by the last step */
	char	   *blocked;		/* why one could not be made */
	bool		excluded;		/* there is a CHECK to validate */
	bool		many;			/* a range has many rows in the default
								 * partition */
	bool		split;			/* which is to be split for them */
	bool		cannot_split;
	char	   *cannot_move;	/* why its rows cannot be moved, either */
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

static bool
cannot_move(CreateRun *run)
{
	Oid			parent = run->base.policy.create.parent;
	Oid			partition = get_default_partition_oid(parent);
	char	   *obstacle = OidIsValid(partition) ? move_obstacle(owner_of(parent), partition) : NULL;

	run->cannot_move = obstacle == NULL ? NULL : MemoryContextStrdup(run->base.context, obstacle);
	return obstacle != NULL;
}

/*
 * What becomes of rows of the default partition: of a few under a lock, for one
 * partition at a time; many are left for a split, where that can be.  Rows in
 * the way of one partition are no reason to go without the others, and nor is
 * the present, which no CHECK can exclude beforehand.
 */
static void
choose_rows(CreateRun *run)
{
	CreateRequest *request = &run->base.policy.create;

	request->scan_pages = setting_max_lock_wait_ms * PAGES_A_MS;
	if (request->default_rows == DEFAULT_ROWS_ERROR || run->split)
		request->default_rows = DEFAULT_ROWS_SKIP;
	else if (request->default_rows == DEFAULT_ROWS_MOVE && !run->cannot_split)
	{
		request->most = 1;
		request->default_rows = DEFAULT_ROWS_MOVE_FEW;
	}
	else if (request->default_rows == DEFAULT_ROWS_MOVE && cannot_move(run))
		request->default_rows = DEFAULT_ROWS_SKIP;
	else if (request->default_rows == DEFAULT_ROWS_MOVE)
	{
		request->most = 1;
		request->scan_pages = 0;
	}
}

static void
step_create(void *arg)
{
	CreateRun  *run = arg;
	CreateRequest *request = &run->base.policy.create;
	Creation	creation = {.request = request};
	bool		refused;

	policy_step_begin(&run->base);
	run->made = 0;
	run->many = false;
	if (!run->base.found)
		return;
	refused = request->default_rows == DEFAULT_ROWS_ERROR;
	choose_rows(run);
	if (create_look(&creation) == 0)
		return;
	create_partitions(&creation);
	for (int i = 0; i < creation.count; i++)
	{
		const Wanted *wanted = &creation.wanted[i];

		run->made += wanted->to_create;
		if ((refused || run->cannot_move != NULL) && wanted->in_default && run->blocked == NULL)
			run->blocked = MemoryContextStrdup(run->base.context, psprintf("\"%s\" was %s", wanted->name, wanted->status));
		run->many |= wanted->in_default && request->default_rows == DEFAULT_ROWS_MOVE_FEW;
		if (wanted->slot.existing < 0 && wanted->status != NULL && !run->many)
			job_say("%s: %s", wanted->name, wanted->status);
	}
}

/* The default partition; InvalidOid if there is none any more. */
static Oid
find_default(CreateRun *run)
{
	policy_step_begin(&run->base);
	return run->base.found ? get_default_partition_oid(run->base.policy.create.parent) : InvalidOid;
}

static void
step_find_obstacle(void *arg)
{
	CreateRun  *run = arg;

	if (OidIsValid(find_default(run)))
		(void) cannot_move(run);
}

/* Raises an error where it cannot be split. */
static void
step_plan_split(void *arg)
{
	CreateRun  *run = arg;
	Job		   *job = run->base.job;
	Split		split = {.extension_schema = job->extension->schema_oid,.caller = job->requester};

	split.partition = find_default(run);
	if (OidIsValid(split.partition))
		split_plan(&split);
}

static void
step_queue_split(void *arg)
{
	CreateRun  *run = arg;
	Job		   *job = run->base.job;
	Oid			partition = find_default(run);
	Oid			types[] = {OIDOID, OIDOID, INT4OID};
	Datum		values[lengthof(types)];
	HeapTuple	row;

	if (!OidIsValid(partition))
		return;
	values[0] = ObjectIdGetDatum(partition);
	values[1] = ObjectIdGetDatum(job->requester);
	values[2] = Int32GetDatum(setting_max_pending_jobs);
	query_begin(psprintf("SELECT %s.dbmaint_queue_partition_split($1, $2, $3)", job->extension->schema),
				lengthof(types), types, values, NULL);
	row = SPI_tuptable->vals[0];
	job_say("Default partition %s holds many rows of new partitions: %s.", set_quoted_name(partition),
			SPI_getvalue(row, SPI_tuptable->tupdesc, 1));
	query_end();
}

/*
 * Many rows under a lock would stop everybody: they are left for a job that
 * splits the default partition, and so are those that cannot be moved.  Where
 * that is refused they are moved all the same, as the policy says, or stay.
 */
static void
leave_many(CreateRun *run)
{
	ErrorData  *error = guard_try(step_plan_split, run);

	if (error == NULL)
	{
		run->split = true;
		job_step(step_queue_split, run);
		return;
	}
	if (error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE || error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		ReThrowError(error);
	run->cannot_split = true;
	job_step(step_find_obstacle, run);
	job_say("%s: %s (%s)", run->cannot_move != NULL ? "Rows are neither moved nor left to a split" : "Many rows are moved under a lock",
			error->message, error->detail ? error->detail : "-");
	FreeErrorData(error);
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
		if (run.many)
			leave_many(&run);
	} while (run.many || (run.made > 0 && run.base.policy.create.most > 0));
	if (run.excluded)
		job_step(step_unexclude, &run);
	if (run.blocked != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("partition %s", run.blocked),
				 run.cannot_move != NULL ? errdetail("%s", run.cannot_move) :
				 errhint("create_future_partitions(..., default_rows => 'move') moves such rows, and scans a default partition of any size; so does a policy that says so.")));
}

/* Rows of the range could not come in while the CHECK is there. */
void
partition_create_clean(Job *job)
{
	CreateRun	run = {.base = {.job = job,.context = CurrentMemoryContext}};

	job_step_clean(step_unexclude, &run);
}
