/*-------------------------------------------------------------------------
 *
 * sample.c
 *	  The arithmetic of sampling.
 *
 * src/bloat/sample.c
 *
 *-------------------------------------------------------------------------
 */
#include "bloat/sample.h"

#include <math.h>
#include <stddef.h>

/* -ln(0.05): so many pages of n can hide from a sample of n once in 20 times */
#define RULE_OF_THREE	3.0

static double
at_least(double a, double b)
{
	return a > b ? a : b;
}

static double
at_most(double a, double b)
{
	return a < b ? a : b;
}

uint32
sample_stratum(uint32 population, uint32 size, uint32 stratum)
{
	return (uint32) ((uint64) population * stratum / size);
}

/* How many pages the one taken from a stratum stands for. */
static double
stratum_length(uint32 population, uint32 size, uint32 stratum)
{
	return (double) (sample_stratum(population, size, stratum + 1) -
					 sample_stratum(population, size, stratum));
}

/*
 * The 97.5 % point of Student's distribution, by the expansion in powers of
 * 1 / freedom (Abramowitz and Stegun, 26.7.5): right to 1 % from 3 on.
 */
static double
student(double freedom)
{
	const double z = 1.959964;
	const double z2 = z * z;
	double		f = at_least(freedom, 1);

	return z +
		z * (z2 + 1) / (4 * f) +
		z * ((5 * z2 + 16) * z2 + 3) / (96 * f * f) +
		z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / (384 * f * f * f);
}

static bool
counts(const bool *counted, uint32 i)
{
	return counted == NULL || counted[i];
}

/*
 * Sets the interval around the mean.  The residuals are those of a ratio,
 * linearised: a page of another kind has none, and the others' are divided by
 * the share of their kind.
 */
static void
set_interval(const double *values, const bool *counted, uint32 size,
			 uint32 population, double share, double unseen_variance,
			 Estimate *estimate)
{
	double		squares = 0;	/* of the differences between neighbours */
	double		factor = 0;		/* from a page's variance to the mean's */
	double		before = 0;
	double		deviation;
	double		unseen;

	for (uint32 i = 0; i < size; i++)
	{
		double		length = stratum_length(population, size, i);
		double		residual = counts(counted, i) ?
		(values[i] - estimate->mean) / share : 0;

		/* one page of a stratum of one is no sample: it adds no variance */
		factor += length * (length - 1);
		if (i > 0)
			squares += (residual - before) * (residual - before);
		before = residual;
	}
	factor /= (double) population * population;
	if (size > 1)
		squares /= 2 * ((double) size - 1);

	/* differences of neighbours leave two thirds of the degrees of freedom */
	deviation = sqrt(squares * factor + unseen_variance) *
		student(2 * ((double) size - 1) / 3);

	/* factor is about (1 - size / population) / size; a page is a page */
	unseen = factor == 0 ? 0 : at_least(RULE_OF_THREE * factor, 1.0 / population);
	unseen *= at_least(estimate->mean, 1 - estimate->mean) / share;
	deviation = at_least(deviation, unseen);

	estimate->low = at_least(estimate->mean - deviation, 0);
	estimate->high = at_most(estimate->mean + deviation, 1);
}

void
sample_mean(const double *values, const bool *counted, uint32 size,
			uint32 population, double unseen_variance, Estimate *estimate)
{
	double		sum = 0;
	double		weight = 0;

	for (uint32 i = 0; i < size; i++)
	{
		double		length = stratum_length(population, size, i);

		if (!counts(counted, i))
			continue;
		sum += values[i] * length;
		weight += length;
	}
	if (weight == 0)
	{
		estimate->mean = estimate->low = estimate->high = NAN;
		return;
	}

	/* rounding must not lead out of the interval of its values */
	estimate->mean = at_most(at_least(sum / weight, 0), 1);
	set_interval(values, counted, size, population, weight / population,
				 unseen_variance, estimate);
}

double
sample_total(const bool *chosen, uint32 size, uint32 population)
{
	double		total = 0;

	for (uint32 i = 0; i < size; i++)
	{
		if (chosen[i])
			total += stratum_length(population, size, i);
	}
	return total;
}

/* What one population gets where a root of 1 gets `each`. */
static uint32
fair_size(uint32 population, double each, uint32 least, uint32 most)
{
	double		size = at_least(floor(each * sqrt(population)), least);

	return (uint32) at_most(at_most(size, population), most);
}

static uint64
fair_sum(const uint32 *populations, uint32 count, double each, uint32 least,
		 uint32 most)
{
	uint64		sum = 0;

	for (uint32 i = 0; i < count; i++)
		sum += fair_size(populations[i], each, least, most);
	return sum;
}

void
sample_divide(const uint32 *populations, uint32 *sizes, uint32 count,
			  uint64 budget, uint32 least, uint32 most)
{
	double		low = 0;
	double		high = 65536;	/* what reads the largest whole */
	uint64		sum = 0;
	uint32		served = 0;

	for (uint32 i = 0; i < count; i++)
		sizes[i] = 0;

	/* who comes too late for the least */
	while (served < count)
	{
		sum += fair_size(populations[served], 0, least, most);
		if (sum > budget)
			break;
		served++;
	}

	/* bisect for what exhausts the budget: the sum never falls as it grows */
	for (int step = 0; step < 40; step++)
	{
		double		middle = (low + high) / 2;

		if (fair_sum(populations, served, middle, least, most) <= budget)
			low = middle;
		else
			high = middle;
	}
	for (uint32 i = 0; i < served; i++)
		sizes[i] = fair_size(populations[i], low, least, most);
}
