/*-------------------------------------------------------------------------
 *
 * backtest.c
 *		When would a rule have fired?
 *
 * The readings go through the same state machine as a sampler's.
 *
 * src/alert/backtest.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>

#include "alert/state.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(dbmaint_backtest_readings);

/* An episode that fired. */
typedef struct Episode
{
	int64		since;
	int64		fired;
	double		worst;
} Episode;

static void
put_episode(ReturnSetInfo *rsinfo, const Episode *episode, bool resolved,
			int64 resolved_at)
{
	Datum		values[4];
	bool		nulls[4] = {false};

	values[0] = TimestampTzGetDatum(episode->since);
	values[1] = TimestampTzGetDatum(episode->fired);
	values[2] = TimestampTzGetDatum(resolved_at);
	nulls[2] = !resolved;
	values[3] = Float8GetDatum(episode->worst);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static void
get_array(ArrayType *array, Oid type, int16 length, char align, Datum **values,
		  bool **nulls, int *count)
{
	if (ARR_NDIM(array) > 1 || ARR_ELEMTYPE(array) != type)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("times and readings must be arrays of one dimension")));
	deconstruct_array(array, type, length, FLOAT8PASSBYVAL, align, values,
					  nulls, count);
}

/* The rule, from the arguments that follow the readings. */
static void
get_limit(FunctionCallInfo fcinfo, AlertLimit *limit)
{
	char	   *comparison = text_to_cstring(PG_GETARG_TEXT_PP(2));

	memset(limit, 0, sizeof(AlertLimit) * ALERT_LEVELS);
	limit->watched = true;
	limit->below = comparison[0] == '<';
	limit->or_equal = comparison[0] != '\0' && comparison[1] == '=';
	limit->threshold = limit->resolve_threshold = PG_GETARG_FLOAT8(3);
	limit->sustained_us = PG_GETARG_INT64(4);
	limit->resolve_us = PG_GETARG_INT64(5);
}

/*
 * SQL: dbmaint_backtest_readings(times, readings, comparison, threshold,
 * sustained_us, resolve_us, gap_us) -> (since_at, fired_at, resolved_at, worst)
 */
Datum
dbmaint_backtest_readings(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int64		gap_us = PG_GETARG_INT64(6);
	AlertLimit	limits[ALERT_LEVELS];
	AlertJudgement judged[ALERT_LEVELS] = {JUDGED_NOT};
	AlertState	state;
	Episode		episode = {0};
	Datum	   *times;
	Datum	   *readings;
	bool	   *no_time;
	bool	   *no_reading;
	int			count;
	int			reading_count;

	InitMaterializedSRF(fcinfo, 0);
	get_array(PG_GETARG_ARRAYTYPE_P(0), TIMESTAMPTZOID, sizeof(TimestampTz),
			  TYPALIGN_DOUBLE, &times, &no_time, &count);
	get_array(PG_GETARG_ARRAYTYPE_P(1), FLOAT8OID, sizeof(float8),
			  TYPALIGN_DOUBLE, &readings, &no_reading, &reading_count);
	get_limit(fcinfo, limits);
	state_init(&state);

	for (int i = 0; i < Min(count, reading_count); i++)
	{
		int64		at = DatumGetTimestampTz(times[i]);
		double		value = DatumGetFloat8(readings[i]);
		AlertPhase	before = state.phase;
		AlertChange change;

		CHECK_FOR_INTERRUPTS();
		if (no_time[i] || no_reading[i] || !isfinite(value))
			continue;
		judged[0] = state_judge(&limits[0], value);
		change = state_step(&state, limits, judged, at, gap_us);

		if (before == ALERT_INACTIVE)
			episode.worst = value;
		else if (limits[0].below ? value < episode.worst : value > episode.worst)
			episode.worst = value;
		if (change == CHANGE_FIRED)
		{
			episode.since = state.since;
			episode.fired = at;
		}
		else if (change == CHANGE_RESOLVED)
			put_episode(rsinfo, &episode, true, at);
	}
	if (state.phase == ALERT_FIRING)
		put_episode(rsinfo, &episode, false, 0);
	return (Datum) 0;
}
