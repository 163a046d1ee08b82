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
 * There is no PG_TRY.  What runs inside a statement leaves `nesting` as it
 * is, so an error that somebody catches (an exception block) does no harm: the
 * hook that set it is the one to set it back.  One that nobody catches ends in
 * the abort callback, which starts afresh.  An error that reached the top is
 * told from a ROLLBACK by debug_query_string: PostgresMain clears it before
 * it aborts the transaction, and only then.  Where no hook of ours was running
 * when it came, it is the commit that failed, and the pending statement with
 * it, unless more of the message was still to come: then that did.
 *
 * A statement for which nothing runs, as under a rule DO INSTEAD NOTHING, is
 * not counted, and COPY waits for its client's data.
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
#include "latency/portal_time.h"
#include "settings.h"
#include "storage/ipc.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/portal.h"
#include "utils/timestamp.h"

/* A statement that ran, and is not settled yet. */
typedef struct PendingStatement
{
	bool		active;
	bool		last;			/* what follows in its message is the commit */
	bool		simple;			/* its message is a simple query */
	Portal		portal;
	TimestampTz message;		/* arrival of the message it ran in */
	TimestampTz started_at;
	TimestampTz ended_at;		/* 0: it ends with the commit, which follows */
	int64		busy_us;		/* spent in earlier messages */
} PendingStatement;

static int	nesting = 0;
static PendingStatement pending;

/* Where the last statement of a message ended. */
static TimestampTz settled_message = 0;
static TimestampTz settled_at = 0;

/* When the commit began that belongs to the pending statement, 0: not yet. */
static TimestampTz resumed_at = 0;

/* Between BEGIN and the end of its transaction: statements commit nothing. */
static bool in_block = false;
static bool chained = false;

/* what ran before us: other libraries' hooks, or the server's own functions */
static ExecutorStart_hook_type next_ExecutorStart = NULL;
static ExecutorRun_hook_type next_ExecutorRun = NULL;
static ExecutorFinish_hook_type next_ExecutorFinish = NULL;
static ProcessUtility_hook_type next_ProcessUtility = NULL;

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
 * Was the portal made by a simple query?  Then that is the message it runs in,
 * and came at its creation_time.  What Bind makes has a cached plan.
 */
static inline bool
of_simple_query(Portal portal)
{
	return portal->cplan == NULL;
}

/* Is the pending statement of the message that the server is working on? */
static inline bool
pending_is_of_message(void)
{
	return pending.message == GetCurrentStatementStartTimestamp();
}

/*
 * Notes that the commit of the pending statement has begun.  Until its message
 * is done no time was lost since it ended; at Sync, the client had its turn.
 */
static inline void
note_commit(void)
{
	if (nesting == 0 && pending.active && pending.ended_at != 0 &&
		resumed_at == 0)
		resumed_at = debug_query_string != NULL && pending_is_of_message() ?
			pending.ended_at : GetCurrentTimestamp();
}

/* Counts the pending statement, which ended at that time. */
static inline void
settle_at(TimestampTz ended_at)
{
	pending.active = false;
	settled_message = pending.message;
	settled_at = ended_at;
	latency_count(pending.busy_us + (ended_at - pending.started_at));
}

