/*-------------------------------------------------------------------------
 *
 * metric.c
 *		The metric table, and dbmaint_metrics() that shows it.
 *
 * src/metric.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "metric.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

const MetricInfo metrics[METRIC_COUNT] =
{
#define METRIC(name, unit, type, sqltype, scope, help) \
	{#name, unit, type, sqltype, scope, help},
#include "metric.def"
};

const SeriesInfo series_table[SERIES_COUNT] =
{
#define SERIES(name, unit, scope, label, help) \
	{#name, unit, scope, label, help},
#include "metric.def"
};

PG_FUNCTION_INFO_V1(dbmaint_metrics);
PG_FUNCTION_INFO_V1(dbmaint_series_metrics);

int
metric_find(const char *name)
{
	for (int i = 0; i < METRIC_COUNT; i++)
	{
		if (strcmp(metrics[i].name, name) == 0)
			return i;
	}
	return -1;
}

int
metric_find_any(const char *name)
{
	int			metric = metric_find(name);

	if (metric >= 0)
		return metric;
	for (int i = 0; i < SERIES_COUNT; i++)
	{
		if (strcmp(series_table[i].name, name) == 0)
			return METRIC_COUNT + i;
	}
	return -1;
}

const char *
metric_name_any(int metric)
{
	Assert(metric >= 0 && metric < ANY_METRIC_COUNT);
	return metric < METRIC_COUNT ? metrics[metric].name :
		series_table[metric - METRIC_COUNT].name;
}

const char *
metric_unit_any(int metric)
{
	Assert(metric >= 0 && metric < ANY_METRIC_COUNT);
	return metric < METRIC_COUNT ? metrics[metric].unit :
		series_table[metric - METRIC_COUNT].unit;
}

static const char *
scope_name(MetricScope scope)
{
	return scope == METRIC_CLUSTER ? "cluster" : "database";
}

/* SQL: dbmaint_metrics() -> (metric, unit, type, scope, help) */
Datum
dbmaint_metrics(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < METRIC_COUNT; i++)
	{
		const MetricInfo *m = &metrics[i];
		bool		nulls[5] = {false};
		Datum		values[5];

		values[0] = CStringGetTextDatum(m->name);
		values[1] = CStringGetTextDatum(m->unit);
		values[2] = CStringGetTextDatum(m->type == METRIC_COUNTER ?
										"counter" : "gauge");
		values[3] = CStringGetTextDatum(scope_name(m->scope));
		values[4] = CStringGetTextDatum(m->help);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* SQL: dbmaint_series_metrics() -> (metric, unit, scope, label, help) */
Datum
dbmaint_series_metrics(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < SERIES_COUNT; i++)
	{
		const SeriesInfo *s = &series_table[i];
		bool		nulls[5] = {false};
		Datum		values[5];

		values[0] = CStringGetTextDatum(s->name);
		values[1] = CStringGetTextDatum(s->unit);
		values[2] = CStringGetTextDatum(scope_name(s->scope));
		values[3] = CStringGetTextDatum(s->label);
		values[4] = CStringGetTextDatum(s->help);
		nulls[3] = s->label[0] == '\0';
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
