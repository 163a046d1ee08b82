/*-------------------------------------------------------------------------
 *
 * split.c
 *		Divides a partition by the periods of its set, online.
 *
 * Why a copy, and not rows moved batch by batch: a row that is in the old
 * partition is in no other, since their ranges would overlap; one that was
 * moved aside is out of sight until its new partition is attached; and to
 * attach that beside the old one the server reads all of it under a lock.
 *
 * src/partition/split.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "partition/capture.h"
#include "partition/likeness.h"
#include "partition/owner.h"
#include "partition/split.h"
#include "polite/polite.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#define EXCLUDING_CHECK "dbmaint_split_range"

/* So many notes are worked on under the lock. */
#define NOTES_UNDER_LOCK 1000

static char *
staging_name(Oid partition)
{
	return psprintf("dbmaint_split_%u", partition);
}

static char *
staging_quoted(Oid partition)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(partition)), staging_name(partition));
}

/*
 * What the copy relies on: the columns, indexes and foreign keys of the set.
 * A change of one would have to be made to the new tables, too.
 */
static char *
shape_of(const Split *split)
{
	Relation	parent = relation_open(split->set->parent, AccessShareLock);
	Relation	rel = relation_open(split->partition, AccessShareLock);
	TupleDesc	columns = RelationGetDescr(rel);
	List	   *indexes = RelationGetIndexList(parent);
	List	   *keys = RelationGetFKeyList(parent);
	StringInfoData shape;
	ListCell   *cell;

	initStringInfo(&shape);
	for (int i = 0; i < columns->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, i);

		appendStringInfo(&shape, "%s %u %d %d %d,", NameStr(column->attname), column->atttypid, column->atttypmod,
						 column->attisdropped, column->attnotnull);
	}
	foreach(cell, indexes)
		appendStringInfo(&shape, " %u", lfirst_oid(cell));
	foreach(cell, keys)
		appendStringInfo(&shape, " %u", ((ForeignKeyCacheInfo *) lfirst(cell))->conoid);
	relation_close(rel, NoLock);
	relation_close(parent, NoLock);
	return shape.data;
}

/* The parent's foreign keys, and the tables that they refer to. */
static List *
foreign_keys(Oid parent)
{
	Relation	rel = relation_open(parent, AccessShareLock);
	List	   *keys = copyObject(RelationGetFKeyList(rel));

	relation_close(rel, NoLock);
	return keys;
}

/*
 * Locks, and with them the tables that foreign keys refer to: attaching and
 * detaching locks those, too.
 */
static void
lock_all(const Split *split, const PoliteLock *own, int count)
{
	List	   *keys = foreign_keys(split->set->parent);
	PoliteLock *locks = palloc_array(PoliteLock, count + list_length(keys));
	ListCell   *cell;

	memcpy(locks, own, sizeof(PoliteLock) * count);
	foreach(cell, keys)
		locks[count++] = (PoliteLock)
	{
		((ForeignKeyCacheInfo *) lfirst(cell))->confrelid, ShareRowExclusiveLock
	};
	polite_lock_all(psprintf("split partition \"%s\"", set_relation_name(split->partition)),
					split->window_ms, locks, count);
}

/*
 * Another default partition.  It has no rows of the range, and cannot have any
 * while the partition is there; a CHECK says so when that is gone.
 */
bool
split_exclude(const Split *split)
{
	const PartitionSet *set = split->set;
	PoliteLock	lock = {set->default_partition, AccessExclusiveLock};

	if (split->is_default || !OidIsValid(set->default_partition))
		return false;
	lock_all(split, &lock, 1);
	owner_run(set->owner, psprintf("ALTER TABLE %s ADD CONSTRAINT " EXCLUDING_CHECK " CHECK (%s) NOT VALID",
								   set_quoted_name(set->default_partition), set_outside(set, &split->range)));
	return true;
}

void
split_validate(const Split *split)
{
	const PartitionSet *set = split->set;
	PoliteLock	lock = {set->default_partition, ShareUpdateExclusiveLock};

	lock_all(split, &lock, 1);
	owner_run(set->owner, psprintf("ALTER TABLE %s VALIDATE CONSTRAINT " EXCLUDING_CHECK, set_quoted_name(set->default_partition)));
}

/* A partitioned table like the parent, that has nothing to do with it. */
static void
create_staging(const Split *split)
{
	const PartitionSet *set = split->set;
	AsOwner		before;
	char	   *key;

	owner_begin(set->owner, &before);
	key = TextDatumGetCString(OidFunctionCall1(F_PG_GET_PARTKEYDEF, ObjectIdGetDatum(set->parent)));
	owner_end(&before);
	owner_run(set->owner, psprintf("CREATE TABLE %s (LIKE %s INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING INDEXES) PARTITION BY %s",
								   split->staging, set->quoted, key));
}

