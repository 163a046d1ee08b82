/*-------------------------------------------------------------------------
 *
 * command.c
 *		Runs a command as a client's would run, and hears what it says.
 *
 * A portal, and not SPI, since VACUUM and the CONCURRENTLY commands end the
 * transaction that they are called in, and refuse to run where they may not.
 *
 * The command runs as the role: it is the session's user meanwhile, so that
 * neither the server's own checks nor the code of indexes and triggers meets a
 * superuser that nobody asked for.
 *
 * src/job/command.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "job/job.h"
#include "mb/pg_wchar.h"
#include "storage/lock.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"
#include "worker/errand.h"

static emit_log_hook_type next_emit_log = NULL;
static bool listening = false;
static int	log_min_messages_before;
static char heard[JOB_OUTPUT_BYTES];
static size_t heard_length;

/* Adds what fits; raises no error and allocates nothing. */
static void
hear(const char *text)
{
	size_t		length = Min(strlen(text), sizeof(heard) - 1 - heard_length);

	memcpy(heard + heard_length, text, length);
	heard_length += length;
	heard[heard_length] = '\0';
}

/* Would it have gone to the server's log if we did not want to hear it? */
static bool
belongs_in_log(int elevel)
{
	if (log_min_messages_before == LOG)
		return elevel >= FATAL;
	return elevel >= log_min_messages_before;
}

static void
command_emit_log(ErrorData *edata)
{
	if (listening && edata->message != NULL &&
		(edata->elevel == INFO || edata->elevel == NOTICE ||
		 edata->elevel == WARNING))
	{
		hear(edata->elevel == WARNING ? "WARNING:  " :
			 edata->elevel == NOTICE ? "NOTICE:  " : "INFO:  ");
		hear(edata->message);
		hear("\n");
		if (edata->detail != NULL)
		{
			hear("DETAIL:  ");
			hear(edata->detail);
			hear("\n");
		}
		if (!belongs_in_log(edata->elevel))
			edata->output_to_server = false;
	}
	if (next_emit_log)
		next_emit_log(edata);
}

void
command_listen(void)
{
	static bool installed = false;

	if (!installed)
	{
		next_emit_log = emit_log_hook;
		emit_log_hook = command_emit_log;
		installed = true;
	}
	heard_length = 0;
	heard[0] = '\0';
	log_min_messages_before = LOG_MIN_MESSAGES;
	if (log_min_messages_before == LOG || log_min_messages_before > INFO)
		SetConfigOption("log_min_messages", "info", PGC_SUSET, PGC_S_SESSION);
	listening = true;
}

char *
command_heard(void)
{
	if (listening)
	{
		listening = false;
		SetConfigOption("log_min_messages", NULL, PGC_SUSET, PGC_S_SESSION);
	}
	if (heard_length == 0)
		return NULL;
	heard[pg_mbcliplen(heard, heard_length, heard_length)] = '\0';
	return pstrdup(heard);
}

void
job_say(const char *format,...)
{
	char		line[1024];
	va_list		arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	line[pg_mbcliplen(line, strlen(line), sizeof(line) - 1)] = '\0';
	hear(line);
	hear("\n");
}

void
job_progress(const char *format,...)
{
	char		text[LAST_ERROR_LENGTH];
	va_list		arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	errand_set_progress(text);
}

void
job_again(Job *job, TimestampTz at)
{
	job->again_at = at;
}

/* Parses and runs the command as a message of the simple protocol would be. */
static void
run_portal(const char *sql)
{
	RawStmt    *parsed;
	List	   *planned;
	Portal		portal;
	QueryCompletion completion;

	parsed = linitial_node(RawStmt, pg_parse_query(sql));
	planned = pg_plan_queries(pg_analyze_and_rewrite_fixedparams(parsed, sql,
																 NULL, 0, NULL),
							  sql, 0, NULL);

	portal = CreatePortal("", true, true);
	portal->visible = false;
	PortalDefineQuery(portal, NULL, sql, CreateCommandTag(parsed->stmt),
					  planned, NULL);
	PortalStart(portal, NULL, 0, InvalidSnapshot);
	(void) PORTAL_RUN_ALL(portal, None_Receiver, &completion);
	PortalDrop(portal, false);
}

void
command_run(const char *sql, Oid role, int lock_timeout_ms)
{
	MemoryContext caller = CurrentMemoryContext;

	SetConfigOption("lock_timeout", psprintf("%d", lock_timeout_ms),
					PGC_SUSET, PGC_S_SESSION);
	SetCurrentStatementStartTimestamp();
	debug_query_string = sql;
	pgstat_report_activity(STATE_RUNNING, sql);

	StartTransactionCommand();
	SetSessionAuthorization(role, superuser_arg(role));
	/* what is parsed must outlive the transaction, which the command ends */
	MemoryContextSwitchTo(caller);
	run_portal(sql);
	CommitTransactionCommand();

	MemoryContextSwitchTo(caller);
	command_reset();
}

void
command_reset(void)
{
	debug_query_string = NULL;
	SetSessionAuthorization(BOOTSTRAP_SUPERUSERID, true);
	/* that an index's function took, and the session would keep */
	LockReleaseAll(USER_LOCKMETHOD, true);
	/* back to what was pinned */
	SetConfigOption("lock_timeout", NULL, PGC_SUSET, PGC_S_SESSION);
	pgstat_report_activity(STATE_IDLE, NULL);
}
