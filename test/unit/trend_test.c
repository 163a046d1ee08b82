/*-------------------------------------------------------------------------
 *
 * trend_test.c
 *	  The Theil-Sen line against a naive computation on random points, and
 *	  what seasons, outliers and too few points do; prints TAP.  Linked with
 *	  src/forecast/trend.c, needs no server:
 *
 *	  cc -g -fsanitize=address,undefined -Isrc test/unit/trend_test.c \
 *		 src/forecast/trend.c -lm -o trend_test && ./trend_test
 *
 *	  Random data comes from a fixed seed, or from the one given as argument.
 *
 *-------------------------------------------------------------------------
 */
#include "forecast/trend.h"
#include "check.h"

#include <math.h>

#define MOST 700

static double x[MOST];
static double y[MOST];

/* near enough to a normal distribution of deviation 1 */
static double
noise(void)
{
	double		sum = 0;

	for (int i = 0; i < 12; i++)
		sum += random_fraction();
	return sum - 6;
}

static int
compare(const void *a, const void *b)
{
	double		left = *(const double *) a;
	double		right = *(const double *) b;

	return (left > right) - (left < right);
}

/* exactly as much room as is asked for, so that the sanitizer sees more */
static double *
room_for(int n)
{
	return malloc(sizeof(double) * TREND_ROOM(n));
}

static double
naive_median(double *v, size_t n)
{
	qsort(v, n, sizeof(double), compare);
	return n % 2 ? v[n / 2] : v[n / 2 - 1] + (v[n / 2] - v[n / 2 - 1]) / 2;
}

static int
naive_slope(int n, int period, double *slope)
{
	double	   *slopes = malloc(sizeof(double) * ((size_t) n * n + 1));
	size_t		count = 0;

	for (int i = 0; i < n; i++)
	{
		for (int j = 0; j < i; j++)
		{
			if (x[i] != x[j] && (period == 0 || fmod(fabs(x[i] - x[j]), period) == 0))
				slopes[count++] = (y[i] - y[j]) / (x[i] - x[j]);
		}
	}
	if (count > 0)
		*slope = naive_median(slopes, count);
	free(slopes);
	return count > 0;
}

/* Points of every kind: ties, steps, few of them, huge and tiny ones. */
static int
random_points(int period)
{
	int			n = (int) (next_random() % (next_random() % 4 ? 12 : 120));
	double		scale = pow(10, (double) (next_random() % 13) - 6);
	int			kind = (int) (next_random() % 4);

	for (int i = 0; i < n; i++)
	{
		x[i] = period ? i : kind == 0 ? (double) (next_random() % 5) : random_fraction() * 100;
		y[i] = kind == 1 ? (double) (next_random() % 3) : noise() * scale;
	}
	return n;
}

static void
test_select(void)
{
	double		v[200];
	double		sorted[200];

	for (int round = 0; round < 20000; round++)
	{
		size_t		n = 1 + next_random() % (round % 10 ? 8 : 200);
		size_t		k = next_random() % n;
		uint64_t	values = 1 + next_random() % 20;

		for (size_t i = 0; i < n; i++)
			v[i] = round % 3 ? (double) (next_random() % values) : noise();
		/* already sorted, either way */
		if (round % 7 == 0)
			qsort(v, n, sizeof(double), compare);
		memcpy(sorted, v, sizeof(double) * n);
		qsort(sorted, n, sizeof(double), compare);
		CHECK(trend_select(v, n, k) == sorted[k], "n %zu, k %zu", n, k);
		for (size_t i = 0; i < n; i++)
			CHECK(i < k ? v[i] <= v[k] : v[i] >= v[k], "n %zu, k %zu, i %zu", n, k, i);
		qsort(v, n, sizeof(double), compare);
		CHECK(memcmp(v, sorted, sizeof(double) * n) == 0, "n %zu: other values", n);
	}
}

