/*-------------------------------------------------------------------------
 *
 * likeness.c
 *		Making a table that is like another partition in everything.
 *
 * src/partition/likeness.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_tablespace.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "commands/defrem.h"
#include "commands/tablespace.h"
#include "mb/pg_wchar.h"
#include "partition/likeness.h"
#include "partition/likeness_extras.h"
#include "partition/likeness_sub.h"
#include "partition/name.h"
#include "partition/owner.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/syscache.h"

/* Names like this are tried for, with a number behind them. */
#define NUMBERS_TRIED 1000

/* Of how many partitions the names are looked at. */
#define NAMES_ASKED 5

Oid
likeness_model(const PartitionSet *set)
{
	for (int i = set->count - 1; i >= 0; i--)
	{
		Oid			partition = set->partitions[i];
		char		relkind = get_rel_relkind(partition);

		if (relkind != RELKIND_RELATION &&
			!(relkind == RELKIND_PARTITIONED_TABLE && has_subclass(partition)))
			continue;
		/* ALTER TABLE ... OWNER TO leaves the partitions to whom they were */
		if (pg_class_aclcheck(partition, set->owner, ACL_SELECT) != ACLCHECK_OK)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("the owner of \"%s\" may not read its partition \"%s\"", set->name, set_relation_name(partition)),
					 errdetail("A new one would be made like it, as the owner of the parent."),
					 errhint("Give it to him: ALTER TABLE %s OWNER TO %s.", set_quoted_name(partition),
							 quote_identifier(GetUserNameFromId(set->owner, false)))));
		return partition;
	}
	return set->parent;
}

char *
likeness_free_name(const char *name, Oid schema)
{
	char	   *free_name = palloc(NAMEDATALEN);

	strlcpy(free_name, name, NAMEDATALEN);
	for (int number = 1; number < NUMBERS_TRIED; number++)
	{
		/* a table brings a type of its name */
		if (!OidIsValid(get_relname_relid(free_name, schema)) &&
			!SearchSysCacheExists2(TYPENAMENSP, CStringGetDatum(free_name), ObjectIdGetDatum(schema)))
			return free_name;
		name_number(name, number, pg_mbcliplen, free_name);
	}
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_TABLE),
			 errmsg("no name like \"%s\" is free in schema \"%s\"", name, get_namespace_name(schema)),
			 errhint("Rename or drop the tables that have these names.")));
	return NULL;				/* keep the compiler quiet */
}

static NameFields
name_fields(const PartitionSet *set, const Range *range)
{
	NameFields	fields = {0};

	fields.is_calendar = set->calendar != NULL;
	fields.is_number = set->key.kind == KEY_INTEGER || set->key.kind == KEY_SECONDS ||
		set->key.kind == KEY_MILLISECONDS;
	if (fields.is_calendar)
	{
		fields.local = calendar_to_local(set->calendar, range->from);
		fields.local_end = range->to >= RANGE_INFINITE_FUTURE ? fields.local :
			calendar_to_local(set->calendar, range->to);
	}
	if (fields.is_number)
	{
		fields.from = key_number(&set->key, range->from);
		fields.to = key_number(&set->key, range->to);
	}
	return fields;
}

void
likeness_names(const PartitionSet *set, NamePattern *pattern)
{
	const char *names[NAMES_ASKED];
	NameFields	fields[NAMES_ASKED];
	NameFields	next;
	int			count = 0;
	int			first = set->count;
	Range		range = {0, 0};

	while (first > 0 && count < NAMES_ASKED)
	{
		range = set->ranges[--first];
		if (range.from != RANGE_MINVALUE && range.to != RANGE_MAXVALUE)
			count++;
	}
	/* oldest first, the endless ones left out */
	count = 0;
	for (int i = first; i < set->count && count < NAMES_ASKED; i++)
	{
		if (set->ranges[i].from == RANGE_MINVALUE || set->ranges[i].to == RANGE_MAXVALUE)
			continue;
		range = set->ranges[i];
		names[count] = set_relation_name(set->partitions[i]);
		fields[count++] = name_fields(set, &range);
	}
	if (count > 0)
	{
		Range		following = {range.to, range.to};

		if (set->has_grid && !grid_next(&set->grid, range.to, &following.to))
			following.to = range.to;
		next = name_fields(set, &following);
		if (name_infer(names, fields, count, &next, pattern))
			return;
	}
	likeness_default_names(set, &range, pattern);
}

void
likeness_default_names(const PartitionSet *set, const Range *first, NamePattern *pattern)
{
	NameFields	fields = name_fields(set, first);

	name_default(set->name, &set->grid.period, &fields, pattern);
}

char *
likeness_name(const PartitionSet *set, const NamePattern *pattern, const Range *range)
{
	char	   *name = palloc(NAMEDATALEN);
	NameFields	fields = name_fields(set, range);

	name_build(pattern, &fields, pg_mbcliplen, name);
	return name;
}

/* The first column's value, and MINVALUE for the others. */
static void
append_bound(StringInfo sql, const PartitionSet *set, int64 value)
{
	appendStringInfoString(sql, value == RANGE_MINVALUE ? "(MINVALUE" :
						   value == RANGE_MAXVALUE ? "(MAXVALUE" :
						   psprintf("(%s", key_literal(&set->key, value)));
	for (int i = 1; i < set->column_count; i++)
		appendStringInfoString(sql, value == RANGE_MAXVALUE ? ", MAXVALUE" : ", MINVALUE");
	appendStringInfoChar(sql, ')');
}

char *
likeness_bound(const PartitionSet *set, const Range *range)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "FROM ");
	append_bound(&sql, set, range->from);
	appendStringInfoString(&sql, " TO ");
	append_bound(&sql, set, range->to);
	return sql.data;
}

