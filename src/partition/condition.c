/*-------------------------------------------------------------------------
 *
 * condition.c
 *		What says in SQL which rows are of a range, and what a row is made of.
 *
 * src/partition/condition.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/relation.h"
#include "partition/set.h"
#include "utils/builtins.h"

static bool
is_open(int64 bound)
{
	return bound == RANGE_MINVALUE || bound == RANGE_MAXVALUE;
}

char *
set_inside(const PartitionSet *set, const Range *range)
{
	const char *column = quote_identifier(set->column_name);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "%s IS NOT NULL", column);
	if (!is_open(range->from))
		appendStringInfo(&sql, " AND %s >= %s", column, key_literal(&set->key, range->from));
	if (!is_open(range->to))
		appendStringInfo(&sql, " AND %s < %s", column, key_literal(&set->key, range->to));
	appendStringInfoString(&sql, set->others_present);
	return sql.data;
}

char *
set_outside(const PartitionSet *set, const Range *range)
{
	const char *column = quote_identifier(set->column_name);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "%s IS NULL", column);
	if (!is_open(range->from))
		appendStringInfo(&sql, " OR %s < %s", column, key_literal(&set->key, range->from));
	if (!is_open(range->to))
		appendStringInfo(&sql, " OR %s >= %s", column, key_literal(&set->key, range->to));
	appendStringInfoString(&sql, set->others_absent);
	return sql.data;
}

char *
set_range_check(const PartitionSet *set, const Range *range)
{
	return psprintf("CONSTRAINT " SET_RANGE_CHECK " CHECK (%s)", set_inside(set, range));
}

char *
set_written_columns(Oid relation, const char *alias)
{
	Relation	rel = relation_open(relation, NoLock);
	TupleDesc	columns = RelationGetDescr(rel);
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < columns->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, i);

		if (!column->attisdropped && column->attgenerated == '\0')
			appendStringInfo(&list, "%s%s%s", list.len == 0 ? "" : ", ", alias, quote_identifier(NameStr(column->attname)));
	}
	relation_close(rel, NoLock);
	return list.data;
}
