/*-------------------------------------------------------------------------
 *
 * launcher.c
 *		The process that keeps a sampler on each database, and starts the
 *		errands that are wanted there.
 *
 * It is connected to no database, so it is in nobody's way.  Whether a
 * database has the extension only a sampler can find out, by connecting; it
 * looks once, and again when the hooks (leave.c) say that something changed.
 *
 * Where there are more databases than worker slots, samplers take turns: each
 * leaves after its round, and the launcher starts the one that is due next.
 * It tries once a minute whether all of them fit again.  Errands take turns
 * with them, in the order in which they are due; of several worker slots one
 * is always left for samplers.
 *
 * src/worker/launcher.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "settings.h"
#include "snapshot/snapshot.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/procarray.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/databases.h"
#include "worker/errand.h"
#include "worker/round.h"
#include "worker/schedule.h"
#include "worker/worker.h"

#define RESCAN_US (30 * USECS_PER_SEC)
#define NO_ROOM_RETRY_US (1 * USECS_PER_SEC)
#define ROTATION_RETRY_US (60 * USECS_PER_SEC)

/* what a child is: an ErrandKind, or this */
#define SAMPLER ERRAND_KINDS
#define CHILD_KINDS (ERRAND_KINDS + 1)

/* A process that might be started. */
typedef struct Candidate
{
	const WantedDatabase *database;
	int			kind;
	TimestampTz due;
} Candidate;

typedef struct Child
{
	Oid			database_oid;
	int			kind;
	BackgroundWorkerHandle *handle;
} Child;

typedef struct Launcher
{
	DatabaseList databases;
	Candidate  *candidates;		/* room for CHILD_KINDS of each */
	Child	   *children;
	int			child_count;
	TimestampTz refused_at;		/* a worker slot was wanted in vain */
	int			capacity;		/* children that there were then */
	bool		warned_slots;
	bool		warned_memory;
} Launcher;

static void
launcher_detach(int code, Datum arg)
{
	(void) code;
	(void) arg;

	if (shared_state->launcher_pid == MyProcPid)
		shared_state->launcher_pid = 0;
}

/* A sampler ended without saying why: wait before the next one. */
static void
note_failure(DatabaseSlot *slot, TimestampTz now)
{
	slot->state = DATABASE_FAILING;
	slot->failures++;
	slot->retry_at = now + schedule_backoff(slot->failures, RESTART_FIRST_US,
											RESTART_MOST_US);
}

/* The child ended; did it fail? */
static void
note_end(const Child *child, DatabaseSlot *slot, TimestampTz now)
{
	if (child->kind == SAMPLER)
	{
		if (slot->pid == 0 && (slot->state == DATABASE_STARTING ||
							   slot->state == DATABASE_FAILING))
			note_failure(slot, now);
	}
	else
	{
		Errand	   *errand = &slot->errands[child->kind];

		/* what went wrong later it has noted itself */
		if (errand->starting && !leave_wanted(slot->database_oid))
			worker_note_errand_failure(errand);
		errand->starting = false;
	}
}

/* Takes leave of the children that have ended. */
static void
reap_children(Launcher *launcher, TimestampTz now)
{
	for (int i = launcher->child_count - 1; i >= 0; i--)
	{
		Child	   *child = &launcher->children[i];
		DatabaseSlot *slot;
		pid_t		pid;

		if (GetBackgroundWorkerPid(child->handle, &pid) != BGWH_STOPPED)
			continue;

		LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
		slot = shared_slot_find(child->database_oid);
		if (slot != NULL)
			note_end(child, slot, now);
		LWLockRelease(shared_state->lock);

		pfree(child->handle);
		*child = launcher->children[--launcher->child_count];
	}
}

static bool
has_child(const Launcher *launcher, Oid database_oid, int kind)
{
	for (int i = 0; i < launcher->child_count; i++)
	{
		if (launcher->children[i].database_oid == database_oid &&
			launcher->children[i].kind == kind)
			return true;
	}
	return false;
}

static bool
has_children(const Launcher *launcher, Oid database_oid)
{
	for (int kind = 0; kind < CHILD_KINDS; kind++)
	{
		if (has_child(launcher, database_oid, kind))
			return true;
	}
	return false;
}

