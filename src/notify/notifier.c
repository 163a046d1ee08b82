/*-------------------------------------------------------------------------
 *
 * notifier.c
 *		The process that delivers one database's notifications.
 *
 * Its loop: one short transaction notes what came of attempts, and claims what
 * may be sent; then, outside of any transaction, requests run side by side and
 * the process waits for them, its latch or the next time that is due.  What
 * the server itself carries (NOTIFY, its log) is delivered in the transaction
 * that notes it.
 *
 * Channels do not wait for each other.  Each has a lane: how many requests at
 * once, how many a second, and after a failure one at a time, after a pause
 * that grows.  What was being sent when a notifier ended is sent again.
 *
 * src/notify/notifier.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "notify/notifier.h"
#include "step/guard.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "worker/errand.h"

#define STAY_US (300 * USECS_PER_SEC)
#define STEP_FAILURES_MOST 5

static void
submit_prepared(Notifier *notifier)
{
	for (int i = 0; i < notifier->prepared_count; i++)
	{
		Prepared   *prepared = &notifier->prepared[i];

		if (!notifier->transport->submit(&prepared->outgoing))
			lane_add_result(notifier, prepared->delivery, VERDICT_RETRY, 0,
							"the request could not be made", -1, 0);
	}
	notifier->prepared_count = 0;
}

/* One turn: notes what ended, and sends what is due. */
static void
take_turn(Notifier *notifier)
{
	int			results = notifier->result_count;
	char	   *failure;

	MemoryContextReset(notifier->turn_context);
	MemoryContextSwitchTo(notifier->turn_context);
	notifier->now = GetCurrentTimestamp();
	notifier->prepared_count = 0;
	failure = guard_run("notifier", delivery_step, notifier);
	if (failure == NULL)
	{
		delivery_committed(notifier);
		submit_prepared(notifier);
	}
	else
	{
		errand_note_error(failure);
		delivery_failed(notifier, results);
		notifier->next_look = notifier->now + LOOK_AGAIN_US;
		/* the launcher tries again, less and less often */
		if (++notifier->failures >= STEP_FAILURES_MOST)
			proc_exit(1);
	}
	MemoryContextSwitchTo(TopMemoryContext);
}

/* Tells the log when a channel begins to fail, and when it works again. */
static void
note_turn_of_luck(const Lane *lane, Verdict verdict, const char *error)
{
	if (verdict == VERDICT_RETRY && lane->failures == 0)
		ereport(LOG,
				(errmsg("dbmaint: notifications to channel \"%s\" fail: %s",
						NameStr(lane->name), error)));
	else if (verdict != VERDICT_RETRY && lane->failures > 0)
		ereport(LOG,
				(errmsg("dbmaint: notifications to channel \"%s\" arrive again",
						NameStr(lane->name))));
}

/* What an answer, or none, means for its notification. */
static void
take_outcome(Notifier *notifier, Delivery *delivery, const Outcome *outcome)
{
	const ChannelKind *kind = delivery->lane->kind;
	int			status = outcome->answer.status;
	Verdict		verdict;
	char		error[TRANSPORT_ERROR_LENGTH];
	int64		after_ms = 0;

	strlcpy(error, outcome->error, sizeof(error));
	if (outcome->answered)
		verdict = kind->judge(&outcome->answer);
	else
	{
		/* half an answer that refuses is an answer, one that accepts is not */
		verdict = kind->judge(&outcome->answer) == VERDICT_REFUSED && status >= 400 ?
			VERDICT_REFUSED : VERDICT_RETRY;
	}
	if (verdict != VERDICT_SENT && error[0] == '\0')
		snprintf(error, sizeof(error), status == 200 ?
				 "the receiver answered %d, but not as this kind of channel does" :
				 status >= 300 && status < 400 ?
				 "the receiver answered %d; redirects are not followed" :
				 "the receiver answered %d", status);
	if (verdict == VERDICT_RETRY && outcome->retry_after[0] != '\0')
		after_ms = 1000 * Max(0, retry_after_s(outcome->retry_after,
											   (int64_t) timestamptz_to_time_t(GetCurrentTimestamp())));
	note_turn_of_luck(delivery->lane, verdict, error);
	lane_add_result(notifier, delivery, verdict, status, error,
					outcome->duration_ms, after_ms);
}