/* Counts the pending statement, if there is one, as it stands. */
static inline void
settle(void)
{
	if (pending.active)
		settle_at(pending.ended_at != 0 ? pending.ended_at :
				  GetCurrentTimestamp());
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
 * Is it the first query of the portal?  The others are those that rules made
 * of the same statement.  The portal's address alone does not tell: the next
 * statement of a message may get the same one.
 */
static inline bool
opens_portal(const PlannedStmt *query)
{
	return ActivePortal->stmts != NIL && linitial(ActivePortal->stmts) == query;
}

/* Does the message end with the query? */
static inline bool
ends_message(const PlannedStmt *query, const char *message)
{
	if (query->stmt_location < 0 || query->stmt_len == 0)
		return true;
	message += query->stmt_location + query->stmt_len;
	while (*message == ';' || (*message > 0 && *message <= ' '))
		message++;
	return *message == '\0';
}

/*
 * A query starts to run: settles the statement before, and makes that of this
 * one pending, unless it is already.
 */
static inline void
begin_statement(const PlannedStmt *query, const char *source, int64 busy_us)
{
	TimestampTz message = GetCurrentStatementStartTimestamp();

	if (pending.active && pending.portal == ActivePortal &&
		pending.message == message && !opens_portal(query))
		return;

	settle();
	resumed_at = 0;
	pending.active = true;
	pending.last = ends_message(query, source);
	pending.simple = ActivePortal->creation_time == message;
	pending.portal = ActivePortal;
	pending.message = message;
	pending.started_at = settled_message == message ? settled_at : message;
	pending.busy_us = busy_us;
}

/*
 * Begins the statement, and ends it but for its commit, where it is the only
 * one of a simple query outside of a transaction block.  Nothing is to be
 * settled before it, nothing to be done after it has run.  Most statements are
 * of this kind, so this calls nothing; returns false for the others.
 */
static inline bool
begin_lone_statement(const PlannedStmt *query, const char *source)
{
	Portal		portal = ActivePortal;

	if (portal == NULL || !of_simple_query(portal) || pending.active ||
		in_block || settled_message == portal->creation_time ||
		!measuring() || persisting(portal) || !ends_message(query, source))
		return false;

	resumed_at = 0;
	pending.active = true;
	pending.last = true;
	pending.simple = true;
	pending.portal = portal;
	pending.message = portal->creation_time;
	pending.started_at = portal->creation_time;
	pending.ended_at = 0;
	pending.busy_us = 0;
	return true;
}

/*
 * The statement has run.  It stays pending where it has more to do: triggers
 * to fire, or a transaction to end.  Where that is bound to follow in the same
 * message, the clock need not be read in between.
 */
static inline void
end_statement(bool more_to_do)
{
	if (more_to_do && pending.last && pending.simple)
	{
		pending.ended_at = 0;
		return;
	}
	pending.ended_at = GetCurrentTimestamp();
	if (!more_to_do)
		settle();
}

/* The portal has more rows than Execute asked for: its time goes on later. */
static void
suspend_statement(QueryDesc *query)
{
	pending.ended_at = GetCurrentTimestamp();
	if (!portal_time_keep(query, pending.busy_us +
						  (pending.ended_at - pending.started_at)))
	{
		settle();
		return;
	}
	settled_message = pending.message;
	settled_at = pending.ended_at;
	pending.active = false;
}

static inline bool
fires_triggers(QueryDesc *queryDesc)
{
	return queryDesc->operation != CMD_SELECT ||
		queryDesc->plannedstmt->hasModifyingCTE;
}

static pg_noinline void
start_top_level(QueryDesc *queryDesc, int eflags)
{
	bool		top;

	/* outside a portal, it is the commit that runs queries: its triggers' */
	top = at_top_level();
	if (ActivePortal == NULL && pending_is_of_message())
		note_commit();

	/* an error in here must not take the statement before along */
	if (top && opens_portal(queryDesc->plannedstmt))
	{
		settle();
		resumed_at = 0;
	}

	nesting = 1;
	next_ExecutorStart(queryDesc, eflags);
	nesting = 0;

	if (top)
		portal_time_started(queryDesc, of_simple_query(ActivePortal));
}

static void
latency_ExecutorStart(QueryDesc *queryDesc, int eflags)
{
	if (nesting > 0)
		next_ExecutorStart(queryDesc, eflags);
	else
		start_top_level(queryDesc, eflags);
}

static pg_noinline void
run_top_level(EXECUTOR_RUN_ARGS)
{
	int64		busy_us;
	bool		top;

	/* no movement: Execute of a portal that has given all its rows */
	top = at_top_level() && !ScanDirectionIsNoMovement(direction) &&
		portal_time_take(queryDesc, &busy_us);
	if (top)
		begin_statement(queryDesc->plannedstmt, queryDesc->sourceText, busy_us);

	nesting = 1;
	next_ExecutorRun(EXECUTOR_RUN_PASS);
	nesting = 0;

	if (top && pending.active)
	{
		/* ExecutorFinish follows at once where it has triggers to fire */
		bool		finish = fires_triggers(queryDesc);

		if (count != 0 && queryDesc->estate->es_processed >= count)
			suspend_statement(queryDesc);
		else
			end_statement(finish || !in_block);
	}
}

/* The common case of it. */
static pg_noinline void
run_lone(EXECUTOR_RUN_ARGS)
{
	nesting = 1;
	next_ExecutorRun(EXECUTOR_RUN_PASS);
	nesting = 0;
}

static void
latency_ExecutorRun(EXECUTOR_RUN_ARGS)
{
	if (nesting > 0)
		next_ExecutorRun(EXECUTOR_RUN_PASS);
	else if (begin_lone_statement(queryDesc->plannedstmt,
								  queryDesc->sourceText))
		run_lone(EXECUTOR_RUN_PASS);
	else
		run_top_level(EXECUTOR_RUN_PASS);
}

static pg_noinline void
finish_top_level(QueryDesc *queryDesc)
{
	bool		top;

	top = at_top_level();
	nesting = 1;
	next_ExecutorFinish(queryDesc);
	nesting = 0;

	if (top && pending.active && pending.portal == ActivePortal)
		end_statement(!in_block);
}

static void
latency_ExecutorFinish(QueryDesc *queryDesc)
{
	/* what has no triggers to fire runs nothing here, and ended before */
	if (nesting > 0 || !fires_triggers(queryDesc))
		next_ExecutorFinish(queryDesc);
	else
		finish_top_level(queryDesc);
}

/*
 * A transaction statement has run.  Will a transaction end after it, and be
 * its to pay for?  A failed one has been rolled back already.  Keeps in_block,
 * and notes a statement that the commit follows wherever in its message it
 * stands.
 */
static bool
ends_transaction(const TransactionStmt *transaction, bool aborted)
{
	switch (transaction->kind)
	{
		case TRANS_STMT_BEGIN:
		case TRANS_STMT_START:
			in_block = true;
			return false;
		case TRANS_STMT_COMMIT:
		case TRANS_STMT_PREPARE:
		case TRANS_STMT_ROLLBACK:
			pending.last = true;
			chained = transaction->chain;
			in_block = aborted && chained;
			return !aborted;
		default:
			return !in_block && !aborted;
	}
}

static pg_noinline void
utility_top_level(PROCESS_UTILITY_ARGS)
{
	bool		top = at_top_level();
	bool		transaction = IsA(pstmt->utilityStmt, TransactionStmt);
	bool		aborted = false;
	TransactionStmt statement;

	if (top)
	{
		/* a failed transaction lets only what ends it come here */
		if (transaction)
		{
			/* a ROLLBACK may free itself */
			statement = *(TransactionStmt *) pstmt->utilityStmt;
			aborted = IsAbortedTransactionBlockState();
		}
		begin_statement(pstmt, queryString, 0);
	}

	nesting = 1;
	next_ProcessUtility(PROCESS_UTILITY_PASS);
	nesting = 0;

	if (top && pending.active)
		end_statement(transaction ? ends_transaction(&statement, aborted) :
					  !in_block);
}

/* The common case of it. */
static pg_noinline void
utility_lone(PROCESS_UTILITY_ARGS)
{
	nesting = 1;
	next_ProcessUtility(PROCESS_UTILITY_PASS);
	nesting = 0;
}

static void
latency_ProcessUtility(PROCESS_UTILITY_ARGS)
{
	if (nesting > 0)
		next_ProcessUtility(PROCESS_UTILITY_PASS);
	else if (!IsA(pstmt->utilityStmt, TransactionStmt) &&
			 begin_lone_statement(pstmt, queryString))
		utility_lone(PROCESS_UTILITY_PASS);
	else
		utility_top_level(PROCESS_UTILITY_PASS);
}

/*
 * The transaction ended well: its last statement has, too, and it took until
 * now, but for the client's turn before the commit.
 */
static inline void
settle_committed(void)
{
	if (pending.active)
	{
		if (resumed_at != 0)
			pending.busy_us -= resumed_at - pending.ended_at;
		settle_at(GetCurrentTimestamp());
	}
	portal_time_settle();
	resumed_at = 0;
	in_block = chained;
	chained = false;
}

/* An error that nobody caught reached the top. */
static void
settle_failed(void)
{
	bool		commit_failed = resumed_at != 0 ||
	(pending.last && pending_is_of_message());

	/* what ran well before the statement that failed */
	if (nesting == 0 && !commit_failed)
		settle();
	start_afresh();
	latency_count_failed();
}

static void
latency_xact_callback(XactEvent event, void *arg)
{
	(void) arg;

	/* nearly always: the commit follows in the statement's own message */
	if (event == XACT_EVENT_PRE_COMMIT && pending.ended_at == 0)
		return;
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
				portal_time_settle();
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
	next_ExecutorStart = ExecutorStart_hook ? ExecutorStart_hook :
		standard_ExecutorStart;
	ExecutorStart_hook = latency_ExecutorStart;
	next_ExecutorRun = ExecutorRun_hook ? ExecutorRun_hook :
		standard_ExecutorRun;
	ExecutorRun_hook = latency_ExecutorRun;
	next_ExecutorFinish = ExecutorFinish_hook ? ExecutorFinish_hook :
		standard_ExecutorFinish;
	ExecutorFinish_hook = latency_ExecutorFinish;
	next_ProcessUtility = ProcessUtility_hook ? ProcessUtility_hook :
		standard_ProcessUtility;
	ProcessUtility_hook = latency_ProcessUtility;

	RegisterXactCallback(latency_xact_callback, NULL);
	RegisterSubXactCallback(latency_subxact_callback, NULL);
}