/* Asks the slot's errands to go; true if one still runs. */
static bool
dismiss_errands(DatabaseSlot *slot, int *pids)
{
	bool		running = false;

	for (int kind = 0; kind < ERRAND_KINDS; kind++)
	{
		slot->errands[kind].leave = true;
		pids[kind] = slot->errands[kind].pid;
		running = running || pids[kind] != 0;
	}
	return running;
}

/*
 * Asks samplers and errands to leave that are no longer wanted, and frees the
 * slots of databases that are not.  Returns the number of samplers that run.
 */
static int
prune_slots(Launcher *launcher)
{
	int			running = 0;

	for (int i = 0; i < shared_state->slot_count; i++)
	{
		DatabaseSlot *slot = &shared_state->slots[i];
		SnapshotArea old[SNAPSHOT_KINDS] = {0};
		int			wake[CHILD_KINDS] = {0};

		LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
		/* a sampler of an earlier launcher that was killed leaves no handle */
		if (slot->pid != 0)
			running++;
		if (OidIsValid(slot->database_oid) &&
			databases_find_wanted(&launcher->databases, slot->database_oid) == NULL)
		{
			bool		errands = dismiss_errands(slot, wake);

			slot->allowed_at = 0;
			if (slot->pid != 0)
			{
				slot->leave = true;
				wake[SAMPLER] = slot->pid;
			}
			else if (!errands)
			{
				/* a turn taken by hand (dbmaint_run_due) needs the slot */
				if (shared_state->home_database == slot->database_oid)
					shared_state->home_database = InvalidOid;
				if (!has_children(launcher, slot->database_oid) &&
					!databases_exist(&launcher->databases, slot->database_oid))
					slot->database_oid = InvalidOid;
			}
		}
		if (!OidIsValid(slot->database_oid) || slot->state == DATABASE_ABSENT)
		{
			memcpy(old, slot->snapshots, sizeof(old));
			memset(slot->snapshots, 0, sizeof(old));
		}
		LWLockRelease(shared_state->lock);
		snapshot_free(old);
		for (int kind = 0; kind < CHILD_KINDS; kind++)
			shared_wake_process(wake[kind]);
	}
	return running;
}

/* Since when is the sampler to run, and may be late?  The caller holds the lock. */
static void
note_allowed(DatabaseSlot *slot, TimestampTz now)
{
	if (slot->state == DATABASE_ABSENT || leave_wanted(slot->database_oid))
		slot->allowed_at = 0;
	/* of the future: the clock was set back */
	else if (slot->allowed_at == 0 || slot->allowed_at > now)
		slot->allowed_at = now;
}

/*
 * When the database's sampler should start: DT_NOEND if it should not.  A new
 * database gets its slot here.
 */
static TimestampTz
sampler_time(Launcher *launcher, Oid database_oid, TimestampTz now)
{
	DatabaseSlot *slot;
	TimestampTz due = now;

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	slot = shared_slot_claim(database_oid);
	if (slot != NULL)
		note_allowed(slot, now);
	if (slot == NULL || slot->pid != 0 || slot->allowed_at == 0 ||
		has_child(launcher, database_oid, SAMPLER))
		due = DT_NOEND;
	else if (slot->state == DATABASE_FAILING)
		due = slot->retry_at;
	else if (shared_state->rotating)
		due = round_next_due(slot, now);
	LWLockRelease(shared_state->lock);

	if (slot == NULL && !launcher->warned_memory)
	{
		launcher->warned_memory = true;
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("dbmaint has no room for more than %d databases",
						shared_state->slot_count),
				 errhint("Raise dbmaint.max_databases, or name fewer databases in dbmaint.databases.")));
	}
	return due;
}

/* When the database's errand should start: DT_NOEND if it should not. */
static TimestampTz
errand_time(const Launcher *launcher, Oid database_oid, ErrandKind kind,
			TimestampTz now)
{
	const DatabaseSlot *slot;
	TimestampTz due = DT_NOEND;

	if (has_child(launcher, database_oid, kind))
		return DT_NOEND;

	LWLockAcquire(shared_state->lock, LW_SHARED);
	slot = shared_slot_find(database_oid);
	if (slot != NULL && slot->state != DATABASE_ABSENT &&
		slot->errands[kind].wanted && slot->errands[kind].pid == 0 &&
		!leave_wanted(database_oid))
	{
		due = slot->errands[kind].wanted_at;
		/* the back-off is not to be trusted after the clock was set back */
		if (slot->errands[kind].retry_at > due &&
			slot->errands[kind].retry_at < now + 2 * RESTART_MOST_US)
			due = slot->errands[kind].retry_at;
		else
			due = Min(due, now);
	}
	LWLockRelease(shared_state->lock);
	return due;
}

