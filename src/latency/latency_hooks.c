/*-------------------------------------------------------------------------
 *
 * latency_hooks.c
 *		When does a statement begin and end?
 *
 * A statement is what a portal runs at nesting level zero: in ExecutorRun, or
 * in ProcessUtility.  Its clock starts at the arrival of the message that
 * the server is working on, or where the previous statement of that message
 * ended.  It does not stop when the executor returns: the statement is kept
 * as `pending`, because the commit that it triggers comes afterwards and
 * belongs to it.  What settles it is the end of the transaction or the next
 * statement, whichever is first; inside a transaction block, where nothing
 * more can follow, it is settled at once.
 *
 * The server calls no hook when it begins to wait for its client, so we never
 * subtract two times with a message's arrival between them: in the extended
 * protocol, a statement's time is the sum of its busy spans (Bind, each
 * Execute, the commit at Sync).
 *
 * There is no PG_TRY.  The nesting level is kept by each hook in a local
 * variable, so an error that somebody catches (an exception block) repairs
 * itself when the outer hook returns, and one that nobody catches ends in
 * the abort callback, which starts afresh.  An error that reached the top is
 * told from a ROLLBACK by debug_query_string: PostgresMain clears it before
 * it aborts the transaction, and only then.
 *
 * The clock is the server's own, as in log_min_duration_statement: a step of
 * the wall clock in the middle of a statement gives one wrong time.
 *
 * src/latency/latency_hooks.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "latency/latency.h"
#include "settings.h"
#include "storage/ipc.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/portal.h"
#include "utils/timestamp.h"

#define MAX_SUSPENDED 8

/* A statement that ran, and is not settled yet. */
typedef struct PendingStatement
{
	bool		active;
	bool		tagged;			/* false: added by a rule, not the client's */
	Portal		portal;
	TimestampTz message;		/* arrival of the message it ran in */
	TimestampTz started_at;
	TimestampTz ended_at;
	int64		busy_us;		/* spent in earlier messages */
} PendingStatement;

/* A portal that gave part of its rows, and waits for the next Execute. */
typedef struct SuspendedStatement
{
	QueryDesc  *query;			/* NULL: a free entry */
	int64		busy_us;
} SuspendedStatement;

static int	nesting = 0;
static PendingStatement pending;
static SuspendedStatement suspended[MAX_SUSPENDED];
static int	suspended_count = 0;

/* What Bind spent on the portal that it made last. */
static SuspendedStatement bound;

/* Where the last statement of a message ended. */
static TimestampTz settled_message = 0;
static TimestampTz settled_at = 0;

/* When the commit began that belongs to the pending statement, 0: not yet. */
static TimestampTz resumed_at = 0;

/* Between BEGIN and the end of its transaction: statements commit nothing. */
static bool in_block = false;
static bool chained = false;

static ExecutorStart_hook_type prev_ExecutorStart = NULL;
static ExecutorRun_hook_type prev_ExecutorRun = NULL;
static ExecutorFinish_hook_type prev_ExecutorFinish = NULL;
static ProcessUtility_hook_type prev_ProcessUtility = NULL;

/* Is this a client's backend, and is it to be measured? */
static inline bool
measuring(void)
{
	return setting_track_latency && MyBackendType == B_BACKEND;
}

/* Is a cursor WITH HOLD being read to its end, by the commit? */
static inline bool
persisting(Portal portal)
{
	return (portal->cursorOptions & CURSOR_OPT_HOLD) != 0 &&
		portal->holdStore != NULL;
}

/* Is the caller about to run what a portal asks for, at the top level? */
static inline bool
at_top_level(void)
{
	return nesting == 0 && ActivePortal != NULL && measuring() &&
		!persisting(ActivePortal);
}

/*
 * Notes that the commit of the pending statement has begun.  Until its message
 * is done no time was lost since it ended; at Sync, the client had its turn.
 */
static inline void
note_commit(void)
{
	if (nesting == 0 && pending.active && resumed_at == 0 &&
		pending.message == GetCurrentStatementStartTimestamp())
		resumed_at = debug_query_string != NULL ?
			pending.ended_at : GetCurrentTimestamp();
}

/* Counts the pending statement as it stands. */
static inline void
settle(void)
{
	if (!pending.active)
		return;
	pending.active = false;
	settled_message = pending.message;
	settled_at = pending.ended_at;
	latency_count(pending.busy_us + (pending.ended_at - pending.started_at));
}

/* Counts the suspended statements: their portals go with the transaction. */
static void
settle_suspended(void)
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

