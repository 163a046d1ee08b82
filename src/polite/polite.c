/*-------------------------------------------------------------------------
 *
 * polite.c
 *		Locks for DDL on tables in use.
 *
 * src/polite/polite.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/catalog.h"
#include "common/pg_prng.h"
#include "polite/polite.h"
#include "settings.h"
#include "step/guard.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

/* the first turn's and pause's length; each is twice as long as the last */
#define FIRST_TURN_MS 10
#define FIRST_PAUSE_MS 20
#define LONGEST_PAUSE_MS 500

/* What the step of a turn needs to know. */
typedef struct Turn
{
	PoliteStep	step;
	void	   *arg;
	int			turn_ms;
	bool		patient;		/* wait behind old transactions, too */
} Turn;

static const Turn *current_turn = NULL;

/*
 * A turn lasts for half of what others may have to wait: the other half is for
 * what is done under the lock.
 */
static int
longest_turn(void)
{
	return Max(setting_max_lock_wait_ms / 2, 1);
}

static void
take_turn(void *arg)
{
	Turn	   *turn = arg;
	const Turn *outer = current_turn;
	int			nest = NewGUCNestLevel();
	char		timeout[16];

	snprintf(timeout, sizeof(timeout), "%d", turn->turn_ms);
	(void) set_config_option("lock_timeout", timeout, PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	current_turn = turn;
	turn->step(turn->arg);
	current_turn = outer;
	AtEOXact_GUC(true, nest);
}

/*
 * Who is in the way: the oldest transaction that holds the lock.  What other
 * processes write meanwhile may be read half; a wrong age costs a turn.
 */
static int
find_holder(Oid relation, LOCKMODE mode, double *age_ms)
{
	LOCKTAG		tag;
	VirtualTransactionId *holders;
	int			count;
	int			pid = 0;
	TimestampTz now = GetCurrentTimestamp();

	SET_LOCKTAG_RELATION(tag, IsSharedRelation(relation) ? InvalidOid : MyDatabaseId, relation);
	holders = GetLockConflicts(&tag, mode, &count);
	*age_ms = 0;
	for (int i = 0; i < count; i++)
	{
		PgBackendStatus *status = virtual_transaction_status(&holders[i]);
		TimestampTz since = status->st_xact_start_timestamp;
		double		age = since == 0 ? 0 : (now - since) / 1000.0;

		if (pid == 0 || age > *age_ms)
		{
			pid = status->st_procpid;
			*age_ms = age;
		}
	}
	pfree(holders);
	return pid;
}

void
polite_lock(Oid relation, LOCKMODE mode)
{
	double		age_ms;
	int			pid;

	Assert(current_turn != NULL);
	if (ConditionalLockRelationOid(relation, mode))
		return;

	/*
	 * A transaction that is older than a turn will hardly end in one: to wait
	 * behind it would only stop the others.
	 */
	pid = find_holder(relation, mode, &age_ms);
	if (pid != 0 && age_ms > longest_turn() && !current_turn->patient)
	{
		char	   *name = get_rel_name(relation);

		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("process %d holds a lock on \"%s\" in a transaction of %.0f ms",
						pid, name ? name : "?", age_ms)));
	}
	LockRelationOid(relation, mode);
}

/* Between half and one and a half times as long, so that two do not keep step. */
static void
pause_turns(int pause_ms)
{
	static uint32 wait_event = 0;
	double		ms = pause_ms * (0.5 + pg_prng_double(&pg_global_prng_state));

	if (wait_event == 0)
		wait_event = wait_event_named("DbmaintPoliteLock");
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 Max((long) ms, 1), wait_event);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

void
polite_run(const char *what, int window_ms, PoliteStep step, void *arg)
{
	TimestampTz begin = GetCurrentTimestamp();
	Turn		turn = {step, arg, FIRST_TURN_MS, false};
	const Turn *outer = current_turn;
	int			pause_ms = FIRST_PAUSE_MS;

	for (;;)
	{
		ErrorData  *error;
		double		elapsed_ms = (GetCurrentTimestamp() - begin) / 1000.0;

		turn.turn_ms = Min(turn.turn_ms, longest_turn());
		/* where transactions are never short, each of them may be the last */
		turn.patient = elapsed_ms > window_ms / 2.0;
		error = guard_try(take_turn, &turn);
		current_turn = outer;
		if (error == NULL)
			return;
		if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE &&
			error->sqlerrcode != ERRCODE_T_R_DEADLOCK_DETECTED)
			ReThrowError(error);

		elapsed_ms = (GetCurrentTimestamp() - begin) / 1000.0;
		if (elapsed_ms >= window_ms)
			ereport(ERROR,
					(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
					 errmsg("could not lock what is needed to %s within %d ms", what, window_ms),
					 errdetail("The last try failed: %s.", error->message),
					 errhint("Try again when fewer or shorter transactions use the table, or with a longer lock_window.")));
		FreeErrorData(error);

		pause_turns(Min(pause_ms, Max(window_ms - (int) elapsed_ms, 1)));
		pause_ms = Min(pause_ms * 2, LONGEST_PAUSE_MS);
		turn.turn_ms *= 2;
	}
}
