/*-------------------------------------------------------------------------
 *
 * activity.h
 *		What sessions do, looked at once a second: counts for the history,
 *		and the last minutes in full.
 *
 * A tick reads the server's array of backends in shared memory.  It needs no
 * transaction, snapshot or SQL, and waits for nobody.  What it saw is counted
 * into the row of the interval, kept in shared memory: a sampler that leaves
 * and comes back, or another one that becomes the home database's, goes on
 * with the same row.  Three rows of a fixed size are enough for one that fills
 * while another is written; what finds no room is counted as such.
 *
 * Locking: one lock guards the rows, one the recorder's ring.  Nothing is
 * allocated or raised under either, and a tick holds them only to add what it
 * has already read.
 *
 * src/activity/activity.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_ACTIVITY_H
#define DBMAINT_ACTIVITY_H

#include "collect/collect.h"
#include "datatype/timestamp.h"

typedef enum ActivityState
{
	ACTIVITY_ACTIVE,
	ACTIVITY_IDLE,
	ACTIVITY_IDLE_IN_TRANSACTION,
	ACTIVITY_IDLE_IN_TRANSACTION_ABORTED,
	ACTIVITY_FASTPATH,
	ACTIVITY_DISABLED			/* track_activities is off there */
} ActivityState;

#define BLOCKER_UNKNOWN (-1)

/* The class of a wait_event_info, one of PG_WAIT_... */
#define WAIT_CLASS(wait) ((wait) & 0xFF000000U)

/* One session at one time. */
typedef struct Observation
{
	TimestampTz at;
	TimestampTz backend_start;
	TimestampTz xact_start;		/* 0: in no transaction */
	int64		query_id;		/* 0: unknown */
	int			pid;
	Oid			database_oid;
	Oid			user_oid;
	uint32		wait;			/* wait_event_info; 0: waits for nothing */
	int			blocked_by;		/* 0: a prepared transaction */
	ActivityState state;
} Observation;

/* Shared memory: asking for it, and attaching to it (makes it if need be). */
extern void activity_shared_request(void);
extern void activity_shared_attach(void);

/* When the next tick is due, now or later; the end of time where none is. */
extern TimestampTz activity_next_tick(TimestampTz now);

/*
 * Takes the tick that is due at the time, if there is one that nobody else
 * took.  In a transaction or not; raises no error but for want of memory.
 */
extern void activity_tick(TimestampTz now);

/* The state as pg_stat_activity has it. */
extern const char *activity_state_name(ActivityState state);

/* Splits a wait into type and event; both NULL where it waits for nothing. */
extern void activity_wait_names(uint32 wait, const char **type,
								const char **event);

/*
 * Reads all backends but this one, into an array that belongs to the room and
 * lasts until the next call; returns their number.  observe.c.
 */
extern int	activity_observe(TimestampTz at, Observation **observations);

/* The ring of the last minutes.  recorder.c. */
extern void recorder_shared_request(void);
extern void recorder_shared_attach(void);
extern void recorder_write(Observation *observations, int count);

/* Collectors' callbacks: store the rows that are finished, count sessions. */
extern void collect_activity_history(Collection *collection);
extern void collect_connections(Collection *collection);

extern const int connections_interval_s;

#endif							/* DBMAINT_ACTIVITY_H */
