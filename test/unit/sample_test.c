/*-------------------------------------------------------------------------
 *
 * sample_test.c
 *	  Properties of the arithmetic of sampling, on made-up tables of which the
 *	  truth is known; prints TAP.  Needs no server:
 *
 *	  cc -g -fsanitize=address,undefined -Isrc test/unit/sample_test.c \
 *		 src/bloat/sample.c -lm -o sample_test && ./sample_test
 *
 *	  Random data comes from a fixed seed, or from the one given as argument.
 *
 *-------------------------------------------------------------------------
 */
#include "bloat/sample.h"
#include "check.h"

#include <math.h>

#define POPULATION_MOST 131072
#define SAMPLE_MOST 131072
#define RUNS 400

static double table[POPULATION_MOST];
static bool leaf[POPULATION_MOST];
static double values[SAMPLE_MOST];
static bool counted[SAMPLE_MOST];

/* Kinds of tables: the value of page i of a population. */
typedef double (*PageValue) (uint32 i, uint32 population);

static double
page_alike(uint32 i, uint32 population)
{
	(void) i, (void) population;
	return 0.3 + 0.02 * random_fraction();
}

static double
page_clustered(uint32 i, uint32 population)
{
	return i > population / 5 && i < population / 2 ? 0.98 : 0.01;
}

static double
page_scattered(uint32 i, uint32 population)
{
	(void) i, (void) population;
	return random_fraction() < 0.4 ? 1 : 0;
}

/* so few that a sample of 1000 meets one or two */
static double
page_rare(uint32 i, uint32 population)
{
	(void) i, (void) population;
	return random_fraction() < 0.0015 ? 1 : 0;
}

static double
page_rising(uint32 i, uint32 population)
{
	return (double) i / population;
}

static double
page_in_runs(uint32 i, uint32 population)
{
	(void) population;
	return i / 700 % 3 == 0 ? 0.9 : 0.1 * random_fraction();
}

static double
make_table(PageValue value, uint32 population)
{
	double		sum = 0;

	for (uint32 i = 0; i < population; i++)
	{
		table[i] = value(i, population);
		sum += table[i];
	}
	return sum / population;
}

static void
draw(uint32 population, uint32 size)
{
	for (uint32 i = 0; i < size; i++)
	{
		uint32		begin = sample_stratum(population, size, i);
		uint32		end = sample_stratum(population, size, i + 1);
		uint32		page = begin + (uint32) (next_random() % (end - begin));

		values[i] = table[page];
		counted[i] = leaf[page];
	}
}

static void
test_strata(void)
{
	for (int n = 0; n < 20000; n++)
	{
		uint32		population = 1 + (uint32) (next_random() >> (32 + next_random() % 32));
		uint32		size = 1 + (uint32) (next_random() % 1000);
		uint32		i;

		if (size > population)
			size = population;
		i = (uint32) (next_random() % size);
		CHECK(sample_stratum(population, size, 0) == 0, "%u of %u", size, population);
		CHECK(sample_stratum(population, size, size) == population, "%u of %u", size, population);
		CHECK(sample_stratum(population, size, i + 1) > sample_stratum(population, size, i),
			  "%u of %u of %u", i, size, population);
		CHECK(sample_stratum(population, size, i + 1) - sample_stratum(population, size, i)
			  <= population / size + 1, "%u of %u of %u", i, size, population);
	}
	CHECK(sample_stratum(UINT32_MAX, 1000000, 1000000) == UINT32_MAX, "the largest table");
}

/*
 * Of many samples, about 95 % have the truth in their interval (the fewest
 * of these, 89 %, where all but some pages are read and few are unlike the rest); and none
 * is off by more than 2 points if it has 1000 pages of a table that is not
 * scattered at random, where no 1000 pages can do that.
 */
