/*-------------------------------------------------------------------------
 *
 * lane.c
 *		How fast each channel is served.
 *
 * src/notify/lane.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>

#include "common/pg_prng.h"
#include "notify/notifier.h"
#include "utils/builtins.h"

Lane *
lane_find(Notifier *notifier, const char *name)
{
	Lane	   *lane;

	for (int i = 0; i < notifier->lane_count; i++)
	{
		if (strcmp(NameStr(notifier->lanes[i].name), name) == 0)
			return &notifier->lanes[i];
	}
	if (notifier->lane_count == LANES_MOST)
		return NULL;
	lane = &notifier->lanes[notifier->lane_count++];
	memset(lane, 0, sizeof(Lane));
	namestrcpy(&lane->name, name);
	return lane;
}

int
lane_room(Notifier *notifier, Lane *lane)
{
	double		burst = Max(1, lane->rate / 5);
	int			room;

	if (lane->tokens_at == 0 || lane->tokens_at > notifier->now)
		lane->tokens = burst;
	else
		lane->tokens = Min(burst, lane->tokens + lane->rate *
						   (notifier->now - lane->tokens_at) / USECS_PER_SEC);
	lane->tokens_at = notifier->now;

	if (lane->due_at > notifier->now)
		return 0;
	room = Min(lane->concurrency - lane->in_flight, (int) (lane->tokens + 1e-6));
	/* after a failure, one shows whether the receiver is well again */
	if (lane->failures > 0)
		room = Min(room, 1 - lane->in_flight);
	room = Min(room, IN_FLIGHT_MOST - notifier->in_flight);
	room = Min(room, RESULTS_MOST - notifier->result_count - notifier->in_flight);
	return Max(0, room);
}

TimestampTz
lane_next(const Notifier *notifier, const Lane *lane)
{
	TimestampTz next = lane->due_at;

	if (lane->tokens < 1)
		next = Max(next, notifier->now +
				   (TimestampTz) ceil((1 - lane->tokens) / lane->rate * USECS_PER_SEC));
	/* the end of a request will wake us */
	if (lane->in_flight >= (lane->failures > 0 ? 1 : lane->concurrency))
		return DT_NOEND;
	if (next <= notifier->now || lane->short_of)
		next = Max(next, notifier->now + LOOK_AGAIN_US);
	return next;
}

void
lane_add_result(Notifier *notifier, Delivery *delivery, Verdict verdict, int status,
				const char *error, double duration_ms, int64 after_ms)
{
	SendResult *result;
	Lane	   *lane = delivery->lane;
	TimestampTz now = GetCurrentTimestamp();

	if (notifier->result_count >= RESULTS_MOST)
		elog(ERROR, "more results of notifications than there is room for");
	result = &notifier->results[notifier->result_count++];
	result->message_id = delivery->message_id;
	result->verdict = verdict;
	result->status = status;
	strlcpy(result->error, error, sizeof(result->error));
	result->duration_ms = duration_ms;
	result->wait_ms = 0;

	lane->changed = true;
	lane->in_flight--;
	notifier->in_flight--;
	if (verdict == VERDICT_RETRY)
	{
		double		fraction = pg_prng_double(&pg_global_prng_state);
		int64		pause_ms;

		/* those that were under way together failed together */
		if (delivery->started_at >= lane->failed_at)
			lane->failures++;
		lane->failed_at = now;
		result->wait_ms = (double) Max(retry_wait_ms(delivery->attempt, fraction), after_ms);
		pause_ms = Max(retry_wait_ms(lane->failures, fraction), after_ms);
		lane->paused_until = Max(lane->paused_until, now + pause_ms * 1000);
	}
	else
	{
		lane->failures = 0;
		lane->paused_until = 0;
	}
	if (verdict == VERDICT_SENT)
		lane->sent = true;
	else
		strlcpy(lane->error, error, sizeof(lane->error));
	delivery->message_id = 0;
}
