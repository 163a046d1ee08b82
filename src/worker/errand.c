/*-------------------------------------------------------------------------
 *
 * errand.c
 *		Processes that come when there is work for them.
 *
 * src/worker/errand.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "step/guard.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "worker/errand.h"
#include "worker/schedule.h"
#include "worker/worker.h"

/* how long one may work while others wait, and stay without work */
#define TURN_US (2 * USECS_PER_SEC)
#define IDLE_MS 2000

const ErrandInfo errand_infos[ERRAND_KINDS] = {
	[ERRAND_RUNNER] = {
		.name = "runner",
		.function = "runner_main",
		.probe = "dbmaint_jobs_due",
		.limited = true,
	},
	[ERRAND_NOTIFIER] = {
		.name = "notifier",
		.function = "notifier_main",
		.probe = "dbmaint_outbox_due",
	},
};

static DatabaseSlot *my_slot = NULL;
static Errand *my_errand = NULL;
static ErrandKind my_kind;
static TimestampTz turn_began;

/* Did it take leave? */
static bool leaving = false;
static bool leaves_work = false;

/* what this transaction wants when it commits */
static bool wanted_at_commit[ERRAND_KINDS];

static void
want(Errand *errand)
{
	if (!errand->wanted)
		errand->wanted_at = GetCurrentTimestamp();
	errand->wanted = true;
}

void
errand_want(Oid database_oid, ErrandKind kind)
{
	DatabaseSlot *slot;
	int			pid = 0;

	if (shared_state == NULL)
		return;
	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	slot = shared_slot_claim(database_oid);
	if (slot != NULL)
	{
		want(&slot->errands[kind]);
		pid = slot->errands[kind].pid;
	}
	LWLockRelease(shared_state->lock);

	if (pid != 0)
		shared_wake_process(pid);
	else
		shared_wake_launcher();
}

static void
errand_xact_callback(XactEvent event, void *arg)
{
	(void) arg;

	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT &&
		event != XACT_EVENT_PREPARE)
		return;
	for (int kind = 0; kind < ERRAND_KINDS; kind++)
	{
		/* what was prepared a round will find */
		if (wanted_at_commit[kind] && event == XACT_EVENT_COMMIT)
			errand_want(MyDatabaseId, kind);
		wanted_at_commit[kind] = false;
	}
}

void
errand_want_at_commit(ErrandKind kind)
{
	static bool watching = false;

	if (!watching)
		RegisterXactCallback(errand_xact_callback, NULL);
	watching = true;
	wanted_at_commit[kind] = true;
}

static void
errand_detach(int code, Datum arg)
{
	(void) code;
	(void) arg;

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	if (my_errand->pid == MyProcPid)
	{
		my_errand->pid = 0;
		my_errand->working_on = 0;
		my_errand->progress[0] = '\0';
		if (leaving || leave_wanted(my_slot->database_oid))
		{
			my_errand->failures = 0;
			my_errand->retry_at = 0;
			/* one that was told to go did not finish */
			if (leaves_work || !leaving)
				want(my_errand);
		}
		else
			worker_note_errand_failure(my_errand);
	}
	LWLockRelease(shared_state->lock);
	shared_wake_launcher();
}

void
worker_note_errand_failure(Errand *errand)
{
	Assert(LWLockHeldByMe(shared_state->lock));

	errand->failures++;
	errand->errors++;
	errand->retry_at = GetCurrentTimestamp() +
		schedule_backoff(errand->failures, RESTART_FIRST_US, RESTART_MOST_US);
	want(errand);
}

/* As for a sampler: the pid is published before the holds are looked at. */
static bool
attach(Oid database_oid)
{
	bool		attached = false;

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	my_slot = shared_slot_find(database_oid);
	if (my_slot != NULL)
	{
		my_errand = &my_slot->errands[my_kind];
		my_errand->starting = false;
		if (my_errand->pid == 0 && !leave_wanted(database_oid))
		{
			my_errand->pid = MyProcPid;
			my_errand->leave = false;
			my_errand->started_at = turn_began;
			my_errand->starts++;
			attached = true;
		}
	}
	LWLockRelease(shared_state->lock);

	if (attached)
		before_shmem_exit(errand_detach, (Datum) 0);
	return attached;
}

void
errand_begin(Oid database_oid, ErrandKind kind)
{
	my_kind = kind;
	turn_began = GetCurrentTimestamp();

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	pqsignal(SIGINT, guard_cancel_handler);
	BackgroundWorkerUnblockSignals();

	if (!attach(database_oid))
		proc_exit(0);

	BackgroundWorkerInitializeConnectionByOid(database_oid, InvalidOid, 0);
	worker_pin_session(MyBgworkerEntry->bgw_name);
}