/* Checked row by row while they are copied, so that nobody waits for it later. */
static void
create_foreign_keys(const Split *split)
{
	List	   *keys = foreign_keys(split->set->parent);
	ListCell   *cell;

	foreach(cell, keys)
	{
		Oid			constraint = ((ForeignKeyCacheInfo *) lfirst(cell))->conoid;
		AsOwner		before;
		char	   *definition;

		owner_begin(split->set->owner, &before);
		definition = TextDatumGetCString(OidFunctionCall1(F_PG_GET_CONSTRAINTDEF_OID, ObjectIdGetDatum(constraint)));
		owner_end(&before);
		owner_run(split->set->owner, psprintf("ALTER TABLE %s ADD CONSTRAINT %s %s", split->staging,
											  quote_identifier(get_constraint_name(constraint)), definition));
	}
}

/* One of the new tables, as a partition of the one that stands aside. */
static char *
create_part(const Split *split, const char *name, const Range *range, Oid *table)
{
	const PartitionSet *set = split->set;
	Likeness	likeness = {set, split->partition, split->caller, NULL};
	char	   *free_name = likeness_free_name(name, get_rel_namespace(split->partition));
	char	   *quoted = likeness_create(&likeness, free_name, range, range == NULL ? NULL : set_range_check(set, range));

	owner_run(set->owner, psprintf("ALTER TABLE %s ATTACH PARTITION %s %s", split->staging, quoted,
								   range == NULL ? "DEFAULT" : psprintf("FOR VALUES %s", likeness_bound(set, range))));
	*table = get_relname_relid(free_name, get_rel_namespace(split->partition));
	return quoted;
}

void
split_stage(Split *split)
{
	const PartitionSet *set = split->set;
	PoliteLock	locks[] = {
		{set->parent, AccessShareLock},
		{split->partition, ShareRowExclusiveLock}
	};
	Relation	rel;
	Oid			index;
	Oid			rest;
	char	   *columns;

	lock_all(split, locks, lengthof(locks));
	rel = relation_open(split->partition, NoLock);
	split->shape = shape_of(split);
	split->staging = staging_quoted(split->partition);
	split->identity = capture_identity(rel, &index);
	split->join = capture_join(rel, index, "r", "n");
	split->written = set_written_columns(split->partition, "");
	columns = capture_columns(rel, split->identity, "");
	/* rows on later pages are written later, and noted */
	split->pages = RelationGetNumberOfBlocks(rel);
	relation_close(rel, NoLock);

	create_staging(split);
	for (int i = 0; i < split->count; i++)
	{
		SplitPart  *part = &split->parts[i];

		CHECK_FOR_INTERRUPTS();
		part->quoted = create_part(split, part->name, &part->range, &part->table);
	}
	if (split->is_default)
		split->rest = create_part(split, set_relation_name(split->partition), NULL, &rest);
	create_foreign_keys(split);
	capture_begin(set->owner, split->extension_schema, split->partition, columns);
}

/*
 * A row that moved to a page that comes later is there already, and was noted.
 */
uint64
split_copy(const Split *split, BlockNumber from, BlockNumber to)
{
	return owner_run(split->set->owner,
					 psprintf("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM ONLY %s AS r"
							  " WHERE r.ctid >= '(%u,0)'::pg_catalog.tid AND r.ctid < '(%u,0)'::pg_catalog.tid ON CONFLICT DO NOTHING",
							  split->staging, split->written, split->written, split->quoted, from, to));
}

