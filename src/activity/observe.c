/*-------------------------------------------------------------------------
 *
 * observe.c
 *		Reads what all backends do, from shared memory.
 *
 * The server offers a copy of its array (pgstat_fetch_stat_*), which copies
 * every string of every backend into memory that lasts for the transaction.
 * We read the array in place, by the protocol in utils/backend_status.h, and
 * of an idle backend nothing but its state.
 *
 * src/activity/observe.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "activity/activity.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/backend_status.h"
#include "utils/memutils.h"

/* an entry that changes as often as that while we read is left out */
#define READ_TRIES 100

/* Translates the server's state; false where there is nothing to see yet. */
static bool
translate_state(BackendState state, ActivityState *translated)
{
	switch (state)
	{
		case STATE_RUNNING:
			*translated = ACTIVITY_ACTIVE;
			return true;
		case STATE_IDLE:
			*translated = ACTIVITY_IDLE;
			return true;
		case STATE_IDLEINTRANSACTION:
			*translated = ACTIVITY_IDLE_IN_TRANSACTION;
			return true;
		case STATE_IDLEINTRANSACTION_ABORTED:
			*translated = ACTIVITY_IDLE_IN_TRANSACTION_ABORTED;
			return true;
		case STATE_FASTPATH:
			*translated = ACTIVITY_FASTPATH;
			return true;
		case STATE_DISABLED:
			*translated = ACTIVITY_DISABLED;
			return true;
		default:
			return false;
	}
}

/* Reads one entry; false if it is unused or not to be counted. */
static bool
read_entry(volatile PgBackendStatus *entry, Observation *o)
{
	BackendType type = B_INVALID;
	BackendState state = STATE_UNDEFINED;
	bool		complete = false;

	for (int i = 0; i < READ_TRIES && !complete; i++)
	{
		int			before;
		int			after;

		pgstat_begin_read_activity(entry, before);
		o->pid = entry->st_procpid;
		type = entry->st_backendType;
		state = entry->st_state;
		o->backend_start = entry->st_proc_start_timestamp;
		o->xact_start = entry->st_xact_start_timestamp;
		o->database_oid = entry->st_databaseid;
		o->user_oid = entry->st_userid;
		o->query_id = (int64) entry->st_query_id;
		pgstat_end_read_activity(entry, after);
		complete = pgstat_read_activity_complete(before, after);
	}

	if (!complete || o->pid <= 0 || o->pid == MyProcPid ||
		!translate_state(state, &o->state))
		return false;

	/* of background processes, only what they do is of interest */
	return type == B_BACKEND ||
		((type == B_BG_WORKER || type == B_AUTOVAC_WORKER) &&
		 o->state == ACTIVITY_ACTIVE);
}

int
activity_observe(TimestampTz at, Observation **observations)
{
	static Observation *found = NULL;
	PgBackendStatus *entries = backend_status_array();
	int			count = 0;

	if (found == NULL)
		found = MemoryContextAlloc(TopMemoryContext,
								   mul_size(MaxBackends, sizeof(Observation)));
	*observations = found;

	for (int i = 0; i < MaxBackends; i++)
	{
		Observation *o = &found[count];
		PGPROC	   *proc;

		/* a glance, to pass over what is unused at no cost */
		if (entries[i].st_procpid == 0 || !read_entry(&entries[i], o))
			continue;

		o->at = at;
		o->wait = 0;
		o->blocked_by = BLOCKER_UNKNOWN;
		if (o->state == ACTIVITY_IDLE)
			o->query_id = 0;
		else if ((proc = backend_status_proc(i)) != NULL && proc->pid == o->pid)
			o->wait = *(volatile uint32 *) &proc->wait_event_info;

		/* a background process in its main loop waits for work */
		if (WAIT_CLASS(o->wait) == PG_WAIT_ACTIVITY)
			continue;
		count++;
	}
	return count;
}
