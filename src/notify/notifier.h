/*-------------------------------------------------------------------------
 *
 * notifier.h
 *		What the files of the notifier share.
 *
 * notifier.c is its loop, lane.c how fast each channel is served, delivery.c
 * what it asks of the outbox and tells it.
 *
 * src/notify/notifier.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_NOTIFIER_H
#define DBMAINT_NOTIFIER_H

#include "history/history.h"
#include "notify/notify.h"
#include "notify/transport.h"
#include "utils/timestamp.h"

#define IN_FLIGHT_MOST 64
#define LANES_MOST 256

/* of requests that ended while the ones before were not stored yet, and of
 * what is claimed: see lane_room() */
#define RESULTS_MOST (2 * IN_FLIGHT_MOST)
#define LOOK_AGAIN_US (1 * USECS_PER_SEC)

/* A channel, as far as its traffic goes. */
typedef struct Lane
{
	NameData	name;
	const ChannelKind *kind;
	int			in_flight;
	int			failures;		/* in a row */
	TimestampTz failed_at;
	TimestampTz paused_until;
	bool		known;			/* was it ever listed? */
	bool		changed;		/* since it was noted */
	bool		sent;
	char		error[TRANSPORT_ERROR_LENGTH];

	/* as it was listed last */
	bool		listed;
	TimestampTz due_at;
	double		rate;
	int			concurrency;
	double		tokens;			/* how many may go now */
	TimestampTz tokens_at;		/* 0: never counted */
	bool		short_of;		/* what is due waits for something else */
	Channel    *channel;		/* valid in this turn only; NULL: not so */
	Problem		problem;
} Lane;

/* A notification that was claimed: being written, or under way. */
typedef struct Delivery
{
	int64		message_id;		/* 0: a free place */
	Lane	   *lane;
	int			attempt;
	bool		fresh;			/* its claim is not committed yet */
	TimestampTz started_at;
} Delivery;

typedef struct SendResult
{
	int64		message_id;
	Verdict		verdict;
	int			status;			/* 0: none */
	char		error[TRANSPORT_ERROR_LENGTH];
	double		duration_ms;	/* negative: not known */
	double		wait_ms;
} SendResult;

/* A request that waits for its transaction to commit. */
typedef struct Prepared
{
	Delivery   *delivery;
	Outgoing	outgoing;
} Prepared;

typedef struct Notifier
{
	const Transport *transport; /* NULL: not needed so far */
	Lane		lanes[LANES_MOST];
	int			lane_count;
	Delivery	deliveries[IN_FLIGHT_MOST];
	int			in_flight;
	SendResult	results[RESULTS_MOST];
	int			result_count;
	Prepared	prepared[IN_FLIGHT_MOST];
	int			prepared_count;
	MemoryContext turn_context;
	char	   *body;			/* BODY_MOST bytes, to write in */
	Extension	extension;
	bool		installed;
	bool		released;		/* what an earlier notifier left behind */
	TimestampTz tended_at;
	TimestampTz now;			/* of the turn */
	TimestampTz next_look;		/* when there will be more to send */
	int			failures;		/* of turns, in a row */
} Notifier;

/* Finds the channel's lane, or makes one; NULL if there are too many. */
extern Lane *lane_find(Notifier *notifier, const char *name);

/*
 * How many more of the lane's may go now; counts its tokens.  There is a place
 * for the result of each, and of each that is under way.
 */
extern int	lane_room(Notifier *notifier, Lane *lane);

/* When the lane may have more to send, if no request ends before. */
extern TimestampTz lane_next(const Notifier *notifier, const Lane *lane);

/*
 * Notes what came of a delivery, for the next transaction to store, and what
 * that means for its lane.  after_ms is what the receiver asked for, or 0.
 */
extern void lane_add_result(Notifier *notifier, Delivery *delivery,
							Verdict verdict, int status, const char *error,
							double duration_ms, int64 after_ms);

/*
 * The steps (step/guard.h) of a turn, with the notifier as argument: the one
 * notes results, claims what is due and writes requests, the other only notes.
 */
extern void delivery_step(void *arg);
extern void delivery_finish_step(void *arg);

/* After delivery_step: its transaction committed, or it did not. */
extern void delivery_committed(Notifier *notifier);
extern void delivery_failed(Notifier *notifier, int results);

#endif							/* DBMAINT_NOTIFIER_H */
