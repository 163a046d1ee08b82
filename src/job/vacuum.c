/*-------------------------------------------------------------------------
 *
 * vacuum.c
 *		The kinds "vacuum" and "analyze".
 *
 * Both take a lock that stops neither readers nor writers, and wait a moment
 * for it; where it is not to be had, the job comes again later.  VACUUM FULL
 * is not offered: it would lock the table for as long as it takes.
 *
 * src/job/vacuum.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/attnum.h"
#include "catalog/pg_class.h"
#include "job/job.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* how long to wait for a lock */
#define LOCK_WAIT_MS 1000

/* tables, materialized views, partitioned tables */
#define TABLE_RELKINDS "rmp"

static const char *const cleanup_choices[] = {"auto", "on", "off", NULL};

const JobOption vacuum_options[] = {
	{"analyze", JOB_OPTION_BOOL, 0, 0, NULL},
	{"freeze", JOB_OPTION_BOOL, 0, 0, NULL},
	{"index_cleanup", JOB_OPTION_CHOICE, 0, 0, cleanup_choices},
	{"truncate", JOB_OPTION_BOOL, 0, 0, NULL},
	{"process_toast", JOB_OPTION_BOOL, 0, 0, NULL},
	{"disable_page_skipping", JOB_OPTION_BOOL, 0, 0, NULL},
	{"parallel", JOB_OPTION_INT, 0, 1024, NULL},
	{"verbose", JOB_OPTION_BOOL, 0, 0, NULL},
	{NULL, JOB_OPTION_BOOL, 0, 0, NULL}
};

const JobOption analyze_options[] = {
	{"columns", JOB_OPTION_NAMES, 0, 0, NULL},
	{"verbose", JOB_OPTION_BOOL, 0, 0, NULL},
	{NULL, JOB_OPTION_BOOL, 0, 0, NULL}
};

void
vacuum_check(Job *job)
{
	relation_check(job, TABLE_RELKINDS);
}

/* As ANALYZE judges them: no system column, and none twice. */
void
analyze_check(Job *job)
{
	ListCell   *cell;
	List	   *seen = NIL;

	relation_check(job, TABLE_RELKINDS);
	foreach(cell, job_option_names(job, "columns"))
	{
		AttrNumber	column = get_attnum(job->target_oid, lfirst(cell));

		if (column <= InvalidAttrNumber)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" of relation %s does not exist",
							(char *) lfirst(cell), job->target)));
		if (list_member_int(seen, column))
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_COLUMN),
					 errmsg("column \"%s\" of relation %s appears more than once",
							(char *) lfirst(cell), job->target)));
		seen = lappend_int(seen, column);
	}
}

/* The options that were given, as the command has them: "(freeze true)". */
static char *
options_clause(const Job *job)
{
	StringInfoData sql;

	initStringInfo(&sql);
	for (const JobOption *option = job->kind->options; option->name != NULL; option++)
	{
		char	   *value = NULL;

		switch (option->type)
		{
			case JOB_OPTION_BOOL:
				/* what is true unless it is said is false, if it is */
				if (job_option_bool(job, option->name, true) ==
					job_option_bool(job, option->name, false))
					value = job_option_bool(job, option->name, false) ? "true" : "false";
				break;
			case JOB_OPTION_INT:
				if (job_option_int(job, option->name, -1) >= 0)
					value = psprintf("%d", job_option_int(job, option->name, 0));
				break;
			case JOB_OPTION_CHOICE:
				value = job_option_text(job, option->name);
				break;
			default:
				break;
		}
		if (value != NULL)
			appendStringInfo(&sql, "%s%s %s", sql.len == 0 ? " (" : ", ",
							 option->name, value);
	}
	if (sql.len > 0)
		appendStringInfoChar(&sql, ')');
	return sql.data;
}

static char *
columns_clause(const Job *job)
{
	StringInfoData sql;
	ListCell   *cell;

	initStringInfo(&sql);
	foreach(cell, job_option_names(job, "columns"))
		appendStringInfo(&sql, "%s%s", sql.len == 0 ? " (" : ", ",
						 quote_identifier(lfirst(cell)));
	if (sql.len > 0)
		appendStringInfoChar(&sql, ')');
	return sql.data;
}

void
vacuum_run(Job *job)
{
	command_run(psprintf("VACUUM%s %s", options_clause(job), job->target),
				job->requester, LOCK_WAIT_MS);
	relation_require_still(job);
}

void
analyze_run(Job *job)
{
	command_run(psprintf("ANALYZE%s %s%s", options_clause(job), job->target,
						 columns_clause(job)),
				job->requester, LOCK_WAIT_MS);
	relation_require_still(job);
}
