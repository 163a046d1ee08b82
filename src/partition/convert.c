/*-------------------------------------------------------------------------
 *
 * convert.c
 *		Makes a plain table a partitioned one, online.
 *
 * src/partition/convert.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "partition/convert.h"
#include "partition/create.h"
#include "partition/foreign.h"
#include "partition/likeness.h"
#include "partition/likeness_extras.h"
#include "partition/owner.h"
#include "partition/recorded.h"
#include "polite/polite.h"
#include "step/query.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* The bound lies at least so far ahead, and two periods. */
#define LEAST_AHEAD_US (2 * USECS_A_DAY)

#define NEW_NAME_SUFFIX "_initial"

static void
refuse(const Conversion *conversion, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot make a partitioned table of \"%s\"", set_relation_name(conversion->table)),
			 errdetail("%s", detail),
			 hint != NULL ? errhint("%s", hint) : 0));
}

static void
check_table(const Conversion *conversion, Relation table)
{
	if (table->rd_rel->relkind != RELKIND_RELATION)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not an ordinary table", RelationGetRelationName(table)),
				 errdetail_relkind_not_supported(table->rd_rel->relkind)));
	if (table->rd_rel->relpersistence != RELPERSISTENCE_PERMANENT)
		refuse(conversion, table->rd_rel->relpersistence == RELPERSISTENCE_TEMP ?
			   "It is a temporary table." : "It is an unlogged table.", NULL);
	if (IsSystemRelation(table) || OidIsValid(getExtensionOfObject(RelationRelationId, conversion->table)))
		refuse(conversion, "It belongs to the server or to an extension.", NULL);
	if (table->rd_rel->relispartition)
		refuse(conversion, "It is a partition.", "dbmaint_split_partition() divides partitions.");
	if (has_superclass(conversion->table) || has_subclass(conversion->table))
		refuse(conversion, "It inherits from tables, or tables inherit from it.", NULL);
	if (OidIsValid(table->rd_rel->reloftype))
		refuse(conversion, "It is a table of a type.", NULL);
}

/* Each unique index must have the column, or be each partition's own. */
static void
check_unique(const Conversion *conversion, Relation table)
{
	List	   *indexes = RelationGetIndexList(table);
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Relation	index = relation_open(lfirst_oid(cell), AccessShareLock);
		Form_pg_index form = index->rd_index;
		char	   *name = pstrdup(RelationGetRelationName(index));
		bool		unique = form->indisunique || form->indisexclusion;
		bool		has_column = false;

		for (int i = 0; i < form->indnkeyatts; i++)
			has_column = has_column || form->indkey.values[i] == conversion->set->column;
		has_column = has_column && !form->indisexclusion;
		relation_close(index, AccessShareLock);
		if (unique && !has_column && !conversion->unique_per_partition)
			refuse(conversion, psprintf("Its unique or excluding index \"%s\" does not have the column \"%s\".", name, conversion->column),
				   "unique_per_partition => true keeps such an index unique within each partition; or add the column to it.");
	}
}

static void
check_obstacles(const Conversion *conversion)
{
	Oid			type = OIDOID;
	Datum		value = ObjectIdGetDatum(conversion->table);
	MemoryContext context = CurrentMemoryContext;
	char	   *obstacle = NULL;

	if (query_begin(psprintf("SELECT %s.dbmaint_conversion_obstacle($1)", conversion->extension->schema), 1, &type, &value, NULL) > 0)
	{
		obstacle = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
		if (obstacle != NULL)
			obstacle = MemoryContextStrdup(context, obstacle);
	}
	query_end();
	if (obstacle != NULL)
		refuse(conversion, psprintf("%c%s.", pg_toupper(obstacle[0]), obstacle + 1), NULL);
}

/* With whose rights a publication changes; InvalidOid if nobody's who may. */
static Oid
publisher(const Conversion *conversion, Oid publication)
{
	if (publication_owned_by(publication, conversion->set->owner))
		return conversion->set->owner;
	return publication_owned_by(publication, conversion->caller) ? conversion->caller : InvalidOid;
}

static void
check_publications(const Conversion *conversion)
{
	List	   *publications = relation_publications(conversion->table);
	ListCell   *cell;

	foreach(cell, publications)
	{
		char	   *name = get_publication_name(lfirst_oid(cell), false);

		if (!OidIsValid(publisher(conversion, lfirst_oid(cell))))
			refuse(conversion, psprintf("Publication \"%s\" has it, and is neither its owner's nor the caller's.", name),
				   "Who owns the publication may ask, if he is a member of the table's owner.");
	}
}

/* The new table is published, as its partition was: likeness_extras.c. */
static void
unpublish_partition(const Conversion *conversion)
{
	List	   *publications = relation_publications(conversion->table);
	ListCell   *cell;

	foreach(cell, publications)
		owner_run(publisher(conversion, lfirst_oid(cell)),
				  psprintf("ALTER PUBLICATION %s DROP TABLE ONLY %s", quote_identifier(get_publication_name(lfirst_oid(cell), false)),
						   set_quoted_name(conversion->table)));
}

