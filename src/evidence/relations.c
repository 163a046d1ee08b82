/*-------------------------------------------------------------------------
 *
 * relations.c
 *		Which tables a statement names, from its text.
 *
 * The text goes through the server's own raw parser, which looks nothing up
 * and runs nothing.  What is kept of a statement has $n where its constants
 * were, and `interval $1` or `date $1`, once `interval '1 day'`, is not
 * grammar: the lexer finds the parameters, and each becomes a string, which is
 * allowed wherever a constant can have been.
 *
 * src/evidence/relations.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "parser/parser.h"
#include "parser/scanner.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(dbmaint_statement_relations);

typedef struct Named
{
	List	   *relations;		/* of RangeVar */
	List	   *queries;		/* of char *: names that WITH gives */
} Named;

/* The query with a string in the place of each parameter. */
static char *
replace_parameters(const char *query)
{
	core_yy_extra_type extra;
	core_yyscan_t scanner;
	core_YYSTYPE value;
	YYLTYPE		location;
	StringInfoData replaced;
	int			copied = 0;

	initStringInfo(&replaced);
	scanner = scanner_init(query, &extra, &ScanKeywords, ScanKeywordTokens);
	while (core_yylex(&value, &location, scanner) != 0)
	{
		int			end = location + 1;

		if (query[location] != '$' || query[end] < '0' || query[end] > '9')
			continue;
		while (query[end] >= '0' && query[end] <= '9')
			end++;
		appendBinaryStringInfo(&replaced, query + copied, location - copied);
		/* no digit or letter may touch the string and change what it is */
		appendStringInfoString(&replaced, " '1' ");
		copied = end;
	}
	appendStringInfoString(&replaced, query + copied);
	scanner_finish(scanner);
	return replaced.data;
}

static bool
find_names(Node *node, Named *named)
{
	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_RangeVar:
			named->relations = lappend(named->relations, node);
			return false;
		case T_LockingClause:
			/* FOR UPDATE OF names aliases */
			return false;
		case T_CommonTableExpr:
			named->queries = lappend(named->queries, ((CommonTableExpr *) node)->ctename);
			break;
		default:
			break;
	}
	return raw_expression_tree_walker(node, find_names, named);
}

/* Statements that the walker does not know: those that name a table. */
static void
find_names_of_utility(Node *statement, Named *named)
{
	ListCell   *cell;

	switch (nodeTag(statement))
	{
		case T_CopyStmt:
			(void) find_names((Node *) ((CopyStmt *) statement)->relation, named);
			(void) find_names(((CopyStmt *) statement)->query, named);
			break;
		case T_ExplainStmt:
			(void) find_names(((ExplainStmt *) statement)->query, named);
			break;
		case T_DeclareCursorStmt:
			(void) find_names(((DeclareCursorStmt *) statement)->query, named);
			break;
		case T_CreateTableAsStmt:
			(void) find_names(((CreateTableAsStmt *) statement)->query, named);
			break;
		case T_RefreshMatViewStmt:
			(void) find_names((Node *) ((RefreshMatViewStmt *) statement)->relation, named);
			break;
		case T_IndexStmt:
			(void) find_names((Node *) ((IndexStmt *) statement)->relation, named);
			break;
		case T_AlterTableStmt:
			(void) find_names((Node *) ((AlterTableStmt *) statement)->relation, named);
			break;
		case T_TruncateStmt:
			named->relations = list_concat(named->relations,
										   ((TruncateStmt *) statement)->relations);
			break;
		case T_LockStmt:
			named->relations = list_concat(named->relations,
										   ((LockStmt *) statement)->relations);
			break;
		case T_VacuumStmt:
			foreach(cell, ((VacuumStmt *) statement)->rels)
			{
				VacuumRelation *relation = lfirst_node(VacuumRelation, cell);

				(void) find_names((Node *) relation->relation, named);
			}
			break;
		default:
			break;
	}
}

static void
find_names_of_statement(Node *statement, Named *named)
{
	switch (nodeTag(statement))
	{
		case T_SelectStmt:
		case T_InsertStmt:
		case T_UpdateStmt:
		case T_DeleteStmt:
		case T_MergeStmt:
			(void) find_names(statement, named);
			break;
		default:
			find_names_of_utility(statement, named);
			break;
	}
}

static bool
is_query_name(const Named *named, const char *name)
{
	ListCell   *cell;

	foreach(cell, named->queries)
	{
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	}
	return false;
}

/* SQL: dbmaint_statement_relations(query text), see relations.sql */
Datum
dbmaint_statement_relations(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *query = replace_parameters(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	Named		named = {NIL, NIL};
	ListCell   *cell;

	foreach(cell, raw_parser(query, RAW_PARSE_DEFAULT))
		find_names_of_statement(lfirst_node(RawStmt, cell)->stmt, &named);

	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, named.relations)
	{
		RangeVar   *relation = lfirst_node(RangeVar, cell);
		Datum		values[2] = {0};
		bool		nulls[2] = {false, false};

		if (relation->schemaname == NULL && is_query_name(&named, relation->relname))
			continue;
		nulls[0] = relation->schemaname == NULL;
		if (relation->schemaname != NULL)
			values[0] = CStringGetTextDatum(relation->schemaname);
		values[1] = CStringGetTextDatum(relation->relname);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
