/*-------------------------------------------------------------------------
 *
 * latency.c
 *		The histograms in shared memory: one a database, in stripes.
 *
 * A backend finds its database's histogram once and keeps the pointer; from
 * then on a statement costs two atomic additions, on the stripe that the
 * backend's number picks, so that backends on many cores seldom meet on one
 * cache line.  The table of databases is a hash with open addressing whose
 * entries are taken by compare-and-swap: no lock is ever held.
 *
 * src/latency/latency.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "common/hashfn.h"
#include "latency/latency.h"
#include "port/atomics.h"
#include "storage/shmem.h"

#define STRIPES 8

/* An entry whose database was dropped: may be taken again, ends no search. */
#define FREED_OID ((Oid) PG_UINT32_MAX)

typedef struct LatencyStripe
{
	pg_atomic_uint64 total_us;
	pg_atomic_uint64 failed;
	pg_atomic_uint64 max_us;
	char		pad[PG_CACHE_LINE_SIZE - 3 * sizeof(pg_atomic_uint64)];
	pg_atomic_uint32 buckets[HISTOGRAM_BUCKETS];
} LatencyStripe;

typedef struct LatencyDatabase
{
	pg_atomic_uint32 database_oid;
	char		pad[PG_CACHE_LINE_SIZE - sizeof(pg_atomic_uint32)];
	LatencyStripe stripes[STRIPES];
} LatencyDatabase;

typedef struct LatencyShared
{
	int			count;
	pg_atomic_uint64 dropped;
	LatencyDatabase databases[FLEXIBLE_ARRAY_MEMBER];
} LatencyShared;

static LatencyShared *latency_shared = NULL;

/* this backend's stripe, found at its first statement */
static LatencyStripe *my_stripe = NULL;

Size
latency_shared_size(int max_databases)
{
	return add_size(offsetof(LatencyShared, databases),
					mul_size(max_databases, sizeof(LatencyDatabase)));
}

static void
init_database(LatencyDatabase *database)
{
	pg_atomic_init_u32(&database->database_oid, InvalidOid);
	for (int s = 0; s < STRIPES; s++)
	{
		LatencyStripe *stripe = &database->stripes[s];

		pg_atomic_init_u64(&stripe->total_us, 0);
		pg_atomic_init_u64(&stripe->failed, 0);
		pg_atomic_init_u64(&stripe->max_us, 0);
		for (int b = 0; b < HISTOGRAM_BUCKETS; b++)
			pg_atomic_init_u32(&stripe->buckets[b], 0);
	}
}

void
latency_shared_attach(int max_databases)
{
	bool		found;

	latency_shared = ShmemInitStruct("dbmaint latency",
									 latency_shared_size(max_databases),
									 &found);
	if (!found)
	{
		latency_shared->count = max_databases;
		pg_atomic_init_u64(&latency_shared->dropped, 0);
		for (int i = 0; i < max_databases; i++)
			init_database(&latency_shared->databases[i]);
	}
}

/*
 * Returns the database's entry; takes a free one if there is none and `take`
 * says so.  NULL where there is none, or no room.
 */
static LatencyDatabase *
find_database(Oid database_oid, bool take)
{
	int			count = latency_shared->count;
	uint32		start = murmurhash32(database_oid) % count;

	for (int i = 0; i < count; i++)
	{
		LatencyDatabase *database =
		&latency_shared->databases[(start + i) % count];
		uint32		held = pg_atomic_read_u32(&database->database_oid);

		if (held == database_oid)
			return database;
		if (held == InvalidOid && !take)
			return NULL;
		if (held == InvalidOid &&
			(pg_atomic_compare_exchange_u32(&database->database_oid, &held,
											database_oid) ||
			 held == database_oid))
			return database;
	}

	/* the entries of dropped databases come last: ours may stand behind one */
	for (int i = 0; take && i < count; i++)
	{
		LatencyDatabase *database =
		&latency_shared->databases[(start + i) % count];
		uint32		held = FREED_OID;

		if (pg_atomic_compare_exchange_u32(&database->database_oid, &held,
										   database_oid) ||
			held == database_oid)
			return database;
	}
	return NULL;
}

