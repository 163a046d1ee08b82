/*-------------------------------------------------------------------------
 *
 * schedule.h
 *		When is the next turn?  Pure arithmetic on times in microseconds.
 *
 * Turns lie on a grid: the next is one interval after the previous one was
 * due, not after it ran, so lateness does not add up.  Turns that nobody took
 * in time are skipped, not caught up with.  A clock that was set back makes
 * the next turn due at once, and starts the grid anew.
 *
 * src/worker/schedule.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_SCHEDULE_H
#define DBMAINT_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Is a turn due at `now`?  last_due is when the previous one was due, 0 if
 * there was none.  If so, *due is the latest turn of the grid that is not
 * after now, and *missed the number of those before it that were not taken.
 */
extern bool schedule_due(int64_t last_due, int64_t interval, int64_t now,
						 int64_t *due, int64_t *missed);

/* When the next turn is due; 0 (at once) where there was none. */
extern int64_t schedule_next(int64_t last_due, int64_t interval, int64_t now);

/*
 * How long to wait after that many failures in a row: `first`, doubled with
 * each further failure, at most `most`.
 */
extern int64_t schedule_backoff(int failures, int64_t first, int64_t most);

#endif							/* DBMAINT_SCHEDULE_H */
