/*-------------------------------------------------------------------------
 *
 * retiring.h
 *		Notes of tables that the runner is to drop: dbmaint_retiring_partitions.
 *
 * A table is noted in the transaction that takes it out of its set, or before,
 * so that a crash leaves none behind; it is forgotten in the one that drops it.
 *
 * src/partition/retiring.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_RETIRING_H
#define DBMAINT_RETIRING_H

#include "job/job.h"

/* Locks the notes, which may have no triggers: they would run as superuser. */
extern void retiring_lock(const Job *job);

/* from and to: the range, for people; NULL where it has no end. */
extern void retiring_note(const Job *job, Oid partition, Oid parent,
						  const char *from, const char *to, int64 size_bytes);
extern void retiring_forget(const Job *job, Oid partition);

/* Is it noted, under the name that it has? */
extern bool retiring_has(const Extension *extension, Oid partition);

#endif							/* DBMAINT_RETIRING_H */
