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
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(dbmaint_relation_bytes);

/* what a segment that another one may follow has */
#define SEGMENT_BYTES ((int64) RELSEG_SIZE * BLCKSZ)

int64
relation_file_bytes(Oid tablespace, Oid filenode)
{
	char	   *first;
	char		path[MAXPGPATH];
	struct stat file;
	int64		bytes = 0;

	/* nothing stored, or in a file that only the relation map knows */
	if (!OidIsValid(filenode))
		return 0;

	first = relation_file_path(MyDatabaseId,
							   OidIsValid(tablespace) ? tablespace : MyDatabaseTableSpace,
							   filenode);
	if (stat(first, &file) != 0)
		file.st_size = 0;
	bytes = file.st_size;
	for (int segment = 1; file.st_size == SEGMENT_BYTES; segment++)
	{
		snprintf(path, sizeof(path), "%s.%d", first, segment);
		if (stat(path, &file) != 0)
			break;
		bytes += file.st_size;
	}
	pfree(first);
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
