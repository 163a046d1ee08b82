/*-------------------------------------------------------------------------
 *
 * launcher.c
 *		The process that keeps a sampler on each database.
 *
 * It is connected to no database, so it is in nobody's way.  Whether a
 * database has the extension only a sampler can find out, by connecting; it
 * looks once, and again when the hooks (leave.c) say that something changed.
 *
 * Where there are more databases than worker slots, samplers take turns: each
 * leaves after its round, and the launcher starts the one that is due next.
 * It tries once a minute whether all of them fit again.
 *
 * src/worker/launcher.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "activity/message_log.h"
#include "catalog/pg_database.h"
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
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "worker/round.h"
#include "worker/schedule.h"
#include "worker/worker.h"

#define RESCAN_US (30 * USECS_PER_SEC)
#define NO_ROOM_RETRY_US (1 * USECS_PER_SEC)
#define ROTATION_RETRY_US (60 * USECS_PER_SEC)
#define RESTART_FIRST_US (1 * USECS_PER_SEC)
#define RESTART_MOST_US (300 * USECS_PER_SEC)

typedef struct WantedDatabase
{
	Oid			oid;
	NameData	name;
	TimestampTz due;
} WantedDatabase;

typedef struct Child
{
	Oid			database_oid;
	BackgroundWorkerHandle *handle;
} Child;

typedef struct Launcher
{
	MemoryContext scan_context;
	Oid		   *existing;		/* every database, wanted or not */
	int			existing_count;
	WantedDatabase *wanted;
	int			wanted_count;
	TimestampTz scanned_at;
	uint32		scanned_generation;
	Child	   *children;
	int			child_count;
	TimestampTz refused_at;		/* a worker slot was wanted in vain */
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

/* May a sampler connect to it, and is it to? */
static bool
database_wanted(Form_pg_database form)
{
	/* -2 marks what an interrupted DROP DATABASE left behind */
	return setting_enabled && form->datallowconn && !form->datistemplate &&
		form->datconnlimit != -2 &&
		settings_database_wanted(NameStr(form->datname));
}

static bool
database_exists(const Launcher *launcher, Oid database_oid)
{
	for (int i = 0; i < launcher->existing_count; i++)
	{
		if (launcher->existing[i] == database_oid)
			return true;
	}
	return false;
}

/* Frees the histograms and counters of databases that are no more. */
static void
forget_dropped(const Launcher *launcher)
{
	Oid		   *measured = palloc_array(Oid, shared_state->slot_count);
	int			count = latency_databases(measured, shared_state->slot_count);

	for (int i = 0; i < count; i++)
	{
		if (!database_exists(launcher, measured[i]))
			latency_forget(measured[i]);
	}
	message_log_forget_others(launcher->existing, launcher->existing_count);
}

/* Reads pg_database anew. */
static void
scan_databases(Launcher *launcher)
{
	int			allocated = 64;
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;

	launcher->scanned_generation =
		pg_atomic_read_u32(&shared_state->catalog_generation);
	launcher->scanned_at = GetCurrentTimestamp();

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());

	MemoryContextReset(launcher->scan_context);
	MemoryContextSwitchTo(launcher->scan_context);
	launcher->existing = palloc_array(Oid, allocated);
	launcher->existing_count = 0;
	launcher->wanted = palloc_array(WantedDatabase, allocated);
	launcher->wanted_count = 0;

	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);

		CHECK_FOR_INTERRUPTS();
		if (launcher->existing_count == allocated)
		{
			allocated *= 2;
			launcher->existing = repalloc(launcher->existing,
										  allocated * sizeof(Oid));
			launcher->wanted = repalloc(launcher->wanted,
										allocated * sizeof(WantedDatabase));
		}
		launcher->existing[launcher->existing_count++] = form->oid;
		if (database_wanted(form))
		{
			WantedDatabase *wanted = &launcher->wanted[launcher->wanted_count++];

			wanted->oid = form->oid;
			wanted->name = form->datname;
		}
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(launcher->scan_context);

	forget_dropped(launcher);
	MemoryContextSwitchTo(TopMemoryContext);

	shared_state->launcher_scan_at = launcher->scanned_at;
	shared_state->launcher_scans++;
}

static WantedDatabase *
find_wanted(Launcher *launcher, Oid database_oid)
{
	for (int i = 0; i < launcher->wanted_count; i++)
	{
		if (launcher->wanted[i].oid == database_oid)
			return &launcher->wanted[i];
	}
	return NULL;
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

/* Takes leave of the samplers that have ended. */
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
		if (slot != NULL && slot->pid == 0 &&
			(slot->state == DATABASE_STARTING || slot->state == DATABASE_FAILING))
			note_failure(slot, now);
		LWLockRelease(shared_state->lock);

		pfree(child->handle);
		*child = launcher->children[--launcher->child_count];
	}
}