static void
test_against_naive(void)
{
	static const int periods[] = {0, 0, 2, 7, 24};

	for (int round = 0; round < 4000; round++)
	{
		int			period = periods[round % 5];
		int			n = random_points(period);
		double		expected = 0;
		int			fits = naive_slope(n, period, &expected);
		double	   *room = room_for(n);
		Trend		trend;

		CHECK(trend_fit(x, y, n, period, 0.95, room, &trend) == (fits != 0),
			  "n %d, period %d", n, period);
		if (fits)
		{
			double		rest[MOST];

			CHECK(trend.slope == expected, "n %d, period %d: %.17g, not %.17g",
				  n, period, trend.slope, expected);
			CHECK(trend.slope_low <= trend.slope && trend.slope <= trend.slope_high,
				  "n %d: %g .. %g .. %g", n, trend.slope_low, trend.slope, trend.slope_high);
			for (int i = 0; i < n; i++)
				rest[i] = y[i] - trend.slope * x[i];
			CHECK(trend.intercept == naive_median(rest, n), "n %d", n);
		}
		free(room);
	}
}

static void
test_outliers(void)
{
	double	   *room = room_for(100);
	Trend		trend;

	/* a quarter of the points is anywhere */
	for (int i = 0; i < 100; i++)
	{
		x[i] = i;
		y[i] = i % 4 == 3 ? 1e9 * noise() : 5 + 3 * i;
	}
	CHECK(trend_fit(x, y, 100, 0, 0.95, room, &trend), "no line");
	CHECK(fabs(trend.slope - 3) < 1e-9 && fabs(trend.intercept - 5) < 1e-6,
		  "slope %g, intercept %g", trend.slope, trend.intercept);
	free(room);
}

/* Sen's interval holds the true slope about as often as it says. */
static void
test_slope_interval(void)
{
	int			held = 0;

	for (int round = 0; round < 1000; round++)
	{
		double	   *room = room_for(40);
		Trend		trend;

		for (int i = 0; i < 40; i++)
		{
			x[i] = i;
			y[i] = 2 * i + 10 * noise();
		}
		CHECK(trend_fit(x, y, 40, 0, 0.9, room, &trend), "no line");
		held += trend.slope_low <= 2 && 2 <= trend.slope_high;
		free(room);
	}
	CHECK(held > 870 && held < 930, "%d of 1000 at 90 %%", held);
}

static void
test_normal_quantile(void)
{
	CHECK(fabs(trend_normal_quantile(0.975) - 1.959964) < 5e-4, "%g", trend_normal_quantile(0.975));
	CHECK(fabs(trend_normal_quantile(0.5)) < 5e-4, "%g", trend_normal_quantile(0.5));
	CHECK(fabs(trend_normal_quantile(0.001) + 3.090232) < 5e-4, "%g", trend_normal_quantile(0.001));
	/* the ends are far, and numbers */
	CHECK(trend_normal_quantile(1) > 8 && trend_normal_quantile(1) < 40, "%g", trend_normal_quantile(1));
	CHECK(trend_normal_quantile(0) < -8 && trend_normal_quantile(0) > -40, "%g", trend_normal_quantile(0));
}

static void
test_season(void)
{
	static const double week[7] = {0, 1, 2, 3, 4, -20, -30};
	double	   *room = room_for(70);
	int			believed = 0;
	Series		series;
	double		expected;
	double		low;
	double		high;

	for (int i = 0; i < 70; i++)
		y[i] = 100 + 2 * i + week[i % 7];
	/* what is missing, and what is wild, changes nothing */
	y[3] = y[20] = NAN;
	y[33] = 1e6;
	CHECK(trend_fit_series(y, 70, 7, 12, 0.95, room, &series), "no line");
	CHECK(series.period == 7 && series.points == 68, "period %d, points %d", series.period, series.points);
	for (int i = 70; i < 90; i++)
	{
		trend_project(&series, i, &expected, &low, &high);
		CHECK(fabs(expected - (100 + 2 * i + week[i % 7])) < 1e-6, "%d: %g", i, expected);
		CHECK(low <= expected && expected <= high, "%g .. %g .. %g", low, expected, high);
	}

	/* a day's season in hours of three weeks, of which every day is the same */
	for (int i = 0; i < 504; i++)
		y[i] = i + 10 * (i % 24 < 8) + noise();
	free(room);
	room = room_for(504);
	CHECK(trend_fit_series(y, 504, 168, 12, 0.95, room, &series) && series.period == 24, "period %d", series.period);

	/* hardly ever a season in noise, and none in a straight line */
	for (int round = 0; round < 500; round++)
	{
		for (int i = 0; i < 70; i++)
			y[i] = noise();
		CHECK(trend_fit_series(y, 70, 7, 12, 0.95, room, &series), "no line");
		believed += series.period != 0;
	}
	CHECK(believed < 50, "%d of 500", believed);
	for (int i = 0; i < 70; i++)
		y[i] = 7;
	CHECK(trend_fit_series(y, 70, 7, 12, 0.95, room, &series) && series.period == 0, "period %d", series.period);
	trend_project(&series, 1000, &expected, &low, &high);
	CHECK(expected == 7 && low == 7 && high == 7, "%g .. %g .. %g", low, expected, high);
	free(room);
}

