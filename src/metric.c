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
#undef METRIC
};

PG_FUNCTION_INFO_V1(dbmaint_metrics);

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
		values[3] = CStringGetTextDatum(m->scope == METRIC_CLUSTER ?
										"cluster" : "database");
		values[4] = CStringGetTextDatum(m->help);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
