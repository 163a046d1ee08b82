/*-------------------------------------------------------------------------
 *
 * enqueue.c
 *		Asking for jobs, and asking about them, from SQL.
 *
 * Every role may ask for jobs on what is its own, and nobody may write the
 * queue but through here: once the caller's right is established, the tables
 * are reached as superuser, by functions of ours that pin their search_path.
 *
 * src/job/enqueue.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "job/job.h"
#include "settings.h"
#include "step/query.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "worker/errand.h"

/* the names of all columns that a table may have fit */
#define OPTIONS_BYTES (160 * 1024)

PG_FUNCTION_INFO_V1(dbmaint_enqueue);
PG_FUNCTION_INFO_V1(dbmaint_cancel_job);
PG_FUNCTION_INFO_V1(dbmaint_job_progress);

/* Who called, while we are the superuser. */
typedef struct Caller
{
	Oid			role;
	int			context;
} Caller;

/* An error on the way ends this with the transaction. */
static void
become_superuser(Caller *caller)
{
	GetUserIdAndSecContext(&caller->role, &caller->context);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID,
						   caller->context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
}

static void
become_caller(const Caller *caller)
{
	SetUserIdAndSecContext(caller->role, caller->context);
}

static void
open_tables(Extension *extension)
{
	if (!job_open_tables(extension))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension dbmaint is not installed in this database")));
}

/*
 * The database has one runner for all: who is no superuser does not keep it for
 * longer than the setting says.
 */
static void
require_modest_timeout(const Job *job)
{
	int64		most_ms = setting_job_timeout_s * INT64CONST(1000);

	if (most_ms == 0 || superuser_arg(job->requester) ||
		job_option_time_ms(job, "timeout", 0) <= most_ms)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("only superusers may ask for a job that takes longer than dbmaint.job_timeout"),
			 errhint("Give a \"timeout\" of at most %d s, or have dbmaint.job_timeout raised.",
					 setting_job_timeout_s)));
}

/* Options are kept with the job, and with each attempt at it. */
static void
require_modest_size(const Job *job)
{
	if (VARSIZE(job->options) <= OPTIONS_BYTES)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("the options of a job are too long"),
			 errdetail("They take %zu bytes, and may take %d.",
					   (size_t) VARSIZE(job->options), OPTIONS_BYTES)));
}

int64
job_add(const Extension *extension, const Job *job)
{
	Oid			types[] = {TEXTOID, TEXTOID, OIDOID, JSONBOID, OIDOID, INT4OID};
	Datum		values[lengthof(types)];
	char		nulls[lengthof(types)];
	int64		job_id = 0;
	bool		isnull;

	memset(nulls, ' ', sizeof(nulls));
	values[0] = CStringGetTextDatum(job->kind->name);
	nulls[1] = job->target == NULL ? 'n' : ' ';
	values[1] = job->target == NULL ? (Datum) 0 : CStringGetTextDatum(job->target);
	values[2] = ObjectIdGetDatum(job->target_oid);
	values[3] = JsonbPGetDatum(job->options);
	values[4] = ObjectIdGetDatum(job->requester);
	values[5] = Int32GetDatum(setting_max_pending_jobs);

	if (query_begin(psprintf("SELECT %s.dbmaint_add_job($1, $2, $3, $4, $5, $6)",
							 extension->schema),
					lengthof(types), types, values, nulls) > 0)
		job_id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
											 SPI_tuptable->tupdesc, 1, &isnull));
	query_end();
	return job_id;
}

/* SQL: dbmaint_enqueue(kind text, target text, options jsonb) -> bigint */
Datum
dbmaint_enqueue(PG_FUNCTION_ARGS)
{
	Job			job = {.requester = GetUserId()};
	Extension	extension;
	Caller		caller;
	char	   *kind;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the kind of a job must not be null")));
	PreventCommandIfReadOnly("dbmaint_enqueue()");

	kind = text_to_cstring(PG_GETARG_TEXT_PP(0));
	job.kind = job_kind_find(kind);
	if (job.kind == NULL)
		job_refuse_kind(kind);
	if (!PG_ARGISNULL(1))
		job.target = text_to_cstring(PG_GETARG_TEXT_PP(1));
	job.options = PG_ARGISNULL(2) ?
		DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum("{}"))) :
		PG_GETARG_JSONB_P(2);
	require_modest_size(&job);
	job_check_options(&job);
	require_modest_timeout(&job);
	job.kind->check(&job);

	become_superuser(&caller);
	open_tables(&extension);
	job.job_id = job_add(&extension, &job);
	become_caller(&caller);

	errand_want_at_commit(ERRAND_RUNNER);
	PG_RETURN_INT64(job.job_id);
}

typedef enum JobState
{
	JOB_GONE,					/* or there never was one */
	JOB_PENDING,
	JOB_RUNNING
} JobState;

