/*-------------------------------------------------------------------------
 *
 * latency.h
 *		Response times of client statements, as histograms in shared memory.
 *
 * Every top-level statement of a client backend is counted once, in the
 * histogram of its database, when it has ended: from the arrival of its
 * message (or from the end of the previous statement of that message) to the
 * end of the commit that it triggers.  The time in which the server waits for
 * its client is in no statement.  Failed and cancelled statements are counted
 * apart, without their time.
 *
 * The counters only grow; who reads them keeps what he saw and subtracts.
 * Buckets are 32 bits wide and wrap; so do differences of them, which are
 * right as long as fewer than 2^32 statements fall into one bucket between
 * two readings.
 *
 * src/latency/latency.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_LATENCY_H
#define DBMAINT_LATENCY_H

#include "latency/histogram.h"

/* Everything counted so far in one database. */
typedef struct LatencyTotals
{
	uint32		buckets[HISTOGRAM_BUCKETS];
	uint64		total_us;
	uint64		failed;
} LatencyTotals;

/* Shared memory: its size, and attaching to it (makes it if need be). */
extern Size latency_shared_size(int max_databases);
extern void latency_shared_attach(int max_databases);

/* Installs the executor, utility and transaction hooks; from _PG_init only. */
extern void latency_install(void);

/*
 * Sums up what was counted in the database.  Returns false, and zeroes, where
 * nothing was counted yet.
 */
extern bool latency_read(Oid database_oid, LatencyTotals *totals);

/* The longest response time since the previous call, in microseconds. */
extern uint64 latency_take_max(Oid database_oid);

/* Frees the histogram of a database that is no more. */
extern void latency_forget(Oid database_oid);

/* How many statements found no room, for want of dbmaint.max_databases. */
extern uint64 latency_dropped(void);

/*
 * Adds one statement to this backend's database; lock-free, raises nothing.
 * latency_hooks.c alone calls these two.
 */
extern void latency_count(int64 elapsed_us);
extern void latency_count_failed(void);

/* Lists the databases that have a histogram; returns their number. */
extern int	latency_databases(Oid *oids, int max);

#endif							/* DBMAINT_LATENCY_H */
