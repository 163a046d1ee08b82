/*-------------------------------------------------------------------------
 *
 * activity.c
 *		Counts what sessions do, tick by tick, into rows of the history.
 *
 * src/activity/activity.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "activity/activity.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "settings.h"
#include "step/query.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#define TRANCHE_NAME "dbmaint_activity"

/* A row has that many different counts; the last of them are kept for those
 * that found no room under their own query id. */
#define ROW_COUNTS 4096
#define ROW_RESERVED 512
#define ROW_BUCKETS (2 * ROW_COUNTS)
#define ROWS 3

typedef struct ActivityKey
{
	int64		query_id;		/* 0: unknown, or no room */
	Oid			database_oid;
	uint32		wait;
	int32		state;
	int32		unused;			/* no padding: the key is hashed as bytes */
} ActivityKey;

typedef struct ActivityCount
{
	ActivityKey key;
	int32		count;
} ActivityCount;

typedef struct ActivityRow
{
	TimestampTz from_at;		/* 0: the row is free */
	TimestampTz to_at;
	bool		finished;		/* waits to be stored */
	int			samples;
	int			used;			/* of counts */
	int64		dropped;		/* observations without a count of their own */
	uint16		buckets[ROW_BUCKETS];	/* index of a count + 1; 0: none */
	ActivityCount counts[ROW_COUNTS];
} ActivityRow;

typedef struct ActivityShared
{
	LWLock	   *lock;
	pg_atomic_uint64 last_tick; /* its number on the grid */
	ActivityRow rows[ROWS];
} ActivityShared;

const int	connections_interval_s = 3600;

PG_FUNCTION_INFO_V1(dbmaint_sample_activity);

static ActivityShared *activity = NULL;

void
activity_shared_request(void)
{
	RequestAddinShmemSpace(sizeof(ActivityShared));
	RequestNamedLWLockTranche(TRANCHE_NAME, 1);
	recorder_shared_request();
}

void
activity_shared_attach(void)
{
	bool		found;

	activity = ShmemInitStruct("dbmaint activity", sizeof(ActivityShared), &found);
	if (!found)
	{
		memset(activity, 0, sizeof(ActivityShared));
		activity->lock = &GetNamedLWLockTranche(TRANCHE_NAME)->lock;
		pg_atomic_init_u64(&activity->last_tick, 0);
	}
	recorder_shared_attach();
}

const char *
activity_state_name(ActivityState state)
{
	static const char *const names[] = {
		[ACTIVITY_ACTIVE] = "active",
		[ACTIVITY_IDLE] = "idle",
		[ACTIVITY_IDLE_IN_TRANSACTION] = "idle in transaction",
		[ACTIVITY_IDLE_IN_TRANSACTION_ABORTED] = "idle in transaction (aborted)",
		[ACTIVITY_FASTPATH] = "fastpath function call",
		[ACTIVITY_DISABLED] = "disabled",
	};

	return names[state];
}

void
activity_wait_names(uint32 wait, const char **type, const char **event)
{
	*type = wait == 0 ? NULL : pgstat_get_wait_event_type(wait);
	*event = wait == 0 ? NULL : pgstat_get_wait_event(wait);
}

/* Starts a row at the time; the oldest finished one gives way if need be. */
static ActivityRow *
begin_row(TimestampTz at)
{
	TimestampTz length = setting_activity_history_interval_s * USECS_PER_SEC;
	ActivityRow *row = &activity->rows[0];
	int64		dropped = 0;

	for (int i = 1; i < ROWS; i++)
	{
		if (activity->rows[i].from_at < row->from_at)
			row = &activity->rows[i];
	}
	for (int i = 0; i < row->used; i++)
		dropped += row->counts[i].count;

	memset(row, 0, offsetof(ActivityRow, counts));
	row->from_at = at - at % length;
	row->to_at = row->from_at + length;
	row->dropped = dropped;
	return row;
}