static int
compare_due(const void *a, const void *b)
{
	TimestampTz x = ((const Candidate *) a)->due;
	TimestampTz y = ((const Candidate *) b)->due;

	return x < y ? -1 : x > y ? 1 : 0;
}

/* What might be started, the longest overdue first; returns how many. */
static int
find_candidates(Launcher *launcher, TimestampTz now)
{
	int			count = 0;

	for (int i = 0; i < launcher->databases.wanted_count; i++)
	{
		const WantedDatabase *database = &launcher->databases.wanted[i];

		for (int kind = 0; kind < CHILD_KINDS; kind++)
		{
			TimestampTz due = kind == SAMPLER ?
			sampler_time(launcher, database->oid, now) :
			errand_time(launcher, database->oid, kind, now);

			if (due == DT_NOEND)
				continue;
			launcher->candidates[count].database = database;
			launcher->candidates[count].kind = kind;
			launcher->candidates[count].due = due;
			count++;
		}
	}
	if (count > 1)
		qsort(launcher->candidates, count, sizeof(Candidate), compare_due);
	return count;
}

/* How many errands run or are starting, of those that count? */
static int
running_errands(bool limited_only)
{
	int			count = 0;

	LWLockAcquire(shared_state->lock, LW_SHARED);
	for (int i = 0; i < shared_state->slot_count; i++)
	{
		for (int kind = 0; kind < ERRAND_KINDS; kind++)
		{
			const Errand *errand = &shared_state->slots[i].errands[kind];

			if (OidIsValid(shared_state->slots[i].database_oid) &&
				(errand->pid != 0 || errand->starting) &&
				(!limited_only || errand_infos[kind].limited))
				count++;
		}
	}
	LWLockRelease(shared_state->lock);
	return count;
}

/*
 * May the errand start?  Not where as many run as may, nor where samplers would
 * be left without a worker slot.
 */
static bool
may_start(const Launcher *launcher, ErrandKind kind, int *waiting)
{
	if (errand_infos[kind].limited &&
		running_errands(true) >= setting_max_runners)
	{
		(*waiting)++;
		return false;
	}
	return !shared_state->rotating ||
		running_errands(false) < Max(1, launcher->capacity - 1);
}

static void
set_slot_state(Oid database_oid, DatabaseState from, DatabaseState to)
{
	DatabaseSlot *slot;

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	slot = shared_slot_find(database_oid);
	if (slot != NULL && slot->pid == 0 && (from == to || slot->state == from))
		slot->state = to;
	LWLockRelease(shared_state->lock);
}

static void
set_errand_starting(Oid database_oid, ErrandKind kind, bool starting)
{
	DatabaseSlot *slot;

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	slot = shared_slot_find(database_oid);
	if (slot != NULL)
		slot->errands[kind].starting = starting;
	LWLockRelease(shared_state->lock);
}

static bool
start_sampler(const WantedDatabase *database, BackgroundWorkerHandle **handle)
{
	set_slot_state(database->oid, DATABASE_STARTING, DATABASE_STARTING);
	if (worker_start_sampler(database->oid, NameStr(database->name), handle))
		return true;
	set_slot_state(database->oid, DATABASE_STARTING, DATABASE_WAITING);
	return false;
}

static bool
start_errand(const WantedDatabase *database, ErrandKind kind,
			 BackgroundWorkerHandle **handle)
{
	set_errand_starting(database->oid, kind, true);
	if (worker_start_errand(kind, database->oid, NameStr(database->name), handle))
		return true;
	set_errand_starting(database->oid, kind, false);
	return false;
}

/* Starts one process; false if there is no worker slot. */
static bool
start_child(Launcher *launcher, const Candidate *candidate)
{
	Child	   *child = &launcher->children[launcher->child_count];

	if (launcher->child_count >= shared_state->slot_count * CHILD_KINDS)
		return false;
	if (candidate->kind == SAMPLER ?
		!start_sampler(candidate->database, &child->handle) :
		!start_errand(candidate->database, candidate->kind, &child->handle))
		return false;

	child->database_oid = candidate->database->oid;
	child->kind = candidate->kind;
	launcher->child_count++;
	return true;
}

