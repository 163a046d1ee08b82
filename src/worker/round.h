/*-------------------------------------------------------------------------
 *
 * round.h
 *		One turn of a sampler: collect what is due, write it, roll history up,
 *		expire it.
 *
 * The time is an argument.  In a worker each step is a transaction, called
 * from SQL a subtransaction; no snapshot, lock or transaction outlives its
 * step.
 *
 * src/worker/round.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_ROUND_H
#define DBMAINT_ROUND_H

#include "shared.h"

typedef enum RoundResult
{
	ROUND_NOT_INSTALLED,		/* the extension is not in this database */
	ROUND_NOT_DUE,
	ROUND_DONE,
	ROUND_FAILED				/* nothing was written */
} RoundResult;

typedef struct RoundReport
{
	char	   *status[MAX_COLLECTORS]; /* "ok", an error, NULL: was not due */
	char	   *failure;		/* why nothing was written */
	char	   *series_failure; /* why the readings of series were not */
	char	   *alert_failure;	/* of the last step of the alerts that failed */
	bool		home;			/* does the database read what concerns the
								 * server? */
	int64		rolled_up;		/* hours and days of history */
	char	   *roll_up_failure;	/* why no more were */
	int64		expired;		/* rows of history deleted */
	char	   *expiry_failure; /* why no more were */
} RoundReport;

/*
 * Runs what is due in the slot's database, which is the one that this process
 * is connected to.  The report's strings are in the current memory context.
 */
extern RoundResult round_run(DatabaseSlot *slot, TimestampTz at,
							 RoundReport *report);

/* When the slot's database is due next, at the latest; 0: at once. */
extern TimestampTz round_next_due(const DatabaseSlot *slot, TimestampTz now);

#endif							/* DBMAINT_ROUND_H */
