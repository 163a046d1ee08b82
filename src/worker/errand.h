/*-------------------------------------------------------------------------
 *
 * errand.h
 *		Processes that come when there is work for them, and leave when it is
 *		done: one a database of each kind.
 *
 * Whoever makes work says so with errand_want() or errand_want_at_commit().
 * The launcher starts the process, and again after 1 s, 2 s, 4 s ... 5 min if
 * it ended without taking leave.  What was wanted before a restart, a crash or
 * a promotion each round of the sampler finds again, by the kind's probe.
 *
 * An errand leaves like a sampler when DDL wants the database.  Where worker
 * slots are short, or more databases want a runner than may have one, it leaves
 * when its turn is over, and comes again after those that waited longer.
 *
 * A new kind is one value of ErrandKind (shared.h), one row in errand.c, and a
 * main of this form; it runs as superuser, with a pinned session:
 *
 *		void
 *		notifier_main(Datum arg)
 *		{
 *			errand_begin(DatumGetObjectId(arg), ERRAND_NOTIFIER);
 *			for (;;)
 *			{
 *				errand_attend();
 *				... all that is due, in guard_run() steps, looking at
 *				errand_must_leave() between two pieces ...
 *				if (errand_must_leave())
 *					errand_leave(there is more);
 *				if (!errand_wait(errand_idle_ms()))
 *					errand_leave(false);
 *			}
 *		}
 *
 * src/worker/errand.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_ERRAND_H
#define DBMAINT_ERRAND_H

#include "shared.h"

typedef struct ErrandInfo
{
	const char *name;			/* "runner" */
	const char *function;		/* its main, in our library */
	const char *probe;			/* SQL function (at timestamptz) returns bool:
								 * is there work?  May be NULL. */
	bool		limited;		/* by dbmaint.max_runners? */
} ErrandInfo;

extern const ErrandInfo errand_infos[ERRAND_KINDS];

/*
 * Says that the database may have work for that kind: wakes the process, or
 * has it started.  Raises no error; does nothing where there is no room.
 */
extern void errand_want(Oid database_oid, ErrandKind kind);

/* The same for this database, when this transaction commits. */
extern void errand_want_at_commit(ErrandKind kind);

/*
 * The following are for the errand's own process.
 *
 * Sets up signals, takes the slot, connects to the database and pins the
 * session.  Does not return if there is another one, or the database is on
 * hold.
 */
extern void errand_begin(Oid database_oid, ErrandKind kind);

/* Call before looking for work: what comes afterwards wants it again. */
extern void errand_attend(void);

/*
 * Is it to go now: because somebody wants the database for himself, dbmaint is
 * turned off, or its turn is over?  Takes interrupts, and a new configuration.
 * Outside transactions only.
 */
extern bool errand_must_leave(void);

/*
 * Ends the process; `more` says that it is to come again, when others had
 * their turn.
 */
pg_noreturn extern void errand_leave(bool more);

/*
 * Waits that long, or to be woken; takes interrupts, and a new configuration.
 * Returns whether it was woken.  Outside transactions only.
 */
extern bool errand_wait(long timeout_ms);

/* How long to stay without work: starting a process costs more than waiting. */
extern long errand_idle_ms(void);

/* For dbmaint_status(): what went wrong, and counts it. */
extern void errand_note_error(const char *message);

/* Says what it works on, 0 for nothing, and how far it is (NULL: not known). */
extern void errand_set_work(int64 work);
extern void errand_set_progress(const char *progress);

/*
 * Interrupts the process if it is working on that, in the name of the role;
 * returns whether it is.
 */
extern bool errand_cancel_work(Oid database_oid, ErrandKind kind, int64 work,
							   Oid role);

/* In the process: the role that wants an end of its work, or InvalidOid. */
extern Oid	errand_cancelled_by(void);

/*
 * For whoever shows the work: the pid of the process that does it, 0 if none
 * does; the progress goes into the buffer of LAST_ERROR_LENGTH bytes.
 */
extern int	errand_find_work(Oid database_oid, ErrandKind kind, int64 work,
							 char *progress);

#endif							/* DBMAINT_ERRAND_H */
