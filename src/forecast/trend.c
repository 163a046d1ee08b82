/*-------------------------------------------------------------------------
 *
 * trend.c
 *		Theil-Sen line, seasonal medians, prediction interval.
 *
 * src/forecast/trend.c
 *
 *-------------------------------------------------------------------------
 */
#include "forecast/trend.h"

#include <float.h>
#include <math.h>

static inline void
swap(double *v, size_t i, size_t j)
{
	double		saved = v[i];

	v[i] = v[j];
	v[j] = saved;
}

/* The middle one of the first, the middle and the last goes to the middle. */
static double
pivot(double *v, size_t left, size_t right)
{
	size_t		middle = left + (right - left) / 2;

	if (v[middle] < v[left])
		swap(v, middle, left);
	if (v[right] < v[left])
		swap(v, right, left);
	if (v[right] < v[middle])
		swap(v, right, middle);
	return v[middle];
}

/* Hoare's selection: what is equal is split evenly, so ties cost nothing. */
double
trend_select(double *v, size_t n, size_t k)
{
	size_t		left = 0;
	size_t		right = n - 1;

	while (left < right)
	{
		double		by = pivot(v, left, right);
		size_t		i = left;
		size_t		j = right;

		for (;;)
		{
			while (v[i] < by)
				i++;
			while (v[j] > by)
				j--;
			if (i >= j)
				break;
			swap(v, i++, j--);
		}
		/* left .. j are at most, j + 1 .. right at least the pivot */
		if (k <= j)
			right = j;
		else
			left = j + 1;
	}
	return v[k];
}

double
trend_median(double *v, size_t n)
{
	double		upper = trend_select(v, n, n / 2);

	if (n % 2 == 0)
	{
		double		lower = trend_select(v, n, n / 2 - 1);

		/* not the sum's half, which may be infinite */
		return lower + (upper - lower) / 2;
	}
	return upper;
}

/*
 * The quantile of n values that a further one exceeds with at most the
 * probability 1 - p: rank ceil((n + 1) p), the greatest where there is none.
 */
static double
quantile(double *v, size_t n, double p)
{
	double		rank = ceil((n + 1) * p);

	return trend_select(v, n, rank >= n ? n - 1 : rank < 1 ? 0 : (size_t) rank - 1);
}

/* Abramowitz and Stegun 26.2.23 */
double
trend_normal_quantile(double p)
{
	/* nothing is left of a tail that is next to nothing */
	double		tail = fmax(p < 0.5 ? p : 1 - p, DBL_MIN);
	double		t = sqrt(-2 * log(tail));
	double		z = t - (2.515517 + t * (0.802853 + t * 0.010328)) /
	(1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));

	return p < 0.5 ? -z : z;
}

/* Kendall's variance of the number of rising less falling pairs of n points */
static double
kendall_variance(double n)
{
	return n * (n - 1) * (2 * n + 5) / 18;
}

static double
pairs_variance(const double *x, int n, int period)
{
	double		variance = 0;
	int			phases[TREND_MAX_PERIOD] = {0};

	if (period <= 0)
		return kendall_variance(n);
	for (int i = 0; i < n; i++)
		phases[(long) x[i] % period]++;
	for (int p = 0; p < period; p++)
		variance += kendall_variance(phases[p]);
	return variance;
}

static size_t
all_slopes(const double *x, const double *y, int n, int period, double *slopes)
{
	size_t		count = 0;

	for (int i = 0; i < n; i++)
	{
		for (int j = i + 1; j < n; j++)
		{
			double		distance = x[j] - x[i];

			if (distance == 0 ||
				(period > 0 && (long) distance % period != 0))
				continue;
			slopes[count++] = (y[j] - y[i]) / distance;
		}
	}
	return count;
}

/*
 * Sen's interval: the slopes whose ranks lie z standard deviations of
 * Kendall's statistic around the median's (Gilbert 1987, 16.4 and 17.3).
 */
static void
slope_interval(double *slopes, size_t count, double variance,
			   double confidence, Trend *trend)
{
	double		width = trend_normal_quantile(0.5 + confidence / 2) * sqrt(variance);
	double		low = floor((count - width) / 2);
	double		high = ceil((count + width) / 2);

	trend->slope_low = trend_select(slopes, count, low < 0 ? 0 : (size_t) low);
	trend->slope_high = trend_select(slopes, count,
									 high >= count ? count - 1 : (size_t) high);
}

bool
trend_fit(const double *x, const double *y, int n, int period,
		  double confidence, double *room, Trend *trend)
{
	size_t		count = all_slopes(x, y, n, period, room);

	if (count == 0)
		return false;
	trend->slope = trend_median(room, count);
	slope_interval(room, count, pairs_variance(x, n, period), confidence, trend);
	for (int i = 0; i < n; i++)
		room[i] = y[i] - trend->slope * x[i];
	trend->intercept = trend_median(room, n);
	return true;
}

