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

/* What a turn needs to know. */
typedef struct Turn
{
	const PoliteLock *locks;
	int			count;
	int			turn_ms;
	bool		patient;		/* wait behind old transactions, too */
} Turn;

/*
 * A turn lasts for half of what others may have to wait: the other half is for
 * what is done under the lock.
 */
static int
longest_turn(void)
{
	return Max(setting_max_lock_wait_ms / 2, 1);
}

/* The time after which a lock is no longer waited for, in this turn. */
static void
set_lock_timeout(int ms)
{
	char		timeout[16];

	snprintf(timeout, sizeof(timeout), "%d", Max(ms, 1));
	(void) set_config_option("lock_timeout", timeout, PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
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
		TimestampTz since;
		double		age;

		/* one that was prepared has no process, and lasts */
		if (status == NULL)
			continue;
		since = status->st_xact_start_timestamp;
		age = since == 0 ? 0 : (now - since) / 1000.0;
		if (pid == 0 || age > *age_ms)
		{
			pid = status->st_procpid;
			*age_ms = age;
		}
	}
	pfree(holders);
	return pid;
}

/*
 * A transaction that is older than a turn will hardly end in one: to wait
 * behind it would only stop the others.
 */
static void
refuse_old_holder(const PoliteLock *lock)
{
	double		age_ms;
	int			pid = find_holder(lock->relation, lock->mode, &age_ms);

	if (pid != 0 && age_ms > longest_turn())
	{
		char	   *name = get_rel_name(lock->relation);

		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("process %d holds a lock on \"%s\" in a transaction of %.0f ms",
						pid, name ? name : "?", age_ms)));
	}
}

/* One turn: waits for all of them together no longer than it lasts. */
static void
take_turn(void *arg)
{
	const Turn *turn = arg;
	TimestampTz begin = GetCurrentTimestamp();
	int			nest = NewGUCNestLevel();

	for (int i = 0; i < turn->count; i++)
	{
		const PoliteLock *lock = &turn->locks[i];

		if (ConditionalLockRelationOid(lock->relation, lock->mode))
			continue;
		if (!turn->patient)
			refuse_old_holder(lock);
		set_lock_timeout(turn->turn_ms - (int) ((GetCurrentTimestamp() - begin) / 1000));
		LockRelationOid(lock->relation, lock->mode);
	}
	AtEOXact_GUC(false, nest);
}

/* Without waiting: most often nobody is in the way. */
static bool
lock_at_once(const PoliteLock *locks, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (ConditionalLockRelationOid(locks[i].relation, locks[i].mode))
			continue;
		while (--i >= 0)
			UnlockRelationOid(locks[i].relation, locks[i].mode);
		return false;
	}
	return true;
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
polite_lock_all(const char *what, int window_ms, const PoliteLock *locks, int count)
{
	TimestampTz begin = GetCurrentTimestamp();
	Turn		turn = {locks, count, FIRST_TURN_MS, false};
	int			pause_ms = FIRST_PAUSE_MS;

	if (lock_at_once(locks, count))
		return;
	for (;;)
	{
		ErrorData  *error;
		double		elapsed_ms = (GetCurrentTimestamp() - begin) / 1000.0;

		turn.turn_ms = Min(turn.turn_ms, longest_turn());
		/* where transactions are never short, each of them may be the last */
		turn.patient = elapsed_ms > window_ms / 2.0;
		error = guard_try(take_turn, &turn);
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
