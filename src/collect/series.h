/*-------------------------------------------------------------------------
 *
 * series.h
 *		Readings that have an instance: per index, pool, table, slot.
 *
 * A series is declared in metric.def.  A collector of any kind adds readings
 * to the round's collection; what one that failed had added is forgotten.
 * The round writes them in one row of dbmaint_series_samples, and the alert
 * rules judge them.  SQL adds readings by a function that returns rows
 * (metric, instance, value): see signals.c.
 *
 * src/collect/series.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_SERIES_H
#define DBMAINT_SERIES_H

#include "collect/collect.h"
#include "history/history.h"

/*
 * Adds a reading.  The instance is copied; "" where the series has no label.
 * A value that is not a finite number says that the instance is there and its
 * value not known: alerts on it then wait, where without a reading of a
 * complete series they resolve.
 */
extern void series_add(Collection *collection, SeriesId metric,
					   const char *instance, double value);

/*
 * Says that every instance of the series that is there was added: alerts on
 * others are of things that are gone, or are well enough to be left out.
 */
extern void series_complete(Collection *collection, SeriesId metric);

/*
 * Writes the round's readings; inside a step.  Returns false if the tables are
 * gone, and refuses them as history_lock() does.
 */
extern bool series_write(const Extension *extension,
						 const Collection *collection);

#endif							/* DBMAINT_SERIES_H */
