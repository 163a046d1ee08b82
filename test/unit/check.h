/*-------------------------------------------------------------------------
 *
 * check.h
 *	  What the unit tests share: TAP, conditions, and random numbers that a
 *	  seed gives again.  Include it once, after the header of what is tested.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_CHECK_H
#define DBMAINT_CHECK_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int	tests = 0;
static int	failures = 0;
static int	broken;				/* conditions of the current test that failed */
static uint64_t random_state = UINT64_C(0x9E3779B97F4A7C15);

/* Must hold; the first few that do not are shown, with a printf's arguments. */
#define CHECK(condition, ...) \
	do { \
		if (!(condition) && broken++ < 5) \
		{ \
			printf("# line %d: %s: ", __LINE__, #condition); \
			printf(__VA_ARGS__); \
			printf("\n"); \
		} \
	} while (0)

/* Runs one test; says whether each of its conditions held. */
static inline void
run(void (*test) (void), const char *name)
{
	broken = 0;
	test();
	printf("%s %d - %s\n", broken ? "not ok" : "ok", ++tests, name);
	fflush(stdout);
	failures += broken != 0;
}

static inline uint64_t
next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* From 0 to below 1. */
static inline double
random_fraction(void)
{
	return (double) (next_random() >> 11) / (double) (UINT64_C(1) << 53);
}

/* A number whose size, not only its digits, is random. */
static inline uint64_t
random_magnitude(int bits)
{
	return next_random() >> (64 - 1 - next_random() % (uint64_t) bits);
}

/* The first thing in main: takes the seed, if one was given. */
static inline void
check_begin(int argc, char **argv)
{
	if (argc > 1)
		random_state = strtoull(argv[1], NULL, 0) | 1;
	printf("# seed %" PRIu64 "\n", random_state);
}

/* The last: what main returns. */
static inline int
check_end(void)
{
	printf("1..%d\n", tests);
	return failures != 0;
}

#endif							/* DBMAINT_CHECK_H */