static void
cover(PageValue value, const char *name, uint32 population, uint32 size,
	  bool within)
{
	int			inside = 0;
	double		sum = 0;
	double		truth = make_table(value, population);

	for (int n = 0; n < RUNS; n++)
	{
		Estimate	estimate;

		/* where nearly all is read, chance is in the table, not in the draw */
		if (population < 2 * size)
			truth = make_table(value, population);
		draw(population, size);
		sample_mean(values, NULL, size, population, 0, &estimate);
		CHECK(estimate.low <= estimate.mean && estimate.mean <= estimate.high, "%s", name);
		CHECK(estimate.low >= 0 && estimate.high <= 1, "%s", name);
		inside += estimate.low <= truth && truth <= estimate.high;
		sum += estimate.mean - truth;
		if (within)
			CHECK(fabs(estimate.mean - truth) <= 0.02, "%s: %g is not %g", name,
				  estimate.mean, truth);
	}
	CHECK(inside >= RUNS * 87 / 100, "%s, %u of %u: %d of %d", name, size,
		  population, inside, RUNS);
	CHECK(fabs(sum / RUNS) < (size < 1000 ? 0.02 : 0.004), "%s, %u of %u: %g off in the mean", name, size,
		  population, sum / RUNS);
}

static void
cover_sizes(PageValue value, const char *name, bool within)
{
	cover(value, name, 131072, 1000, within);
	cover(value, name, 12345, 1000, within);
	cover(value, name, 1500, 1000, within);
	cover(value, name, 1100, 1000, within);
	cover(value, name, 50000, 100, false);
	cover(value, name, 131, 30, false);
}

static void
test_coverage(void)
{
	cover_sizes(page_alike, "alike", true);
	cover_sizes(page_clustered, "clustered", true);
	cover_sizes(page_scattered, "scattered", false);
	cover_sizes(page_rare, "rare", true);
	cover_sizes(page_rising, "rising", true);
	cover_sizes(page_in_runs, "runs", false);
}

/* What strata are for: 1000 pages of the whole would be off by 3 points. */
static void
test_clustered_is_narrow(void)
{
	for (int n = 0; n < RUNS; n++)
	{
		Estimate	estimate;

		make_table(page_clustered, 131072);
		draw(131072, 1000);
		sample_mean(values, NULL, 1000, 131072, 0, &estimate);
		CHECK(estimate.high - estimate.low < 0.01, "%g", estimate.high - estimate.low);
	}
}

static void
test_whole(void)
{
	for (int n = 0; n < 2000; n++)
	{
		uint32		population = 1 + (uint32) (next_random() % 500);
		double		truth = make_table(page_scattered, population);
		Estimate	estimate;

		draw(population, population);
		sample_mean(values, NULL, population, population, 0, &estimate);
		CHECK(fabs(estimate.mean - truth) < 1e-12, "%g, %g", estimate.mean, truth);
		CHECK(estimate.low == estimate.mean && estimate.high == estimate.mean, "%g", truth);
	}
}

/* The mean of one kind of page, when that kind is rare, common, or all. */
static void
test_kinds(void)
{
	const double shares[] = {0.05, 0.5, 0.95, 1};

	for (int s = 0; s < 4; s++)
	{
		int			inside = 0;
		double		sum = 0;
		double		count = 0;

		make_table(page_rising, 40000);
		for (uint32 i = 0; i < 40000; i++)
		{
			leaf[i] = random_fraction() < shares[s];
			sum += leaf[i] ? table[i] : 0;
			count += leaf[i];
		}
		for (int n = 0; n < RUNS; n++)
		{
			Estimate	estimate;
			double		total;

			draw(40000, 1000);
			sample_mean(values, counted, 1000, 40000, 0, &estimate);
			inside += estimate.low <= sum / count && sum / count <= estimate.high;
			total = sample_total(counted, 1000, 40000);
			CHECK(fabs(total - count) < 40000 * 0.08, "%g, %g", total, count);
		}
		CHECK(inside >= RUNS * 87 / 100, "%g: %d of %d", shares[s], inside, RUNS);
	}
	memset(leaf, 0, sizeof(leaf));
}

