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

typedef struct PoliteLock
{
	Oid			relation;
	LOCKMODE	mode;
} PoliteLock;

/*
 * Locks all of them, in that order, until the transaction ends.  In turns,
 * each in a subtransaction; after window_ms the last turn's error is raised as
 * lock_not_available, where "what" completes "could not lock what is needed
 * to".  Called in a transaction.
 */
extern void polite_lock_all(const char *what, int window_ms,
							const PoliteLock *locks, int count);

#endif							/* DBMAINT_POLITE_H */
