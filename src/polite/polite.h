/*-------------------------------------------------------------------------
 *
 * polite.h
 *		Locks for DDL on tables in use.
 *
 * Whoever waits for a strong lock makes everybody wait who comes after him.
 * So a lock is first tried without waiting, which costs nobody anything.  If
 * that fails, and whoever is in the way looks as if he were done soon, it is
 * waited for, for a short time; then the turn is given up with everything
 * locked in it, others go ahead, and after a pause of random length another
 * turn begins.  Nobody waits longer than dbmaint.max_lock_wait behind us, plus
 * what is done under the lock.
 *
 * src/polite/polite.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_POLITE_H
#define DBMAINT_POLITE_H

#include "storage/lockdefs.h"

typedef void (*PoliteStep) (void *arg);

/*
 * Runs step(arg) in turns, each in a subtransaction (outside a transaction, in
 * one of its own), until one of them gets all of its locks.  Other errors pass
 * through.  After window_ms the last turn's error is raised as
 * lock_not_available; "what" completes "could not lock what is needed to".
 * Whatever the step locks by itself is waited for as long as a turn lasts.
 */
extern void polite_run(const char *what, int window_ms, PoliteStep step,
					   void *arg);

/* Within such a step: locks the relation until the transaction ends. */
extern void polite_lock(Oid relation, LOCKMODE mode);

#endif							/* DBMAINT_POLITE_H */
