/*-------------------------------------------------------------------------
 *
 * forecast.c
 *		The trends for SQL.
 *
 * src/forecast/forecast.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "forecast/trend.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/float.h"
#include "utils/tuplestore.h"

#define MAX_STEPS 10000

/* Fewer values after a break tell no trend of their own. */
#define LEAST_POINTS 12

PG_FUNCTION_INFO_V1(dbmaint_theil_sen);
PG_FUNCTION_INFO_V1(dbmaint_recent_theil_sen);
PG_FUNCTION_INFO_V1(dbmaint_project);

/* The numbers of an array; what is NULL or not finite becomes NaN. */
static double *
array_numbers(ArrayType *array, const char *what, int *count)
{
	Datum	   *values;
	bool	   *nulls;
	double	   *numbers;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("%s must be an array of one dimension", what),
				 errhint("For example: ARRAY[1.0, 2.0, 3.5].")));
	deconstruct_array(array, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL,
					  TYPALIGN_DOUBLE, &values, &nulls, count);
	if (*count > TREND_MAX_POINTS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("%s has %d numbers, more than %d", what, *count,
						TREND_MAX_POINTS),
				 errhint("Take the mean or the median of each hour or day first.")));
	numbers = palloc_array(double, *count + 1);
	for (int i = 0; i < *count; i++)
	{
		double		value = nulls[i] ? get_float8_nan() : DatumGetFloat8(values[i]);

		numbers[i] = isfinite(value) ? value : get_float8_nan();
	}
	return numbers;
}

static double
check_confidence(double confidence)
{
	if (!(confidence > 0 && confidence < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("confidence must be between 0 and 1"),
				 errhint("For example 0.95, for limits that 95 of 100 values keep to.")));
	return confidence;
}

static double *
trend_room(int n)
{
	return palloc_extended(sizeof(double) * TREND_ROOM(n), MCXT_ALLOC_HUGE);
}

/* A number that overflowed is not known. */
static Datum
float_or_null(double value, bool *isnull)
{
	*isnull = !isfinite(value);
	return Float8GetDatum(value);
}

/* The points of two arrays that are numbers in both. */
static int
array_points(FunctionCallInfo fcinfo, double **x, double **y)
{
	int			count;
	int			y_count;
	int			n = 0;

	*x = array_numbers(PG_GETARG_ARRAYTYPE_P(0), "x", &count);
	*y = array_numbers(PG_GETARG_ARRAYTYPE_P(1), "y", &y_count);
	if (count != y_count)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("x has %d numbers and y has %d", count, y_count),
				 errhint("Give as many of one as of the other.")));
	for (int i = 0; i < count; i++)
	{
		if (isnan((*x)[i]) || isnan((*y)[i]))
			continue;
		(*x)[n] = (*x)[i];
		(*y)[n++] = (*y)[i];
	}
	return n;
}

static void
put_trend(const Trend *trend, Datum *values, bool *nulls)
{
	values[0] = float_or_null(trend->slope, &nulls[0]);
	values[1] = float_or_null(trend->slope_low, &nulls[1]);
	values[2] = float_or_null(trend->slope_high, &nulls[2]);
	values[3] = float_or_null(trend->intercept, &nulls[3]);
}

static TupleDesc
result_columns(FunctionCallInfo fcinfo)
{
	TupleDesc	columns;

	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return BlessTupleDesc(columns);
}

/*
 * SQL: dbmaint_theil_sen(x float8[], y float8[], confidence float8)
 *		-> (points, slope, slope_low, slope_high, intercept)
 */
Datum
dbmaint_theil_sen(PG_FUNCTION_ARGS)
{
	double		confidence = check_confidence(PG_GETARG_FLOAT8(2));
	double	   *x;
	double	   *y;
	int			n = array_points(fcinfo, &x, &y);
	Trend		trend;
	Datum		values[5] = {0};
	bool		nulls[5] = {false, true, true, true, true};

	values[0] = Int32GetDatum(n);
	if (trend_fit(x, y, n, 0, confidence, trend_room(n), &trend))
		put_trend(&trend, values + 1, nulls + 1);
	return HeapTupleGetDatum(heap_form_tuple(result_columns(fcinfo), values, nulls));
}

/*
 * SQL: dbmaint_recent_theil_sen(x float8[], y float8[], least_points int, confidence float8)
 *		-> (points, slope, slope_low, slope_high, intercept, since)
 */
Datum
dbmaint_recent_theil_sen(PG_FUNCTION_ARGS)
{
	int			least = PG_GETARG_INT32(2);
	double		confidence = check_confidence(PG_GETARG_FLOAT8(3));
	double	   *x;
	double	   *y;
	int			n = array_points(fcinfo, &x, &y);
	int			from;
	Trend		trend;
	Datum		values[6] = {0};
	bool		nulls[6] = {false, true, true, true, true, true};

	for (int i = 1; i < n; i++)
	{
		if (x[i] <= x[i - 1])
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("x does not ascend"),
					 errhint("Give the points in the order of time, one for each.")));
	}
	values[0] = Int32GetDatum(n);
	if (trend_fit_recent(x, y, n, Max(least, 2), confidence, trend_room(n), &from, &trend))
	{
		values[0] = Int32GetDatum(n - from);
		put_trend(&trend, values + 1, nulls + 1);
		values[5] = Float8GetDatum(x[from]);
		nulls[5] = false;
	}
	return HeapTupleGetDatum(heap_form_tuple(result_columns(fcinfo), values, nulls));
}

/*
 * SQL: dbmaint_project(series float8[], period int, steps int, confidence float8)
 *		-> (step, expected, low, high, season, since, shift)
 */
Datum
dbmaint_project(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int			period = PG_GETARG_INT32(1);
	int			steps = PG_GETARG_INT32(2);
	double		confidence = check_confidence(PG_GETARG_FLOAT8(3));
	int			n;
	double	   *numbers = array_numbers(PG_GETARG_ARRAYTYPE_P(0), "series", &n);
	Series	   *series = palloc_object(Series);

	if (period < 0 || period > TREND_MAX_PERIOD)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("period must be between 0 and %d", TREND_MAX_PERIOD),
				 errhint("0 means no season; 7 is a week of days, 168 one of hours.")));
	if (steps < 0 || steps > MAX_STEPS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("steps must be between 0 and %d", MAX_STEPS),
				 errhint("Take longer steps to look farther.")));

	InitMaterializedSRF(fcinfo, 0);
	/* as for all history: what is foretold is at most three times as long */
	if (!trend_fit_series(numbers, n, period, Max(LEAST_POINTS, (steps + 2) / 3),
						  confidence, trend_room(n), series))
		return (Datum) 0;

	for (int step = 1; step <= steps; step++)
	{
		double		expected;
		double		low;
		double		high;
		Datum		values[7];
		bool		nulls[7] = {false};

		trend_project(series, n - 1 + step, &expected, &low, &high);
		values[0] = Int32GetDatum(step);
		values[1] = float_or_null(expected, &nulls[1]);
		values[2] = float_or_null(low, &nulls[2]);
		values[3] = float_or_null(high, &nulls[3]);
		values[4] = Int32GetDatum(series->period);
		values[5] = Int32GetDatum(series->from + 1);
		values[6] = float_or_null(series->shift, &nulls[6]);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
