/*-------------------------------------------------------------------------
 *
 * granted.c
 *		What may be granted to those who are on call.
 *
 * Acknowledging, silencing and noting backups write tables of the extension,
 * which nobody else may.  EXECUTE on the function is the right to do it; what
 * does it is a function of ours, which runs as the superuser and pins its
 * search_path.
 *
 * src/alert/granted.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "history/history.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "step/query.h"
#include "tcop/utility.h"
#include "utils/lsyscache.h"

#define PREFIX "dbmaint_"

PG_FUNCTION_INFO_V1(dbmaint_run_granted);

static void
find_extension(Extension *extension, Oid function)
{
	if (!history_find_extension(extension) ||
		get_func_namespace(function) != extension->schema_oid)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("function \"%s\" is not one of the extension dbmaint",
						get_func_name(function))));
	history_require_version(extension);
}

/*
 * SQL: of dbmaint_NAME(...), which calls dbmaint_do_NAME(...) with the same
 * arguments.  All of them give a bigint or nothing.
 */
Datum
dbmaint_run_granted(PG_FUNCTION_ARGS)
{
	Oid			function = fcinfo->flinfo->fn_oid;
	char	   *name = get_func_name(function);
	Oid		   *types;
	int			count;
	Oid			result_type = get_func_signature(function, &types, &count);
	Datum	   *values = palloc0_array(Datum, count + 1);
	char	   *nulls = palloc0_array(char, count + 1);
	Extension	extension;
	StringInfoData sql;
	Oid			caller;
	int			context;
	Datum		result = (Datum) 0;
	bool		isnull = true;

	if (name == NULL || strncmp(name, PREFIX, strlen(PREFIX)) != 0 ||
		count != PG_NARGS())
		elog(ERROR, "this function does nothing by another name");
	PreventCommandIfReadOnly(psprintf("%s()", name));
	find_extension(&extension, function);

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s." PREFIX "do_%s(", extension.schema,
					 name + strlen(PREFIX));
	for (int i = 0; i < count; i++)
	{
		appendStringInfo(&sql, "%s$%d", i > 0 ? ", " : "", i + 1);
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
		values[i] = PG_ARGISNULL(i) ? (Datum) 0 : PG_GETARG_DATUM(i);
	}
	appendStringInfoChar(&sql, ')');

	/* an error on the way ends this with the transaction */
	GetUserIdAndSecContext(&caller, &context);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID,
						   context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	if (query_begin(sql.data, count, types, values, nulls) > 0 &&
		result_type == INT8OID)
		result = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
							   &isnull);
	query_end();
	SetUserIdAndSecContext(caller, context);

	if (result_type == INT8OID && isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(result);
}
