/*-------------------------------------------------------------------------
 *
 * recorder.c
 *		The last minutes in full: a ring of observations in shared memory.
 *
 * Idle sessions are left out, so that the ring holds the more of those that
 * do something.  Whom a session waits for is asked of the lock manager only
 * when somebody waits, and of a bounded number of sessions a tick, since the
 * answer takes every partition of the lock table for a moment.
 *
 * src/activity/recorder.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "activity/activity.h"
#include "funcapi.h"
#include "settings.h"
#include "shared.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#define TRANCHE_NAME "dbmaint_recorder"
#define MOST_BLOCKERS_A_TICK 32

typedef struct Recorder
{
	LWLock	   *lock;
	int64		capacity;
	int64		written;		/* so far; the ring holds the last of them */
	Observation ring[FLEXIBLE_ARRAY_MEMBER];
} Recorder;

PG_FUNCTION_INFO_V1(dbmaint_recorder);

static Recorder *recorder = NULL;

static int64
recorder_capacity(void)
{
	return setting_recorder_size_kb * INT64CONST(1024) / sizeof(Observation);
}

static Size
recorder_size(void)
{
	return add_size(offsetof(Recorder, ring),
					mul_size(recorder_capacity(), sizeof(Observation)));
}

void
recorder_shared_request(void)
{
	RequestAddinShmemSpace(recorder_size());
	RequestNamedLWLockTranche(TRANCHE_NAME, 1);
}

void
recorder_shared_attach(void)
{
	bool		found;

	recorder = ShmemInitStruct("dbmaint recorder", recorder_size(), &found);
	if (!found)
	{
		recorder->lock = &GetNamedLWLockTranche(TRANCHE_NAME)->lock;
		recorder->capacity = recorder_capacity();
		recorder->written = 0;
	}
}

/* The first of the processes that the waiting one waits for. */
static int
find_blocker(int pid)
{
	ArrayType  *pids = DatumGetArrayTypeP(DirectFunctionCall1(pg_blocking_pids,
															  Int32GetDatum(pid)));
	int			blocker = BLOCKER_UNKNOWN;

	if (ArrayGetNItems(ARR_NDIM(pids), ARR_DIMS(pids)) > 0)
		blocker = *(int32 *) ARR_DATA_PTR(pids);
	return blocker;
}

/*
 * Finds whom the first waiting sessions wait for.  The lock manager's answer is
 * large, and a tick has no transaction whose end would free it.
 */
static void
find_blockers(Observation *observations, int count)
{
	static MemoryContext context = NULL;
	MemoryContext old;
	int			asked = 0;

	if (context == NULL)
		context = AllocSetContextCreate(TopMemoryContext, "dbmaint recorder",
										ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	for (int i = 0; i < count && asked < MOST_BLOCKERS_A_TICK; i++)
	{
		if (WAIT_CLASS(observations[i].wait) != PG_WAIT_LOCK)
			continue;
		observations[i].blocked_by = find_blocker(observations[i].pid);
		MemoryContextReset(context);
		asked++;
	}
	MemoryContextSwitchTo(old);
}

void
recorder_write(Observation *observations, int count)
{
	if (recorder->capacity == 0)
		return;
	find_blockers(observations, count);

	LWLockAcquire(recorder->lock, LW_EXCLUSIVE);
	for (int i = 0; i < count; i++)
	{
		if (observations[i].state == ACTIVITY_IDLE)
			continue;
		recorder->ring[recorder->written % recorder->capacity] = observations[i];
		recorder->written++;
	}
	LWLockRelease(recorder->lock);
}

/* Copies what the ring holds, oldest first; returns the number. */
static int64
copy_ring(Observation *copy)
{
	int64		count;

	LWLockAcquire(recorder->lock, LW_SHARED);
	count = Min(recorder->written, recorder->capacity);
	for (int64 i = 0; i < count; i++)
		copy[i] = recorder->ring[(recorder->written - count + i) % recorder->capacity];
	LWLockRelease(recorder->lock);
	return count;
}

static void
put_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column] = text == NULL;

	if (text != NULL)
		values[column] = CStringGetTextDatum(text);
}

static void
put_observation(ReturnSetInfo *rsinfo, const Observation *o)
{
	Datum		values[11];
	bool		nulls[11] = {false};
	const char *type;
	const char *event;

	activity_wait_names(o->wait, &type, &event);

	values[0] = TimestampTzGetDatum(o->at);
	values[1] = Int32GetDatum(o->pid);
	values[2] = TimestampTzGetDatum(o->backend_start);
	put_text(values, nulls, 3, OidIsValid(o->database_oid) ?
			 get_database_name(o->database_oid) : NULL);
	put_text(values, nulls, 4, OidIsValid(o->user_oid) ?
			 GetUserNameFromId(o->user_oid, true) : NULL);
	put_text(values, nulls, 5, activity_state_name(o->state));
	values[6] = Int64GetDatum(o->query_id);
	nulls[6] = o->query_id == 0;
	put_text(values, nulls, 7, type);
	put_text(values, nulls, 8, event);
	values[9] = TimestampTzGetDatum(o->xact_start);
	nulls[9] = o->xact_start == 0;
	values[10] = Int32GetDatum(o->blocked_by);
	nulls[10] = o->blocked_by == BLOCKER_UNKNOWN;
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* SQL: dbmaint_recorder(last interval), see recorder.sql */
Datum
dbmaint_recorder(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz since = DT_NOBEGIN;
	Interval	none = {0};
	Interval	ages = {.month = 1000 * MONTHS_PER_YEAR};
	Observation *copy;
	int64		count;

	if (PG_ARGISNULL(0) ||
		DatumGetBool(DirectFunctionCall2(interval_le, PG_GETARG_DATUM(0), IntervalPGetDatum(&none))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("last must be a positive interval"),
				 errhint("For example: dbmaint_recorder('5 minutes').")));
	/* as dbmaint_time_before() has it: so far back a timestamp cannot */
	if (DatumGetBool(DirectFunctionCall2(interval_lt, PG_GETARG_DATUM(0), IntervalPGetDatum(&ages))))
		since = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_mi_interval,
														TimestampTzGetDatum(now),
														PG_GETARG_DATUM(0)));
	shared_require();

	InitMaterializedSRF(fcinfo, 0);
	if (recorder->capacity == 0)
		return (Datum) 0;
	copy = palloc(recorder->capacity * sizeof(Observation));
	count = copy_ring(copy);
	for (int64 i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (copy[i].at >= since)
			put_observation(rsinfo, &copy[i]);
	}
	pfree(copy);
	return (Datum) 0;
}