/*
 * The row that fills, NULL if there is none.  Finishes one whose time is over,
 * which a shorter interval may make earlier than when it began.
 */
static ActivityRow *
current_row(TimestampTz at)
{
	TimestampTz length = setting_activity_history_interval_s * USECS_PER_SEC;

	for (int i = 0; i < ROWS; i++)
	{
		ActivityRow *row = &activity->rows[i];

		if (row->from_at == 0 || row->finished)
			continue;
		/* the clock may have been set back */
		if (at >= row->from_at && at < Min(row->to_at, row->from_at + length))
			return row;
		if (at >= row->from_at && at < row->to_at)
			row->to_at = at - at % length;
		row->finished = true;
	}
	return NULL;
}

/* Returns the key's count, a new one if it has none; NULL if there is no room. */
static ActivityCount *
find_count(ActivityRow *row, const ActivityKey *key)
{
	uint32		bucket = hash_bytes((const unsigned char *) key, sizeof(ActivityKey));
	int			room = key->query_id == 0 ? ROW_COUNTS : ROW_COUNTS - ROW_RESERVED;

	/* there are more buckets than counts, so the search ends */
	for (;; bucket++)
	{
		uint16	   *index = &row->buckets[bucket % ROW_BUCKETS];
		ActivityCount *count;

		if (*index == 0)
		{
			if (row->used >= room)
				return NULL;
			count = &row->counts[row->used++];
			count->key = *key;
			count->count = 0;
			*index = row->used;
			return count;
		}
		count = &row->counts[*index - 1];
		if (memcmp(&count->key, key, sizeof(ActivityKey)) == 0)
			return count;
	}
}

static void
count_observation(ActivityRow *row, const Observation *o)
{
	ActivityKey key = {0};
	ActivityCount *count;

	key.query_id = o->query_id;
	key.database_oid = o->database_oid;
	key.state = o->state;
	/* who is not active waits for his client, by definition */
	if (o->state == ACTIVITY_ACTIVE || o->state == ACTIVITY_FASTPATH)
		key.wait = o->wait;

	count = find_count(row, &key);
	if (count == NULL)
	{
		row->dropped++;
		key.query_id = 0;
		count = find_count(row, &key);
	}
	if (count != NULL)
		count->count++;
}

/* Looks at all sessions once; returns how many there were. */
static int
take_sample(TimestampTz at)
{
	Observation *observations;
	ActivityRow *row;
	int			count = activity_observe(at, &observations);

	LWLockAcquire(activity->lock, LW_EXCLUSIVE);
	row = current_row(at);
	if (row == NULL)
		row = begin_row(at);
	row->samples++;
	for (int i = 0; i < count; i++)
		count_observation(row, &observations[i]);
	LWLockRelease(activity->lock);

	recorder_write(observations, count);
	return count;
}

TimestampTz
activity_next_tick(TimestampTz now)
{
	TimestampTz interval = setting_activity_interval_ms * INT64CONST(1000);

	if (interval == 0)
		return DT_NOEND;
	if (pg_atomic_read_u64(&activity->last_tick) != (uint64) (now / interval))
		return now;
	return (now / interval + 1) * interval;
}

void
activity_tick(TimestampTz now)
{
	TimestampTz interval = setting_activity_interval_ms * INT64CONST(1000);
	uint64		last = pg_atomic_read_u64(&activity->last_tick);

	/* two samplers may both think that theirs is the home database */
	if (interval != 0 && last != (uint64) (now / interval) &&
		pg_atomic_compare_exchange_u64(&activity->last_tick, &last,
									   now / interval))
		(void) take_sample(now);
}

/* SQL: dbmaint_sample_activity(at timestamptz), see activity.sql */
Datum
dbmaint_sample_activity(PG_FUNCTION_ARGS)
{
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(0);

	if (TIMESTAMP_NOT_FINITE(at) || at <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the time of a tick must be a finite time after 2000"),
				 errhint("For example: dbmaint_sample_activity(now()).")));
	shared_require();
	PG_RETURN_INT32(take_sample(at));
}

