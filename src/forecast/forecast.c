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

PG_FUNCTION_INFO_V1(dbmaint_theil_sen);
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

/*
 * SQL: dbmaint_theil_sen(x float8[], y float8[], confidence float8)
 *		-> (points, slope, slope_low, slope_high, intercept)
 */
Datum
dbmaint_theil_sen(PG_FUNCTION_ARGS)
{
	double		confidence = check_confidence(PG_GETARG_FLOAT8(2));
	int			count;
	int			y_count;
	double	   *x = array_numbers(PG_GETARG_ARRAYTYPE_P(0), "x", &count);
	double	   *y = array_numbers(PG_GETARG_ARRAYTYPE_P(1), "y", &y_count);
	int			n = 0;
	Trend		trend;
	TupleDesc	columns;
	Datum		values[5] = {0};
	bool		nulls[5] = {false, true, true, true, true};

	if (count != y_count)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("x has %d numbers and y has %d", count, y_count),
				 errhint("Give as many of one as of the other.")));
	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	for (int i = 0; i < count; i++)
	{
		if (isnan(x[i]) || isnan(y[i]))
			continue;
		x[n] = x[i];
		y[n++] = y[i];
	}
	values[0] = Int32GetDatum(n);
	if (trend_fit(x, y, n, 0, confidence, trend_room(n), &trend))
	{
		values[1] = float_or_null(trend.slope, &nulls[1]);
		values[2] = float_or_null(trend.slope_low, &nulls[2]);
		values[3] = float_or_null(trend.slope_high, &nulls[3]);
		values[4] = float_or_null(trend.intercept, &nulls[4]);
	}
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), values, nulls));
}

/*
 * SQL: dbmaint_project(series float8[], period int, steps int, confidence float8)
 *		-> (step, expected, low, high, season)
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
	if (!trend_fit_series(numbers, n, period, confidence, trend_room(n), series))
		return (Datum) 0;

	for (int step = 1; step <= steps; step++)
	{
		double		expected;
		double		low;
		double		high;
		Datum		values[5];
		bool		nulls[5] = {false};

		trend_project(series, n - 1 + step, &expected, &low, &high);
		values[0] = Int32GetDatum(step);
		values[1] = float_or_null(expected, &nulls[1]);
		values[2] = float_or_null(low, &nulls[2]);
		values[3] = float_or_null(high, &nulls[3]);
		values[4] = Int32GetDatum(series->period);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
