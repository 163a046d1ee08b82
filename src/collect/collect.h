/*-------------------------------------------------------------------------
 *
 * collect.h
 *		The collector table: what a sampler's round reads, and how often.
 *
 * A collector is one file and one row in collect.c.  One with a history of its
 * own writes it there, and is due by itself; the others' readings make a row
 * of performance_metrics, so they are due with a sample.  A callback runs in a
 * step of its own (step/guard.h): an error costs its readings, never the
 * sample.  It must not wait, and gets the round's time as an argument: nothing
 * here asks the clock.
 *
 * src/collect/collect.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_COLLECT_H
#define DBMAINT_COLLECT_H

#include "metric.h"
#include "shared.h"

/* One reading of a series; see series.h. */
typedef struct SeriesReading
{
	SeriesId	metric;
	bool		known;			/* else the instance is there, its value not */
	const char *instance;
	double		value;
	int			collector;
} SeriesReading;

/* What one round collects. */
typedef struct Collection
{
	TimestampTz at;				/* the round's time */
	const char *schema;			/* the extension's, quoted */
	const SampleMemory *before; /* what the previous sample read */
	SampleMemory *now;			/* what this one reads, for the next */
	double		interval_ms;	/* since the previous sample; 0: unknown */
	Readings	readings;
	struct varlena *histogram;	/* of the interval, or NULL */
	int			collector;		/* the one that runs */
	MemoryContext context;		/* lives as long as this */
	SeriesReading *series;		/* in the order in which they came */
	int			series_count;
	int			series_room;
	int			series_dropped; /* for want of room */
	int			complete_collector[SERIES_COUNT];	/* who read all instances;
													 * -1: nobody */
	int			metric_collector[METRIC_COUNT]; /* who reads it */
	bool		home;			/* this sampler reads what is the server's */
	bool		elsewhere;		/* another database's does */
} Collection;

/* Whether a collector is due for another reason than its interval. */
typedef enum CollectorDemand
{
	DEMAND_BY_INTERVAL,
	DEMAND_NOW,					/* an answer has come that it asked for */
	DEMAND_NONE					/* there is nothing for it to read */
} CollectorDemand;

typedef struct CollectorInfo
{
	const char *name;
	MetricScope scope;			/* METRIC_CLUSTER: home database only */
	const int  *interval_s;
	void		(*collect) (Collection *collection);
	bool		own_history;	/* gives the sample's row no readings */
} CollectorInfo;

extern const CollectorInfo collectors[];
extern const int collector_count;

/*
 * Asked of the collectors with a history of their own, in a transaction or
 * not; raises no error.
 */
extern CollectorDemand collector_demand(int collector);

/* What the collector has nothing to read for has no series any more. */
extern void collector_retire(Collection *collection, int collector);

/* The collectors' callbacks, one file each. */
extern void collect_response_time(Collection *collection);
extern void collect_activity(Collection *collection);
extern void collect_database(Collection *collection);
extern void collect_database_size(Collection *collection);
extern void collect_server(Collection *collection);
extern void collect_host(Collection *collection);
extern void collect_indexes(Collection *collection);
extern void collect_tables(Collection *collection);
extern void collect_statements(Collection *collection);
extern void collect_changes(Collection *collection);
extern void collect_capacity(Collection *collection);
extern void collect_signals(Collection *collection);
extern void collect_partitions(Collection *collection);
extern void collect_object_signals(Collection *collection);
extern void collect_capacity_signals(Collection *collection);

/*
 * Records a reading of the metric.  For a counter, `value` is the total, and
 * what is recorded is its increase since the previous sample; nothing where
 * there was none, or the total went down.
 */
extern void collect_record(Collection *collection, MetricId metric,
						   double value);

#endif							/* DBMAINT_COLLECT_H */