/* The next value is within the limits about as often as they say. */
static void
test_prediction(void)
{
	int			held = 0;

	for (int round = 0; round < 1000; round++)
	{
		double	   *room = room_for(100);
		Series		series;
		double		expected;
		double		low;
		double		high;

		for (int i = 0; i < 100; i++)
			y[i] = 50 + 0.5 * i + 5 * noise();
		CHECK(trend_fit_series(y, 100, 0, 12, 0.9, room, &series), "no line");
		trend_project(&series, 110, &expected, &low, &high);
		y[0] = 50 + 0.5 * 110 + 5 * noise();
		held += low <= y[0] && y[0] <= high;
		free(room);
	}
	CHECK(held > 870 && held < 950, "%d of 1000 at 90 %%", held);
}

static void
fit_and_project(const double *values, int n, int period, int least, Series *series,
				double *expected, double *low, double *high)
{
	double	   *room = room_for(n);

	CHECK(trend_fit_series(values, n, period, least, 0.95, room, series), "no line");
	trend_project(series, n, expected, low, high);
	free(room);
}

/* A forecast begins where the series is now, and not at its median. */
static void
test_present(void)
{
	double		expected;
	double		low;
	double		high;
	Series		series;

	/* constant, then rising by one */
	for (int i = 0; i < 90; i++)
		y[i] = i < 60 ? 100 : 41 + i;
	fit_and_project(y, 90, 0, 12, &series, &expected, &low, &high);
	CHECK(expected == 131 && low == 131 && high == 131, "%g .. %g .. %g", low, expected, high);
	CHECK(series.from >= 55 && series.from <= 65 && series.shift == 0, "from %d", series.from);

	/* another level; after it is too little, it begins there and may go back */
	for (int i = 0; i < 90; i++)
		y[i] = i < 70 ? 100 : 200;
	fit_and_project(y, 90, 7, 20, &series, &expected, &low, &high);
	CHECK(expected == 200 && low == 200 && high == 200, "%g .. %g .. %g", low, expected, high);
	CHECK(series.from == 70, "from %d", series.from);
	fit_and_project(y, 90, 7, 21, &series, &expected, &low, &high);
	CHECK(expected == 200 && low <= 100 && high >= 200, "%g .. %g .. %g", low, expected, high);
	CHECK(series.from == 0 && series.shift == 100, "from %d, shift %g", series.from, series.shift);

	/* no season hides it */
	for (int shifted = 15; shifted <= 75; shifted++)
	{
		for (int i = 0; i < 90; i++)
			y[i] = (i < shifted ? 1 : 10) + noise() / 10;
		fit_and_project(y, 90, 7, 12, &series, &expected, &low, &high);
		CHECK(fabs(expected - 10) < 0.5 && series.from == shifted, "%d: %g, from %d", shifted, expected, series.from);
	}

	/* the last week is enough, up and down, and its outlier is one */
	for (int i = 0; i < 90; i++)
		y[i] = i < 83 ? 100 + i % 3 : i == 88 ? -1e6 : 50 + i % 3;
	fit_and_project(y, 90, 0, 12, &series, &expected, &low, &high);
	CHECK(fabs(expected - 51) < 2 && high >= 100, "%g .. %g .. %g", low, expected, high);

	/* up to three outliers at the end move nothing */
	for (int bad = 1; bad <= 3; bad++)
	{
		for (int i = 0; i < 90; i++)
			y[i] = i < 90 - bad ? 100 + 2 * i + i % 3 : 1e6;
		fit_and_project(y, 90, 0, 12, &series, &expected, &low, &high);
		CHECK(fabs(expected - 281) < 3 && series.from == 0, "%d: %g", bad, expected);
	}

	/* a curve is followed: the present is within the limits of the next */
	for (int i = 0; i < 90; i++)
		y[i] = i * i;
	fit_and_project(y, 90, 0, 12, &series, &expected, &low, &high);
	CHECK(expected > 7500 && high >= 89 * 89, "%g .. %g .. %g", low, expected, high);
}

