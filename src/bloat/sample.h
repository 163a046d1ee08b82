/*-------------------------------------------------------------------------
 *
 * sample.h
 *	  The arithmetic of sampling: which pages to take, what the mean of a
 *	  sample says about the whole, and how far off it may be.
 *
 * A sample is systematic in strata: the population, in its order, is cut into
 * as many runs of equal length as pages are wanted, and one page is taken at
 * random from each.  What is concentrated in one place is thereby met in
 * proportion to its size; pages drawn from the whole would meet too much or
 * too little of it, by 3 points either way of a half for 1,000 pages.
 *
 * The interval is the one of 95 %.  One page a stratum tells nothing of the
 * spread within a stratum, so that is taken from neighbours: half the mean
 * square of their differences, which also has the differences between strata
 * in it and is, if anything, too wide.  And since pages unlike all others can
 * hide from a sample, no interval is narrower than what three pages of n
 * could make (the "rule of three"), if all the pages are not read.
 *
 * sample.c knows no server: no memory is allocated, nothing is raised, no
 * random number is drawn, and it can be compiled on its own.  Within the
 * server, include postgres.h first.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_SAMPLE_H
#define DBMAINT_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#ifndef C_H						/* c.h has these of its own */
typedef uint32_t uint32;
typedef uint64_t uint64;
#endif

/* A mean and its interval of 95 %.  All are NaN where nothing was counted. */
typedef struct Estimate
{
	double		mean;
	double		low;
	double		high;
} Estimate;

/*
 * Gives where a stratum begins, of `size` in a population; a stratum ends
 * where the next one begins, and the population is the begin of the one after
 * the last.  size must be from 1 to population.
 */
extern uint32 sample_stratum(uint32 population, uint32 size, uint32 stratum);

/*
 * Estimates the mean of numbers from 0 to 1 over the population, values[i]
 * being that of the page taken from stratum i.  Where counted is not NULL,
 * pages for which it is false belong to another kind, and the mean is that of
 * the pages of this kind.  unseen_variance is what values that were themselves
 * estimated add to the variance of the mean.
 */
extern void sample_mean(const double *values, const bool *counted,
						uint32 size, uint32 population,
						double unseen_variance, Estimate *estimate);

/* Estimates how many pages of the population a sample's chosen ones stand for. */
extern double sample_total(const bool *chosen, uint32 size, uint32 population);

/*
 * Divides a budget of pages among populations: sizes[i] from 0 to the smaller
 * of populations[i] and most.  Each gets in proportion to the square root of
 * its population: in proportion to the population itself, one giant would
 * leave nothing to know the others by.  Nobody gets less than `least` but who
 * is read whole with it; where the budget is too small for that, the later
 * ones get nothing, so give the largest first.
 */
extern void sample_divide(const uint32 *populations, uint32 *sizes,
						  uint32 count, uint64 budget, uint32 least,
						  uint32 most);

#endif							/* DBMAINT_SAMPLE_H */
