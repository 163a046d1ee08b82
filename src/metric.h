/*-------------------------------------------------------------------------
 *
 * metric.h
 *		The metric table: what dbmaint measures, declared once.
 *
 * A metric has the name of its column in performance_metrics, and its help
 * is that column's comment (sql/history_metrics.sql compares them).  Adding
 * one is a row in metric.def, and the column.
 *
 * src/metric.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_METRIC_H
#define DBMAINT_METRIC_H

typedef enum MetricType
{
	METRIC_GAUGE,				/* a state at the time of the sample */
	METRIC_COUNTER				/* a total; what is stored is its increase */
} MetricType;

typedef enum MetricScope
{
	METRIC_DATABASE,			/* each sampler reads its own database's */
	METRIC_CLUSTER				/* read by the home database's sampler alone */
} MetricScope;

typedef enum MetricId
{
#define METRIC(name, unit, type, sqltype, scope, help) METRIC_##name,
#include "metric.def"
#undef METRIC
	METRIC_COUNT
} MetricId;

typedef struct MetricInfo
{
	const char *name;
	const char *unit;
	MetricType	type;
	unsigned int sqltype;		/* Oid: int4, int8 or float8 */
	MetricScope scope;
	const char *help;
} MetricInfo;

/* One value of every metric; what is not known is not a number. */
typedef struct Readings
{
	bool		known[METRIC_COUNT];
	double		value[METRIC_COUNT];
} Readings;

extern const MetricInfo metrics[METRIC_COUNT];

/* Returns the metric of that name, or -1. */
extern int	metric_find(const char *name);

static inline void
reading_set(Readings *readings, MetricId metric, double value)
{
	readings->known[metric] = true;
	readings->value[metric] = value;
}

#endif							/* DBMAINT_METRIC_H */
