/*-------------------------------------------------------------------------
 *
 * shared.h
 *		dbmaint's shared memory: one slot a database, and what the launcher,
 *		the samplers and the hooks tell each other.
 *
 * Everything is plain data of a size fixed when the server starts.  Nothing
 * in it outlives a crash of the server, and nothing needs to: what must last
 * is in tables.  shared_state is NULL where the library was not preloaded.
 *
 * Locking: lock guards the slots' identity (database_oid, pid, state, leave),
 * the errands, the holds, home_database and pool.  The other fields of a slot
 * are written by the process that runs the database's rounds, under the lock
 * as well, since dbmaint_status() reads them.  samples is read and written by
 * that process alone.  No ereport and no allocation happens while the lock is
 * held.
 *
 * src/shared.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_SHARED_H
#define DBMAINT_SHARED_H

#include "datatype/timestamp.h"
#include "latency/latency.h"
#include "metric.h"
#include "pool/reason.h"
#include "port/atomics.h"
#include "storage/dsm.h"
#include "storage/lwlock.h"

#define MAX_COLLECTORS 24
#define MAX_HOLDS 32
#define LAST_ERROR_LENGTH 256

typedef enum DatabaseState
{
	DATABASE_UNKNOWN,			/* nobody has looked yet */
	DATABASE_ABSENT,			/* the extension is not there */
	DATABASE_STARTING,			/* its sampler was registered */
	DATABASE_SAMPLING,
	DATABASE_WAITING,			/* its sampler left, and will come again */
	DATABASE_FAILING			/* backing off */
} DatabaseState;

/* What the previous sample read, to tell increases from totals. */
typedef struct SampleMemory
{
	TimestampTz at;				/* 0: there was none */
	Readings	totals;			/* of counters only */
	TimestampTz epoch[MAX_COLLECTORS];	/* statistics reset times */
	LatencyTotals latency;
	double		cpu_total;		/* the host's ticks; 0: unknown */
	double		cpu_idle;
} SampleMemory;

/* What is remembered between two snapshots; see snapshot/snapshot.h. */
typedef enum SnapshotKind
{
	SNAPSHOT_STATEMENTS,
	SNAPSHOT_INDEXES,
	SNAPSHOT_TABLES,
	SNAPSHOT_KINDS				/* how many there are */
} SnapshotKind;

typedef struct SnapshotArea
{
	Oid			extension_oid;	/* the installation that made it */
	dsm_handle	handle;
	Size		size;			/* 0: there is none */
} SnapshotArea;

/* Processes that come when there is work; see worker/errand.h. */
typedef enum ErrandKind
{
	ERRAND_RUNNER,				/* of jobs */
	ERRAND_NOTIFIER,			/* sends what is in the outbox */
	ERRAND_KINDS				/* how many there are */
} ErrandKind;

typedef struct Errand
{
	int			pid;			/* 0: it does not run */
	bool		starting;		/* it was registered, and has not come yet */
	bool		leave;			/* it is asked to go */
	bool		wanted;			/* there may be work for it */
	TimestampTz wanted_at;		/* since when */
	TimestampTz started_at;		/* when it came last; 0: never */
	int64		starts;
	int64		errors;
	int			failures;		/* in a row */
	TimestampTz retry_at;		/* after a failure, not before this */
	int64		working_on;		/* what the kind calls its present work; 0:
								 * none */
	Oid			cancelled_by;	/* a role wants an end of that work */
	char		last_error[LAST_ERROR_LENGTH];
	char		progress[LAST_ERROR_LENGTH];
} Errand;

typedef struct DatabaseSlot
{
	Oid			database_oid;	/* InvalidOid: the slot is free */
	int			pid;			/* of its sampler, or 0 */
	DatabaseState state;
	bool		leave;			/* the sampler is asked to go */
	uint32		changes;		/* of extensions, to notice one */
	TimestampTz allowed_at;		/* since when its sampler is to run; 0: it is
								 * not */

	TimestampTz last_due[MAX_COLLECTORS];	/* 0: never ran */
	TimestampTz last_expiry;	/* when expiry of history was due last */
	TimestampTz last_round_at;
	int64		last_round_cost_us;
	int64		rounds;
	int64		missed;			/* turns that came too late to be taken */
	int64		errors;
	int			failures;		/* rounds lost in a row */
	TimestampTz retry_at;		/* after a failure, not before this */
	char		last_error[LAST_ERROR_LENGTH];
	Errand		errands[ERRAND_KINDS];

	TimestampTz alert_at;		/* the last turn of the alerts, and what it
								 * found */
	int			alert_rules;
	int			alert_series;
	int			alert_pending;
	int			alert_firing;
	double		alert_judged_ms;
	char		alert_failure[LAST_ERROR_LENGTH];	/* of that turn */

	SampleMemory samples;
	SnapshotArea snapshots[SNAPSHOT_KINDS];
} DatabaseSlot;

/* What became of reading the connection pooler; see pool/pool.h. */
typedef struct PoolStatus
{
	TimestampTz tried_at;		/* 0: never */
	TimestampTz read_at;		/* the last time that it worked; 0: never */
	TimestampTz retry_at;		/* after a failure, not before this */
	int64		readings;
	int64		errors;
	int64		cost_us;		/* from the question to the answer */
	int			failures;		/* in a row */
	int			pools;			/* in the last reading */
	PoolReason	reason;
	char		message[POOL_MESSAGE_LENGTH];
	char		version[64];
} PoolStatus;

typedef struct DatabaseHold
{
	Oid			database_oid;
	int			pid;			/* who holds it; 0: a free entry */
} DatabaseHold;

typedef struct SharedState
{
	LWLock	   *lock;
	int			launcher_pid;
	int64		launcher_scans;
	TimestampTz launcher_scan_at;
	bool		rotating;		/* more databases than worker slots */
	bool		no_room;		/* not one worker slot to be had */
	int			runners_waiting;	/* for others to end: dbmaint.max_runners */
	Oid			home_database;
	PoolStatus	pool;
	pg_atomic_uint32 catalog_generation;	/* databases or extensions changed */
	DatabaseHold holds[MAX_HOLDS];
	int			slot_count;
	DatabaseSlot slots[FLEXIBLE_ARRAY_MEMBER];
} SharedState;

extern PGDLLIMPORT SharedState *shared_state;

/* Installs the hooks that make the shared memory; from _PG_init only. */
extern void shared_install(void);

/* Raises an error with a hint where the library was not preloaded. */
extern void shared_require(void);

/*
 * Returns the database's slot, NULL if it has none (or none is free).  The
 * caller holds the lock: shared_slot_find in any mode, shared_slot_claim
 * exclusively.
 */
extern DatabaseSlot *shared_slot_find(Oid database_oid);
extern DatabaseSlot *shared_slot_claim(Oid database_oid);

/* Wakes the launcher; takes ProcArrayLock, raises no error. */
extern void shared_wake_launcher(void);

/* Sets the latch of the process, if it still runs. */
extern void shared_wake_process(int pid);

#endif							/* DBMAINT_SHARED_H */