/* The oldest finished row, copied; false if there is none. */
static bool
copy_finished(TimestampTz at, ActivityRow *copy)
{
	ActivityRow *oldest = NULL;

	LWLockAcquire(activity->lock, LW_EXCLUSIVE);
	(void) current_row(at);
	for (int i = 0; i < ROWS; i++)
	{
		ActivityRow *row = &activity->rows[i];

		if (row->finished && (oldest == NULL || row->from_at < oldest->from_at))
			oldest = row;
	}
	if (oldest != NULL)
		memcpy(copy, oldest, offsetof(ActivityRow, counts) +
			   oldest->used * sizeof(ActivityCount));
	LWLockRelease(activity->lock);
	return oldest != NULL;
}

/* Frees the row that was stored, unless it has given way meanwhile. */
static void
free_stored(const ActivityRow *stored)
{
	LWLockAcquire(activity->lock, LW_EXCLUSIVE);
	for (int i = 0; i < ROWS; i++)
	{
		ActivityRow *row = &activity->rows[i];

		if (row->finished && row->from_at == stored->from_at)
			memset(row, 0, offsetof(ActivityRow, counts));
	}
	LWLockRelease(activity->lock);
}

static Datum
text_or_null(const char *text, bool *isnull)
{
	*isnull = text == NULL;
	return text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

/* Hands a row to dbmaint_store_activity(), as parallel arrays. */
static void
store_row(const char *schema, const ActivityRow *row)
{
	static const Oid elements[6] = {OIDOID, INT8OID, TEXTOID, TEXTOID, TEXTOID, INT4OID};
	Oid			types[10] = {TIMESTAMPTZOID, TIMESTAMPTZOID, INT4OID, INT8OID};
	Datum		values[10];
	Datum	   *columns[6];
	bool	   *nulls[6];

	for (int c = 0; c < 6; c++)
	{
		columns[c] = palloc0_array(Datum, row->used + 1);
		nulls[c] = palloc0_array(bool, row->used + 1);
	}
	for (int i = 0; i < row->used; i++)
	{
		const ActivityCount *count = &row->counts[i];
		const char *type;
		const char *event;

		activity_wait_names(count->key.wait, &type, &event);
		columns[0][i] = ObjectIdGetDatum(count->key.database_oid);
		columns[1][i] = Int64GetDatum(count->key.query_id);
		columns[2][i] = CStringGetTextDatum(activity_state_name(count->key.state));
		columns[3][i] = text_or_null(type, &nulls[3][i]);
		columns[4][i] = text_or_null(event, &nulls[4][i]);
		columns[5][i] = Int32GetDatum(count->count);
	}

	values[0] = TimestampTzGetDatum(row->from_at);
	values[1] = TimestampTzGetDatum(row->to_at);
	values[2] = Int32GetDatum(row->samples);
	values[3] = Int64GetDatum(row->dropped);
	for (int c = 0; c < 6; c++)
	{
		types[4 + c] = get_array_type(elements[c]);
		values[4 + c] = query_array(columns[c], nulls[c], row->used, elements[c]);
	}
	query_begin(psprintf("SELECT %s.dbmaint_store_activity($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)", schema),
				10, types, values, NULL);
	query_end();
}

void
collect_activity_history(Collection *collection)
{
	ActivityRow *row = palloc_object(ActivityRow);

	/* at most as many as there are, whatever another process finishes */
	for (int i = 0; i < ROWS && copy_finished(collection->at, row); i++)
	{
		store_row(collection->schema, row);
		free_stored(row);
	}
	pfree(row);
}

void
collect_connections(Collection *collection)
{
	Oid			type = TIMESTAMPTZOID;
	Datum		value = TimestampTzGetDatum(collection->at);

	query_begin(psprintf("SELECT %s.dbmaint_store_connections($1)",
						 collection->schema), 1, &type, &value, NULL);
	query_end();
}
