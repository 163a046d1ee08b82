/*-------------------------------------------------------------------------
 *
 * guard.c
 *		Runs one step so that its error costs that step alone.
 *
 * src/step/guard.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <signal.h>

#include "access/xact.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "common/hashfn.h"
#include "portability/instr_time.h"
#include "settings.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
#include "step/guard.h"

/* of how many steps the last message is remembered, and for how long */
#define STEPS 32
#define SILENT_MS 60000.0

/* In a worker: is there a step that a cancel could be meant for? */
static volatile sig_atomic_t cancellable = false;

/* Does guard_run_top_level() run a step? */
static bool at_top_level = false;

void
guard_cancel_handler(SIGNAL_ARGS)
{
	int			save_errno = errno;

	if (cancellable && !proc_exit_inprogress)
	{
		InterruptPending = true;
		QueryCancelPending = true;
	}
	SetLatch(MyLatch);
	errno = save_errno;
}

/* No cancel is pending after this, nor comes until the next step. */
static void
refuse_cancels(void)
{
	cancellable = false;
	QueryCancelPending = false;
}

/*
 * DROP EXTENSION locks the extension and then, one by one, its tables.  So a
 * step has the extension's lock before any other: it waits while it holds
 * nothing, and neither of the two meets a deadlock.
 */
static void
lock_extension(void)
{
	Oid			extension_oid = get_extension_oid("dbmaint", true);

	if (OidIsValid(extension_oid))
		LockDatabaseObject(ExtensionRelationId, extension_oid, 0, AccessShareLock);
}

static void
begin_transaction(int timeout_ms)
{
	cancellable = true;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	/* SPI arms no statement_timeout in a background worker */
	if (!at_top_level)
		enable_timeout_after(STATEMENT_TIMEOUT, timeout_ms);
	lock_extension();
	PushActiveSnapshot(GetTransactionSnapshot());
}

/* What a step at top level has armed goes on when a transaction in it ends. */
static void
disarm(void)
{
	if (at_top_level)
		return;
	disable_timeout(STATEMENT_TIMEOUT, false);
	refuse_cancels();
}

static void
end_step(bool own_transaction, ResourceOwner owner)
{
	if (own_transaction)
	{
		if (!at_top_level)
			disable_timeout(STATEMENT_TIMEOUT, false);
		PopActiveSnapshot();
		CommitTransactionCommand();
		disarm();
		pgstat_report_stat(true);
	}
	else
	{
		ReleaseCurrentSubTransaction();
		CurrentResourceOwner = owner;
	}
}

static void
undo_step(bool own_transaction, ResourceOwner owner)
{
	if (own_transaction)
	{
		disarm();
		AbortOutOfAnyTransaction();
		pgstat_report_stat(true);
	}
	else
	{
		RollbackAndReleaseCurrentSubTransaction();
		CurrentResourceOwner = owner;
	}
}

/*
 * A limit of the step's own: its timer, whether that runs, and whether it has
 * passed.
 */
static TimeoutId limit_timer = MAX_TIMEOUTS;
static bool limit_runs = false;
static volatile sig_atomic_t limit_passed = false;

static void
handle_limit(void)
{
	limit_passed = true;
	InterruptPending = true;
	QueryCancelPending = true;
	SetLatch(MyLatch);
}

/* Starts the timer; false if there is no limit, or an outer step's runs. */
static bool
start_limit(int limit_ms)
{
	if (limit_ms <= 0 || limit_runs)
		return false;
	if (limit_timer == MAX_TIMEOUTS)
		limit_timer = RegisterTimeout(USER_TIMEOUT, handle_limit);
	limit_passed = false;
	limit_runs = true;
	enable_timeout_after(limit_timer, limit_ms);
	return true;
}

/*
 * Stops it; returns whether it had passed.  A cancel that comes when the step
 * is over already must not hit what follows.
 */
static bool
stop_limit(void)
{
	disable_timeout(limit_timer, false);
	limit_runs = false;
	if (limit_passed)
		QueryCancelPending = false;
	return limit_passed;
}

/*
 * Runs the step: for timeout_ms at most if the transaction is its own, for
 * limit_ms (0: no limit) in any case, of which *too_long says whether it passed.
 */
