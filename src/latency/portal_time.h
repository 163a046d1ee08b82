/*-------------------------------------------------------------------------
 *
 * portal_time.h
 *		What a portal spent in the messages before the one that runs it.
 *
 * In the extended protocol, Bind plans a SELECT and starts its executor, and
 * an Execute that asks for some rows suspends the portal until the next one.
 * The time of each is kept here, without that of the client in between, until
 * the statement ends.  A few fixed entries: nothing is allocated.
 *
 * latency_hooks.c alone uses it.
 *
 * src/latency/portal_time.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_PORTAL_TIME_H
#define DBMAINT_PORTAL_TIME_H

#include "executor/execdesc.h"

/*
 * An executor was started for the query: by Bind if it is a SELECT, unless its
 * message is a simple query, which is going to run it.
 */
extern void portal_time_started(QueryDesc *query, bool simple);

/*
 * Takes back what earlier messages spent on the query.  Returns false for one
 * that was counted then, because there was no room to keep it.
 */
extern bool portal_time_take(QueryDesc *query, int64 *busy_us);

/* Keeps what was spent on a suspended query; false if there is no room. */
extern bool portal_time_keep(QueryDesc *query, int64 busy_us);

/* Counts the suspended statements: their portals go with the transaction. */
extern void portal_time_settle(void);

#endif							/* DBMAINT_PORTAL_TIME_H */