/* Takes what ended while we waited. */
static void
collect_outcomes(Notifier *notifier)
{
	Outcome		outcome;

	while (notifier->transport != NULL &&
		   notifier->result_count < IN_FLIGHT_MOST &&
		   notifier->transport->collect(&outcome))
	{
		for (int i = 0; i < IN_FLIGHT_MOST; i++)
		{
			Delivery   *delivery = &notifier->deliveries[i];

			if (delivery->message_id == outcome.id)
			{
				take_outcome(notifier, delivery, &outcome);
				break;
			}
		}
	}
}

/*
 * Leaves in order: what is under way is given up and will be tried again,
 * after a pause like after any failure, since we may have to leave each time.
 */
static void
leave(Notifier *notifier, bool more)
{
	for (int i = 0; i < IN_FLIGHT_MOST; i++)
	{
		Delivery   *delivery = &notifier->deliveries[i];

		if (delivery->message_id != 0)
			lane_add_result(notifier, delivery, VERDICT_RETRY, 0,
							"interrupted: the notifier had to leave", -1, 0);
	}
	if (notifier->transport != NULL)
		notifier->transport->abandon();
	if (notifier->result_count > 0)
	{
		MemoryContextSwitchTo(notifier->turn_context);
		(void) guard_run("notifier", delivery_finish_step, notifier);
	}
	errand_leave(more);
}

/* Waits until something ended or is due, at most until the given time. */
static bool
wait_until(Notifier *notifier, TimestampTz until)
{
	static uint32 wait_event = 0;
	long		timeout_ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);

	if (notifier->transport == NULL)
		return errand_wait(timeout_ms);
	if (wait_event == 0)
		wait_event = wait_event_named("DbmaintNotifierSend");
	pgstat_report_activity(STATE_IDLE, NULL);
	notifier->transport->wait(timeout_ms, wait_event);
	collect_outcomes(notifier);
	return errand_wait(0);
}

void
notifier_main(Datum arg)
{
	Notifier   *notifier;
	TimestampTz idle_since = 0;
	bool		woken = true;

	errand_begin(DatumGetObjectId(arg), ERRAND_NOTIFIER);

	notifier = MemoryContextAllocZero(TopMemoryContext, sizeof(Notifier));
	notifier->body = MemoryContextAlloc(TopMemoryContext, BODY_MOST);
	notifier->turn_context = AllocSetContextCreate(TopMemoryContext,
												   "dbmaint notifications",
												   ALLOCSET_DEFAULT_SIZES);
	for (;;)
	{
		TimestampTz now = GetCurrentTimestamp();
		TimestampTz until = now + STAY_US;

		if (errand_must_leave())
			leave(notifier, true);
		if (woken || notifier->result_count > 0 || notifier->next_look <= now)
		{
			errand_attend();
			take_turn(notifier);
			if (!notifier->installed && notifier->failures == 0)
				leave(notifier, false);
		}
		if (notifier->result_count > 0)
		{
			/* the request could not be made, or the turn failed */
			until = now + LOOK_AGAIN_US / 10;
		}
		else if (notifier->in_flight == 0 && notifier->next_look > now + STAY_US)
		{
			/* nothing to do: stay a while, since starting costs more */
			if (idle_since == 0)
				idle_since = now;
			until = idle_since + errand_idle_ms() * INT64CONST(1000);
			if (until <= now)
				leave(notifier, false);
		}
		else
		{
			idle_since = 0;
			until = Min(until, notifier->next_look);
		}
		woken = wait_until(notifier, until);
	}
}
