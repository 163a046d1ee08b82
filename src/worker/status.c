/*-------------------------------------------------------------------------
 *
 * status.c
 *		What the processes are doing, and one turn by hand, for SQL.
 *
 * src/worker/status.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "collect/collect.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "pool/pool.h"
#include "settings.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "worker/errand.h"
#include "worker/round.h"
#include "worker/worker.h"

#define STATUS_COLUMNS 11

PG_FUNCTION_INFO_V1(dbmaint_status);
PG_FUNCTION_INFO_V1(dbmaint_run_due);
PG_FUNCTION_INFO_V1(dbmaint_alerting);

static const char *
state_name(const DatabaseSlot *slot)
{
	switch (slot->state)
	{
		case DATABASE_UNKNOWN:
			return "unknown";
		case DATABASE_ABSENT:
			return "not installed";
		case DATABASE_STARTING:
			return "starting";
		case DATABASE_SAMPLING:
			return slot->failures > 0 ? "failing" : "sampling";
		case DATABASE_WAITING:
			return "waiting";
		case DATABASE_FAILING:
			return "failing";
	}
	return "unknown";
}

static void
put_launcher(ReturnSetInfo *rsinfo)
{
	Datum		values[STATUS_COLUMNS] = {0};
	bool		nulls[STATUS_COLUMNS];
	int			pid = shared_state->launcher_pid;
	const char *state = "running";

	if (pid == 0)
		state = "not running";
	else if (!setting_enabled)
		state = "disabled";
	else if (shared_state->no_room)
		state = "no worker slot";
	else if (shared_state->rotating)
		state = "rotating";

	memset(nulls, true, sizeof(nulls));
	values[0] = CStringGetTextDatum("launcher");
	values[3] = CStringGetTextDatum(state);
	values[6] = Int64GetDatum(shared_state->launcher_scans);
	nulls[0] = nulls[3] = nulls[6] = false;
	if (pid != 0)
	{
		values[1] = Int32GetDatum(pid);
		nulls[1] = false;
	}
	if (shared_state->launcher_scan_at != 0)
	{
		values[4] = TimestampTzGetDatum(shared_state->launcher_scan_at);
		nulls[4] = false;
	}
	if (latency_dropped() > 0)
	{
		values[8] = CStringGetTextDatum(psprintf(UINT64_FORMAT " statements were not measured, for want of room: raise dbmaint.max_databases",
												 latency_dropped()));
		nulls[8] = false;
	}
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * The message of another database's sampler is in that one's encoding: what is
 * not valid in ours becomes question marks.
 */
static Datum
message_datum(char *message)
{
	if (!pg_verifymbstr(message, strlen(message), true))
	{
		for (char *at = message; *at != '\0'; at++)
		{
			if (IS_HIGHBIT_SET(*at))
				*at = '?';
		}
	}
	return CStringGetTextDatum(message);
}