/* By the indexes, whatever the planner believes of tables that are new. */
static void
run_by_index(const Split *split, const char *sql)
{
	static const char *const ways[] = {"enable_seqscan", "enable_hashjoin", "enable_mergejoin"};
	AsOwner		before;

	owner_begin(split->set->owner, &before);
	for (size_t i = 0; i < lengthof(ways); i++)
		(void) set_config_option(ways[i], "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	owner_run(split->set->owner, sql);
	owner_end(&before);
}

/*
 * A note that is committed after the first statement is left for another time,
 * so that a row which the third one sees in a later state is copied again.  Two
 * rows that exchanged a unique value in between do the same: the one that finds
 * it taken is noted.
 */
uint64
split_follow(const Split *split)
{
	char	   *notes = capture_notes(split->partition);
	Relation	rel = relation_open(split->partition, AccessShareLock);
	char	   *identity = capture_columns(rel, split->identity, "n.");
	char	   *written = set_written_columns(split->partition, "r.");
	Oid			owner = split->set->owner;
	uint64		count;

	relation_close(rel, NoLock);
	capture_check(owner, split->partition, split->identity);
	count = owner_run(owner, psprintf("UPDATE %s SET " CAPTURE_TAKEN " = true WHERE NOT " CAPTURE_TAKEN, notes));
	if (count == 0)
		return 0;
	run_by_index(split, psprintf("DELETE FROM %s AS r USING %s AS n WHERE n." CAPTURE_TAKEN " AND %s", split->staging, notes, split->join));
	run_by_index(split, psprintf("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s"
								 " FROM (SELECT DISTINCT %s FROM %s AS n WHERE n." CAPTURE_TAKEN ") AS n JOIN ONLY %s AS r ON %s ON CONFLICT DO NOTHING",
								 split->staging, split->written, written, identity, notes, split->quoted, split->join));
	owner_run(owner, psprintf("DELETE FROM %s WHERE " CAPTURE_TAKEN, notes));
	return count;
}

static bool
many_notes(const Split *split)
{
	int64		count = 0;

	(void) owner_ask(split->set->owner, psprintf("SELECT pg_catalog.count(*) FROM (SELECT FROM %s LIMIT %d) AS n",
												 capture_notes(split->partition), NOTES_UNDER_LOCK + 1), &count);
	return count > NOTES_UNDER_LOCK;
}

static void
move_part(const Split *split, const char *quoted, const char *bound)
{
	Oid			owner = split->set->owner;

	owner_run(owner, psprintf("ALTER TABLE %s DETACH PARTITION %s", split->staging, quoted));
	owner_run(owner, psprintf("ALTER TABLE %s ATTACH PARTITION %s %s", split->set->quoted, quoted, bound));
}

/* The new default partition takes the name of the old one. */
static void
move_rest(const Split *split, char **original)
{
	char	   *name = set_relation_name(split->partition);
	Oid			schema = get_rel_namespace(split->partition);
	char	   *quoted = quote_qualified_identifier(get_namespace_name(schema), name);
	char	   *aside = likeness_free_name(staging_name(split->partition), schema);
	Oid			owner = split->set->owner;

	owner_run(owner, psprintf("ALTER TABLE %s RENAME TO %s", quoted, quote_identifier(aside)));
	owner_run(owner, psprintf("ALTER TABLE %s RENAME TO %s", split->rest, quote_identifier(name)));
	move_part(split, quoted, "DEFAULT");
	*original = quote_qualified_identifier(get_namespace_name(schema), aside);
}

static void
drop_excluding_check(Oid owner, Oid default_partition)
{
	if (OidIsValid(default_partition) &&
		OidIsValid(get_relation_constraint_oid(default_partition, EXCLUDING_CHECK, true)))
		owner_run(owner, psprintf("ALTER TABLE %s DROP CONSTRAINT " EXCLUDING_CHECK, set_quoted_name(default_partition)));
}

bool
split_swap(const Split *split, char **original)
{
	const PartitionSet *set = split->set;
	PoliteLock	locks[] = {
		{set->parent, AccessExclusiveLock},
		{split->partition, AccessExclusiveLock},
		{set->default_partition, AccessExclusiveLock}
	};

	lock_all(split, locks, OidIsValid(set->default_partition) && !split->is_default ? 3 : 2);
	if (split_parent(split->partition) != set->parent || strcmp(shape_of(split), split->shape) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("partition \"%s\" was altered while it was split", set_relation_name(split->partition)),
				 errdetail("Columns, indexes or foreign keys of \"%s\" are not what they were.", set->name),
				 errhint("The copy is thrown away; the next try begins anew.")));
	if (many_notes(split))
		return false;
	(void) split_follow(split);

	*original = split->quoted;
	owner_run(set->owner, psprintf("ALTER TABLE %s DETACH PARTITION %s", set->quoted, split->quoted));
	for (int i = 0; i < split->count; i++)
		move_part(split, split->parts[i].quoted, psprintf("FOR VALUES %s", likeness_bound(set, &split->parts[i].range)));
	if (split->is_default)
		move_rest(split, original);
	else
		drop_excluding_check(set->owner, set->default_partition);
	return true;
}

void
split_settle(const Split *split, const SplitPart *part)
{
	PoliteLock	lock = {part->table, AccessExclusiveLock};

	if (!OidIsValid(get_relation_constraint_oid(part->table, SET_RANGE_CHECK, true)))
		return;
	lock_all(split, &lock, 1);
	owner_run(split->set->owner, psprintf("ALTER TABLE %s DROP CONSTRAINT " SET_RANGE_CHECK, set_quoted_name(part->table)));
}

void
split_clear(Oid partition, Oid owner, int window_ms)
{
	Oid			staging = get_relname_relid(staging_name(partition), get_rel_namespace(partition));
	Oid			default_partition = get_rel_relispartition(partition) ?
	get_default_partition_oid(split_parent(partition)) : InvalidOid;
	PoliteLock	locks[2];
	int			count = 0;

	if (capture_exists(partition))
		locks[count++] = (PoliteLock)
	{
		partition, AccessExclusiveLock
	};
	if (OidIsValid(default_partition) &&
		OidIsValid(get_relation_constraint_oid(default_partition, EXCLUDING_CHECK, true)))
		locks[count++] = (PoliteLock)
	{
		default_partition, AccessExclusiveLock
	};
	if (count > 0)
		polite_lock_all(psprintf("clear away what a split of \"%s\" left", set_relation_name(partition)), window_ms, locks, count);
	drop_excluding_check(owner, default_partition);
	capture_end(owner, partition);
	if (OidIsValid(staging))
		owner_run(owner, psprintf("DROP TABLE %s RESTRICT", staging_quoted(partition)));
}