static bool
greatest_key(const Conversion *conversion, int64 *greatest)
{
	const PartitionSet *set = conversion->set;
	const char *column = quote_identifier(conversion->column);
	Datum		value;

	if (!owner_ask_value(set->owner, psprintf("SELECT r.%1$s FROM ONLY %2$s AS r WHERE r.%1$s IS NOT NULL ORDER BY r.%1$s DESC LIMIT 1",
											  column, set->quoted), &value))
		return false;
	*greatest = key_value(&set->key, value);
	if (*greatest == RANGE_MAXVALUE || (key_is_calendar(&set->key) && *greatest >= RANGE_INFINITE_FUTURE))
		refuse(conversion, psprintf("There are rows whose \"%s\" is infinity.", conversion->column), "They have no place in a range that ends.");
	return true;
}

/*
 * Beyond all rows that there are, and all that come before the table is a
 * partition: that takes as long as reading it does.
 */
static void
find_bound(Conversion *conversion)
{
	const PartitionSet *set = conversion->set;
	int64		now = set->calendar != NULL ? set_now(set, conversion->at) : 0;
	int64		greatest;
	int64		bound;
	bool		known = true;

	if (!greatest_key(conversion, &greatest))
		greatest = now;
	bound = set->calendar != NULL ? now : greatest;
	for (int i = 0; i < 2 && known; i++)
		known = grid_next(&set->grid, bound, &bound);
	while (known && set->calendar != NULL && bound < now + LEAST_AHEAD_US)
		known = grid_next(&set->grid, bound, &bound);
	if (known && bound <= greatest)
		known = grid_next(&set->grid, greatest, &bound);
	if (!known || !key_can_have(&set->key, bound))
		refuse(conversion, psprintf("No range of \"%s\" can end after its greatest value.", conversion->column), NULL);
	conversion->range.from = RANGE_MINVALUE;
	conversion->range.to = bound;
}

void
convert_look(Conversion *conversion)
{
	Relation	table = try_relation_open(conversion->table, AccessShareLock);
	char		name[NAMEDATALEN];
	int			length;

	if (table == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("there is no relation with OID %u", conversion->table)));
	check_table(conversion, table);
	conversion->set = set_of_plain_table(table, conversion->column, &conversion->options);
	if (!conversion->set->has_grid)
		create_refuse_unknown_grid(conversion->set);
	check_unique(conversion, table);
	relation_close(table, NoLock);
	check_obstacles(conversion);
	check_publications(conversion);
	find_bound(conversion);

	length = pg_mbcliplen(conversion->set->name, (int) strlen(conversion->set->name),
						  NAMEDATALEN - 1 - (int) strlen(NEW_NAME_SUFFIX));
	snprintf(name, sizeof(name), "%.*s" NEW_NAME_SUFFIX, length, conversion->set->name);
	conversion->new_name = likeness_free_name(name, conversion->set->schema);
}

char *
convert_check_statement(const Conversion *conversion)
{
	return psprintf("ALTER TABLE %s ADD %s NOT VALID", conversion->set->quoted,
					set_range_check(conversion->set, &conversion->range));
}

char *
convert_validate_statement(const Conversion *conversion)
{
	return psprintf("ALTER TABLE %s VALIDATE CONSTRAINT " SET_RANGE_CHECK, conversion->set->quoted);
}

int
convert_statements(const Conversion *conversion, ConvertStatement **statements)
{
	const PartitionSet *set = conversion->set;
	MemoryContext context = CurrentMemoryContext;
	Oid			types[] = {OIDOID, NAMEOID, NAMEOID, TEXTOID};
	NameData	column;
	NameData	new_name;
	Datum		values[lengthof(types)];
	int			count;

	namestrcpy(&column, conversion->column);
	namestrcpy(&new_name, conversion->new_name);
	values[0] = ObjectIdGetDatum(conversion->table);
	values[1] = NameGetDatum(&column);
	values[2] = NameGetDatum(&new_name);
	values[3] = CStringGetTextDatum(likeness_bound(set, &conversion->range));
	count = (int) query_begin(psprintf("SELECT s.run_as, s.statement FROM %s.dbmaint_conversion_statements($1, $2, $3, $4) AS s", conversion->extension->schema),
							  lengthof(types), types, values, NULL);
	*statements = MemoryContextAlloc(context, sizeof(ConvertStatement) * Max(count, 1));
	for (int i = 0; i < count; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		bool		isnull;

		(*statements)[i].run_as = DatumGetObjectId(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &isnull));
		(*statements)[i].text = MemoryContextStrdup(context, SPI_getvalue(row, SPI_tuptable->tupdesc, 2));
	}
	query_end();
	return count;
}