static void
put_sampler(ReturnSetInfo *rsinfo, DatabaseSlot *slot)
{
	Datum		values[STATUS_COLUMNS] = {0};
	bool		nulls[STATUS_COLUMNS] = {false};
	char	   *name = get_database_name(slot->database_oid);
	TimestampTz next = round_next_due(slot, GetCurrentTimestamp());

	values[0] = CStringGetTextDatum("sampler");
	values[1] = Int32GetDatum(slot->pid);
	nulls[1] = slot->pid == 0;
	if (name != NULL)
		values[2] = CStringGetTextDatum(name);
	nulls[2] = name == NULL;
	values[3] = CStringGetTextDatum(state_name(slot));
	values[4] = TimestampTzGetDatum(slot->last_round_at);
	nulls[4] = slot->last_round_at == 0;
	values[5] = Float8GetDatum(slot->last_round_cost_us / 1000.0);
	nulls[5] = slot->last_round_at == 0;
	values[6] = Int64GetDatum(slot->rounds);
	values[7] = Int64GetDatum(slot->errors);
	values[8] = message_datum(slot->last_error);
	nulls[8] = slot->last_error[0] == '\0';
	values[9] = TimestampTzGetDatum(next);
	values[10] = Int64GetDatum(slot->missed);
	nulls[9] = next == 0 || slot->state == DATABASE_ABSENT;
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static const char *
errand_state(const Errand *errand)
{
	if (errand->pid != 0)
		return errand->working_on != 0 ? "working" : "running";
	if (errand->starting)
		return "starting";
	if (errand->failures > 0)
		return "failing";
	return errand->wanted ? "waiting" : "done";
}

/* A row for an errand that was ever wanted; its rounds are its starts. */
static void
put_errand(ReturnSetInfo *rsinfo, DatabaseSlot *slot, ErrandKind kind)
{
	Errand	   *errand = &slot->errands[kind];
	Datum		values[STATUS_COLUMNS] = {0};
	bool		nulls[STATUS_COLUMNS] = {false};
	char	   *name = get_database_name(slot->database_oid);

	if (errand->pid == 0 && !errand->wanted && errand->starts == 0)
		return;

	values[0] = CStringGetTextDatum(errand_infos[kind].name);
	values[1] = Int32GetDatum(errand->pid);
	nulls[1] = errand->pid == 0;
	if (name != NULL)
		values[2] = CStringGetTextDatum(name);
	nulls[2] = name == NULL;
	values[3] = CStringGetTextDatum(errand_state(errand));
	values[4] = TimestampTzGetDatum(errand->started_at);
	nulls[4] = errand->started_at == 0;
	nulls[5] = true;
	values[6] = Int64GetDatum(errand->starts);
	values[7] = Int64GetDatum(errand->errors);
	values[8] = message_datum(errand->last_error);
	nulls[8] = errand->last_error[0] == '\0';
	values[9] = TimestampTzGetDatum(errand->retry_at);
	nulls[9] = errand->retry_at == 0 || errand->pid != 0;
	nulls[10] = true;
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* PgBouncer is no process of ours, but what we do with it can fail, too. */
static void
put_pool(ReturnSetInfo *rsinfo)
{
	Datum		values[STATUS_COLUMNS] = {0};
	bool		nulls[STATUS_COLUMNS] = {false};
	PoolStatus	status;

	if (setting_pgbouncer_conninfo[0] == '\0' || !pool_status(&status))
		return;
	nulls[1] = nulls[2] = true;
	values[0] = CStringGetTextDatum("pool");
	values[3] = CStringGetTextDatum(pool_reason_name(status.reason));
	values[4] = TimestampTzGetDatum(status.read_at);
	nulls[4] = status.read_at == 0;
	values[5] = Float8GetDatum(status.cost_us / 1000.0);
	nulls[5] = status.tried_at == 0;
	values[6] = Int64GetDatum(status.readings);
	values[7] = Int64GetDatum(status.errors);
	nulls[8] = status.message[0] == '\0';
	if (!nulls[8])
		values[8] = CStringGetTextDatum(pool_text(status.message));
	nulls[9] = nulls[10] = true;
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* SQL: dbmaint_status(), see worker.sql */
Datum
dbmaint_status(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	DatabaseSlot *copy;

	InitMaterializedSRF(fcinfo, 0);
	if (shared_state == NULL)
		return (Datum) 0;

	put_launcher(rsinfo);
	copy = palloc_object(DatabaseSlot);
	for (int i = 0; i < shared_state->slot_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		LWLockAcquire(shared_state->lock, LW_SHARED);
		memcpy(copy, &shared_state->slots[i], offsetof(DatabaseSlot, samples));
		LWLockRelease(shared_state->lock);
		if (!OidIsValid(copy->database_oid))
			continue;
		put_sampler(rsinfo, copy);
		for (int kind = 0; kind < ERRAND_KINDS; kind++)
			put_errand(rsinfo, copy, kind);
	}
	put_pool(rsinfo);
	return (Datum) 0;
}

/* SQL: dbmaint_alerting(), see worker.sql */
Datum
dbmaint_alerting(PG_FUNCTION_ARGS)
{
	TupleDesc	columns;
	DatabaseSlot *slot;
	Datum		values[7] = {0};
	bool		nulls[7];
	char		failure[LAST_ERROR_LENGTH] = "";

	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	memset(nulls, true, sizeof(nulls));
	if (shared_state != NULL)
	{
		LWLockAcquire(shared_state->lock, LW_SHARED);
		slot = shared_slot_find(MyDatabaseId);
		if (slot != NULL && slot->alert_at != 0)
		{
			values[0] = TimestampTzGetDatum(slot->alert_at);
			values[1] = Int32GetDatum(slot->alert_rules);
			values[2] = Int32GetDatum(slot->alert_series);
			values[3] = Int32GetDatum(slot->alert_pending);
			values[4] = Int32GetDatum(slot->alert_firing);
			values[5] = Float8GetDatum(slot->alert_judged_ms);
			memset(nulls, false, sizeof(nulls));
			strlcpy(failure, slot->alert_failure, sizeof(failure));
		}
		LWLockRelease(shared_state->lock);
	}
	values[6] = message_datum(failure);
	nulls[6] = failure[0] == '\0';
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns),
													  values, nulls)));
}

