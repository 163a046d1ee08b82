/*-------------------------------------------------------------------------
 *
 * snapshot.h
 *		What the previous snapshot of a kind read, for the next to subtract.
 *
 * A collector that keeps a history of increases (statements, indexes, tables)
 * needs the totals of the time before.  They are kept in dynamic shared
 * memory, one segment for each database and kind: a sampler that left and
 * came back finds them, and so does a session that takes a snapshot by hand.
 * A restart of the server loses them, and so does the end of the extension in
 * the database; what the next snapshot reads is a fresh start then.
 *
 * src/snapshot/snapshot.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_SNAPSHOT_H
#define DBMAINT_SNAPSHOT_H

#include "shared.h"

/*
 * Returns this database's previous reading, as a copy in the current memory
 * context, and its size; NULL if there is none.  Until the transaction ends,
 * nobody else can take a snapshot of the kind in this database: a worker that
 * finds it taken raises an error (lock_not_available), a session waits.
 */
extern void *snapshot_previous(SnapshotKind kind, Size *size);

/*
 * Makes a copy of the data the previous reading when the transaction commits.
 * When it aborts, or the subtransaction in which this was called, the old one
 * stays.  Only after snapshot_previous() in the same transaction.
 */
extern void snapshot_remember(SnapshotKind kind, const void *data, Size size);

/*
 * Frees the areas (one a kind) of a slot that was given to nobody or somebody
 * else.  May raise an error; no lock is held.
 */
extern void snapshot_free(const SnapshotArea *areas);

#endif							/* DBMAINT_SNAPSHOT_H */
