/*-------------------------------------------------------------------------
 *
 * sampler.c
 *		The process that samples one database.
 *
 * Between rounds it holds nothing: no transaction, snapshot or lock.  That of
 * the home database looks at all sessions meanwhile, once a second, and waits
 * for the connection pooler's answer as it does for its latch.  A sampler
 * leaves when it is asked to (slot->leave, or a hold on the database), when the
 * extension is not there, and after its round where databases take turns.
 *
 * src/worker/sampler.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/xact.h"
#include "activity/activity.h"
#include "pool/pool.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "step/guard.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/round.h"
#include "worker/worker.h"

static DatabaseSlot *my_slot = NULL;

/* What the launcher reads when we are gone; anything else is a failure. */
static DatabaseState exit_state = DATABASE_FAILING;

/* Does our database read what concerns the server?  As of the last turn. */
static bool is_home = false;

/* The changes of extensions that our last look at them came after. */
static uint32 seen_changes;

static void
sampler_detach(int code, Datum arg)
{
	(void) code;
	(void) arg;

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	if (my_slot->pid == MyProcPid)
	{
		my_slot->pid = 0;
		my_slot->leave = false;
		my_slot->state = exit_state;
		if (exit_state == DATABASE_ABSENT)
			my_slot->allowed_at = 0;
		/* the extension may have come while we were on our way out */
		if (exit_state == DATABASE_ABSENT && my_slot->changes != seen_changes)
			my_slot->state = DATABASE_UNKNOWN;
		if (exit_state == DATABASE_ABSENT &&
			shared_state->home_database == my_slot->database_oid)
			shared_state->home_database = InvalidOid;
	}
	LWLockRelease(shared_state->lock);
	shared_wake_launcher();
}

/*
 * Takes the database's slot.  The pid is published before the holds are
 * looked at, and who holds looks at the pid afterwards: one sees the other.
 */
static bool
sampler_attach(Oid database_oid)
{
	bool		attached = false;

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	my_slot = shared_slot_find(database_oid);
	if (my_slot != NULL && my_slot->pid == 0 && !leave_wanted(database_oid))
	{
		my_slot->pid = MyProcPid;
		my_slot->state = DATABASE_SAMPLING;
		my_slot->leave = false;
		attached = true;
	}
	else if (my_slot != NULL && my_slot->pid == 0)
		my_slot->state = DATABASE_WAITING;
	LWLockRelease(shared_state->lock);

	if (attached)
		before_shmem_exit(sampler_detach, (Datum) 0);
	return attached;
}

static bool
sampler_must_leave(void)
{
	bool		leave;

	LWLockAcquire(shared_state->lock, LW_SHARED);
	leave = my_slot->leave || leave_wanted(my_slot->database_oid);
	seen_changes = my_slot->changes;
	LWLockRelease(shared_state->lock);
	return leave;
}

static void
sampler_exit(DatabaseState state)
{
	exit_state = state;
	proc_exit(0);
}

/* Reads the configuration; what made rounds fail may be mended. */
static void
sampler_reload(void)
{
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	my_slot->retry_at = 0;
	LWLockRelease(shared_state->lock);
}

/*
 * Waits for the next turn or tick, or to be woken, and says whether it was;
 * absorbs every interrupt at once.
 */
static bool
sampler_wait(uint32 wait_event)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz next = round_next_due(my_slot, now);
	long		timeout_ms = 0;
	pgsocket	pooler = PGINVALID_SOCKET;
	int			events = WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH;

	if (is_home)
		next = Min(next, activity_next_tick(now));
	next = Min(next, pool_next_tick(now));
	if (next > now)
		timeout_ms = TimestampDifferenceMilliseconds(now, Min(next, now + 60 * USECS_PER_SEC));

	events |= pool_wait_for(&pooler);
	events = WaitLatchOrSocket(MyLatch, events, pooler, timeout_ms, wait_event);
	ResetLatch(MyLatch);

	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
		sampler_reload();
	return (events & WL_LATCH_SET) != 0;
}

/*
 * Runs a round, if one is due; a sampler that was woken early thereby sees
 * whether the extension is still there.
 */
static void
sampler_turn(MemoryContext context)
{
	RoundReport report;
	RoundResult result;

	MemoryContextReset(context);
	MemoryContextSwitchTo(context);
	result = round_run(my_slot, GetCurrentTimestamp(), &report);
	is_home = report.home;
	MemoryContextSwitchTo(TopMemoryContext);
	pgstat_report_activity(STATE_IDLE, NULL);

	if (result == ROUND_NOT_INSTALLED)
		sampler_exit(DATABASE_ABSENT);
}

void
sampler_main(Datum arg)
{
	Oid			database_oid = DatumGetObjectId(arg);
	MemoryContext context;
	uint32		wait_event;
	bool		woken = true;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	pqsignal(SIGINT, guard_cancel_handler);
	BackgroundWorkerUnblockSignals();

	if (!sampler_attach(database_oid))
		proc_exit(0);

	BackgroundWorkerInitializeConnectionByOid(database_oid, InvalidOid, 0);
	worker_pin_session(MyBgworkerEntry->bgw_name);
	wait_event = wait_event_named("DbmaintSamplerMain");
	context = AllocSetContextCreate(TopMemoryContext, "dbmaint round",
									ALLOCSET_DEFAULT_SIZES);
	pool_attach_loop();

	for (;;)
	{
		if (sampler_must_leave())
			sampler_exit(DATABASE_WAITING);
		pool_tick(is_home, GetCurrentTimestamp());
		/* a tick is no reason to look for the extension */
		if (woken || round_next_due(my_slot, GetCurrentTimestamp()) <= GetCurrentTimestamp())
			sampler_turn(context);
		if (is_home)
			activity_tick(GetCurrentTimestamp());
		/* an answer that is on its way would be lost, two seconds at most */
		if (shared_state->rotating && !pool_is_waiting())
			sampler_exit(DATABASE_WAITING);
		woken = sampler_wait(wait_event);
	}
}