static JobState
find_job(const Extension *extension, int64 job_id, Oid *requester)
{
	Oid			type = INT8OID;
	Datum		value = Int64GetDatum(job_id);
	JobState	state = JOB_GONE;
	bool		isnull;

	*requester = InvalidOid;
	if (query_begin(psprintf("SELECT requester, waiting, running FROM %s.dbmaint_find_job($1)",
							 extension->schema), 1, &type, &value, NULL) > 0)
	{
		HeapTuple	row = SPI_tuptable->vals[0];
		TupleDesc	columns = SPI_tuptable->tupdesc;

		*requester = DatumGetObjectId(SPI_getbinval(row, columns, 1, &isnull));
		if (DatumGetBool(SPI_getbinval(row, columns, 2, &isnull)))
			state = JOB_PENDING;
		else if (DatumGetBool(SPI_getbinval(row, columns, 3, &isnull)))
			state = JOB_RUNNING;
	}
	query_end();
	return state;
}

/* Takes it out of the queue; false if it is not waiting there any more. */
static bool
drop_pending(const Extension *extension, int64 job_id, Oid role)
{
	Oid			types[] = {INT8OID, TEXTOID};
	Datum		values[] = {Int64GetDatum(job_id),
	CStringGetTextDatum(GetUserNameFromId(role, false))};
	bool		dropped = false;
	bool		isnull;

	if (query_begin(psprintf("SELECT %s.dbmaint_drop_pending_job($1, $2)",
							 extension->schema),
					lengthof(types), types, values, NULL) > 0)
		dropped = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0],
											 SPI_tuptable->tupdesc, 1, &isnull));
	query_end();
	return dropped;
}

/* SQL: dbmaint_cancel_job(job_id bigint) -> bool */
Datum
dbmaint_cancel_job(PG_FUNCTION_ARGS)
{
	int64		job_id = PG_GETARG_INT64(0);
	Extension	extension;
	Caller		caller;
	Oid			requester;
	JobState	state;
	bool		cancelled = false;

	PreventCommandIfReadOnly("dbmaint_cancel_job()");

	become_superuser(&caller);
	open_tables(&extension);
	state = find_job(&extension, job_id, &requester);
	if (!OidIsValid(requester))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no job " INT64_FORMAT, job_id)));
	if (!has_privs_of_role(caller.role, requester))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for job " INT64_FORMAT, job_id),
				 errdetail("Only the role that asked for it may cancel it, its members, and superusers.")));

	/* it may begin, or go back to the queue, while we look */
	for (int look = 0; look < 3 && !cancelled && state != JOB_GONE; look++)
	{
		if (state == JOB_PENDING)
			cancelled = drop_pending(&extension, job_id, caller.role);
		else
			cancelled = errand_cancel_work(MyDatabaseId, ERRAND_RUNNER, job_id,
										   caller.role);
		if (!cancelled)
			state = find_job(&extension, job_id, &requester);
	}
	become_caller(&caller);
	PG_RETURN_BOOL(cancelled);
}

/* SQL: dbmaint_job_progress(job_id bigint) -> (pid, progress, done_ratio) */
Datum
dbmaint_job_progress(PG_FUNCTION_ARGS)
{
	Oid			types[] = {INT8OID, INT4OID, TEXTOID, OIDOID};
	Datum		values[lengthof(types)];
	Datum		result[3] = {0};
	bool		nulls[3] = {true, true, true};
	char		said[LAST_ERROR_LENGTH];
	TupleDesc	columns;
	Extension	extension;
	Caller		caller;
	HeapTuple	row = NULL;
	MemoryContext context = CurrentMemoryContext;
	int			pid = errand_find_work(MyDatabaseId, ERRAND_RUNNER,
									   PG_GETARG_INT64(0), said);

	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	become_superuser(&caller);
	if (pid != 0 && history_find_extension(&extension))
	{
		values[0] = PG_GETARG_DATUM(0);
		values[1] = Int32GetDatum(pid);
		values[2] = CStringGetTextDatum(said);
		values[3] = ObjectIdGetDatum(caller.role);
		if (query_begin(psprintf("SELECT * FROM %s.dbmaint_progress_of_job($1, $2, $3, $4)",
								 extension.schema),
						lengthof(types), types, values, NULL) > 0)
		{
			MemoryContext old = MemoryContextSwitchTo(context);

			row = heap_copytuple(SPI_tuptable->vals[0]);
			heap_deform_tuple(row, SPI_tuptable->tupdesc, result, nulls);
			MemoryContextSwitchTo(old);
		}
		query_end();
	}
	become_caller(&caller);

	row = heap_form_tuple(BlessTupleDesc(columns), result, nulls);
	PG_RETURN_DATUM(HeapTupleGetDatum(row));
}
