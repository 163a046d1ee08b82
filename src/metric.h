/*-------------------------------------------------------------------------
 *
 * metric.h
 *		The metric table: what dbmaint measures, declared once.
 *
 * A metric has the name of its column in performance_metrics, and its help
 * is that column's comment (sql/history_metrics.sql compares them).  Adding
 * one is a row in metric.def, and the column.  A series is a metric that each
 * instance (index, pool, table) has for itself; adding one is a row alone.
 *
 * Where both are meant, a metric is a number below ANY_METRIC_COUNT: that of
 * the enum for a metric, METRIC_COUNT plus that of the enum for a series.
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
	METRIC_COUNT
} MetricId;

typedef enum SeriesId
{
#define SERIES(name, unit, scope, label, help) SERIES_##name,
#include "metric.def"
	SERIES_COUNT
} SeriesId;

#define ANY_METRIC_COUNT ((int) METRIC_COUNT + (int) SERIES_COUNT)

typedef struct MetricInfo
{
	const char *name;
	const char *unit;
	MetricType	type;
	unsigned int sqltype;		/* Oid: int4, int8 or float8 */
	MetricScope scope;
	const char *help;
} MetricInfo;

typedef struct SeriesInfo
{
	const char *name;
	const char *unit;
	MetricScope scope;
	const char *label;			/* what an instance is; "": there is one */
	const char *help;
} SeriesInfo;

/* One value of every metric; what is not known is not a number. */
typedef struct Readings
{
	bool		known[METRIC_COUNT];
	double		value[METRIC_COUNT];
} Readings;

extern const MetricInfo metrics[METRIC_COUNT];
extern const SeriesInfo series_table[SERIES_COUNT];

/* Returns the metric of that name, or -1. */
extern int	metric_find(const char *name);

/* Returns the number of the metric or series of that name, or -1. */
extern int	metric_find_any(const char *name);

/* The name and the unit of what has that number. */
extern const char *metric_name_any(int metric);
extern const char *metric_unit_any(int metric);

static inline void
reading_set(Readings *readings, MetricId metric, double value)
{
	readings->known[metric] = true;
	readings->value[metric] = value;
}

#endif							/* DBMAINT_METRIC_H */