/* Noise hardly ever breaks, also where it depends on what was before. */
static void
test_no_break(void)
{
	int			broken = 0;
	int			moved = 0;

	for (int round = 0; round < 1000; round++)
	{
		double		expected;
		double		low;
		double		high;
		Series		series;

		for (int i = 0; i < 90; i++)
			y[i] = 3 * i + noise() + (round % 2 && i ? 0.5 * (y[i - 1] - 3 * (i - 1)) : 0);
		fit_and_project(y, 90, 7, 12, &series, &expected, &low, &high);
		broken += series.from != 0;
		moved += series.shift != 0;
	}
	CHECK(broken < 5, "%d of 1000 broken", broken);
	CHECK(moved < 120, "%d of 1000 moved", moved);
}

static void
test_recent(void)
{
	double	   *room = room_for(60);
	Trend		trend;
	int			from;

	for (int i = 0; i < 31; i++)
	{
		x[i] = i * 0.9;
		y[i] = i < 24 ? 3000 : 3000 + 4500 * (x[i] - x[23]);
	}
	CHECK(trend_fit_recent(x, y, 31, 4, 0.95, room, &from, &trend) && from >= 23 && from <= 25 && fabs(trend.slope - 4500) < 1e-6,
		  "from %d, slope %g", from, trend.slope);
	CHECK(trend_fit_recent(x, y, 31, 12, 0.95, room, &from, &trend) && from == 0 && trend.slope == 0,
		  "from %d, slope %g", from, trend.slope);
	CHECK(!trend_fit_recent(x, y, 1, 4, 0.95, room, &from, &trend), "a line through a point");
	free(room);
}

static void
test_too_few(void)
{
	Series		series;
	Trend		trend;

	for (int n = 0; n < 4; n++)
	{
		double	   *room = room_for(n);

		for (int i = 0; i < n; i++)
			x[i] = y[i] = i;
		CHECK(trend_fit(x, y, n, 0, 0.95, room, &trend) == (n >= 2), "%d", n);
		CHECK(trend_fit_series(y, n, TREND_MAX_PERIOD, 12, 0.95, room, &series) == (n >= 2), "%d", n);
		CHECK(n < 2 || series.period == 0, "%d: period %d", n, series.period);
		for (int i = 0; i < n; i++)
			y[i] = NAN;
		CHECK(!trend_fit_series(y, n, 7, 12, 0.95, room, &series), "%d", n);
		/* no two places */
		for (int i = 0; i < n; i++)
			x[i] = 5, y[i] = i;
		CHECK(!trend_fit(x, y, n, 0, 0.95, room, &trend), "%d", n);
		free(room);
	}
}

int
main(int argc, char **argv)
{
	check_begin(argc, argv);

	run(test_select, "selection is sorting");
	run(test_against_naive, "the line is the naive one");
	run(test_outliers, "a quarter of outliers moves nothing");
	run(test_slope_interval, "the slope's interval holds what it says");
	run(test_normal_quantile, "quantiles of the normal distribution");
	run(test_season, "a season is found, and none where there is none");
	run(test_prediction, "the prediction's limits hold what they say");
	run(test_present, "a forecast begins at the present");
	run(test_no_break, "noise is no break");
	run(test_recent, "the line after the last break");
	run(test_too_few, "too few points");
	return check_end();
}
