/*-------------------------------------------------------------------------
 *
 * portal_time.c
 *		What a portal spent in the messages before the one that runs it.
 *
 * src/latency/portal_time.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/xact.h"
#include "latency/latency.h"
#include "latency/portal_time.h"
#include "utils/timestamp.h"

#define MAX_SUSPENDED 8

/* A portal that gave part of its rows, and waits for the next Execute. */
typedef struct SuspendedStatement
{
	QueryDesc  *query;			/* NULL: a free entry */
	int64		busy_us;
} SuspendedStatement;

static SuspendedStatement suspended[MAX_SUSPENDED];
static int	suspended_count = 0;

/* What Bind spent on the portal that it made last, and that message. */
static SuspendedStatement bound;
static TimestampTz bound_message;

void
portal_time_started(QueryDesc *query, bool simple)
{
	if (query->operation == CMD_SELECT && !simple)
	{
		bound_message = GetCurrentStatementStartTimestamp();
		bound.query = query;
		bound.busy_us = GetCurrentTimestamp() - bound_message;
	}
	else if (bound.query == query)
		bound.query = NULL;		/* an address used again */
}

bool
portal_time_take(QueryDesc *query, int64 *busy_us)
{
	bool		known = !query->already_executed;

	*busy_us = 0;
	if (bound.query == query)
	{
		/* the message that made the portal may be the one that runs it */
		if (bound_message != GetCurrentStatementStartTimestamp())
			*busy_us = bound.busy_us;
		bound.query = NULL;
	}
	for (int i = 0; suspended_count > 0 && i < MAX_SUSPENDED; i++)
	{
		if (suspended[i].query != query)
			continue;
		/* an address used again: the old portal was closed unfinished */
		if (!query->already_executed)
			latency_count(suspended[i].busy_us);
		else
		{
			*busy_us = suspended[i].busy_us;
			known = true;
		}
		suspended[i].query = NULL;
		suspended_count--;
		break;
	}
	return known;
}

bool
portal_time_keep(QueryDesc *query, int64 busy_us)
{
	for (int i = 0; i < MAX_SUSPENDED; i++)
	{
		if (suspended[i].query != NULL)
			continue;
		suspended[i].query = query;
		suspended[i].busy_us = busy_us;
		suspended_count++;
		return true;
	}
	return false;
}

void
portal_time_settle(void)
{
	for (int i = 0; suspended_count > 0 && i < MAX_SUSPENDED; i++)
	{
		if (suspended[i].query == NULL)
			continue;
		latency_count(suspended[i].busy_us);
		suspended[i].query = NULL;
		suspended_count--;
	}
	bound.query = NULL;
}
