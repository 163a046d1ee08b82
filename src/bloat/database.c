/*-------------------------------------------------------------------------
 *
 * database.c
 *		What bloat wastes in the whole database, for SQL.
 *
 * First the sizes of all relations are taken from their files, without a lock
 * and without opening them: relpages is wrong until the first ANALYZE, and
 * pg_relation_size() would wait for whoever holds a table.  Then the pages
 * that may be read are divided among those that are large enough, and each is
 * sampled by itself: under a lock that is taken if it is free and given back
 * at once, and so that an error costs that relation's row alone.
 *
 * src/bloat/database.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>
#include <sys/stat.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "bloat/bloat.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "common/pg_prng.h"
#include "funcapi.h"
#include "step/guard.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#define BLOAT_COLUMNS 10
#define BUDGET_MOST 100000000

/* fewer pages than this say little of a relation that has more */
#define PAGES_LEAST 30

PG_FUNCTION_INFO_V1(dbmaint_bloat);

typedef struct Candidate
{
	Oid			relid;
	Oid			owner;			/* the table, of an index or a TOAST table */
	char		relkind;
	BlockNumber pages;
	uint32		budget;
	uint32		sampled;
	bool		gone;
	Estimate	wasted;			/* share of the pages; NaN: not known */
	const char *status;
} Candidate;

typedef struct Candidates
{
	Candidate  *list;
	uint32		count;
	uint32		room;
} Candidates;

/* Whose a TOAST table is: the catalog knows it the other way round. */
typedef struct ToastOwner
{
	Oid			toast;
	Oid			table;
} ToastOwner;

/* The path of a relation whose file only the relation map knows, or NULL. */
static char *
mapped_path(Oid relid)
{
	LOCAL_FCINFO(call, 1);
	Datum		path;

	InitFunctionCallInfoData(*call, NULL, 1, InvalidOid, NULL, NULL);
	call->args[0].value = ObjectIdGetDatum(relid);
	call->args[0].isnull = false;
	path = pg_relation_filepath(call);
	return call->isnull ? NULL : text_to_cstring(DatumGetTextPP(path));
}

/*
 * The path of the relation's first file.  From the row at hand: to look every
 * relation of the database up would leave it in the caller's catalog cache.
 */
static char *
file_path(Form_pg_class class)
{
	if (class->relfilenode == InvalidOid)
		return mapped_path(class->oid);
	return relation_file_path(class->relisshared ? InvalidOid : MyDatabaseId,
							  OidIsValid(class->reltablespace) ?
							  class->reltablespace : MyDatabaseTableSpace,
							  class->relfilenode);
}

/* The pages of a relation by its files; 0 if they are gone. */
static BlockNumber
count_pages(Form_pg_class class)
{
	const off_t whole = (off_t) RELSEG_SIZE * BLCKSZ;
	char	   *path = file_path(class);
	char	   *segment_path = path;
	off_t		bytes = 0;
	struct stat segment;

	if (path == NULL)
		return 0;
	for (int i = 1; stat(segment_path, &segment) == 0; i++)
	{
		bytes += segment.st_size;
		if (segment.st_size < whole)
			break;
		segment_path = psprintf("%s.%d", path, i);
	}
	return (BlockNumber) (bytes / BLCKSZ);
}

/* Is it one that we know to sample, and in which others can wait for us? */
static bool
is_candidate(Form_pg_class class)
{
	if (class->relpersistence == RELPERSISTENCE_TEMP)
		return false;
	if (class->relpersistence == RELPERSISTENCE_UNLOGGED && RecoveryInProgress())
		return false;
	switch (class->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_MATVIEW:
		case RELKIND_TOASTVALUE:
			return class->relam == HEAP_TABLE_AM_OID;
		case RELKIND_INDEX:
			return class->relam == BTREE_AM_OID;
		default:
			return false;
	}
}

static void
add_candidate(Candidates *candidates, Form_pg_class class, BlockNumber pages)
{
	Candidate  *candidate;

	if (candidates->count == candidates->room)
	{
		candidates->room *= 2;
		candidates->list = repalloc_huge(candidates->list,
										 candidates->room * sizeof(Candidate));
	}
	candidate = &candidates->list[candidates->count++];
	memset(candidate, 0, sizeof(Candidate));
	candidate->relid = class->oid;
	candidate->relkind = class->relkind;
	candidate->pages = pages;
	candidate->wasted.mean = candidate->wasted.low = candidate->wasted.high = NAN;
}

