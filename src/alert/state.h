/*-------------------------------------------------------------------------
 *
 * state.h
 *		When an alert is pending, fires, changes its severity and resolves.
 *
 * Pure arithmetic on readings and times: no server, no clock.  One AlertState
 * is the episode of one metric and instance, with a level for each severity.
 *
 *	- A level begins to hold when every reading of the rule's time was beyond
 *	  the threshold; lower levels that are beyond theirs then hold as well, and
 *	  when it ends, so that an emergency that gets better becomes a warning
 *	  and no new alert.
 *	- It ends when every reading of the rule's resolve time was well.  Between
 *	  threshold and resolve threshold a reading is neither.
 *	- Time without a reading, longer than the gap that the caller allows, does
 *	  not exist: it brings neither nearer.  An alert that was pending before a
 *	  gap that is longer than the rule's time begins anew.
 *	- A level that comes back within an hour flaps, and each time doubles what
 *	  it has to be well for, up to an hour.
 *
 * Times are in microseconds; only differences count.
 *
 * src/alert/state.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_STATE_H
#define DBMAINT_STATE_H

#include <stdbool.h>
#include <stdint.h>

#define ALERT_LEVELS 3			/* warning, critical, emergency */

#define FLAP_WINDOW_US (INT64_C(3600) * 1000000)
#define FLAPPING_FROM 3			/* so many times back: it is called flapping */

typedef enum AlertJudgement
{
	JUDGED_NOT,					/* no reading for this level */
	JUDGED_WELL,
	JUDGED_BETWEEN,				/* neither: below the one, above the other */
	JUDGED_BEYOND				/* the threshold */
} AlertJudgement;

typedef enum AlertPhase
{
	ALERT_INACTIVE,
	ALERT_PENDING,
	ALERT_FIRING
} AlertPhase;

/* What a level's rule demands now. */
typedef struct AlertLimit
{
	bool		watched;		/* false: there is no such rule */
	bool		below;			/* beyond is below the threshold */
	bool		or_equal;		/* and so is the threshold itself */
	double		threshold;
	double		resolve_threshold;
	int64_t		sustained_us;
	int64_t		resolve_us;
} AlertLimit;

typedef struct AlertLevel
{
	bool		breaching;		/* the last reading was beyond */
	bool		well;			/* holds, and the last reading was well */
	bool		holding;
	bool		ended;			/* held before, until ended_at */
	bool		read;			/* there was a reading, at last_at */
	bool		begun;			/* breaching began with the last reading */
	int64_t		breaching_from; /* gaps taken out */
	int64_t		well_from;		/* gaps taken out */
	int64_t		ended_at;
	int64_t		last_at;
	int			flaps;
} AlertLevel;

typedef struct AlertState
{
	AlertPhase	phase;
	int			severity;		/* highest level holding, or breaching while
								 * pending; -1: inactive */
	bool		flapping;
	int64_t		since;			/* the episode's first reading beyond; what
								 * begins anew after a gap has a new one */
	AlertLevel	level[ALERT_LEVELS];
} AlertState;

typedef enum AlertChange
{
	CHANGE_NONE,				/* nothing to be written */
	CHANGE_MOVED,				/* only what must outlive a restart */
	CHANGE_PENDING,
	CHANGE_CANCELLED,			/* was pending, and is well */
	CHANGE_FIRED,
	CHANGE_WORSE,
	CHANGE_BETTER,
	CHANGE_RESOLVED
} AlertChange;

/* Makes a state that is inactive and remembers nothing. */
extern void state_init(AlertState *state);

/* Judges a value by a limit that is watched. */
extern AlertJudgement state_judge(const AlertLimit *limit, double value);

/*
 * Takes the judgements of a reading at a time, one a level, and says what
 * changed.  gap_us is the longest time between two readings that is no gap.
 * Levels that are not watched end at once, with any reading or none.
 */
extern AlertChange state_step(AlertState *state,
							  const AlertLimit limits[ALERT_LEVELS],
							  const AlertJudgement judged[ALERT_LEVELS],
							  int64_t at, int64_t gap_us);

/* How long a level has to be well now before it ends. */
extern int64_t state_resolve_us(const AlertLevel *level,
								const AlertLimit *limit);

#endif							/* DBMAINT_STATE_H */
