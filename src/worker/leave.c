/*-------------------------------------------------------------------------
 *
 * leave.c
 *		Sees to it that our processes are in nobody's way.
 *
 * DROP DATABASE, ALTER DATABASE RENAME TO and SET TABLESPACE, and CREATE
 * DATABASE with a database as its template fail while anybody is connected to
 * it.  The utility hook puts a hold on the database first, asks its sampler
 * and errands to leave, and waits until they have; the hold ends with the
 * transaction, and the launcher starts them again if there is still a database
 * for them.
 *
 * The same hooks notice when databases or extensions come and go.  They act
 * on commit, when others can see the change.
 *
 * src/worker/leave.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "storage/latch.h"
#include "storage/procarray.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "worker/worker.h"

/* how long a process may take to leave on its own, and at the most */
#define LEAVE_GRACE_MS 500
#define LEAVE_MOST_MS 4000
#define LEAVE_POLL_MS 10

/* that connect to a database: a sampler, and the errands */
#define DATABASE_PROCESSES (ERRAND_KINDS + 1)

/* what ran before us: another library's hook, or the server's own function */
static ProcessUtility_hook_type next_ProcessUtility = NULL;

static object_access_hook_type prev_object_access = NULL;

/* what the current transaction changed */
static bool databases_changed = false;
static bool extensions_changed = false;
static Oid	dropped_database = InvalidOid;
static bool holding = false;

static bool watching_extensions = false;

static void leave_xact_callback(XactEvent event, void *arg);

/*
 * Notes that the transaction changed something.  Only now is its end of
 * interest: few backends ever come here, and every transaction would pay for
 * the callback.
 */
static pg_noinline void
note_change(bool *what)
{
	static bool watching = false;

	if (!watching)
		RegisterXactCallback(leave_xact_callback, NULL);
	watching = true;
	*what = true;
}

bool
leave_wanted(Oid database_oid)
{
	Assert(LWLockHeldByMe(shared_state->lock));

	for (int i = 0; i < MAX_HOLDS; i++)
	{
		if (shared_state->holds[i].pid != 0 &&
			shared_state->holds[i].database_oid == database_oid)
			return true;
	}
	return false;
}

/* Puts a hold on the database; returns false if there are too many. */
static bool
hold_database(Oid database_oid)
{
	int			found = -1;

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	for (int i = 0; i < MAX_HOLDS && found < 0; i++)
	{
		if (shared_state->holds[i].pid == 0)
			found = i;
	}
	if (found >= 0)
	{
		shared_state->holds[found].database_oid = database_oid;
		shared_state->holds[found].pid = MyProcPid;
	}
	LWLockRelease(shared_state->lock);
	return found >= 0;
}

/* Ends this process's holds; called when its transaction has ended. */
static void
release_holds(void)
{
	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	for (int i = 0; i < MAX_HOLDS; i++)
	{
		if (shared_state->holds[i].pid == MyProcPid)
			shared_state->holds[i].pid = 0;
	}
	LWLockRelease(shared_state->lock);
	holding = false;
}

/* Notes which of our processes are connected to the database: their pids. */
static void
find_processes(Oid database_oid, int *pids)
{
	DatabaseSlot *slot;

	memset(pids, 0, sizeof(int) * DATABASE_PROCESSES);
	LWLockAcquire(shared_state->lock, LW_SHARED);
	slot = shared_slot_find(database_oid);
	if (slot != NULL)
	{
		for (int kind = 0; kind < ERRAND_KINDS; kind++)
			pids[kind] = slot->errands[kind].pid;
		pids[ERRAND_KINDS] = slot->pid;
	}
	LWLockRelease(shared_state->lock);
}

/*
 * Asks the processes to leave, or ends them.  Returns whether there are any
 * left; one that has taken leave (pid 0) may still be on its way out.
 */
static bool
urge_processes(const int *pids, int *last_pids, bool end)
{
	bool		left = false;

	for (int i = 0; i < DATABASE_PROCESSES; i++)
	{
		if (pids[i] != 0)
		{
			last_pids[i] = pids[i];
			left = true;
			if (end)
				(void) kill(pids[i], SIGTERM);
			else
				shared_wake_process(pids[i]);
		}
		else if (last_pids[i] != 0 && BackendPidGetProc(last_pids[i]) != NULL)
			left = true;
	}
	return left;
}

/*
 * Waits until our processes have left the database.  One that is in the middle
 * of a round or a job gets a moment, then the signal that ends any backend.
 */
static void
await_leave(Oid database_oid)
{
	static uint32 wait_event = 0;
	int			pids[DATABASE_PROCESSES];
	int			last_pids[DATABASE_PROCESSES] = {0};

	if (wait_event == 0)
		wait_event = wait_event_named("DbmaintSamplerLeave");

	for (int waited_ms = 0; waited_ms < LEAVE_MOST_MS; waited_ms += LEAVE_POLL_MS)
	{
		find_processes(database_oid, pids);
		if (!urge_processes(pids, last_pids, waited_ms == LEAVE_GRACE_MS))
			return;

		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 LEAVE_POLL_MS, wait_event);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* May the user do anything to the database?  If not, the command will say. */
static bool
owns_database(Oid database_oid)
{
	HeapTuple	tuple = SearchSysCache1(DATABASEOID,
										ObjectIdGetDatum(database_oid));
	bool		owns = false;

	if (HeapTupleIsValid(tuple))
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);

		owns = form->datistemplate ||
			has_privs_of_role(GetUserId(), form->datdba);
		ReleaseSysCache(tuple);
	}
	return owns;
}

