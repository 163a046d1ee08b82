/*-------------------------------------------------------------------------
 *
 * relation_file.c
 *		The size of a relation, by its files.
 *
 * pg_relation_size() opens the relation, and so waits for whoever has it
 * locked.  The files can be asked without.
 *
 * src/object/relation_file.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <sys/stat.h>

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "object/object.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(dbmaint_relation_bytes);

/* what a segment that another one may follow has */
#define SEGMENT_BYTES ((int64) RELSEG_SIZE * BLCKSZ)

/* A file and the segments after it. */
static int64
segment_bytes(const char *first)
{
	char		path[MAXPGPATH];
	struct stat file;
	int64		bytes;

	if (stat(first, &file) != 0)
		return 0;
	bytes = file.st_size;
	for (int segment = 1; file.st_size == SEGMENT_BYTES; segment++)
	{
		snprintf(path, sizeof(path), "%s.%d", first, segment);
		if (stat(path, &file) != 0)
			break;
		bytes += file.st_size;
	}
	return bytes;
}

static char *
main_path(Oid tablespace, Oid filenode)
{
	return relation_file_path(MyDatabaseId,
							  OidIsValid(tablespace) ? tablespace : MyDatabaseTableSpace,
							  filenode);
}

int64
relation_file_bytes(Oid tablespace, Oid filenode)
{
	char	   *first;
	int64		bytes;

	/* nothing stored, or in a file that only the relation map knows */
	if (!OidIsValid(filenode))
		return 0;
	first = main_path(tablespace, filenode);
	bytes = segment_bytes(first);
	pfree(first);
	return bytes;
}

/* All forks: an empty main fork has no others. */
static int64
storage_bytes(Relation rel)
{
	static const char *const forks[] = {"fsm", "vm", "init"};
	char	   *first;
	int64		bytes;

	if (!OidIsValid(rel->rd_rel->relfilenode))
		return 0;
	first = main_path(rel->rd_rel->reltablespace, rel->rd_rel->relfilenode);
	bytes = segment_bytes(first);
	for (int i = 0; bytes > 0 && i < (int) lengthof(forks); i++)
	{
		char		path[MAXPGPATH];

		if (strcmp(forks[i], "vm") == 0 && rel->rd_rel->relkind == RELKIND_INDEX)
			continue;
		if (strcmp(forks[i], "init") == 0 && rel->rd_rel->relpersistence != RELPERSISTENCE_UNLOGGED)
			continue;
		snprintf(path, sizeof(path), "%s_%s", first, forks[i]);
		bytes += segment_bytes(path);
	}
	pfree(first);
	return bytes;
}

/* Of a relation that is locked, or hangs on one that is; 0 if it is gone. */
static int64
bytes_of(Oid relation)
{
	Relation	rel = OidIsValid(relation) ? RelationIdGetRelation(relation) : NULL;
	int64		bytes = 0;

	if (rel != NULL)
	{
		bytes = relation_total_bytes(rel);
		RelationClose(rel);
	}
	return bytes;
}

int64
relation_total_bytes(Relation rel)
{
	int64		bytes;
	List	   *indexes;
	ListCell   *cell;

	/* a temporary table's file has its session in its name */
	if (RelationUsesLocalBuffers(rel))
		return DatumGetInt64(DirectFunctionCall1(pg_total_relation_size, ObjectIdGetDatum(RelationGetRelid(rel))));
	bytes = storage_bytes(rel) + bytes_of(rel->rd_rel->reltoastrelid);
	if (rel->rd_rel->relkind == RELKIND_INDEX)
		return bytes;
	indexes = RelationGetIndexList(rel);
	foreach(cell, indexes)
		bytes += bytes_of(lfirst_oid(cell));
	list_free(indexes);
	return bytes;
}

/* SQL: dbmaint_relation_bytes(relation oid) -> bigint */
Datum
dbmaint_relation_bytes(PG_FUNCTION_ARGS)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, PG_GETARG_DATUM(0));
	Form_pg_class form;
	int64		bytes;

	if (!HeapTupleIsValid(tuple))
		PG_RETURN_NULL();
	form = (Form_pg_class) GETSTRUCT(tuple);

	/* a temporary table's file has its session in its name */
	if (form->relpersistence == RELPERSISTENCE_TEMP ||
		(!OidIsValid(form->relfilenode) && RELKIND_HAS_STORAGE(form->relkind)))
	{
		ReleaseSysCache(tuple);
		PG_RETURN_NULL();
	}
	bytes = relation_file_bytes(form->reltablespace, form->relfilenode);
	ReleaseSysCache(tuple);
	PG_RETURN_INT64(bytes);
}