static ErrorData *
try_step(GuardedStep step, void *arg, int timeout_ms, int limit_ms,
		 bool *too_long)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	bool		own_transaction = !IsTransactionState();
	bool		own_limit;
	ErrorData  *volatile error = NULL;

	*too_long = false;
	if (!own_transaction)
		BeginInternalSubTransaction(NULL);
	own_limit = start_limit(limit_ms);

	PG_TRY();
	{
		if (own_transaction)
			begin_transaction(timeout_ms);
		MemoryContextSwitchTo(caller);
		step(arg);
		MemoryContextSwitchTo(caller);
		if (own_limit)
			(void) stop_limit();
		end_step(own_transaction, owner);
		MemoryContextSwitchTo(caller);
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		if (own_limit)
			*too_long = stop_limit();
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		undo_step(own_transaction, owner);
		MemoryContextSwitchTo(caller);
		RESUME_INTERRUPTS();

		/* a user who cancels a call of dbmaint_run_due means all of it */
		*too_long = *too_long && error->sqlerrcode == ERRCODE_QUERY_CANCELED;
		if ((!own_transaction || at_top_level) &&
			error->sqlerrcode == ERRCODE_QUERY_CANCELED && !*too_long)
			ReThrowError(error);
	}
	PG_END_TRY();

	return error;
}

ErrorData *
guard_try_command(GuardedStep step, void *arg)
{
	MemoryContext caller = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;

	Assert(at_top_level && !IsTransactionState());
	PG_TRY();
	{
		step(arg);
		MemoryContextSwitchTo(caller);
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		undo_step(true, NULL);
		MemoryContextSwitchTo(caller);
		RESUME_INTERRUPTS();
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			ReThrowError(error);
	}
	PG_END_TRY();

	return error;
}

ErrorData *
guard_try(GuardedStep step, void *arg)
{
	bool		too_long;

	return try_step(step, arg, setting_collector_timeout_ms, 0, &too_long);
}

static char *
run_step(const char *what, GuardedStep step, void *arg, int timeout_ms,
		 int limit_ms)
{
	bool		too_long;
	ErrorData  *error = try_step(step, arg, timeout_ms, limit_ms, &too_long);
	char	   *failure;

	if (error == NULL)
		return NULL;
	failure = too_long ? psprintf("%s: took longer than %d ms", what, limit_ms) :
		psprintf("%s: %s", what, error->message);
	FreeErrorData(error);
	return failure;
}

char *
guard_run(const char *what, GuardedStep step, void *arg)
{
	return run_step(what, step, arg, setting_collector_timeout_ms, 0);
}

char *
guard_run_for(const char *what, GuardedStep step, void *arg, int timeout_ms)
{
	return run_step(what, step, arg, timeout_ms, 0);
}

char *
guard_run_within(const char *what, GuardedStep step, void *arg, int limit_ms)
{
	return run_step(what, step, arg, setting_collector_timeout_ms, limit_ms);
}

static char *
describe_error(const ErrorData *error)
{
	if (error->detail == NULL)
		return pstrdup(error->message);
	return psprintf("%s (%s)", error->message, error->detail);
}

static void
end_top_level(void)
{
	at_top_level = false;
	disable_timeout(STATEMENT_TIMEOUT, false);
	refuse_cancels();
	if (IsTransactionState())
		elog(ERROR, "a step left a transaction open");
	pgstat_report_stat(true);
}

char *
guard_run_top_level(GuardedStep step, void *arg, int timeout_ms, int *sqlstate)
{
	MemoryContext caller = CurrentMemoryContext;
	char	   *volatile failure = NULL;

	Assert(!IsTransactionState());
	*sqlstate = 0;

	PG_TRY();
	{
		cancellable = true;
		at_top_level = true;
		if (timeout_ms > 0)
			enable_timeout_after(STATEMENT_TIMEOUT, timeout_ms);
		step(arg);
		MemoryContextSwitchTo(caller);
		end_top_level();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		at_top_level = false;
		undo_step(true, NULL);
		MemoryContextSwitchTo(caller);
		RESUME_INTERRUPTS();

		*sqlstate = error->sqlerrcode;
		failure = describe_error(error);
		FreeErrorData(error);
	}
	PG_END_TRY();

	return failure;
}

/* By the monotonic clock: the other one may be set. */
static double
now_ms(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return INSTR_TIME_GET_MILLISEC(now);
}

void
guard_log(const char *message)
{
	static struct
	{
		uint32		step;		/* hashes */
		uint32		message;
		double		logged_ms;	/* 0: free */
	}			logged[STEPS];
	const unsigned char *bytes = (const unsigned char *) message;
	uint32		step = hash_bytes(bytes, (int) strcspn(message, ":"));
	uint32		hash = hash_bytes(bytes, (int) strlen(message));
	double		now = now_ms();
	int			place = 0;

	/* the step's place, else the one that is longest unused */
	for (int i = 0; i < STEPS; i++)
	{
		if (logged[i].logged_ms != 0 && logged[i].step == step)
		{
			place = i;
			break;
		}
		if (logged[i].logged_ms < logged[place].logged_ms)
			place = i;
	}
	if (logged[place].logged_ms != 0 && logged[place].step == step &&
		logged[place].message == hash &&
		now - logged[place].logged_ms < SILENT_MS)
		return;

	logged[place].step = step;
	logged[place].message = hash;
	logged[place].logged_ms = now;
	ereport(LOG, (errmsg("dbmaint: %s", message)));
}
