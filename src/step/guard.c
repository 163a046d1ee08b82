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

#include "access/xact.h"
#include "settings.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
#include "step/guard.h"

static void
begin_step(bool own_transaction)
{
	if (own_transaction)
	{
		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		/* SPI arms no statement_timeout in a background worker */
		enable_timeout_after(STATEMENT_TIMEOUT, setting_collector_timeout_ms);
	}
	else
		BeginInternalSubTransaction(NULL);
}

static void
end_step(bool own_transaction, ResourceOwner owner)
{
	if (own_transaction)
	{
		disable_timeout(STATEMENT_TIMEOUT, false);
		PopActiveSnapshot();
		CommitTransactionCommand();
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
		QueryCancelPending = false;
		AbortOutOfAnyTransaction();
		pgstat_report_stat(true);
	}
	else
	{
		RollbackAndReleaseCurrentSubTransaction();
		CurrentResourceOwner = owner;
	}
}

char *
guard_run(const char *what, GuardedStep step, void *arg)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	bool		own_transaction = !IsTransactionState();
	char	   *failure = NULL;

	begin_step(own_transaction);
	MemoryContextSwitchTo(caller);

	PG_TRY();
	{
		step(arg);
		MemoryContextSwitchTo(caller);
		end_step(own_transaction, owner);
		MemoryContextSwitchTo(caller);
	}
	PG_CATCH();
	{
		ErrorData  *error;

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

		failure = psprintf("%s: %s", what, error->message);
		FreeErrorData(error);
	}
	PG_END_TRY();

	return failure;
}
