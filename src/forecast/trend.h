/*-------------------------------------------------------------------------
 *
 * trend.h
 *		A robust line through points, and where a series goes from here.
 *
 * The slope is the median of the slopes of all pairs of points (Theil 1950,
 * Sen 1968): up to 29 % of the points may be anything without moving it.  With a
 * season, only pairs of the same phase count (Hirsch, Slack and Smith 1982),
 * so that the season does not tilt the line.
 *
 * A line through all points is no forecast where something changed: what was
 * before a break is left out, and the line begins where the last values are.
 *
 * Pure arithmetic: no server, no clock, no allocation.  The caller brings
 * the room for the slopes, TREND_ROOM(n) numbers.
 *
 * src/forecast/trend.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_TREND_H
#define DBMAINT_TREND_H

#include <stdbool.h>
#include <stddef.h>

/* 2 million slopes, 16 MB: milliseconds.  Longer series are averaged first. */
#define TREND_MAX_POINTS 2000
#define TREND_MAX_PERIOD 168
#define TREND_ROOM(n) ((size_t) (n) * ((n) + 6) / 2 + TREND_MAX_PERIOD)

typedef struct Trend
{
	double		slope;
	double		slope_low;		/* Sen's interval, by the ranks of the slopes */
	double		slope_high;
	double		intercept;		/* median of y - slope * x */
} Trend;

typedef struct Series
{
	Trend		line;
	int			points;			/* that are known */
	int			period;			/* of the season; 0: there is none */
	double		season[TREND_MAX_PERIOD];	/* added to the line, by phase */
	int			from;			/* the place of the first one after the last
								 * break */
	double		shift;			/* what the last values moved the line by, or
								 * 0 */
	double		middle;			/* median of x */
	double		below;			/* residuals' quantiles, as distances from */
	double		above;			/* the line, both >= 0 */
} Series;

/* The k-th smallest of v (from 0); reorders v. */
extern double trend_select(double *v, size_t n, size_t k);

/* Median of v, n > 0; reorders v. */
extern double trend_median(double *v, size_t n);

/* The p-quantile of the standard normal distribution, to 4.5e-4. */
extern double trend_normal_quantile(double p);

/*
 * Fits a line through n points.  With a period > 0, x are whole numbers and
 * only pairs of equal phase count.  Returns false where no two points give a
 * slope; the trend is then not set.
 */
extern bool trend_fit(const double *x, const double *y, int n, int period,
					  double confidence, double *room, Trend *trend);

/*
 * Fits a line through the points from the last break on, after which there
 * must be at least so many; x ascends.  from is the first of them.
 */
extern bool trend_fit_recent(const double *x, const double *y, int n, int least,
							 double confidence, double *room, int *from,
							 Trend *trend);

/*
 * Fits a line to values at the places 0 .. n - 1 (NaN: not known), and a season
 * of the period, or of a seventh of it, where that foretells better: to those
 * after the last break, if there are at least so many.  Returns false where
 * fewer than two values are known.
 */
extern bool trend_fit_series(const double *values, int n, int period, int least,
							 double confidence, double *room, Series *series);

/* What the series is expected to be at a place, and between which limits. */
extern void trend_project(const Series *series, int place, double *expected,
						  double *low, double *high);

#endif							/* DBMAINT_TREND_H */