/* Does the CHECK look at a column of the partition key? */
static bool
constraint_on_key(HeapTuple tuple, TupleDesc columns, AttrNumber key)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, Anum_pg_constraint_conkey, columns, &isnull);
	ArrayType  *array;

	if (isnull)
		return false;
	array = DatumGetArrayTypeP(value);
	for (int i = 0; i < ARR_DIMS(array)[0]; i++)
	{
		if (((int16 *) ARR_DATA_PTR(array))[i] == key)
			return true;
	}
	return false;
}

/*
 * The model's CHECKs: those of the parent, without which a table cannot be
 * attached, and its own, but for those on the key: they may be what once kept
 * the model to its range.
 */
static void
append_checks(StringInfo sql, Relation model, const Likeness *likeness)
{
	Relation	constraints = table_open(ConstraintRelationId, AccessShareLock);
	bool		is_parent = RelationGetRelid(model) == likeness->set->parent;
	AttrNumber	key_column = get_attnum(RelationGetRelid(model), likeness->set->column_name);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_constraint_conrelid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(RelationGetRelid(model)));
	scan = systable_beginscan(constraints, ConstraintRelidTypidNameIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_constraint constraint = (Form_pg_constraint) GETSTRUCT(tuple);

		if (constraint->contype != CONSTRAINT_CHECK)
			continue;
		if (is_parent ? constraint->connoinherit :
			constraint->coninhcount == 0 &&
			constraint_on_key(tuple, RelationGetDescr(constraints), key_column))
			continue;
		appendStringInfo(sql, ", CONSTRAINT %s %s", quote_identifier(NameStr(constraint->conname)),
						 TextDatumGetCString(OidFunctionCall1(F_PG_GET_CONSTRAINTDEF_OID, ObjectIdGetDatum(constraint->oid))));
	}
	systable_endscan(scan);
	table_close(constraints, AccessShareLock);
}

/* Storage parameters of the relation, with a prefix for those of its TOAST table. */
static void
append_options(StringInfo sql, Oid relation, const char *prefix, const char **separator)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	bool		isnull;
	Datum		options;
	Datum	   *values;
	int			count;

	if (!HeapTupleIsValid(tuple))
		return;
	options = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_reloptions, &isnull);
	if (!isnull)
	{
		deconstruct_array(DatumGetArrayTypeP(options), TEXTOID, -1, false, TYPALIGN_INT, &values, NULL, &count);
		for (int i = 0; i < count; i++)
		{
			char	   *name = TextDatumGetCString(values[i]);
			char	   *value = strchr(name, '=');

			if (value == NULL)
				continue;
			*value++ = '\0';
			appendStringInfo(sql, "%s%s%s = %s", *separator, prefix, quote_identifier(name), quote_literal_cstr(value));
			*separator = ", ";
		}
	}
	ReleaseSysCache(tuple);
}

/* What the model says behind its columns: key, access method, parameters, place. */
static void
append_properties(StringInfo sql, Relation model, bool partitioned)
{
	const char *separator = " WITH (";

	if (partitioned)
		appendStringInfo(sql, " PARTITION BY %s",
						 TextDatumGetCString(OidFunctionCall1(F_PG_GET_PARTKEYDEF, ObjectIdGetDatum(RelationGetRelid(model)))));
	if (OidIsValid(model->rd_rel->relam))
		appendStringInfo(sql, " USING %s", quote_identifier(get_am_name(model->rd_rel->relam)));
	append_options(sql, RelationGetRelid(model), "", &separator);
	if (OidIsValid(model->rd_rel->reltoastrelid))
		append_options(sql, model->rd_rel->reltoastrelid, "toast.", &separator);
	if (separator[1] != 'W')
		appendStringInfoChar(sql, ')');
	if (OidIsValid(model->rd_rel->reltablespace))
		appendStringInfo(sql, " TABLESPACE %s", quote_identifier(get_tablespace_name(model->rd_rel->reltablespace)));
}

char *
likeness_create(Likeness *likeness, const char *name, const Range *range, const char *check)
{
	const PartitionSet *set = likeness->set;
	Relation	model = relation_open(likeness->model, AccessShareLock);
	bool		is_parent = likeness->model == set->parent;
	bool		partitioned = !is_parent && model->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
	char	   *schema = get_namespace_name(RelationGetNamespace(model));
	char	   *quoted = quote_qualified_identifier(schema, name);
	StringInfoData sql;
	AsOwner		before;

	initStringInfo(&sql);
	/* deparsed where nothing but the catalogs is in sight */
	owner_begin(set->owner, &before);
	appendStringInfo(&sql, "CREATE %sTABLE %s (LIKE %s INCLUDING ALL EXCLUDING CONSTRAINTS EXCLUDING IDENTITY%s",
					 model->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED ? "UNLOGGED " : "",
					 quoted, quote_qualified_identifier(schema, RelationGetRelationName(model)),
					 is_parent ? " EXCLUDING INDEXES" : "");
	append_checks(&sql, model, likeness);
	if (check != NULL && !partitioned)
		appendStringInfo(&sql, ", %s", check);
	appendStringInfoChar(&sql, ')');
	append_properties(&sql, model, partitioned);
	owner_end(&before);

	owner_run(set->owner, sql.data);
	if (!is_parent)
		likeness_extras(likeness, model, get_relname_relid(name, RelationGetNamespace(model)), quoted);
	relation_close(model, NoLock);

	if (partitioned)
		likeness_sub_partitions(likeness, name, quoted, range);

	/*
	 * sub-partitions get it from their parent: else they could not be
	 * attached
	 */
	if (partitioned && check != NULL)
		owner_run(set->owner, psprintf("ALTER TABLE %s ADD %s", quoted, check));
	pfree(sql.data);
	return quoted;
}