/* Each phase's median distance from the line, around their own median. */
static void
fit_season(const double *x, const double *y, int n, Series *series, double *room)
{
	double		middle;

	for (int p = 0; p < series->period; p++)
	{
		size_t		count = 0;

		for (int i = 0; i < n; i++)
		{
			if ((long) x[i] % series->period == p)
				room[count++] = y[i] - series->line.slope * x[i] - series->line.intercept;
		}
		/* a phase that was never seen is like the others */
		series->season[p] = count == 0 ? 0 : trend_median(room, count);
	}

	for (int p = 0; p < series->period; p++)
		room[p] = series->season[p];
	middle = trend_median(room, series->period);
	for (int p = 0; p < series->period; p++)
		series->season[p] -= middle;
	series->line.intercept += middle;
}

static double
expected_at(const Series *series, double x)
{
	double		season = series->period == 0 ? 0 :
	series->season[(long) x % series->period];

	return series->line.intercept + series->line.slope * x + season;
}

/*
 * How far each point is from what the others of its phase say: its own share
 * in their median would make a season look better than it is.  Without a
 * season, the line was fitted to so many points that one hardly matters.
 */
static void
residuals(const double *x, const double *y, int n, const Series *series,
		  double *room)
{
	double	   *others = room + n;

	for (int i = 0; i < n; i++)
	{
		double		from_line = y[i] - series->line.intercept - series->line.slope * x[i];
		size_t		count = 0;

		room[i] = from_line;
		if (series->period == 0)
			continue;
		for (int j = 0; j < n; j++)
		{
			if (j != i && (long) x[j] % series->period == (long) x[i] % series->period)
				others[count++] = y[j] - series->line.intercept - series->line.slope * x[j];
		}
		if (count > 0)
			room[i] = from_line - trend_median(others, count);
	}
}

/* Mean size of the residuals, but for the tenth that is largest. */
static double
fit_error(const double *x, const double *y, int n, const Series *series,
		  double *room)
{
	int			counted = n - n / 10;
	double		sum = 0;

	residuals(x, y, n, series, room);
	for (int i = 0; i < n; i++)
		room[i] = fabs(room[i]);
	(void) trend_select(room, n, counted - 1);
	for (int i = 0; i < counted; i++)
		sum += room[i];
	return sum / counted;
}

static bool
fit_points(const double *x, const double *y, int n, int period,
		   double confidence, double *room, Series *series)
{
	series->points = n;
	series->period = period;
	if (!trend_fit(x, y, n, period, confidence, room, &series->line))
		return false;
	if (period > 0)
		fit_season(x, y, n, series, room);
	return true;
}

bool
trend_fit_series(const double *values, int n, int period, double confidence,
				 double *room, Series *series)
{
	double	   *x = room;
	double	   *y = room + n;
	double	   *rest = room + 2 * (size_t) n;
	int			known = 0;
	double		best;

	for (int i = 0; i < n; i++)
	{
		if (isnan(values[i]))
			continue;
		x[known] = i;
		y[known++] = values[i];
	}

	if (!fit_points(x, y, known, 0, confidence, rest, series))
		return false;

	/*
	 * a season has to foretell better than none does; a day's may, and no
	 * week's
	 */
	best = 0.95 * fit_error(x, y, known, series, rest);
	for (int p = period; p > 1; p = p % 7 == 0 ? p / 7 : 0)
	{
		Series		seasonal;
		double		error;

		if (!fit_points(x, y, known, p, confidence, rest, &seasonal))
			continue;
		error = fit_error(x, y, known, &seasonal, rest);
		if (error < best || (series->period > 0 && error == best))
		{
			best = error;
			*series = seasonal;
		}
	}

	residuals(x, y, known, series, rest);
	series->above = fmax(quantile(rest, known, 0.5 + confidence / 2), 0);
	for (int i = 0; i < known; i++)
		rest[i] = -rest[i];
	series->below = fmax(quantile(rest, known, 0.5 + confidence / 2), 0);
	for (int i = 0; i < known; i++)
		rest[i] = x[i];
	series->middle = trend_median(rest, known);
	return true;
}

/*
 * The residuals say how far a single value is from the line, Sen's interval
 * how far the line may be off, the more the farther from the data's middle.
 * Being independent, they add as squares.
 */
void
trend_project(const Series *series, int place, double *expected, double *low,
			  double *high)
{
	const Trend *line = &series->line;
	double		distance = place - series->middle;

	*expected = expected_at(series, place);
	*low = *expected - hypot(series->below, (line->slope - line->slope_low) * distance);
	*high = *expected + hypot(series->above, (line->slope_high - line->slope) * distance);
}
