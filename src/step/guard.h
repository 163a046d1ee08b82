/*-------------------------------------------------------------------------
 *
 * guard.h
 *		Runs one step so that its error costs that step alone.
 *
 * In a worker, outside a transaction, the step gets a transaction of its own;
 * called from SQL it gets a subtransaction.  A step that takes longer than
 * dbmaint.collector_timeout is cancelled.  Only what ends the process passes
 * through, and a cancel that a user sent to a SQL session.
 *
 * This is the extension's only PG_TRY for errors of its own work.
 *
 * src/step/guard.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_GUARD_H
#define DBMAINT_GUARD_H

typedef void (*GuardedStep) (void *arg);

/*
 * Runs step(arg).  Returns NULL if it went well, else the error's message,
 * allocated in the caller's memory context.
 */
extern char *guard_run(const char *what, GuardedStep step, void *arg);

/* The same with another timeout of its transaction, if that is its own. */
extern char *guard_run_for(const char *what, GuardedStep step, void *arg,
						   int timeout_ms);

/*
 * The same, with a time limit of the step's own in any transaction; a step
 * that passes it fails.  A step in such a step has no other limit than that.
 */
extern char *guard_run_within(const char *what, GuardedStep step, void *arg,
							  int limit_ms);

/*
 * Runs step(arg) outside a transaction, for commands that make transactions of
 * their own; in a worker only.  It may take that long; 0 is for ever.  Returns
 * as guard_run() does, without the name of the step, and sets *sqlstate.
 */
extern char *guard_run_top_level(GuardedStep step, void *arg, int timeout_ms,
								 int *sqlstate);

/*
 * For who must know which error it was: NULL if the step went well.  In a step
 * of guard_run_top_level(), where no transaction is open, guard_try() makes one
 * and guard_try_command() makes none; the time limit is that step's, and a
 * cancel is meant for all of it.
 */
extern ErrorData *guard_try(GuardedStep step, void *arg);
extern ErrorData *guard_try_command(GuardedStep step, void *arg);

/*
 * Writes the message of a step that failed, as guard_run() returned it, to the
 * log: while a step fails in the same way, once a minute at most, however many
 * others fail in turn with it.
 */
extern void guard_log(const char *message);

/*
 * A worker's handler of SIGINT: cancels the step that runs.  Between steps
 * there is nothing to cancel, and an error would end the process.
 */
extern void guard_cancel_handler(SIGNAL_ARGS);

#endif							/* DBMAINT_GUARD_H */
