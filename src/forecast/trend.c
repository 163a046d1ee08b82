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

/* What is nothing but rounding is nothing: its sign must not count. */
static void
drop_rounding(double *rest, const double *y, int n)
{
	double		largest = 0;

	for (int i = 0; i < n; i++)
		largest = fmax(largest, fabs(y[i]));
	for (int i = 0; i < n; i++)
	{
		if (fabs(rest[i]) <= 1e-9 * largest)
			rest[i] = 0;
	}
}

/* The rank of a value among all, from 1; the mean one of what is equal. */
static double
rank_of(double value, const double *v, int n)
{
	int			less = 0;
	int			equal = 0;

	for (int i = 0; i < n; i++)
	{
		less += v[i] < value;
		equal += v[i] == value;
	}
	return less + (equal + 1) / 2.0;
}

/*
 * Where the residuals break: Pettitt's test (1979), which asks by their ranks
 * between which two of them the earlier ones differ most from the later ones.
 * Like the line's, its answer is not moved by outliers.  Values that depend on
 * the ones before them drift away by chance, too, so nine of ten pairs must
 * differ the same way as well (Cliff's delta, 1993, of 0.8).  Returns how many
 * are before the break, 0 where there is none with enough after it.
 */
static int
find_break(const double *rest, int n, int least)
{
	double		cubed = (double) n * n * n + (double) n * n;
	double		ranks = 0;
	double		greatest = 0;
	int			place = 0;

	for (int i = 1; i < n; i++)
	{
		double		difference;

		ranks += rank_of(rest[i - 1], rest, n);
		difference = fabs(2 * ranks - i * (n + 1.0));
		if (difference > greatest)
		{
			greatest = difference;
			place = i;
		}
	}
	if (place == 0 || n - place < least ||
		2 * exp(-6 * greatest * greatest / cubed) > 0.05 ||
		greatest < 0.8 * place * (n - place))
		return 0;
	return place;
}

bool
trend_fit_recent(const double *x, const double *y, int n, int least,
				 double confidence, double *room, int *from, Trend *trend)
{
	int			before;

	*from = 0;
	for (;;)
	{
		if (!trend_fit(x + *from, y + *from, n - *from, 0, confidence, room, trend))
			return false;
		for (int i = *from; i < n; i++)
			room[i - *from] = y[i] - trend->intercept - trend->slope * x[i];
		drop_rounding(room, y + *from, n - *from);
		before = find_break(room, n - *from, least);
		if (before == 0)
			return true;
		*from += before;
	}
}

/* The line, with the season that foretells best, or none. */
static bool
fit_best(const double *x, const double *y, int n, int period,
		 double confidence, double *room, Series *series)
{
	double		best;

	if (!fit_points(x, y, n, 0, confidence, room, series))
		return false;

	/*
	 * a season has to foretell better than none does; a day's may, and no
	 * week's
	 */
	best = 0.95 * fit_error(x, y, n, series, room);
	for (int p = period; p > 1; p = p % 7 == 0 ? p / 7 : 0)
	{
		Series		seasonal;
		double		error;

		/* three times around, or it is no season */
		if (x[n - 1] - x[0] + 1 < 3 * p ||
			!fit_points(x, y, n, p, confidence, room, &seasonal))
			continue;
		error = fit_error(x, y, n, &seasonal, room);
		if (error < best || (series->period > 0 && error == best))
		{
			best = error;
			*series = seasonal;
		}
	}
	return true;
}

/* The distances from line and season, as they will be foretold. */
static void
distances(const double *x, const double *y, int n, const Series *series,
		  double *rest)
{
	for (int i = 0; i < n; i++)
		rest[i] = y[i] - expected_at(series, x[i]);
	drop_rounding(rest, y, n);
}

/*
 * A median of all says little of the present.  Where all of the last values
 * (seven, or a season of hours' last day) are on one side of the line, which
 * chance does to seven once in 64 times, the line begins at their median, which
 * up to three outliers among seven do not move.
 */
static int
move_to_present(const double *x, const double *y, int n, Series *series,
				double *room)
{
	int			last = series->period <= 7 ? 7 : 24;
	double	   *tail = room + n - last;

	series->shift = 0;
	if (n <= last)
		return 0;
	distances(x, y, n, series, room);
	for (int i = 0; i < last; i++)
	{
		if (tail[i] * tail[0] <= 0)
			return 0;
	}
	series->shift = trend_median(tail, last);
	series->line.intercept += series->shift;
	return last;
}

/*
 * Residuals' quantiles around the line.  Where it was moved, each of the last
 * values was near the present, and the others near the line as it was, to
 * which the next ones may return: the limits reach as far.
 */
static void
fit_limits(const double *x, const double *y, int n, double confidence,
		   int last, Series *series, double *room)
{
	double		lowest = 0;
	double		highest = 0;

	residuals(x, y, n, series, room);
	for (int i = 0; i < n - last && last > 0; i++)
		room[i] += series->shift;
	for (int i = n - last; i < n; i++)
	{
		lowest = fmin(lowest, room[i]);
		highest = fmax(highest, room[i]);
	}
	series->above = fmax(quantile(room, n, 0.5 + confidence / 2), highest);
	for (int i = 0; i < n; i++)
		room[i] = -room[i];
	series->below = fmax(quantile(room, n, 0.5 + confidence / 2), -lowest);
	if (series->shift > 0)
		series->below += series->shift;
	else
		series->above -= series->shift;
}

/*
 * Fits line and season, or returns how many points are before a break.  A
 * season may take a break for a part of itself, and hide it, so the line alone
 * is asked first.
 */
static int
fit_unless_broken(const double *x, const double *y, int n, int period, int least,
				  double confidence, double *room, Series *series)
{
	int			before = 0;

	for (int i = 0; i < 2 && before == 0; i++)
	{
		(void) fit_best(x, y, n, i == 0 ? 0 : period, confidence, room, series);
		distances(x, y, n, series, room);
		before = find_break(room, n, least);
	}
	return before;
}

bool
trend_fit_series(const double *values, int n, int period, int least,
				 double confidence, double *room, Series *series)
{
	double	   *x = room;
	double	   *y = room + n;
	double	   *rest = room + 2 * (size_t) n;
	int			known = 0;
	int			before;

	for (int i = 0; i < n; i++)
	{
		if (isnan(values[i]))
			continue;
		x[known] = i;
		y[known++] = values[i];
	}

	if (!fit_points(x, y, known, 0, confidence, rest, series))
		return false;

	/* what was before a break tells nothing of what comes */
	while ((before = fit_unless_broken(x, y, known, period, least, confidence, rest, series)) > 0)
	{
		x += before;
		y += before;
		known -= before;
	}
	series->from = (int) x[0];
	fit_limits(x, y, known, confidence, move_to_present(x, y, known, series, rest), series, rest);
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
