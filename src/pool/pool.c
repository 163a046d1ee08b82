/*-------------------------------------------------------------------------
 *
 * pool.c
 *		Collector "pool": asks PgBouncer, and stores what it answered.
 *
 * src/pool/pool.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <stdlib.h>

#include "pool/pool.h"
#include "portability/instr_time.h"
#include "settings.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define LIBRARY "$libdir/dbmaint_pool"

/* Nobody is blind for longer than this, however long it failed. */
#define BACKOFF_MOST_US (60 * USECS_PER_SEC)

const char *const pool_statements[CONSOLE_STATEMENTS] = {
	[ANSWER_POOLS] = "SHOW POOLS",
	[ANSWER_STATS] = "SHOW STATS",
	[ANSWER_DATABASES] = "SHOW DATABASES",
	[ANSWER_CONFIG] = "SHOW CONFIG",
};

/* The exchange of the sampler's loop. */
static struct
{
	bool		attached;		/* this process has a loop */
	Console    *console;		/* kept between rounds */
	char	   *conninfo;		/* that it was opened with; malloc'd */
	bool		waiting;		/* for an answer */
	bool		finished;		/* it has come, or was given up */
	instr_time	begun;
	int64		cost_us;
}			loop;

/* A console that ends with a memory context. */
typedef struct OwnedConsole
{
	Console    *console;
	MemoryContextCallback callback;
} OwnedConsole;

/* The library's functions, once it is loaded. */
static const ConsoleApi *api = NULL;

static const ConsoleApi *
console_api(void)
{
	if (api == NULL)
	{
		ConsoleApiFunction function = (ConsoleApiFunction)
		load_external_function(LIBRARY, "dbmaint_pool_console", true, NULL);
		const ConsoleApi *found = function();

		if (found->version != CONSOLE_API_VERSION)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("library \"%s\" is of another version than dbmaint", LIBRARY),
					 errhint("Install both from one build, and restart the server.")));
		api = found;
	}
	return api;
}

static int64
elapsed_us(instr_time since)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, since);
	return INSTR_TIME_GET_MICROSEC(now);
}

static bool
is_configured(void)
{
	return setting_pgbouncer_conninfo[0] != '\0';
}

static void
set_statements(Console *console, const char *const *statements, int count)
{
	console->count = count;
	for (int i = 0; i < count; i++)
		strlcpy(console->statements[i], statements[i], CONSOLE_STATEMENT_LENGTH);
}

/*
 * The status, in shared memory.
 */

bool
pool_status(PoolStatus *status)
{
	if (shared_state == NULL)
		return false;
	LWLockAcquire(shared_state->lock, LW_SHARED);
	*status = shared_state->pool;
	LWLockRelease(shared_state->lock);
	return true;
}

/*
 * How long to rest after that many failures in a row: the first costs no turn,
 * each further one doubles the time.
 */
static int64
rest_us(int failures)
{
	int64		interval = setting_pool_interval_s * USECS_PER_SEC;
	int64		rest = interval << Min(failures - 1, 8);

	return Min(rest, Max(BACKOFF_MOST_US, interval)) - interval / 2;
}

static void
note_outcome(const Console *console, int64 cost_us, TimestampTz at)
{
	PoolStatus *status = &shared_state->pool;
	bool		failed = console->state != CONSOLE_DONE;

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	status->tried_at = at;
	status->cost_us = cost_us;
	strlcpy(status->version, console->version, sizeof(status->version));
	if (failed)
	{
		status->errors++;
		status->failures++;
		status->reason = pool_reason(&console->trouble);
		strlcpy(status->message, console->trouble.message, sizeof(status->message));
		status->retry_at = at + rest_us(status->failures);
	}
	else
	{
		status->readings++;
		status->failures = 0;
		status->retry_at = 0;
		status->reason = POOL_OK;
		status->read_at = at;
	}
	LWLockRelease(shared_state->lock);
}

static void
note_reason(PoolReason reason, const char *message, TimestampTz at)
{
	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	shared_state->pool.tried_at = at;
	shared_state->pool.reason = reason;
	strlcpy(shared_state->pool.message, message, sizeof(shared_state->pool.message));
	LWLockRelease(shared_state->lock);
}

/*
 * Loading the library raises an error where it is missing, which is then the
 * reason.  One that loads leaves what the last exchange came to, maybe another
 * process's, as it is.
 */
