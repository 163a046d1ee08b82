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
#include "common/hashfn.h"
#include "portability/instr_time.h"
#include "settings.h"
#include "storage/ipc.h"
#include "storage/latch.h"
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

static void
begin_transaction(void)
{
	cancellable = true;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	/* SPI arms no statement_timeout in a background worker */
	enable_timeout_after(STATEMENT_TIMEOUT, setting_collector_timeout_ms);
}

static void
end_step(bool own_transaction, ResourceOwner owner)
{
	if (own_transaction)
	{
		disable_timeout(STATEMENT_TIMEOUT, false);
		PopActiveSnapshot();
		CommitTransactionCommand();
		refuse_cancels();
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
		disable_timeout(STATEMENT_TIMEOUT, false);
		refuse_cancels();
		AbortOutOfAnyTransaction();
		pgstat_report_stat(true);
	}
	else
	{
		RollbackAndReleaseCurrentSubTransaction();
		CurrentResourceOwner = owner;
	}
}

ErrorData *
guard_try(GuardedStep step, void *arg)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	bool		own_transaction = !IsTransactionState();
	ErrorData  *volatile error = NULL;

	if (!own_transaction)
		BeginInternalSubTransaction(NULL);

	PG_TRY();
	{
		if (own_transaction)
			begin_transaction();
		MemoryContextSwitchTo(caller);
		step(arg);
		MemoryContextSwitchTo(caller);
		end_step(own_transaction, owner);
		MemoryContextSwitchTo(caller);
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		undo_step(own_transaction, owner);
		MemoryContextSwitchTo(caller);
		RESUME_INTERRUPTS();

		/* a user who cancels a call of dbmaint_run_due means all of it */
		if (!own_transaction && error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			ReThrowError(error);
	}
	PG_END_TRY();

	return error;
}

char *
guard_run(const char *what, GuardedStep step, void *arg)
{
	ErrorData  *error = guard_try(step, arg);
	char	   *failure = NULL;

	if (error != NULL)
	{
		failure = psprintf("%s: %s", what, error->message);
		FreeErrorData(error);
	}
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