static HTAB *
make_toast_owners(void)
{
	HASHCTL		control = {0};

	control.keysize = sizeof(Oid);
	control.entrysize = sizeof(ToastOwner);
	control.hcxt = CurrentMemoryContext;
	return hash_create("dbmaint TOAST tables", 256, &control,
					   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static void
note_toast_owner(HTAB *toast_owners, Form_pg_class class)
{
	ToastOwner *owner;

	if (!OidIsValid(class->reltoastrelid))
		return;
	owner = hash_search(toast_owners, &class->reltoastrelid, HASH_ENTER, NULL);
	owner->table = class->oid;
}

static void
find_owners(Candidates *candidates, HTAB *toast_owners)
{
	for (uint32 i = 0; i < candidates->count; i++)
	{
		Candidate  *candidate = &candidates->list[i];
		ToastOwner *owner;

		if (candidate->relkind == RELKIND_INDEX)
			candidate->owner = IndexGetRelation(candidate->relid, true);
		owner = hash_search(toast_owners, &candidate->relid, HASH_FIND, NULL);
		if (owner != NULL)
			candidate->owner = owner->table;
	}
}

static int
compare_pages(const void *a, const void *b)
{
	const Candidate *one = a;
	const Candidate *other = b;

	if (one->pages != other->pages)
		return one->pages > other->pages ? -1 : 1;
	return one->relid < other->relid ? -1 : one->relid > other->relid;
}

/* Lists the relations of the database that are large enough, largest first. */
static void
find_candidates(Candidates *candidates, BlockNumber pages_least)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(context, "dbmaint file paths",
												  ALLOCSET_DEFAULT_SIZES);
	Relation	catalog = table_open(RelationRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	HTAB	   *toast_owners = make_toast_owners();
	HeapTuple	row;

	candidates->count = 0;
	candidates->room = 256;
	candidates->list = palloc_array(Candidate, candidates->room);

	while (HeapTupleIsValid(row = systable_getnext(scan)))
	{
		Form_pg_class class = (Form_pg_class) GETSTRUCT(row);
		BlockNumber pages;

		CHECK_FOR_INTERRUPTS();
		note_toast_owner(toast_owners, class);
		if (!is_candidate(class))
			continue;
		MemoryContextSwitchTo(scratch);
		pages = count_pages(class);
		MemoryContextSwitchTo(context);
		MemoryContextReset(scratch);
		if (pages > 0 && pages >= pages_least)
			add_candidate(candidates, class, pages);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	MemoryContextDelete(scratch);
	find_owners(candidates, toast_owners);
	hash_destroy(toast_owners);
	qsort(candidates->list, candidates->count, sizeof(Candidate), compare_pages);
}

static void
divide_budget(Candidates *candidates, uint64 budget)
{
	uint32	   *pages = palloc_extended(sizeof(uint32) * candidates->count, MCXT_ALLOC_HUGE);
	uint32	   *sizes = palloc_extended(sizeof(uint32) * candidates->count, MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < candidates->count; i++)
		pages[i] = candidates->list[i].pages;
	sample_divide(pages, sizes, candidates->count, budget, PAGES_LEAST,
				  SAMPLE_PAGES_MOST);
	for (uint32 i = 0; i < candidates->count; i++)
		candidates->list[i].budget = sizes[i];
	pfree(pages);
	pfree(sizes);
}

static void
sample_table(Relation relation, uint64 seed, Candidate *candidate)
{
	TableBloat	bloat;

	bloat_check_table(relation);
	bloat_sample_table(relation, candidate->budget, seed, &bloat);
	candidate->pages = bloat.pages;
	candidate->sampled = bloat.sampled;
	candidate->wasted.mean = Max(1 - bloat.needed.mean, 0);
	candidate->wasted.low = Max(1 - bloat.needed.high, 0);
	candidate->wasted.high = Max(1 - bloat.needed.low, 0);
}

static void
sample_index(Relation relation, uint64 seed, Candidate *candidate)
{
	IndexBloat	bloat;

	bloat_check_index(relation);
	bloat_sample_index(relation, candidate->budget, seed, &bloat);
	candidate->pages = bloat.pages;
	candidate->sampled = bloat.sampled;
	candidate->wasted = bloat.wasted;
}

/* The guarded step: samples one relation, if nobody is in the way. */
static void
step_sample(void *arg)
{
	Candidate  *candidate = arg;
	Relation	relation;
	uint64		seed = pg_prng_uint64(&pg_global_prng_state);

	if (!ConditionalLockRelationOid(candidate->relid, AccessShareLock))
	{
		candidate->status = "locked";
		return;
	}
	relation = try_relation_open(candidate->relid, NoLock);
	if (relation == NULL)
	{
		UnlockRelationOid(candidate->relid, AccessShareLock);
		candidate->gone = true;
		return;
	}
	if (candidate->relkind == RELKIND_INDEX)
		sample_index(relation, seed, candidate);
	else
		sample_table(relation, seed, candidate);
	relation_close(relation, AccessShareLock);
	candidate->status = "ok";
}

static void
sample_candidate(Candidate *candidate)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(context, "dbmaint bloat sample",
												  ALLOCSET_DEFAULT_SIZES);
	char	   *failure;

	CHECK_FOR_INTERRUPTS();
	MemoryContextSwitchTo(scratch);
	failure = guard_run("not read", step_sample, candidate);
	MemoryContextSwitchTo(context);
	if (failure != NULL)
		candidate->status = pstrdup(failure);
	MemoryContextDelete(scratch);
}

/* The bytes of a share of the pages; an index's meta page is never wasted. */
static int64
share_bytes(const Candidate *candidate, double share)
{
	return bloat_bytes(share, candidate->pages -
					   (candidate->relkind == RELKIND_INDEX && candidate->pages > 0));
}

static bool
is_known(const Candidate *candidate)
{
	return !isnan(candidate->wasted.mean);
}

/* What wastes most first; what is not known last, the largest first. */
static int
compare_wasted(const void *a, const void *b)
{
	const Candidate *one = a;
	const Candidate *other = b;
	int64		one_bytes = share_bytes(one, one->wasted.mean);
	int64		other_bytes = share_bytes(other, other->wasted.mean);

	if (is_known(one) != is_known(other))
		return is_known(one) ? -1 : 1;
	if (one_bytes != other_bytes)
		return one_bytes > other_bytes ? -1 : 1;
	return compare_pages(a, b);
}

static const char *
kind_name(char relkind)
{
	switch (relkind)
	{
		case RELKIND_INDEX:
			return "index";
		case RELKIND_TOASTVALUE:
			return "toast";
		case RELKIND_MATVIEW:
			return "materialized view";
		default:
			return "table";
	}
}

static void
put_candidate(ReturnSetInfo *rsinfo, const Candidate *candidate)
{
	Datum		values[BLOAT_COLUMNS];
	bool		nulls[BLOAT_COLUMNS] = {false};
	int64		wasted = share_bytes(candidate, candidate->wasted.mean);

	values[0] = ObjectIdGetDatum(candidate->relid);
	values[1] = CStringGetTextDatum(kind_name(candidate->relkind));
	values[2] = ObjectIdGetDatum(candidate->owner);
	nulls[2] = !OidIsValid(candidate->owner);
	values[3] = Int64GetDatum((int64) candidate->pages * BLCKSZ);
	values[4] = Int64GetDatum((int64) candidate->sampled);
	values[5] = Int64GetDatum(wasted);
	values[6] = Int64GetDatum(share_bytes(candidate, candidate->wasted.low));
	values[7] = Int64GetDatum(share_bytes(candidate, candidate->wasted.high));
	values[8] = Float8GetDatum(wasted / ((double) Max(candidate->pages, 1) * BLCKSZ));
	nulls[5] = nulls[6] = nulls[7] = nulls[8] = !is_known(candidate);
	values[9] = CStringGetTextDatum(candidate->status);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static void
check_arguments(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0) || PG_GETARG_INT64(0) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("min_size_bytes must not be negative or NULL"),
				 errhint("0 looks at every relation that has a page.")));
	if (PG_ARGISNULL(1) ||
		PG_GETARG_INT32(1) < 1 || PG_GETARG_INT32(1) > BUDGET_MOST)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("page_budget must be from 1 to %d", BUDGET_MOST),
				 errhint("Each relation wants at least %d pages.", PAGES_LEAST)));
}

/* SQL: dbmaint_bloat(min_size_bytes bigint, page_budget int), see bloat.sql */
Datum
dbmaint_bloat(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Candidates	candidates;
	int64		pages_least;

	check_arguments(fcinfo);
	InitMaterializedSRF(fcinfo, 0);
	pages_least = PG_GETARG_INT64(0) / BLCKSZ + (PG_GETARG_INT64(0) % BLCKSZ != 0);
	if (pages_least > MaxBlockNumber)
		return (Datum) 0;

	find_candidates(&candidates, (BlockNumber) pages_least);
	divide_budget(&candidates, PG_GETARG_INT32(1));
	for (uint32 i = 0; i < candidates.count; i++)
	{
		Candidate  *candidate = &candidates.list[i];

		if (candidate->budget == 0)
			candidate->status = "over budget";
		else
			sample_candidate(candidate);
	}

	qsort(candidates.list, candidates.count, sizeof(Candidate), compare_wasted);
	for (uint32 i = 0; i < candidates.count; i++)
	{
		if (!candidates.list[i].gone)
			put_candidate(rsinfo, &candidates.list[i]);
	}
	return (Datum) 0;
}