static void
lock_table(const Conversion *conversion, LOCKMODE mode)
{
	PoliteLock	lock = {conversion->table, mode};

	polite_lock_all(psprintf("make a partitioned table of \"%s\"", conversion->set->name), conversion->window_ms, &lock, 1);
}

/* Ours, and not one of the user's that has the name. */
static bool
has_check(Oid table)
{
	Oid			constraint = get_relation_constraint_oid(table, SET_RANGE_CHECK, true);
	char	   *comment = OidIsValid(constraint) ? GetComment(constraint, ConstraintRelationId, 0) : NULL;

	return comment != NULL && strcmp(comment, CONVERT_CHECK_COMMENT) == 0;
}

void
convert_check(const Conversion *conversion)
{
	lock_table(conversion, AccessExclusiveLock);
	/* one that an earlier try left may have another bound */
	if (has_check(conversion->table))
		owner_run(conversion->set->owner, psprintf("ALTER TABLE %s DROP CONSTRAINT " SET_RANGE_CHECK, conversion->set->quoted));
	owner_run(conversion->set->owner, convert_check_statement(conversion));
	owner_run(conversion->set->owner, psprintf("COMMENT ON CONSTRAINT " SET_RANGE_CHECK " ON %s IS '" CONVERT_CHECK_COMMENT "'", conversion->set->quoted));
}

void
convert_validate(const Conversion *conversion)
{
	lock_table(conversion, ShareUpdateExclusiveLock);
	owner_run(conversion->set->owner, convert_validate_statement(conversion));
}

/*
 * The table; its sequences, so that none gives a number between the look at it
 * and its end; and what its foreign keys refer to, since they are made anew.
 */
static void
lock_all(const Conversion *conversion)
{
	List	   *sequences = getOwnedSequences(conversion->table);
	PoliteLock *own = palloc_array(PoliteLock, list_length(sequences) + 1);
	PoliteLock *locks;
	ListCell   *cell;
	int			count = 0;

	own[count++] = (PoliteLock)
	{
		conversion->table, AccessExclusiveLock
	};
	foreach(cell, sequences)
		own[count++] = (PoliteLock)
	{
		lfirst_oid(cell), ShareRowExclusiveLock
	};
	locks = foreign_locks(conversion->table, ShareRowExclusiveLock, own, &count);
	polite_lock_all(psprintf("make a partitioned table of \"%s\"", conversion->set->name), conversion->window_ms, locks, count);
}

/* What a statement cannot copy: the parent is like its partition in the rest. */
static void
copy_extras(const Conversion *conversion, Oid parent)
{
	PartitionSet *set = conversion->set;
	Likeness	likeness = {set, conversion->table, conversion->caller, NULL};
	Relation	table = relation_open(conversion->table, AccessShareLock);

	likeness_extras(&likeness, table, parent, set->quoted);
	relation_close(table, NoLock);
}

/* Under the lock all is as it was when the CHECK was made, or the next try begins anew. */
static void
check_again(const Conversion *conversion)
{
	const PartitionSet *set = conversion->set;
	Relation	table = relation_open(conversion->table, NoLock);

	check_table(conversion, table);
	check_unique(conversion, table);
	if (strcmp(RelationGetRelationName(table), set->name) != 0 || RelationGetNamespace(table) != set->schema ||
		table->rd_rel->relowner != set->owner || get_attnum(conversion->table, conversion->column) != set->column)
		refuse(conversion, "Its name, schema, owner or column is not what it was when this began.", NULL);
	relation_close(table, NoLock);
	check_obstacles(conversion);
	check_publications(conversion);
}

void
convert_swap(const Conversion *conversion)
{
	const PartitionSet *set = conversion->set;
	ConvertStatement *statements;
	SetOptions	options = conversion->options;
	Oid			parent;
	int			count;

	lock_table(conversion, AccessShareLock);
	lock_all(conversion);
	check_again(conversion);
	count = convert_statements(conversion, &statements);
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		owner_run(statements[i].run_as, statements[i].text);
	}
	CommandCounterIncrement();
	parent = get_relname_relid(set->name, set->schema);
	copy_extras(conversion, parent);
	unpublish_partition(conversion);

	if (set->calendar != NULL)
		options.time_zone = pstrdup(pg_get_timezone_name(set->zone));
	recorded_store(conversion->extension->schema_oid, parent, &options);
	ereport(LOG,
			(errmsg("dbmaint: table \"%s\" is partitioned now; what it was is its partition \"%s\"", set->name, conversion->new_name),
			 errhidestmt(true)));
}

void
convert_uncheck(Oid table, int window_ms)
{
	PoliteLock	lock = {table, AccessExclusiveLock};

	if (!has_check(table))
		return;
	polite_lock_all(psprintf("drop a CHECK of \"%s\"", set_relation_name(table)), window_ms, &lock, 1);
	owner_run(owner_of(table), psprintf("ALTER TABLE %s DROP CONSTRAINT " SET_RANGE_CHECK, set_quoted_name(table)));
}
