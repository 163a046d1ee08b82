/*-------------------------------------------------------------------------
 *
 * relation.c
 *		Jobs whose target is a relation: which, and who may ask.
 *
 * src/job/relation.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/index.h"
#include "catalog/pg_class.h"
#include "job/job.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* The relation that the user named, as a regclass would be read. */
static Oid
resolve(const char *name)
{
	Oid			relation = DatumGetObjectId(DirectFunctionCall1(regclassin,
																CStringGetDatum(name)));

	/* a number, or "-", need not be a relation's */
	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relation)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s\" does not exist", name)));
	return relation;
}

static char *
qualified_name(Form_pg_class form)
{
	return quote_qualified_identifier(get_namespace_name(form->relnamespace),
									  NameStr(form->relname));
}

static bool
is_index(Form_pg_class form)
{
	return form->relkind == RELKIND_INDEX ||
		form->relkind == RELKIND_PARTITIONED_INDEX;
}

/*
 * As the server judges it: the owner, and since 17 who may MAINTAIN the table,
 * which for an index is the right to its table.
 */
static void
require_right(const Job *job, Form_pg_class form)
{
	Oid			table = job->target_oid;

	if (OWNS_RELATION(job->target_oid, job->requester))
		return;
	if (is_index(form))
		table = IndexGetRelation(job->target_oid, true);
	if (OidIsValid(table) && MAY_MAINTAIN(table, job->requester))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for relation %s", job->target),
			 errdetail("Role \"%s\" neither owns it nor has the privilege MAINTAIN for it.",
					   GetUserNameFromId(job->requester, false))));
}

static void
require_relkind(const Job *job, Form_pg_class form, const char *relkinds)
{
	if (form->relkind == RELKIND_TOASTVALUE ||
		(is_index(form) && IsToastNamespace(form->relnamespace)))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("relation %s belongs to the TOAST storage of a table",
						job->target),
				 errhint("Name the table; its TOAST table is processed with it.")));
	if (form->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("relation %s is temporary", job->target),
				 errdetail("No process but its session's can reach it.")));
	if (strchr(relkinds, form->relkind) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot %s relation %s", job->kind->name, job->target),
				 is_index(form) ?
				 errhint("Name its table.") :
				 errdetail("This kind of job is for tables and materialized views%s.",
						   strchr(relkinds, RELKIND_INDEX) ? ", and for indexes" : "")));
}

HeapTuple
relation_tuple(const Job *job)
{
	HeapTuple	tuple = SearchSysCache1(RELOID,
										ObjectIdGetDatum(job->target_oid));

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation %s does not exist any more", job->target)));
	return tuple;
}

void
relation_require_still(const Job *job)
{
	StartTransactionCommand();
	ReleaseSysCache(relation_tuple(job));
	CommitTransactionCommand();
}

void
relation_check(Job *job, const char *relkinds)
{
	bool		asked = !OidIsValid(job->target_oid);
	const char *before = job->target;
	HeapTuple	tuple;
	Form_pg_class form;

	if (asked && before == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a job of kind \"%s\" needs a relation as its target",
						job->kind->name)));
	if (asked)
		job->target_oid = resolve(before);

	tuple = relation_tuple(job);
	form = (Form_pg_class) GETSTRUCT(tuple);
	job->target = qualified_name(form);
	job->target_relkind = form->relkind;
	if (!asked && strcmp(before, job->target) != 0)
		job_say("%s is called %s now.", before, job->target);

	require_right(job, form);
	require_relkind(job, form, relkinds);
	ReleaseSysCache(tuple);
}