/*
 * The stripe to count in, NULL where there is no room.  A full table is long
 * to search, so most statements of a database without room do not try.
 */
static LatencyStripe *
find_stripe(void)
{
	static uint32 refusals = 0;
	LatencyDatabase *database = NULL;

	if (latency_shared == NULL || !OidIsValid(MyDatabaseId))
		return NULL;
	if (refusals % 256 == 0)
		database = find_database(MyDatabaseId, true);
	if (database == NULL)
	{
		refusals++;
		pg_atomic_fetch_add_u64(&latency_shared->dropped, 1);
		return NULL;
	}
	return &database->stripes[MY_PROC_NUMBER % STRIPES];
}

void
latency_count(int64 elapsed_us)
{
	uint64		us = elapsed_us > 0 ? elapsed_us : 0;
	uint64		max;

	if (my_stripe == NULL && (my_stripe = find_stripe()) == NULL)
		return;

	pg_atomic_fetch_add_u32(&my_stripe->buckets[histogram_bucket(us)], 1);
	pg_atomic_fetch_add_u64(&my_stripe->total_us, us);

	max = pg_atomic_read_u64(&my_stripe->max_us);
	while (us > max &&
		   !pg_atomic_compare_exchange_u64(&my_stripe->max_us, &max, us))
		;
}

void
latency_count_failed(void)
{
	if (my_stripe == NULL && (my_stripe = find_stripe()) == NULL)
		return;
	pg_atomic_fetch_add_u64(&my_stripe->failed, 1);
}

bool
latency_read(Oid database_oid, LatencyTotals *totals)
{
	LatencyDatabase *database = NULL;

	memset(totals, 0, sizeof(LatencyTotals));
	if (latency_shared != NULL)
		database = find_database(database_oid, false);
	if (database == NULL)
		return false;

	for (int s = 0; s < STRIPES; s++)
	{
		LatencyStripe *stripe = &database->stripes[s];

		totals->total_us += pg_atomic_read_u64(&stripe->total_us);
		totals->failed += pg_atomic_read_u64(&stripe->failed);
		for (int b = 0; b < HISTOGRAM_BUCKETS; b++)
			totals->buckets[b] += pg_atomic_read_u32(&stripe->buckets[b]);
	}
	return true;
}

uint64
latency_take_max(Oid database_oid)
{
	LatencyDatabase *database = NULL;
	uint64		max = 0;

	if (latency_shared != NULL)
		database = find_database(database_oid, false);
	for (int s = 0; database != NULL && s < STRIPES; s++)
		max = Max(max, pg_atomic_exchange_u64(&database->stripes[s].max_us, 0));
	return max;
}

void
latency_forget(Oid database_oid)
{
	LatencyDatabase *database = find_database(database_oid, false);

	if (database == NULL)
		return;
	for (int s = 0; s < STRIPES; s++)
	{
		LatencyStripe *stripe = &database->stripes[s];

		pg_atomic_write_u64(&stripe->total_us, 0);
		pg_atomic_write_u64(&stripe->failed, 0);
		pg_atomic_write_u64(&stripe->max_us, 0);
		for (int b = 0; b < HISTOGRAM_BUCKETS; b++)
			pg_atomic_write_u32(&stripe->buckets[b], 0);
	}
	pg_write_barrier();
	pg_atomic_write_u32(&database->database_oid, FREED_OID);
}

uint64
latency_dropped(void)
{
	return latency_shared == NULL ? 0 :
		pg_atomic_read_u64(&latency_shared->dropped);
}

int
latency_databases(Oid *oids, int max)
{
	int			found = 0;

	for (int i = 0; i < latency_shared->count && found < max; i++)
	{
		Oid			held = pg_atomic_read_u32(&latency_shared->databases[i].database_oid);

		if (OidIsValid(held) && held != FREED_OID)
			oids[found++] = held;
	}
	return found;
}
