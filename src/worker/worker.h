/*-------------------------------------------------------------------------
 *
 * worker.h
 *		The processes: a launcher, and a sampler for each database.
 *
 * The postmaster starts the launcher, and restarts it whenever it ends.  The
 * launcher starts the samplers, and it alone: what a sampler's end means (the
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

/* Starts a sampler on the database; false if there is no worker slot left. */
extern bool worker_start_sampler(Oid database_oid, const char *datname,
								 BackgroundWorkerHandle **handle);

/* Installs the hooks that make samplers leave when DDL wants their database. */
extern void leave_install(void);

/* Does somebody want the database for himself?  The caller holds the lock. */
extern bool leave_wanted(Oid database_oid);

#endif							/* DBMAINT_WORKER_H */
