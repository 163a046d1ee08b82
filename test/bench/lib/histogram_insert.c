/*-------------------------------------------------------------------------
 *
 * histogram_insert.c
 *		How long does it take to count one statement?
 *
 * The same steps on the same layout as latency_count() in
 * src/latency/latency.c, with C11's atomics in the place of the server's.
 * Durations are drawn beforehand from a log-uniform distribution between
 * 16 us and 1 s, so that they fall into many buckets.
 *
 * test/bench/lib/histogram_insert.c RUNS COUNTS
 *
 *-------------------------------------------------------------------------
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#include "latency/histogram.h"

#define CACHE_LINE 128			/* as PG_CACHE_LINE_SIZE */
#define STRIPES 8
#define DURATIONS 65536			/* a power of two */
#define MAX_RUNS 101

typedef struct Stripe
{
	_Atomic uint64 total_us;
	_Atomic uint64 failed;
	_Atomic uint64 max_us;
	char		pad[CACHE_LINE - 3 * sizeof(_Atomic uint64)];
	_Atomic uint32_t buckets[HISTOGRAM_BUCKETS];
} Stripe;

typedef struct Task
{
	Stripe	   *stripe;
	long		counts;
	double		ns;				/* each */
} Task;

static _Alignas(CACHE_LINE) Stripe stripes[STRIPES];
static uint64 durations[DURATIONS];
static pthread_barrier_t barrier;

static double
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

/* Not inlined, as it is called from another file in the server. */
static __attribute__((noinline)) void
count(Stripe *stripe, uint64 us)
{
	uint64		max;

	atomic_fetch_add(&stripe->buckets[histogram_bucket(us)], 1);
	atomic_fetch_add(&stripe->total_us, us);

	max = atomic_load_explicit(&stripe->max_us, memory_order_relaxed);
	while (us > max && !atomic_compare_exchange_strong(&stripe->max_us, &max, us))
		;
}

static void *
insert(void *arg)
{
	Task	   *task = arg;
	double		started;

	pthread_barrier_wait(&barrier);
	started = now_ns();
	for (long i = 0; i < task->counts; i++)
		count(task->stripe, durations[i & (DURATIONS - 1)]);
	task->ns = (now_ns() - started) / task->counts;
	return NULL;
}

/* Runs two tasks at once, or one; returns the mean of their times. */
static double
run(int threads, Stripe *first, Stripe *second, long counts)
{
	Task		tasks[2] = {{first, counts, 0}, {second, counts, 0}};
	pthread_t	ids[2];
	double		ns = 0;

	pthread_barrier_init(&barrier, NULL, threads);
	for (int i = 0; i < threads; i++)
	{
		if (pthread_create(&ids[i], NULL, insert, &tasks[i]) != 0)
		{
			fprintf(stderr, "could not create a thread\n");
			exit(1);
		}
	}
	for (int i = 0; i < threads; i++)
	{
		pthread_join(ids[i], NULL);
		ns += tasks[i].ns;
	}
	pthread_barrier_destroy(&barrier);
	return ns / threads;
}

/* What the clock costs, of which a statement is asked for two or three. */
static double
clock_ns(long counts)
{
	struct timeval tv;
	double		started = now_ns();
	long		sum = 0;

	for (long i = 0; i < counts; i++)
	{
		gettimeofday(&tv, NULL);
		sum += tv.tv_usec;
	}
	return (now_ns() - started) / counts + (sum < 0);
}

static int
compare(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

static void
print_row(const char *what, double *ns, int runs)
{
	qsort(ns, runs, sizeof(double), compare);
	printf("%-34s %10.2f   %.2f .. %.2f\n", what,
		   (ns[(runs - 1) / 2] + ns[runs / 2]) / 2, ns[0], ns[runs - 1]);
}

int
main(int argc, char **argv)
{
	int			runs = argc > 1 ? atoi(argv[1]) : 7;
	long		counts = argc > 2 ? atol(argv[2]) : 20000000;
	double		ns[4][MAX_RUNS];

	if (runs < 1 || runs > MAX_RUNS || counts < 1)
	{
		fprintf(stderr, "usage: histogram_insert RUNS COUNTS\n");
		return 2;
	}

	/* 2^4 to 2^20 us: as many in each octave */
	srand(1);
	for (int i = 0; i < DURATIONS; i++)
	{
		int			octave = 4 + rand() % 16;

		durations[i] = ((uint64) 1 << octave) + rand() % (1 << octave);
	}

	run(1, &stripes[0], NULL, counts);
	for (int i = 0; i < runs; i++)
	{
		ns[0][i] = run(1, &stripes[0], NULL, counts);
		ns[1][i] = run(2, &stripes[0], &stripes[1], counts);
		ns[2][i] = run(2, &stripes[0], &stripes[0], counts);
		ns[3][i] = clock_ns(counts / 10 + 1);
	}
	printf("%-34s %10s   %s\n", "ns a statement", "median", "spread");
	print_row("one thread", ns[0], runs);
	print_row("two threads, a stripe each", ns[1], runs);
	print_row("two threads, the same stripe", ns[2], runs);
	print_row("reading the clock (gettimeofday)", ns[3], runs);
	return 0;
}
