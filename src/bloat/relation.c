/*-------------------------------------------------------------------------
 *
 * relation.c
 *		The bloat of one table or index, for SQL.
 *
 * src/bloat/relation.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/xlog.h"
#include "bloat/bloat.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "common/pg_prng.h"
#include "funcapi.h"

#define TABLE_BLOAT_COLUMNS 8
#define INDEX_BLOAT_COLUMNS 8

PG_FUNCTION_INFO_V1(dbmaint_table_bloat);
PG_FUNCTION_INFO_V1(dbmaint_index_bloat);

/* Pages that another process alone can see, or nobody at the moment. */
static void
check_readable(Relation relation)
{
	if (RELATION_IS_OTHER_TEMP(relation))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot read temporary relation \"%s\" of another session",
						RelationGetRelationName(relation)),
				 errhint("Ask in the session that made it.")));

	if (!RelationIsPermanent(relation) && RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot read unlogged relation \"%s\" during recovery",
						RelationGetRelationName(relation)),
				 errhint("Ask the primary: a standby has no data of it.")));
}

static int
hint_for_table(char relkind)
{
	switch (relkind)
	{
		case RELKIND_INDEX:
			return errhint("Use dbmaint_index_bloat() for an index.");
		case RELKIND_PARTITIONED_TABLE:
			return errhint("Its partitions hold the rows: pg_partition_tree() lists them.");
		case RELKIND_PARTITIONED_INDEX:
			return errhint("Use dbmaint_index_bloat() for the indexes of its partitions: pg_partition_tree() lists them.");
		case RELKIND_FOREIGN_TABLE:
			return errhint("Ask the server that holds its rows.");
		default:
			return errhint("Only tables, materialized views and TOAST tables have pages of rows.");
	}
}

void
bloat_check_table(Relation relation)
{
	char		relkind = relation->rd_rel->relkind;

	if (relkind != RELKIND_RELATION && relkind != RELKIND_MATVIEW &&
		relkind != RELKIND_TOASTVALUE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot estimate the bloat of relation \"%s\" as of a table",
						RelationGetRelationName(relation)),
				 errdetail_relkind_not_supported(relkind),
				 hint_for_table(relkind)));

	if (relation->rd_rel->relam != HEAP_TABLE_AM_OID)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot estimate the bloat of table \"%s\"",
						RelationGetRelationName(relation)),
				 errdetail("Its access method is not heap."),
				 errhint("Only the pages of heap tables are known here.")));
	check_readable(relation);
}

void
bloat_check_index(Relation relation)
{
	char		relkind = relation->rd_rel->relkind;

	if (relkind == RELKIND_PARTITIONED_INDEX)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot estimate the bloat of partitioned index \"%s\"",
						RelationGetRelationName(relation)),
				 errhint("The indexes of its partitions hold the entries: pg_partition_tree() lists them.")));
	if (relkind != RELKIND_INDEX)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not an index",
						RelationGetRelationName(relation)),
				 errhint("Use dbmaint_table_bloat() for a table.")));
	if (relation->rd_rel->relam != BTREE_AM_OID)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot estimate the bloat of index \"%s\"",
						RelationGetRelationName(relation)),
				 errdetail("It is not a B-tree."),
				 errhint("For hash and GIN indexes the extension pgstattuple has pgstathashindex() and pgstatginindex().")));

	/*
	 * A build writes its pages past the shared buffers: what we read
	 * meanwhile would stay there and hide them.
	 */
	if (!relation->rd_index->indisvalid)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index \"%s\" is not valid",
						RelationGetRelationName(relation)),
				 errhint("Wait until it is built. If its build failed, REINDEX INDEX CONCURRENTLY repairs it and DROP INDEX CONCURRENTLY removes it.")));
	check_readable(relation);
}

int64
bloat_bytes(double share, BlockNumber pages)
{
	/* what floats make of a whole number may be a bit less */
	double		bytes = floor(share * pages + 1e-6) * BLCKSZ;

	return isnan(bytes) || bytes < 0 ? 0 : (int64) bytes;
}