static void
load_library(TimestampTz at)
{
	PoolStatus	status;

	if (api != NULL)
		return;
	PG_TRY();
	{
		(void) console_api();
	}
	PG_CATCH();
	{
		note_reason(POOL_NO_LIBRARY, "it could not be loaded", at);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (pool_status(&status) && status.reason == POOL_NO_LIBRARY)
		note_reason(POOL_NOT_TRIED, "", at);
}

/* Is it not yet time to try again? */
static bool
must_rest(TimestampTz at)
{
	bool		rest;

	LWLockAcquire(shared_state->lock, LW_SHARED);
	/* not to be trusted after the clock was set back */
	rest = shared_state->pool.retry_at > at &&
		shared_state->pool.tried_at <= at;
	LWLockRelease(shared_state->lock);
	return rest;
}

/* Another connection string deserves a try at once. */
static void
forget_failures(void)
{
	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	shared_state->pool.failures = 0;
	shared_state->pool.retry_at = 0;
	LWLockRelease(shared_state->lock);
}

/*
 * The sampler's loop.
 */

static void
loop_disconnect(void)
{
	if (loop.console != NULL)
		console_api()->close(loop.console);
	loop.console = NULL;
	free(loop.conninfo);
	loop.conninfo = NULL;
	loop.waiting = false;
	loop.finished = false;
}

static void
loop_detach(int code, Datum arg)
{
	(void) code;
	(void) arg;
	loop_disconnect();
}

void
pool_attach_loop(void)
{
	loop.attached = true;
	before_shmem_exit(loop_detach, (Datum) 0);
}

static void
loop_finish(TimestampTz at)
{
	loop.waiting = false;
	loop.finished = true;
	loop.cost_us = elapsed_us(loop.begun);
	note_outcome(loop.console, loop.cost_us, at);
}

void
pool_tick(bool home, TimestampTz now)
{
	if (loop.console == NULL)
		return;
	if (!home || !is_configured())
	{
		loop_disconnect();
		return;
	}
	if (!loop.waiting)
		return;
	console_api()->advance(loop.console);
	if (loop.console->state == CONSOLE_WORKING &&
		elapsed_us(loop.begun) >= POOL_DEADLINE_MS * 1000)
		console_api()->give_up(loop.console);
	if (loop.console->state != CONSOLE_WORKING)
		loop_finish(now);
}

TimestampTz
pool_next_tick(TimestampTz now)
{
	int64		left;

	if (!loop.waiting)
		return DT_NOEND;
	left = POOL_DEADLINE_MS * INT64CONST(1000) - elapsed_us(loop.begun);
	return now + Max(left, 0);
}

bool
pool_is_waiting(void)
{
	return loop.waiting || loop.finished;
}

int
pool_wait_for(pgsocket *socket)
{
	return loop.waiting ? console_api()->wait_for(loop.console, socket) : 0;
}

CollectorDemand
pool_demand(void)
{
	if (!is_configured())
		return DEMAND_NONE;
	return loop.finished ? DEMAND_NOW : DEMAND_BY_INTERVAL;
}

/* Asks; the loop waits for the answer. */
static void
loop_begin(TimestampTz at)
{
	if (loop.conninfo != NULL && strcmp(loop.conninfo, setting_pgbouncer_conninfo) != 0)
	{
		loop_disconnect();
		forget_failures();
	}
	if (must_rest(at))
		return;
	if (loop.console == NULL)
	{
		loop.conninfo = strdup(setting_pgbouncer_conninfo);
		loop.console = loop.conninfo == NULL ? NULL : api->open(loop.conninfo);
		if (loop.console == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY),
					 errmsg("out of memory")));
	}
	set_statements(loop.console, pool_statements, CONSOLE_STATEMENTS);
	INSTR_TIME_SET_CURRENT(loop.begun);
	loop.waiting = true;
	api->begin(loop.console);
	pool_tick(true, at);
}

/*
 * Waiting for an exchange, in a session.
 */

static void
close_owned_console(void *arg)
{
	OwnedConsole *owned = arg;

	if (owned->console != NULL)
		console_api()->close(owned->console);
	owned->console = NULL;
}

/*
 * Must the exchange be given up, because its caller holds cancels off to tidy
 * up after it first?  While he does that, all interrupts are held off.
 */
static bool
is_interrupted(void)
{
	return QueryCancelHoldoffCount > 0 && InterruptHoldoffCount == 0 &&
		(QueryCancelPending || ProcDiePending);
}

/* Waits until the exchange has ended. */
static void
wait_for_exchange(Console *console, int timeout_ms)
{
	uint32		wait_event = wait_event_named("DbmaintPool");
	instr_time	begun;

	INSTR_TIME_SET_CURRENT(begun);
	api->begin(console);
	for (;;)
	{
		int64		left;
		pgsocket	socket = PGINVALID_SOCKET;
		int			events = WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH;

		api->advance(console);
		left = timeout_ms - elapsed_us(begun) / 1000;
		if (console->state == CONSOLE_WORKING &&
			(left <= 0 || is_interrupted()))
			api->give_up(console);
		if (console->state != CONSOLE_WORKING)
			return;
		events |= api->wait_for(console, &socket);
		(void) WaitLatchOrSocket(MyLatch, events, socket, (long) left, wait_event);
		ResetLatch(MyLatch);
		if (!is_interrupted())
			CHECK_FOR_INTERRUPTS();
	}
}

Console *
pool_exchange(const char *const *statements, int count, int timeout_ms)
{
	OwnedConsole *owned = palloc0_object(OwnedConsole);

	owned->callback.func = close_owned_console;
	owned->callback.arg = owned;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &owned->callback);
	owned->console = console_api()->open(setting_pgbouncer_conninfo);
	if (owned->console == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	set_statements(owned->console, statements, count);
	wait_for_exchange(owned->console, timeout_ms);
	return owned->console;
}

void
pool_raise(const Console *console)
{
	PoolReason	reason = pool_reason(&console->trouble);

	ereport(ERROR,
			(errcode(ERRCODE_CONNECTION_EXCEPTION),
			 errmsg("could not read PgBouncer: %s: %s", pool_reason_name(reason),
					pool_text(console->trouble.message)),
			 errhint("%s", pool_reason_advice(reason))));
}

/* Stores what the exchange brought, or raises why it brought nothing. */
static void
take_answer(Collection *collection, Console *console)
{
	if (console->state != CONSOLE_DONE)
		pool_raise(console);
	pool_store(collection, console);
}

void
collect_pool(Collection *collection)
{
	load_library(collection->at);
	if (!loop.attached)
	{
		instr_time	begun;
		Console    *console;

		INSTR_TIME_SET_CURRENT(begun);
		console = pool_exchange(pool_statements, CONSOLE_STATEMENTS, POOL_DEADLINE_MS);
		note_outcome(console, elapsed_us(begun), collection->at);
		take_answer(collection, console);
	}
	else if (loop.finished)
	{
		/* whatever becomes of it, it is done with */
		loop.finished = false;
		take_answer(collection, loop.console);
	}
	else if (!loop.waiting)
		loop_begin(collection->at);
}
