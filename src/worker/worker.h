/*-------------------------------------------------------------------------
 *
 * worker.h
 *		The processes: a launcher, a sampler for each database, and errands
 *		(errand.h) where there is work for them.
 *
 * The postmaster starts the launcher, and restarts it whenever it ends.  The
 * launcher starts the others, and it alone: what a process's end means (the
 * extension was dropped, the database is about to be, an error) is for it to
 * judge.  They tell each other by shared memory and latches.
 *
 * src/worker/worker.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_WORKER_H
#define DBMAINT_WORKER_H

#include "postmaster/bgworker.h"
#include "shared.h"

/* how long to wait before a process that failed is started again */
#define RESTART_FIRST_US (1 * USECS_PER_SEC)
#define RESTART_MOST_US (300 * USECS_PER_SEC)

/* Registers the launcher, installs the hooks; from _PG_init only. */
extern void worker_install(void);

/* Entry points of the processes. */
extern PGDLLEXPORT void launcher_main(Datum arg);
extern PGDLLEXPORT void sampler_main(Datum arg);

/*
 * Makes a worker's session safe from what ALTER DATABASE and ALTER ROLE may
 * have set: search_path, role, timeouts and the rest.  After connecting,
 * before the first query.
 */
extern void worker_pin_session(const char *application_name);

/*
 * Starts a sampler, or an errand of that kind, on the database; false if there
 * is no worker slot left.
 */
extern bool worker_start_sampler(Oid database_oid, const char *datname,
								 BackgroundWorkerHandle **handle);
extern bool worker_start_errand(ErrandKind kind, Oid database_oid,
								const char *datname,
								BackgroundWorkerHandle **handle);

/* An errand ended without taking leave.  The caller holds the lock. */
extern void worker_note_errand_failure(Errand *errand);

/* Installs the hooks that make samplers leave when DDL wants their database. */
extern void leave_install(void);

/* Does somebody want the database for himself?  The caller holds the lock. */
extern bool leave_wanted(Oid database_oid);

#endif							/* DBMAINT_WORKER_H */
