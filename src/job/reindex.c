/*-------------------------------------------------------------------------
 *
 * reindex.c
 *		The kind "reindex": an index, or all of a table's, concurrently.
 *
 * REINDEX CONCURRENTLY stops neither readers nor writers, but waits for every
 * transaction that has used the table; the job's timeout is the limit.  One
 * that did not come to its end leaves invalid indexes named _ccnew or _ccold.
 * Those that were there before the job are noted in its journal, and are not
 * ours to drop; the others are dropped.
 *
 * src/job/reindex.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "job/job.h"
#include "step/guard.h"
#include "step/query.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

/* tables, materialized views, partitioned tables; indexes of either */
#define RELKINDS "rmpiI"

/* to drop what a failed command left */
#define CLEAN_TIMEOUT_MS (10 * 60 * 1000)
#define CLEAN_LOCK_WAIT_MS 10000

const JobOption reindex_options[] = {
	{"verbose", JOB_OPTION_BOOL, 0, 0, NULL},
	{NULL, JOB_OPTION_BOOL, 0, 0, NULL}
};

/* Steps of clean(): what it found, and what it is at. */
typedef struct Leftovers
{
	const Job  *job;
	MemoryContext context;
	int			count;
	char	  **names;
	Oid		   *owners;
	int			at;
} Leftovers;

/* Is the index the old one of a pair, or gone altogether? */
static bool
was_replaced(Oid index)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(index));
	bool		replaced = true;

	if (HeapTupleIsValid(tuple))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);

		replaced = form->relkind == RELKIND_INDEX &&
			strstr(NameStr(form->relname), "_ccold") != NULL &&
			!get_index_isvalid(index);
		ReleaseSysCache(tuple);
	}
	return replaced;
}

/*
 * The job's relation.  REINDEX CONCURRENTLY makes a new one of an index, which
 * gets the name: a job that waited meanwhile, or was interrupted when all but
 * the clearing away was done, is for that one.
 */
static Oid
present_relation(const Job *job)
{
	Oid			index;

	if (!was_replaced(job->target_oid))
		return job->target_oid;
	index = RangeVarGetRelid(makeRangeVarFromNameList(textToQualifiedNameList(cstring_to_text(job->target))),
							 NoLock, true);
	return OidIsValid(index) && get_rel_relkind(index) == RELKIND_INDEX ?
		index : job->target_oid;
}

void
reindex_check(Job *job)
{
	HeapTuple	tuple;
	bool		exclusion = false;

	if (OidIsValid(job->target_oid))
		job->target_oid = present_relation(job);
	relation_check(job, RELKINDS);
	if (IsCatalogRelationOid(job->target_oid))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("relation %s is of the system catalog", job->target),
				 errdetail("REINDEX CONCURRENTLY cannot do it."),
				 errhint("Run REINDEX by hand when nothing else runs.")));

	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(job->target_oid));
	if (HeapTupleIsValid(tuple))
	{
		exclusion = ((Form_pg_index) GETSTRUCT(tuple))->indisexclusion;
		ReleaseSysCache(tuple);
	}
	if (exclusion)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("index %s is that of an exclusion constraint", job->target),
				 errdetail("REINDEX CONCURRENTLY cannot do it."),
				 errhint("Run REINDEX by hand when nothing else runs.")));
}

Jsonb *
reindex_journal(Job *job)
{
	char	   *sql = psprintf("SELECT %s.dbmaint_reindex_journal($1)",
							   job->extension->schema);
	MemoryContext context = CurrentMemoryContext;
	Oid			type = OIDOID;
	Datum		value = ObjectIdGetDatum(job->target_oid);
	Jsonb	   *journal = NULL;
	bool		isnull;

	if (query_begin(sql, 1, &type, &value, NULL) > 0)
	{
		Datum		result = SPI_getbinval(SPI_tuptable->vals[0],
										   SPI_tuptable->tupdesc, 1, &isnull);
		MemoryContext old = MemoryContextSwitchTo(context);

		journal = DatumGetJsonbPCopy(result);
		MemoryContextSwitchTo(old);
	}
	query_end();
	return journal;
}

void
reindex_run(Job *job)
{
	bool		index = job->target_relkind == RELKIND_INDEX ||
	job->target_relkind == RELKIND_PARTITIONED_INDEX;

	command_run(psprintf("REINDEX%s %s CONCURRENTLY %s",
						 job_option_bool(job, "verbose", false) ? " (VERBOSE)" : "",
						 index ? "INDEX" : "TABLE", job->target),
				job->requester, 0);

	/* what an earlier attempt left, and could not be cleared away then */
	if (job->attempt > 1)
		reindex_clean(job);
}

static void
step_find_leftovers(void *arg)
{
	Leftovers  *left = arg;
	char	   *sql = psprintf("SELECT name, owner FROM %s.dbmaint_reindex_leftovers($1, $2)",
							   left->job->extension->schema);
	Oid			types[] = {OIDOID, JSONBOID};
	Datum		values[] = {ObjectIdGetDatum(present_relation(left->job)),
	JsonbPGetDatum(left->job->journal)};
	MemoryContext old;

	left->count = (int) query_begin(sql, lengthof(types), types, values, NULL);
	old = MemoryContextSwitchTo(left->context);
	left->names = palloc0_array(char *, left->count + 1);
	left->owners = palloc0_array(Oid, left->count + 1);
	for (int i = 0; i < left->count; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		bool		isnull;

		left->names[i] = TextDatumGetCString(SPI_getbinval(row, SPI_tuptable->tupdesc,
														   1, &isnull));
		left->owners[i] = DatumGetObjectId(SPI_getbinval(row, SPI_tuptable->tupdesc,
														 2, &isnull));
	}
	MemoryContextSwitchTo(old);
	query_end();
}

static void
step_drop_leftover(void *arg)
{
	Leftovers  *left = arg;

	/* as its owner, who may drop it and can gain nothing by it */
	command_run(psprintf("DROP INDEX CONCURRENTLY %s", left->names[left->at]),
				left->owners[left->at], CLEAN_LOCK_WAIT_MS);
}

void
reindex_clean(Job *job)
{
	Leftovers	left = {.job = job,.context = CurrentMemoryContext};
	char	   *failure;

	if (job->journal == NULL)
		return;
	failure = guard_run("leftovers of REINDEX", step_find_leftovers, &left);
	if (failure != NULL)
		job_say("WARNING:  %s", failure);

	for (left.at = 0; left.at < left.count; left.at++)
	{
		int			sqlstate;

		failure = guard_run_top_level(step_drop_leftover, &left,
									  CLEAN_TIMEOUT_MS, &sqlstate);
		command_reset();
		if (failure == NULL)
			job_say("Dropped the invalid index %s that REINDEX left.",
					left.names[left.at]);
		else
			job_say("WARNING:  could not drop the invalid index %s that REINDEX left: %s",
					left.names[left.at], failure);
	}
}
