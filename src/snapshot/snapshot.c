/*-------------------------------------------------------------------------
 *
 * snapshot.c
 *		What the previous snapshot of a kind read, for the next to subtract.
 *
 * A new reading is a new segment, pinned at once: it belongs to no process.
 * The end of the transaction decides which of the two segments is let go.  The
 * heavyweight lock that snapshot_previous() took is still held then, so the
 * slot's area cannot have changed in between.
 *
 * src/snapshot/snapshot.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/xact.h"
#include "commands/extension.h"
#include "postmaster/bgworker.h"
#include "snapshot/snapshot.h"
#include "storage/dsm.h"
#include "storage/lock.h"
#include "utils/memutils.h"

/* A reading that takes effect at the end of the transaction. */
typedef struct PendingReading
{
	SnapshotKind kind;
	SubTransactionId subid;		/* in which it was made */
	SnapshotArea area;
} PendingReading;

/* The transaction's, oldest first; the list lives as long as it does. */
static List *pending = NIL;

static const char *const kind_names[] = {
	[SNAPSHOT_STATEMENTS] = "statements",
	[SNAPSHOT_INDEXES] = "indexes",
	[SNAPSHOT_TABLES] = "tables",
};

StaticAssertDecl(lengthof(kind_names) == SNAPSHOT_KINDS,
				 "every kind of snapshot needs a name");

/* Makes the reading the database's; frees the one before. */
static void
install(const PendingReading *reading)
{
	DatabaseSlot *slot;
	SnapshotArea old = reading->area;

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	slot = shared_slot_find(MyDatabaseId);
	if (slot != NULL)
	{
		old = slot->snapshots[reading->kind];
		slot->snapshots[reading->kind] = reading->area;
	}
	LWLockRelease(shared_state->lock);

	if (old.size != 0)
		dsm_unpin_segment(old.handle);
}

static void
snapshot_xact_callback(XactEvent event, void *arg)
{
	ListCell   *cell;

	if (pending == NIL)
		return;
	if (event == XACT_EVENT_PRE_PREPARE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot PREPARE a transaction that has taken a snapshot"),
				 errhint("Commit the transaction instead.")));
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT)
		return;

	foreach(cell, pending)
	{
		const PendingReading *reading = lfirst(cell);

		if (event == XACT_EVENT_COMMIT)
			install(reading);
		else
			dsm_unpin_segment(reading->area.handle);
	}
	pending = NIL;
}

static void
snapshot_subxact_callback(SubXactEvent event, SubTransactionId subid,
						  SubTransactionId parent, void *arg)
{
	ListCell   *cell;

	foreach(cell, pending)
	{
		PendingReading *reading = lfirst(cell);

		if (reading->subid != subid)
			continue;
		if (event == SUBXACT_EVENT_COMMIT_SUB)
			reading->subid = parent;
		else if (event == SUBXACT_EVENT_ABORT_SUB)
		{
			dsm_unpin_segment(reading->area.handle);
			pending = foreach_delete_current(pending, cell);
		}
	}
}

/* What this transaction read last of the kind, or NULL. */
static const PendingReading *
find_pending(SnapshotKind kind)
{
	for (int i = list_length(pending) - 1; i >= 0; i--)
	{
		const PendingReading *reading = list_nth(pending, i);

		if (reading->kind == kind)
			return reading;
	}
	return NULL;
}

/* One snapshot of a kind at a time; see claim_slot() in status.c. */
static void
lock_kind(SnapshotKind kind)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0x64626d61, kind, 3);
	if (LockAcquire(&tag, ExclusiveLock, false,
					AmBackgroundWorkerProcess()) == LOCKACQUIRE_NOT_AVAIL)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("another session is taking a snapshot of %s",
						kind_names[kind])));
}

void
snapshot_previous(SnapshotKind kind, PreviousReading *previous)
{
	const PendingReading *reading;
	DatabaseSlot *slot;
	SnapshotArea area = {0};

	memset(previous, 0, sizeof(PreviousReading));
	shared_require();
	lock_kind(kind);

	reading = find_pending(kind);
	if (reading != NULL)
		area = reading->area;
	else
	{
		LWLockAcquire(shared_state->lock, LW_SHARED);
		slot = shared_slot_find(MyDatabaseId);
		if (slot != NULL)
			area = slot->snapshots[kind];
		LWLockRelease(shared_state->lock);
	}

	/* what an installation of the extension read says nothing of the next's */
	if (area.size == 0 ||
		area.extension_oid != get_extension_oid("dbmaint", true))
		return;

	/* the segments are gone where the server cleaned up after a crash */
	previous->segment = dsm_attach(area.handle);
	if (previous->segment == NULL)
		return;
	previous->data = dsm_segment_address(previous->segment);
	previous->size = area.size;
}

void
snapshot_release(PreviousReading *previous)
{
	if (previous->segment != NULL)
		dsm_detach(previous->segment);
	memset(previous, 0, sizeof(PreviousReading));
}

/* There is no entry for a database that no sampler has looked at yet. */
static void
require_slot(void)
{
	DatabaseSlot *slot;

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	slot = shared_slot_claim(MyDatabaseId);
	LWLockRelease(shared_state->lock);

	if (slot == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("dbmaint has no room for more than %d databases",
						shared_state->slot_count),
				 errhint("Raise dbmaint.max_databases and restart the server.")));
}

void
snapshot_remember(SnapshotKind kind, Size size,
				  void (*fill) (void *address, void *arg), void *arg)
{
	static bool registered = false;
	MemoryContext old_context;
	PendingReading *reading;
	dsm_segment *segment;

	Assert(size > 0);
	require_slot();
	if (!registered)
	{
		RegisterXactCallback(snapshot_xact_callback, NULL);
		RegisterSubXactCallback(snapshot_subxact_callback, NULL);
		registered = true;
	}

	old_context = MemoryContextSwitchTo(TopTransactionContext);
	reading = palloc_object(PendingReading);
	reading->kind = kind;
	reading->subid = GetCurrentSubTransactionId();
	reading->area.extension_oid = get_extension_oid("dbmaint", false);
	reading->area.size = size;

	segment = dsm_create(size, 0);
	fill(dsm_segment_address(segment), arg);
	reading->area.handle = dsm_segment_handle(segment);

	/* from here on it has an owner: nothing may fail in between */
	pending = lappend(pending, reading);
	dsm_pin_segment(segment);
	dsm_detach(segment);
	MemoryContextSwitchTo(old_context);
}

void
snapshot_free(const SnapshotArea *areas)
{
	for (int kind = 0; kind < SNAPSHOT_KINDS; kind++)
	{
		if (areas[kind].size != 0)
			dsm_unpin_segment(areas[kind].handle);
	}
}