/* Forgets what is in flight; an error or the end of a transaction came. */
static inline void
start_afresh(void)
{
	nesting = 0;
	pending.active = false;
	resumed_at = 0;
}

/*
 * A statement starts to run: settles the one before, and makes this one
 * pending.  Queries that a rule added to a statement belong to it.
 */
static void
begin_statement(bool tagged, int64 busy_us)
{
	TimestampTz message = GetCurrentStatementStartTimestamp();

	if (pending.active && pending.portal == ActivePortal &&
		pending.message == message && !(tagged && pending.tagged))
	{
		pending.tagged |= tagged;
		return;
	}

	settle();
	resumed_at = 0;
	pending.active = true;
	pending.tagged = tagged;
	pending.portal = ActivePortal;
	pending.message = message;
	pending.started_at = settled_message == message ? settled_at : message;
	pending.busy_us = busy_us;
}

/*
 * The statement has run.  It stays pending where it has more to do: triggers
 * to fire, or a transaction to end.
 */
static inline void
end_statement(bool more_to_do)
{
	pending.ended_at = GetCurrentTimestamp();
	if (!more_to_do)
		settle();
}

/* Takes back what the portal's earlier messages spent on the query. */
static int64
resume_query(QueryDesc *query)
{
	int64		busy_us = 0;

	if (bound.query == query)
	{
		busy_us = bound.busy_us;
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
			busy_us += suspended[i].busy_us;
		suspended[i].query = NULL;
		suspended_count--;
		break;
	}
	return busy_us;
}

/* The portal has more rows than Execute asked for: its time goes on later. */
static void
suspend_query(QueryDesc *query)
{
	for (int i = 0; i < MAX_SUSPENDED; i++)
	{
		if (suspended[i].query != NULL)
			continue;
		suspended[i].query = query;
		suspended_count++;
		suspended[i].busy_us = pending.busy_us +
			(pending.ended_at - pending.started_at);
		settled_message = pending.message;
		settled_at = pending.ended_at;
		pending.active = false;
		return;
	}
	settle();
}

static void
latency_ExecutorStart(QueryDesc *queryDesc, int eflags)
{
	int			level = nesting;
	bool		top = at_top_level();

	/* outside a portal, it is the commit that runs queries: its triggers' */
	if (level == 0 && ActivePortal == NULL)
		note_commit();

	nesting = level + 1;
	if (prev_ExecutorStart)
		prev_ExecutorStart(queryDesc, eflags);
	else
		standard_ExecutorStart(queryDesc, eflags);
	nesting = level;

	/*
	 * A portal for a SELECT starts its executor in Bind, which planned it.
	 * In the simple protocol the same message goes on to run it, and the
	 * arrival of that message is all that counts: see latency_ExecutorRun.
	 */
	if (top && queryDesc->operation == CMD_SELECT)
	{
		bound.query = queryDesc;
		bound.busy_us = GetCurrentTimestamp() -
			GetCurrentStatementStartTimestamp();
	}
}

static void
latency_ExecutorRun(EXECUTOR_RUN_ARGS)
{
	int			level = nesting;
	bool		top = at_top_level();

	if (top)
	{
		int64		busy_us = resume_query(queryDesc);

		if (ActivePortal->creation_time == GetCurrentStatementStartTimestamp())
			busy_us = 0;		/* the message that made the portal runs it */
		begin_statement(queryDesc->plannedstmt->canSetTag, busy_us);
	}

	nesting = level + 1;
	if (prev_ExecutorRun)
		prev_ExecutorRun(EXECUTOR_RUN_PASS);
	else
		standard_ExecutorRun(EXECUTOR_RUN_PASS);
	nesting = level;

	if (top && pending.active)
	{
		/* ExecutorFinish follows at once where it has triggers to fire */
		bool		finish = queryDesc->operation != CMD_SELECT ||
			queryDesc->plannedstmt->hasModifyingCTE;

		if (count != 0 && queryDesc->estate->es_processed >= count)
		{
			pending.ended_at = GetCurrentTimestamp();
			suspend_query(queryDesc);
		}
		else
			end_statement(finish || !in_block);
	}
}

static void
latency_ExecutorFinish(QueryDesc *queryDesc)
{
	int			level = nesting;
	bool		top = at_top_level();

	nesting = level + 1;
	if (prev_ExecutorFinish)
		prev_ExecutorFinish(queryDesc);
	else
		standard_ExecutorFinish(queryDesc);
	nesting = level;

	if (top && pending.active && pending.portal == ActivePortal)
		end_statement(!in_block);
}

