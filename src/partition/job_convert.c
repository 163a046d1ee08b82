/*-------------------------------------------------------------------------
 *
 * job_convert.c
 *		The kind "partition_table": makes a plain table a partitioned one.
 *
 * A try that ends early takes its CHECK away.  One that ends after the change
 * leaves a partitioned table, and the next goes on with the partitions.
 *
 * src/partition/job_convert.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_class.h"
#include "partition/convert.h"
#include "partition/create.h"
#include "partition/job_step.h"
#include "partition/split.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#define DEFAULT_PREMAKE 3

/* What the steps of a run share. */
typedef struct ConvertRun
{
	Job		   *job;
	MemoryContext context;		/* of what outlives a step */
	Conversion	conversion;
	bool		converted;		/* the table is a partition already */
	char	   *parent;			/* for SQL */
} ConvertRun;

static const char *const epochs[] = {"seconds", "milliseconds", "none", NULL};

const JobOption convert_options[] = {
	{"column", JOB_OPTION_TEXT, 0, 0, NULL},
	{"period", JOB_OPTION_TEXT, 0, 0, NULL},
	{"time_zone", JOB_OPTION_TEXT, 0, 0, NULL},
	{"epoch", JOB_OPTION_CHOICE, 0, 0, epochs},
	{"premake", JOB_OPTION_INT, 1, CREATE_MOST, NULL},
	{"split", JOB_OPTION_BOOL, 0, 0, NULL},
	{"drop_original", JOB_OPTION_BOOL, 0, 0, NULL},
	{"unique_per_partition", JOB_OPTION_BOOL, 0, 0, NULL},
	{NULL, JOB_OPTION_BOOL, 0, 0, NULL}
};

void
convert_job_check(Job *job)
{
	relation_check(job, "rmpiIfvS");
	if (!relation_owned_by(job->target_oid, job->requester))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of table %s", job->target)));
	if (job_option_text(job, "column") == NULL || job_option_text(job, "period") == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a job of kind \"%s\" needs the options \"column\" and \"period\"", job->kind->name),
				 errhint("dbmaint_partition_table() asks for such a job.")));
}

/* Begins a step: what is there is read anew, and may have been renamed. */
static void
step_begin(ConvertRun *run)
{
	MemoryContext old = MemoryContextSwitchTo(run->context);

	job_step_begin();
	convert_job_check(run->job);
	run->converted = get_rel_relispartition(run->job->target_oid);
	MemoryContextSwitchTo(old);
}

static void
step_check(void *arg)
{
	ConvertRun *run = arg;
	Conversion *conversion = &run->conversion;

	step_begin(run);
	if (run->converted)
		return;
	convert_look(conversion);
	convert_check(conversion);
}

static void
step_validate(void *arg)
{
	ConvertRun *run = arg;

	step_begin(run);
	if (!run->converted)
		convert_validate(&run->conversion);
}

static void
step_swap(void *arg)
{
	ConvertRun *run = arg;

	step_begin(run);
	if (!run->converted)
		convert_swap(&run->conversion);
}

static void
step_create(void *arg)
{
	ConvertRun *run = arg;
	Job		   *job = run->job;
	CreateRequest request = {0};
	Creation	creation = {.request = &request};

	step_begin(run);
	request.parent = split_parent(job->target_oid);
	request.extension_schema = job->extension->schema_oid;
	request.count = job_option_int(job, "premake", DEFAULT_PREMAKE);
	request.options = run->conversion.options;
	request.default_rows = DEFAULT_ROWS_SKIP;
	request.window_ms = STEP_TURNS_MS;
	request.at = GetCurrentTimestamp();
	request.caller = job->requester;
	if (create_look(&creation) > 0)
		create_partitions(&creation);
	run->parent = MemoryContextStrdup(run->context, creation.set->quoted);
	job_say("%s is partitioned; what it was is its partition %s.", run->parent, job->target);
}

static Jsonb *
split_job_options(const Job *job)
{
	const char *text = psprintf("{\"drop_original\": %s}", job_option_bool(job, "drop_original", false) ? "true" : "false");

	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
}

/* Dividing it is a job of its own: it takes longer, and may be tried again. */
static void
step_queue_split(void *arg)
{
	ConvertRun *run = arg;
	Job		   *job = run->job;
	Job			split = {.kind = job_kind_find("partition_split"),.requester = job->requester};

	step_begin(run);
	split.target = job->target;
	split.target_oid = job->target_oid;
	split.options = split_job_options(job);
	(void) job_add(job->extension, &split);
}

static void
read_options(ConvertRun *run)
{
	Job		   *job = run->job;
	Conversion *conversion = &run->conversion;

	conversion->table = job->target_oid;
	conversion->extension = job->extension;
	conversion->caller = job->requester;
	conversion->column = job_option_text(job, "column");
	conversion->options.period = job_option_text(job, "period");
	conversion->options.time_zone = job_option_text(job, "time_zone");
	conversion->options.epoch = job_option_text(job, "epoch");
	conversion->unique_per_partition = job_option_bool(job, "unique_per_partition", false);
	conversion->window_ms = STEP_TURNS_MS;
	conversion->at = GetCurrentTimestamp();
}

void
convert_run(Job *job)
{
	ConvertRun	run = {.job = job,.context = CurrentMemoryContext};

	read_options(&run);
	job_step(step_check, &run);
	job_progress("looks through %s", job->target);
	job_step(step_validate, &run);
	job_step(step_swap, &run);
	job_step(step_create, &run);
	if (job_option_bool(job, "split", true))
		job_step(step_queue_split, &run);
	else
		(void) job_step_command(psprintf("ANALYZE %s", run.parent), job->requester, 0);
}

static void
step_uncheck(void *arg)
{
	ConvertRun *run = arg;
	Oid			table = run->job->target_oid;

	job_step_begin();
	if (OidIsValid(get_rel_namespace(table)) && !get_rel_relispartition(table))
		convert_uncheck(table, STEP_TURNS_MS);
}

/* While the CHECK is there, rows beyond it are refused. */
void
convert_clean(Job *job)
{
	ConvertRun	run = {.job = job,.context = CurrentMemoryContext};

	job_step_clean(step_uncheck, &run);
}