/* The name of the option's database in CREATE or ALTER DATABASE, or NULL. */
static const char *
template_name(CreatedbStmt *statement)
{
	ListCell   *cell;

	foreach(cell, statement->options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, "template") == 0 && option->arg != NULL)
			return defGetString(option);
	}
	return NULL;
}

static bool
has_option(List *options, const char *name)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		if (strcmp(lfirst_node(DefElem, cell)->defname, name) == 0)
			return true;
	}
	return false;
}

/*
 * The database that the statement wants for itself, or NULL.  Notes whether
 * it changes what databases there are.
 */
static const char *
database_in_the_way(Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_DropdbStmt:
			note_change(&databases_changed);
			return ((DropdbStmt *) statement)->dbname;

		case T_CreatedbStmt:
			note_change(&databases_changed);
			return template_name((CreatedbStmt *) statement);

		case T_RenameStmt:
			if (((RenameStmt *) statement)->renameType != OBJECT_DATABASE)
				return NULL;
			note_change(&databases_changed);
			return ((RenameStmt *) statement)->subname;

		case T_AlterDatabaseStmt:
			note_change(&databases_changed);
			if (!has_option(((AlterDatabaseStmt *) statement)->options,
							"tablespace"))
				return NULL;
			return ((AlterDatabaseStmt *) statement)->dbname;

		default:
			return NULL;
	}
}

/* Makes room for the statement, which may need a database for itself. */
static pg_noinline void
run_database_statement(PROCESS_UTILITY_ARGS)
{
	const char *name = database_in_the_way(pstmt->utilityStmt);
	bool		drop = IsA(pstmt->utilityStmt, DropdbStmt);
	Oid			database_oid = InvalidOid;

	if (name != NULL && shared_state != NULL && IsTransactionState())
		database_oid = get_database_oid(name, true);
	if (OidIsValid(database_oid) && owns_database(database_oid) &&
		hold_database(database_oid))
	{
		holding = true;
		await_leave(database_oid);
	}

	next_ProcessUtility(PROCESS_UTILITY_PASS);

	if (drop)
		dropped_database = database_oid;
}

static void
leave_object_access(ObjectAccessType access, Oid class_oid, Oid object_oid,
					int sub_id, void *arg)
{
	if (class_oid == ExtensionRelationId &&
		(access == OAT_POST_CREATE || access == OAT_DROP ||
		 access == OAT_POST_ALTER))
		note_change(&extensions_changed);

	if (prev_object_access)
		prev_object_access(access, class_oid, object_oid, sub_id, arg);
}

/*
 * Watches what happens to extensions, from the first statement on that could
 * do something to one.  The server calls that hook whenever a query prepares
 * to call a function, and most backends would pay for nothing.
 */
static pg_noinline void
run_watched(PROCESS_UTILITY_ARGS)
{
	if (!watching_extensions)
	{
		watching_extensions = true;
		prev_object_access = object_access_hook;
		object_access_hook = leave_object_access;
	}
	next_ProcessUtility(PROCESS_UTILITY_PASS);
}

/* Every utility statement comes here, so the one way out is a jump. */
static void
leave_ProcessUtility(PROCESS_UTILITY_ARGS)
{
	ProcessUtility_hook_type run = next_ProcessUtility;

	switch (nodeTag(pstmt->utilityStmt))
	{
		case T_DropdbStmt:
		case T_CreatedbStmt:
		case T_RenameStmt:
		case T_AlterDatabaseStmt:
			run = run_database_statement;
			break;

		case T_CreateExtensionStmt:
		case T_AlterExtensionStmt:
		case T_AlterObjectSchemaStmt:
		case T_CreateSchemaStmt:
		case T_DropStmt:
		case T_DropOwnedStmt:
			run = run_watched;
			break;

		default:
			break;
	}
	run(PROCESS_UTILITY_PASS);
}

/* Somebody has to look at this database again. */
static void
recheck_database(void)
{
	DatabaseSlot *slot;
	int			pids[DATABASE_PROCESSES];

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	slot = shared_slot_find(MyDatabaseId);
	if (slot != NULL)
	{
		slot->changes++;
		/* what made rounds and errands fail may be mended */
		slot->retry_at = 0;
		for (int kind = 0; kind < ERRAND_KINDS; kind++)
			slot->errands[kind].retry_at = 0;
		if (slot->pid == 0 && slot->state == DATABASE_ABSENT)
			slot->state = DATABASE_UNKNOWN;
	}
	LWLockRelease(shared_state->lock);

	find_processes(MyDatabaseId, pids);
	for (int i = 0; i < DATABASE_PROCESSES; i++)
		shared_wake_process(pids[i]);
}

/* The home database is gone: another one's sampler takes over. */
static void
forget_home(Oid database_oid)
{
	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	if (shared_state->home_database == database_oid)
		shared_state->home_database = InvalidOid;
	LWLockRelease(shared_state->lock);
}

static void
leave_xact_callback(XactEvent event, void *arg)
{
	(void) arg;

	if (!databases_changed && !extensions_changed)
		return;
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT &&
		event != XACT_EVENT_PREPARE)
		return;

	if (shared_state != NULL)
	{
		if (holding)
			release_holds();
		if (event == XACT_EVENT_COMMIT && extensions_changed)
			recheck_database();
		if (event == XACT_EVENT_COMMIT && OidIsValid(dropped_database))
			forget_home(dropped_database);
		pg_atomic_fetch_add_u32(&shared_state->catalog_generation, 1);
		shared_wake_launcher();
	}
	databases_changed = extensions_changed = false;
	dropped_database = InvalidOid;
}

void
leave_install(void)
{
	next_ProcessUtility = ProcessUtility_hook ? ProcessUtility_hook :
		standard_ProcessUtility;
	ProcessUtility_hook = leave_ProcessUtility;
}