/* There is no worker slot: let the processes take turns, or say so. */
static void
note_refusal(Launcher *launcher, int running, TimestampTz now)
{
	launcher->refused_at = now;
	launcher->capacity = launcher->child_count;
	shared_state->rotating = true;
	shared_state->no_room = running == 0 && launcher->child_count == 0;

	if (shared_state->no_room && !launcher->warned_slots)
	{
		launcher->warned_slots = true;
		ereport(WARNING,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("dbmaint found no free background worker slot"),
				 errhint("Raise max_worker_processes.")));
	}

	/* those that wait for their next turn make room at once */
	for (int i = 0; i < shared_state->slot_count; i++)
	{
		shared_wake_process(shared_state->slots[i].pid);
		for (int kind = 0; kind < ERRAND_KINDS; kind++)
			shared_wake_process(shared_state->slots[i].errands[kind].pid);
	}
}

/*
 * Starts what is due, the longest overdue first.  Returns when to look again.
 */
static TimestampTz
start_children(Launcher *launcher, int running, TimestampTz now)
{
	TimestampTz next = now + RESCAN_US;
	int			waiting = 0;
	int			count;

	if (shared_state->rotating && launcher->refused_at + ROTATION_RETRY_US < now)
		shared_state->rotating = false;

	count = find_candidates(launcher, now);
	for (int i = 0; i < count; i++)
	{
		const Candidate *candidate = &launcher->candidates[i];

		CHECK_FOR_INTERRUPTS();
		if (candidate->due > now)
		{
			next = Min(next, candidate->due);
			break;
		}
		if (candidate->kind != SAMPLER &&
			!may_start(launcher, candidate->kind, &waiting))
			continue;
		if (!start_child(launcher, candidate))
		{
			note_refusal(launcher, running, now);
			next = now + NO_ROOM_RETRY_US;
			break;
		}
		shared_state->no_room = false;
		launcher->warned_slots = false;
	}
	shared_state->runners_waiting = waiting;
	return next;
}

static void
launcher_wait(TimestampTz until, uint32 wait_event)
{
	TimestampTz now = GetCurrentTimestamp();

	pgstat_report_activity(STATE_IDLE, NULL);
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 TimestampDifferenceMilliseconds(now, until), wait_event);
	ResetLatch(MyLatch);

	CHECK_FOR_INTERRUPTS();
}

static void
scan(Launcher *launcher)
{
	databases_scan(&launcher->databases);
	launcher->candidates =
		MemoryContextAlloc(launcher->databases.context, sizeof(Candidate) *
						   CHILD_KINDS * Max(launcher->databases.wanted_count, 1));
}

/* What an earlier launcher started has come by now, or never will. */
static void
forget_starting(void)
{
	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	for (int i = 0; i < shared_state->slot_count; i++)
	{
		for (int kind = 0; kind < ERRAND_KINDS; kind++)
			shared_state->slots[i].errands[kind].starting = false;
	}
	LWLockRelease(shared_state->lock);
}

void
launcher_main(Datum arg)
{
	Launcher   *launcher;
	uint32		wait_event;

	(void) arg;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	/* there is no statement to cancel */
	pqsignal(SIGINT, PG_SIG_IGN);
	BackgroundWorkerUnblockSignals();

	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	worker_pin_session("dbmaint launcher");
	wait_event = wait_event_named("DbmaintLauncherMain");

	shared_state->launcher_pid = MyProcPid;
	before_shmem_exit(launcher_detach, (Datum) 0);

	MemoryContextSwitchTo(TopMemoryContext);
	launcher = palloc0_object(Launcher);
	launcher->children = palloc_array(Child,
									  shared_state->slot_count * CHILD_KINDS);
	forget_starting();

	ereport(LOG, (errmsg("dbmaint launcher started")));

	for (;;)
	{
		TimestampTz now = GetCurrentTimestamp();
		bool		reload = ConfigReloadPending;

		if (reload)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		if (reload || launcher->databases.scanned_at == 0 ||
			launcher->databases.scanned_generation !=
			pg_atomic_read_u32(&shared_state->catalog_generation) ||
			now > launcher->databases.scanned_at + RESCAN_US || now < launcher->databases.scanned_at)
			scan(launcher);

		reap_children(launcher, now);
		launcher_wait(start_children(launcher, prune_slots(launcher), now),
					  wait_event);
	}
}