void
errand_attend(void)
{
	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	my_errand->wanted = false;
	LWLockRelease(shared_state->lock);
}

/* Do others wait for the worker slot, or the leave to run, that we have? */
static bool
others_wait(void)
{
	return shared_state->rotating ||
		(errand_infos[my_kind].limited && shared_state->runners_waiting > 0);
}

static void
take_configuration(void)
{
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

bool
errand_must_leave(void)
{
	bool		leave;

	/* one with much to do comes here, and seldom waits */
	take_configuration();
	LWLockAcquire(shared_state->lock, LW_SHARED);
	leave = my_errand->leave || leave_wanted(my_slot->database_oid);
	LWLockRelease(shared_state->lock);
	return leave ||
		(others_wait() && GetCurrentTimestamp() > turn_began + TURN_US);
}

void
errand_leave(bool more)
{
	leaving = true;
	leaves_work = more;
	proc_exit(0);
}

bool
errand_wait(long timeout_ms)
{
	static uint32 wait_event = 0;
	int			events;
	bool		wanted;

	if (wait_event == 0)
		wait_event = wait_event_named("DbmaintErrandMain");

	/* the work itself may have waited for the latch, and reset it */
	LWLockAcquire(shared_state->lock, LW_SHARED);
	wanted = my_errand->wanted;
	LWLockRelease(shared_state->lock);
	if (wanted)
		return true;

	pgstat_report_activity(STATE_IDLE, NULL);
	events = WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					   timeout_ms, wait_event);
	ResetLatch(MyLatch);

	take_configuration();
	return (events & WL_LATCH_SET) != 0;
}

long
errand_idle_ms(void)
{
	return others_wait() ? 0 : IDLE_MS;
}

static void
set_text(char *to, const char *text)
{
	int			length = text == NULL ? 0 :
	pg_mbcliplen(text, strlen(text), LAST_ERROR_LENGTH - 1);

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	if (length > 0)
		memcpy(to, text, length);
	to[length] = '\0';
	LWLockRelease(shared_state->lock);
}

void
errand_note_error(const char *message)
{
	set_text(my_errand->last_error, message);
	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	my_errand->errors++;
	LWLockRelease(shared_state->lock);
	guard_log(message);
}

void
errand_set_work(int64 work)
{
	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	my_errand->working_on = work;
	my_errand->cancelled_by = InvalidOid;
	my_errand->progress[0] = '\0';
	LWLockRelease(shared_state->lock);
}

void
errand_set_progress(const char *progress)
{
	set_text(my_errand->progress, progress);
}

/* The database's errand, if it is at that work.  The caller holds the lock. */
static Errand *
find_at_work(Oid database_oid, ErrandKind kind, int64 work)
{
	DatabaseSlot *slot = shared_slot_find(database_oid);

	if (slot == NULL || slot->errands[kind].pid == 0 ||
		slot->errands[kind].working_on != work)
		return NULL;
	return &slot->errands[kind];
}

bool
errand_cancel_work(Oid database_oid, ErrandKind kind, int64 work, Oid role)
{
	Errand	   *errand;

	if (shared_state == NULL)
		return false;

	/* under the lock, so that it does not go on to its next piece of work */
	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	errand = find_at_work(database_oid, kind, work);
	if (errand != NULL)
	{
		errand->cancelled_by = role;
		(void) kill(errand->pid, SIGINT);
	}
	LWLockRelease(shared_state->lock);
	return errand != NULL;
}

Oid
errand_cancelled_by(void)
{
	Oid			role;

	LWLockAcquire(shared_state->lock, LW_SHARED);
	role = my_errand->cancelled_by;
	LWLockRelease(shared_state->lock);
	return role;
}

int
errand_find_work(Oid database_oid, ErrandKind kind, int64 work, char *progress)
{
	const Errand *errand;
	int			pid = 0;

	progress[0] = '\0';
	if (shared_state == NULL)
		return 0;
	LWLockAcquire(shared_state->lock, LW_SHARED);
	errand = find_at_work(database_oid, kind, work);
	if (errand != NULL)
	{
		pid = errand->pid;
		strlcpy(progress, errand->progress, LAST_ERROR_LENGTH);
	}
	LWLockRelease(shared_state->lock);
	return pid;
}
