/*-------------------------------------------------------------------------
 *
 * schedule.c
 *		When is the next turn?
 *
 * src/worker/schedule.c
 *
 *-------------------------------------------------------------------------
 */
#include "worker/schedule.h"

int64_t
schedule_next(int64_t last_due, int64_t interval, int64_t now)
{
	/* never ran, or the clock was set back by more than a turn */
	if (last_due == 0 || now < last_due - interval)
		return 0;
	return last_due + interval;
}

bool
schedule_due(int64_t last_due, int64_t interval, int64_t now,
			 int64_t *due, int64_t *missed)
{
	int64_t		next = schedule_next(last_due, interval, now);

	*missed = 0;
	*due = now;
	if (next == 0)
		return true;
	if (now < next)
		return false;

	*missed = (now - next) / interval;
	*due = next + *missed * interval;
	return true;
}

int64_t
schedule_backoff(int failures, int64_t first, int64_t most)
{
	int64_t		wait = first;

	if (failures <= 0)
		return 0;
	for (int i = 1; i < failures && wait < most; i++)
		wait *= 2;
	return wait < most ? wait : most;
}