static bool
has_child(Launcher *launcher, Oid database_oid)
{
	for (int i = 0; i < launcher->child_count; i++)
	{
		if (launcher->children[i].database_oid == database_oid)
			return true;
	}
	return false;
}

/*
 * Asks samplers to leave that are no longer wanted, and frees the slots of
 * databases that are not.  Returns the number of samplers that run.
 */
static int
prune_slots(Launcher *launcher)
{
	int			running = 0;

	for (int i = 0; i < shared_state->slot_count; i++)
	{
		DatabaseSlot *slot = &shared_state->slots[i];
		SnapshotArea old[SNAPSHOT_KINDS] = {0};
		int			wake = 0;

		LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
		/* a sampler of an earlier launcher that was killed leaves no handle */
		if (slot->pid != 0)
			running++;
		if (OidIsValid(slot->database_oid) &&
			find_wanted(launcher, slot->database_oid) == NULL)
		{
			if (slot->pid != 0)
			{
				slot->leave = true;
				wake = slot->pid;
			}
			else
			{
				/* a turn taken by hand (dbmaint_run_due) needs the slot */
				if (shared_state->home_database == slot->database_oid)
					shared_state->home_database = InvalidOid;
				if (!has_child(launcher, slot->database_oid) &&
					!database_exists(launcher, slot->database_oid))
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
		shared_wake_process(wake);
	}
	return running;
}

/*
 * When the database's sampler should start: DT_NOEND if it should not.  A new
 * database gets its slot here.
 */
static TimestampTz
start_time(Launcher *launcher, Oid database_oid, TimestampTz now)
{
	DatabaseSlot *slot;
	TimestampTz due = now;

	if (has_child(launcher, database_oid))
		return DT_NOEND;

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	slot = shared_slot_claim(database_oid);
	if (slot == NULL || slot->pid != 0 || slot->state == DATABASE_ABSENT ||
		leave_wanted(database_oid))
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

static int
compare_due(const void *a, const void *b)
{
	TimestampTz x = ((const WantedDatabase *) a)->due;
	TimestampTz y = ((const WantedDatabase *) b)->due;

	return x < y ? -1 : x > y ? 1 : 0;
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

/* Starts one sampler; false if there is no worker slot. */
static bool
start_child(Launcher *launcher, const WantedDatabase *database)
{
	BackgroundWorkerHandle *handle;

	set_slot_state(database->oid, DATABASE_STARTING, DATABASE_STARTING);
	if (!worker_start_sampler(database->oid, NameStr(database->name), &handle))
	{
		set_slot_state(database->oid, DATABASE_STARTING, DATABASE_WAITING);
		return false;
	}

	launcher->children[launcher->child_count].database_oid = database->oid;
	launcher->children[launcher->child_count].handle = handle;
	launcher->child_count++;
	return true;
}

/* There is no worker slot: let the samplers take turns, or say so. */
static void
note_refusal(Launcher *launcher, int running, TimestampTz now)
{
	launcher->refused_at = now;
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
		shared_wake_process(shared_state->slots[i].pid);
}

/*
 * Starts the samplers that are due, the longest overdue first.  Returns when
 * to look again.
 */
static TimestampTz
start_samplers(Launcher *launcher, int running, TimestampTz now)
{
	TimestampTz next = now + RESCAN_US;

	if (shared_state->rotating && launcher->refused_at + ROTATION_RETRY_US < now)
		shared_state->rotating = false;

	for (int i = 0; i < launcher->wanted_count; i++)
		launcher->wanted[i].due = start_time(launcher,
											 launcher->wanted[i].oid, now);
	if (launcher->wanted_count > 1)
		qsort(launcher->wanted, launcher->wanted_count,
			  sizeof(WantedDatabase), compare_due);

	for (int i = 0; i < launcher->wanted_count; i++)
	{
		const WantedDatabase *database = &launcher->wanted[i];

		CHECK_FOR_INTERRUPTS();
		if (database->due > now)
			return Min(next, database->due);
		if (launcher->child_count >= shared_state->slot_count ||
			!start_child(launcher, database))
		{
			note_refusal(launcher, running, now);
			return now + NO_ROOM_RETRY_US;
		}
		shared_state->no_room = false;
		launcher->warned_slots = false;
	}
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
	launcher->scan_context = AllocSetContextCreate(TopMemoryContext,
												   "dbmaint databases",
												   ALLOCSET_DEFAULT_SIZES);
	launcher->children = palloc_array(Child, shared_state->slot_count);

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
		if (reload || launcher->scanned_at == 0 ||
			launcher->scanned_generation !=
			pg_atomic_read_u32(&shared_state->catalog_generation) ||
			now > launcher->scanned_at + RESCAN_US || now < launcher->scanned_at)
			scan_databases(launcher);

		reap_children(launcher, now);
		launcher_wait(start_samplers(launcher, prune_slots(launcher), now),
					  wait_event);
	}
}