/* Opens the relation, waiting for the lock as lock_timeout allows. */
static Relation
open_relation(Oid relid)
{
	Relation	relation = try_relation_open(relid, AccessShareLock);

	if (relation == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("there is no relation with OID %u", relid),
				 errhint("It may have been dropped just now.")));
	return relation;
}

/* The arguments sample_pages and seed. */
static uint32
pages_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(1) ||
		PG_GETARG_INT32(1) < 1 || PG_GETARG_INT32(1) > SAMPLE_PAGES_MOST)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("sample_pages must be from 1 to %d", SAMPLE_PAGES_MOST),
				 errhint("1000 pages tell most shares within 2 points.")));
	return (uint32) PG_GETARG_INT32(1);
}

static uint64
seed_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(2))
		return pg_prng_uint64(&pg_global_prng_state);
	return (uint64) PG_GETARG_INT64(2);
}

static TupleDesc
result_type(FunctionCallInfo fcinfo, int columns)
{
	TupleDesc	type;

	if (get_call_result_type(fcinfo, NULL, &type) != TYPEFUNC_COMPOSITE ||
		type->natts != columns)
		elog(ERROR, "the function's result has not the columns of the library");
	return BlessTupleDesc(type);
}

/* A number that is not known is NULL. */
static void
put_float(Datum *values, bool *nulls, int column, double value)
{
	values[column] = Float8GetDatum(value);
	nulls[column] = isnan(value);
}

/* SQL: dbmaint_table_bloat(regclass, int, bigint), see bloat.sql */
Datum
dbmaint_table_bloat(PG_FUNCTION_ARGS)
{
	uint32		pages = pages_argument(fcinfo);
	uint64		seed = seed_argument(fcinfo);
	TupleDesc	type = result_type(fcinfo, TABLE_BLOAT_COLUMNS);
	Datum		values[TABLE_BLOAT_COLUMNS];
	bool		nulls[TABLE_BLOAT_COLUMNS] = {false};
	Relation	relation;
	TableBloat	bloat;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();

	relation = open_relation(PG_GETARG_OID(0));
	bloat_check_table(relation);
	bloat_sample_table(relation, pages, seed, &bloat);
	relation_close(relation, AccessShareLock);

	values[0] = Int64GetDatum((int64) bloat.pages * BLCKSZ);
	values[1] = Int64GetDatum((int64) bloat.sampled);
	put_float(values, nulls, 2, bloat.live.mean);
	put_float(values, nulls, 3, bloat.dead.mean);
	put_float(values, nulls, 4, bloat.free.mean);
	put_float(values, nulls, 5, bloat.free.low);
	put_float(values, nulls, 6, bloat.free.high);
	values[7] = Int64GetDatum(bloat_bytes(1 - bloat.needed.mean, bloat.pages));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(type, values, nulls)));
}

/* SQL: dbmaint_index_bloat(regclass, int, bigint), see bloat.sql */
Datum
dbmaint_index_bloat(PG_FUNCTION_ARGS)
{
	uint32		pages = pages_argument(fcinfo);
	uint64		seed = seed_argument(fcinfo);
	TupleDesc	type = result_type(fcinfo, INDEX_BLOAT_COLUMNS);
	Datum		values[INDEX_BLOAT_COLUMNS];
	bool		nulls[INDEX_BLOAT_COLUMNS] = {false};
	Relation	relation;
	IndexBloat	bloat;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();

	relation = open_relation(PG_GETARG_OID(0));
	bloat_check_index(relation);
	bloat_sample_index(relation, pages, seed, &bloat);
	relation_close(relation, AccessShareLock);

	values[0] = Int64GetDatum((int64) bloat.pages * BLCKSZ);
	values[1] = Int64GetDatum((int64) bloat.sampled);
	put_float(values, nulls, 2, bloat.leaf_density.mean);
	put_float(values, nulls, 3, bloat.leaf_density.low);
	put_float(values, nulls, 4, bloat.leaf_density.high);
	values[5] = Int64GetDatum((int64) rint(bloat.empty_pages));
	values[6] = Int64GetDatum((int64) rint(bloat.deleted_pages));
	values[7] = Int64GetDatum(bloat.pages == 0 ? 0 :
							  bloat_bytes(bloat.wasted.mean, bloat.pages - 1));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(type, values, nulls)));
}
