/*-------------------------------------------------------------------------
 *
 * alert.h
 *		The alert room: rules judge what a round read.
 *
 * alert_turn() is the part of a round that follows the writing of the sample.
 * Each of its steps is a guarded one: rules and open incidents are loaded if
 * they changed, readings are judged in memory, evidence is collected for what
 * fires, and the transitions are written together with the notifications that
 * they queue.  A transition takes effect in memory when it was written.
 *
 * A worker keeps rules and states between rounds.  Triggers on the tables of
 * rules, silences and windows send an invalidation of the table's relcache
 * entry, which arrives with the commit whoever changed them; and once a minute
 * the rules are loaded anyhow, since triggers can be disabled.  Called from
 * SQL, a turn loads everything, as its transaction may be rolled back.
 *
 * src/alert/alert.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_ALERT_H
#define DBMAINT_ALERT_H

#include "collect/collect.h"
#include "history/history.h"
#include "nodes/pg_list.h"

/* What a turn did, for dbmaint_alerting(). */
typedef struct AlertReport
{
	int			rules;			/* enabled */
	int			series;			/* metrics and instances that were judged */
	int			pending;
	int			firing;
	double		judged_ms;		/* what judging took */
	List	   *failures;		/* messages of the steps that failed */
	const char *broken;			/* the last of them but for evidence:
								 * something was not judged or not written; or
								 * NULL */
} AlertReport;

/*
 * Judges what the collection read; sample says whether the round took a
 * sample, rotating whether databases take turns, so that rounds come late.
 */
extern void alert_turn(const Extension *extension,
					   const Collection *collection, bool sample,
					   bool rotating, AlertReport *report);

#endif							/* DBMAINT_ALERT_H */
