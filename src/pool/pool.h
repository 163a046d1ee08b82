/*-------------------------------------------------------------------------
 *
 * pool.h
 *		PgBouncer: what its pools do, read at its admin console.
 *
 * The collector "pool" asks, and does not wait: the sampler's loop waits for
 * the answer as it waits for its latch, and a round stores it when it is
 * there.  So a PgBouncer that hangs delays no sample and no command that needs
 * the sampler's cooperation; after two seconds it is given up.  Called from
 * SQL, by dbmaint_run_due() or dbmaint_pools(), it is waited for.
 *
 * The library dbmaint_pool, which links libpq, is loaded where
 * dbmaint.pgbouncer_conninfo is set and somebody asks.
 *
 * src/pool/pool.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_POOL_H
#define DBMAINT_POOL_H

#include "collect/collect.h"
#include "pool/console.h"

/* Connecting and all answers together may take so long. */
#define POOL_DEADLINE_MS 2000

/* The statements of a reading, in their order. */
typedef enum PoolAnswer
{
	ANSWER_POOLS,
	ANSWER_STATS,
	ANSWER_DATABASES,
	ANSWER_CONFIG
} PoolAnswer;

/* The collector's callback, and whether it is due by itself. */
extern void collect_pool(Collection *collection);
extern CollectorDemand pool_demand(void);

/*
 * For the sampler's loop, outside of transactions; none raises an error or
 * waits.  pool_attach_loop() says that this process has one.  pool_tick() goes
 * on with an exchange as far as it can; a sampler that is no longer the home
 * database's closes its connection there.
 */
extern void pool_attach_loop(void);
extern void pool_tick(bool home, TimestampTz now);
extern TimestampTz pool_next_tick(TimestampTz now);
extern bool pool_is_waiting(void);

/* Adds the socket to wait for, if there is one; returns its events, or 0. */
extern int	pool_wait_for(pgsocket *socket);

/*
 * Waits for an exchange on a connection of its own, with the statements given;
 * the console lives as long as the current memory context.  Raises no error
 * for what PgBouncer does; look at its state.
 */
extern Console *pool_exchange(const char *const *statements, int count,
							  int timeout_ms);

/* Raises the error of a failed exchange. */
pg_noreturn extern void pool_raise(const Console *console);

/* The statements of a reading. */
extern const char *const pool_statements[CONSOLE_STATEMENTS];

/* The reading of an exchange that succeeded; raises an error if it is none. */
extern PoolReading *pool_readings(Console *console, int *count);

/*
 * Stores the reading and adds its series; keeps the number of pools in the
 * status.
 */
extern void pool_store(Collection *collection, Console *console);

/* All pools that there are were added; none, where it is not to be read. */
extern void pool_complete(Collection *collection);

/*
 * A name or value from PgBouncer as a text of this database's encoding, cut to
 * 255 bytes; what is not valid in it becomes question marks.
 */
extern char *pool_text(const char *bytes);

/* database.user, or the database alone where the user is not told. */
extern char *pool_name(const PoolReading *pool);

/* Is the name of a setting one that dbmaint_pool_settings() shows? */
extern bool pool_shows_setting(const char *name);

/* A setting of a database, its texts those of the answer. */
typedef struct PoolSetting
{
	const char *database;
	const char *setting;
	const char *value;
} PoolSetting;

/* Those that SHOW DATABASES answered with; palloc'd. */
extern PoolSetting *pool_database_settings(const PoolTable *databases, int *count);

/* A copy of the status; false where the library is not preloaded. */
extern bool pool_status(PoolStatus *status);

#endif							/* DBMAINT_POOL_H */
