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

/* The previous reading, where it is: it is not to be written to. */
typedef struct PreviousReading
{
	const void *data;			/* NULL: there is none */
	Size		size;
	dsm_segment *segment;
} PreviousReading;

/*
 * Finds this database's previous reading.  Until the transaction ends, nobody
 * else can take a snapshot of the kind in this database: a worker that finds
 * it taken raises an error (lock_not_available), a session waits.  Whoever is
 * done with it calls snapshot_release(), unless an error ended it.
 */
extern void snapshot_previous(SnapshotKind kind, PreviousReading *previous);
extern void snapshot_release(PreviousReading *previous);

/*
 * Calls fill with the arg to write a reading of that size to the address given,
 * and makes it the previous one when the transaction commits.  When it aborts,
 * or the subtransaction in which this was called, the old one stays.  Only
 * after snapshot_previous() in the same transaction.
 */
extern void snapshot_remember(SnapshotKind kind, Size size,
							  void (*fill) (void *address, void *arg),
							  void *arg);

/*
 * Frees the areas (one a kind) of a slot that was given to nobody or somebody
 * else.  May raise an error; no lock is held.
 */
extern void snapshot_free(const SnapshotArea *areas);

#endif							/* DBMAINT_SNAPSHOT_H */
