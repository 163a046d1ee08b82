/*-------------------------------------------------------------------------
 *
 * store.c
 *		The runner's way to the tables of jobs; the SQL is in job.sql.
 *
 * All are called inside a step (step/guard.h).
 *
 * src/job/store.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "job/job.h"
#include "step/query.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/elog.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

bool
job_open_tables(Extension *extension)
{
	if (!history_find_extension(extension))
		return false;

	/*
	 * DROP EXTENSION locks this first, and then the tables in an order of its
	 * own: whoever comes second waits here, with no lock on any table.
	 */
	LockDatabaseObject(ExtensionRelationId, extension->oid, 0, AccessShareLock);
	AcceptInvalidationMessages();
	if (!history_find_extension(extension))
		return false;
	history_require_version(extension);
	return history_lock(extension, "dbmaint_job_queue") &&
		history_lock(extension, "dbmaint_job_attempts");
}

/* The columns of the queue that a job is made of, by name. */
static Datum
column(const char *name, bool *isnull)
{
	int			number = SPI_fnumber(SPI_tuptable->tupdesc, name);

	if (number <= 0)
		elog(ERROR, "a job has no column \"%s\"", name);
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, number,
						 isnull);
}

static Job *
read_job(Extension *extension)
{
	Job		   *job = palloc0_object(Job);
	bool		isnull;
	Datum		value;

	job->extension = extension;
	job->job_id = DatumGetInt64(column("job_id", &isnull));
	job->kind = job_kind_find(TextDatumGetCString(column("kind", &isnull)));
	job->attempt = DatumGetInt32(column("attempts", &isnull)) -
		DatumGetInt32(column("attempts_before", &isnull));
	job->target_oid = DatumGetObjectId(column("target_oid", &isnull));
	value = column("target", &isnull);
	if (!isnull)
		job->target = TextDatumGetCString(value);
	job->options = DatumGetJsonbPCopy(column("options", &isnull));
	job->requester = DatumGetObjectId(column("requester", &isnull));
	job->requested_by = TextDatumGetCString(column("requested_by", &isnull));
	value = column("journal", &isnull);
	if (!isnull)
		job->journal = DatumGetJsonbPCopy(value);
	return job;
}

/* Calls a function of ours that returns one row of the queue, or none. */
static Job *
take(Extension *extension, const char *sql, int nargs, Oid *types, Datum *values)
{
	MemoryContext context = CurrentMemoryContext;
	Job		   *job = NULL;

	if (query_begin(sql, nargs, types, values, NULL) > 0)
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		job = read_job(extension);
		MemoryContextSwitchTo(old);
	}
	query_end();
	return job;
}

Job *
job_take(Extension *extension, TimestampTz at)
{
	Oid			type = TIMESTAMPTZOID;
	Datum		value = TimestampTzGetDatum(at);

	return take(extension, psprintf("SELECT * FROM %s.dbmaint_take_job($1)",
									extension->schema), 1, &type, &value);
}

Job *
job_take_left(Extension *extension)
{
	return take(extension, psprintf("SELECT * FROM %s.dbmaint_take_left_job()",
									extension->schema), 0, NULL, NULL);
}

void
job_keep_journal(const Job *job)
{
	Oid			types[] = {INT8OID, JSONBOID};
	Datum		values[] = {Int64GetDatum(job->job_id),
	JsonbPGetDatum(job->journal)};

	query_begin(psprintf("SELECT %s.dbmaint_keep_job_journal($1, $2)",
						 job->extension->schema),
				lengthof(types), types, values, NULL);
	query_end();
}

static void
set_text(Datum *value, char *null, const char *text)
{
	*null = text == NULL ? 'n' : ' ';
	*value = text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

void
job_put_back(const Job *job, const JobOutcome *outcome)
{
	Oid			types[] = {INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
		TIMESTAMPTZOID, TIMESTAMPTZOID, FLOAT8OID, TIMESTAMPTZOID,
	TEXTOID};
	Datum		values[lengthof(types)];
	char		nulls[lengthof(types)];

	memset(nulls, ' ', sizeof(nulls));
	values[0] = Int64GetDatum(job->job_id);
	set_text(&values[1], &nulls[1], outcome->state);
	set_text(&values[2], &nulls[2],
			 outcome->sqlstate == 0 ? NULL : unpack_sql_state(outcome->sqlstate));
	set_text(&values[3], &nulls[3], outcome->message);
	set_text(&values[4], &nulls[4], outcome->output);
	values[5] = TimestampTzGetDatum(outcome->started_at);
	nulls[5] = outcome->started_at == 0 ? 'n' : ' ';
	values[6] = TimestampTzGetDatum(outcome->ended_at);
	values[7] = Float8GetDatum(outcome->duration_ms);
	nulls[7] = outcome->duration_ms < 0 ? 'n' : ' ';
	values[8] = TimestampTzGetDatum(outcome->again_at);
	nulls[8] = outcome->again_at == 0 ? 'n' : ' ';
	set_text(&values[9], &nulls[9], job->target);

	query_begin(psprintf("SELECT %s.dbmaint_put_back_job($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
						 job->extension->schema),
				lengthof(types), types, values, nulls);
	query_end();
}