/*
 * Will a transaction end after the statement, and be its to pay for?  A
 * failed one has been rolled back already.  Keeps in_block.
 */
static bool
ends_transaction(Node *statement, bool aborted)
{
	TransactionStmt *transaction;

	if (!IsA(statement, TransactionStmt))
		return !in_block && !aborted;

	transaction = (TransactionStmt *) statement;
	switch (transaction->kind)
	{
		case TRANS_STMT_BEGIN:
		case TRANS_STMT_START:
			in_block = true;
			return false;
		case TRANS_STMT_COMMIT:
		case TRANS_STMT_PREPARE:
		case TRANS_STMT_ROLLBACK:
			chained = transaction->chain;
			in_block = aborted && chained;
			return !aborted;
		default:
			return !in_block && !aborted;
	}
}

static void
latency_ProcessUtility(PlannedStmt *pstmt, const char *queryString,
					   bool readOnlyTree, ProcessUtilityContext context,
					   ParamListInfo params, QueryEnvironment *queryEnv,
					   DestReceiver *dest, QueryCompletion *qc)
{
	int			level = nesting;
	bool		top = at_top_level();
	bool		aborted = top && IsAbortedTransactionBlockState();

	if (top)
		begin_statement(pstmt->canSetTag, 0);

	nesting = level + 1;
	if (prev_ProcessUtility)
		prev_ProcessUtility(pstmt, queryString, readOnlyTree, context,
							params, queryEnv, dest, qc);
	else
		standard_ProcessUtility(pstmt, queryString, readOnlyTree, context,
								params, queryEnv, dest, qc);
	nesting = level;

	if (top && pending.active)
		end_statement(ends_transaction(pstmt->utilityStmt, aborted));
}

/*
 * The transaction ended well: its last statement has, too.  While the message
 * that ran it is still being worked on, it took until now; else (Sync) the
 * commit's own span is added.
 */
static void
settle_committed(void)
{
	if (pending.active)
	{
		TimestampTz now = GetCurrentTimestamp();

		if (debug_query_string != NULL || resumed_at == 0)
			pending.ended_at = now;
		else
			pending.busy_us += now - resumed_at;
		settle();
	}
	settle_suspended();
	resumed_at = 0;
	in_block = chained;
	chained = false;
}

/* An error that nobody caught reached the top. */
static void
settle_failed(void)
{
	/* what ran before the statement that failed, in the same message */
	if (nesting == 0 && resumed_at == 0)
		settle();
	start_afresh();
	latency_count_failed();
}

static void
latency_xact_callback(XactEvent event, void *arg)
{
	(void) arg;

	if (MyBackendType != B_BACKEND)
		return;

	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			note_commit();
			break;

		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PREPARE:
			if (nesting == 0)
				settle_committed();
			break;

		case XACT_EVENT_ABORT:
			if (proc_exit_inprogress)
			{
				/* the connection ends, perhaps in the middle of a statement */
				if (nesting > 0 && measuring())
					latency_count_failed();
				else
					settle();
				start_afresh();
			}
			else if (debug_query_string == NULL)
			{
				if (measuring())
					settle_failed();
				start_afresh();
				settle_suspended();
				in_block = chained = false;
			}
			else if (nesting == 0)
				settle_committed();
			break;

		default:
			break;
	}
}

/* An error inside a savepoint aborts only the subtransaction. */
static void
latency_subxact_callback(SubXactEvent event, SubTransactionId subid,
						 SubTransactionId parent, void *arg)
{
	(void) subid;
	(void) parent;
	(void) arg;

	if (event == SUBXACT_EVENT_ABORT_SUB && debug_query_string == NULL &&
		!proc_exit_inprogress && measuring())
		settle_failed();
}

void
latency_install(void)
{
	prev_ExecutorStart = ExecutorStart_hook;
	ExecutorStart_hook = latency_ExecutorStart;
	prev_ExecutorRun = ExecutorRun_hook;
	ExecutorRun_hook = latency_ExecutorRun;
	prev_ExecutorFinish = ExecutorFinish_hook;
	ExecutorFinish_hook = latency_ExecutorFinish;
	prev_ProcessUtility = ProcessUtility_hook;
	ProcessUtility_hook = latency_ProcessUtility;

	RegisterXactCallback(latency_xact_callback, NULL);
	RegisterSubXactCallback(latency_subxact_callback, NULL);
}
