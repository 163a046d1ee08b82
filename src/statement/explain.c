/*-------------------------------------------------------------------------
 *
 * explain.c
 *		What dbmaint_explain() needs to know of a statement's text.
 *
 * src/statement/explain.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "nodes/parsenodes.h"
#include "statement/statement.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(dbmaint_find_query_text);
PG_FUNCTION_INFO_V1(dbmaint_is_explainable);

/* SQL: dbmaint_find_query_text(query_id bigint) */
Datum
dbmaint_find_query_text(PG_FUNCTION_ARGS)
{
	char	   *found = source_find_text(MyDatabaseId, PG_GETARG_INT64(0));

	if (found == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(found));
}

/* SQL: dbmaint_is_explainable(query text) */
Datum
dbmaint_is_explainable(PG_FUNCTION_ARGS)
{
	List	   *statements = pg_parse_query(text_to_cstring(PG_GETARG_TEXT_PP(0)));

	if (list_length(statements) != 1)
		PG_RETURN_BOOL(false);
	switch (nodeTag(linitial_node(RawStmt, statements)->stmt))
	{
		case T_SelectStmt:
		case T_InsertStmt:
		case T_UpdateStmt:
		case T_DeleteStmt:
		case T_MergeStmt:
			PG_RETURN_BOOL(true);
		default:
			PG_RETURN_BOOL(false);
	}
}