/*
 * Takes the database's slot for a turn by hand.  Two sessions that try at the
 * same time are told apart by an advisory lock, which their transactions keep.
 */
static DatabaseSlot *
claim_slot(void)
{
	LOCKTAG		tag;
	DatabaseSlot *slot;
	bool		busy;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0x64626d61, 0x696e74, 2);
	busy = LockAcquire(&tag, ExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL;

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	slot = shared_slot_claim(MyDatabaseId);
	busy = busy || (slot != NULL && slot->pid != 0);
	LWLockRelease(shared_state->lock);

	if (busy)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("database \"%s\" is being sampled by another process",
						get_database_name(MyDatabaseId)),
				 errhint("Set dbmaint.enabled to off, reload the configuration, and try again.")));
	if (slot == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("dbmaint has no room for more than %d databases",
						shared_state->slot_count),
				 errhint("Raise dbmaint.max_databases and restart the server.")));
	return slot;
}

static void
put_step(ReturnSetInfo *rsinfo, const char *step, const char *status)
{
	Datum		values[2];
	bool		nulls[2] = {false};

	values[0] = CStringGetTextDatum(step);
	values[1] = CStringGetTextDatum(status);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* SQL: dbmaint_run_due(at timestamptz) -> (collector, status) */
Datum
dbmaint_run_due(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	RoundReport report;

	if (PG_ARGISNULL(0) || TIMESTAMP_NOT_FINITE(PG_GETARG_TIMESTAMPTZ(0)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the time of a round must be a finite time"),
				 errhint("For example: dbmaint_run_due(now()).")));
	shared_require();

	InitMaterializedSRF(fcinfo, 0);
	round_run(claim_slot(), PG_GETARG_TIMESTAMPTZ(0), &report);

	for (int c = 0; c < collector_count; c++)
	{
		if (report.status[c] != NULL)
			put_step(rsinfo, collectors[c].name, report.status[c]);
	}
	if (report.series_failure != NULL)
		put_step(rsinfo, "dbmaint_series_samples", report.series_failure);
	if (report.failure != NULL)
		put_step(rsinfo, "performance_metrics", report.failure);
	if (report.alert_failure != NULL)
		put_step(rsinfo, "alerts", report.alert_failure);
	if (report.rolled_up > 0)
		put_step(rsinfo, "roll-up",
				 psprintf("rolled up " INT64_FORMAT " hours and days",
						  report.rolled_up));
	if (report.roll_up_failure != NULL)
		put_step(rsinfo, "roll-up", report.roll_up_failure);
	if (report.expired > 0)
		put_step(rsinfo, "history",
				 psprintf("expired " INT64_FORMAT " rows", report.expired));
	if (report.expiry_failure != NULL)
		put_step(rsinfo, "history", report.expiry_failure);
	return (Datum) 0;
}