static void
test_nothing(void)
{
	Estimate	estimate;

	sample_mean(values, NULL, 0, 0, 0, &estimate);
	CHECK(isnan(estimate.mean) && isnan(estimate.low) && isnan(estimate.high), "no page");
	values[0] = 0.5;
	counted[0] = false;
	sample_mean(values, counted, 1, 100, 0, &estimate);
	CHECK(isnan(estimate.mean) && isnan(estimate.low) && isnan(estimate.high), "no leaf");
	sample_mean(values, NULL, 1, 100, 0, &estimate);
	CHECK(estimate.mean == 0.5 && estimate.low == 0 && estimate.high == 1,
		  "one page of many tells nothing: %g, %g", estimate.low, estimate.high);
	sample_mean(values, NULL, 1, 1, 0, &estimate);
	CHECK(estimate.mean == 0.5 && estimate.low == 0.5 && estimate.high == 0.5, "the only page");
}

static void
test_guesses_widen(void)
{
	Estimate	without;
	Estimate	with;

	make_table(page_alike, 100000);
	draw(100000, 1000);
	sample_mean(values, NULL, 1000, 100000, 0, &without);
	sample_mean(values, NULL, 1000, 100000, 1e-4, &with);
	CHECK(without.mean == with.mean, "%g, %g", without.mean, with.mean);
	CHECK(with.high - with.mean > 0.0196 && with.high - with.mean < 0.021,
		  "%g", with.high - with.mean);
}

static void
test_divide(void)
{
	static uint32 populations[1000];
	static uint32 sizes[1000];

	for (int n = 0; n < 3000; n++)
	{
		uint32		count = (uint32) (next_random() % 1000);
		uint64		budget = next_random() >> (30 + next_random() % 34);
		uint64		sum = 0;
		uint64		whole = 0;
		bool		refused = false;

		for (uint32 i = 0; i < count; i++)
			populations[i] = 1 + (uint32) (next_random() >> (40 + next_random() % 24));
		sample_divide(populations, sizes, count, budget, 30, 1000000);
		for (uint32 i = 0; i < count; i++)
		{
			uint32		most = populations[i] < 1000000 ? populations[i] : 1000000;
			uint32		least = most < 30 ? most : 30;

			CHECK(sizes[i] <= most, "%u of %u", sizes[i], populations[i]);
			CHECK(sizes[i] == 0 || sizes[i] >= least, "%u of %u", sizes[i], populations[i]);
			CHECK(sizes[i] == 0 || !refused, "served after one refused");
			refused = refused || sizes[i] == 0;
			sum += sizes[i];
			whole += most;
		}
		CHECK(sum <= budget, "%lu of %lu", sum, budget);
		if (budget >= whole)
			CHECK(sum == whole, "%lu of %lu: all could be read", sum, whole);
		else if (!refused)
			CHECK(sum + 2 * count >= budget, "%lu of %lu is left unused", sum, budget);
	}

	populations[0] = 1000000;
	populations[1] = 10000;
	sample_divide(populations, sizes, 2, 1100, 30, 1000000);
	CHECK(sizes[0] >= 999 && sizes[0] <= 1000 && sizes[1] >= 99 && sizes[1] <= 100,
		  "by square roots: %u, %u", sizes[0], sizes[1]);
}

int
main(int argc, char **argv)
{
	check_begin(argc, argv);

	run(test_strata, "strata cover the population and none is empty");
	run(test_coverage, "the truth is in the interval of nine of ten samples");
	run(test_clustered_is_narrow, "what is in one place is known to 1 point");
	run(test_whole, "a table that is read whole is known exactly");
	run(test_kinds, "the mean and number of pages of one kind");
	run(test_nothing, "what is not known is not a number");
	run(test_guesses_widen, "values that were estimated widen the interval");
	run(test_divide, "a budget is used, and fairly");
	return check_end();
}
