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

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/indexing.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "collect/host.h"
#include "commands/tablespace.h"
#include "miscadmin.h"
#include "partition/capture.h"
#include "partition/drop.h"
#include "partition/foreign.h"
#include "partition/likeness.h"
#include "partition/owner.h"
#include "partition/split.h"
#include "polite/polite.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

static char *
staging_name(Oid partition)
{
	return psprintf("dbmaint_split_%u", partition);
}

/* On another default partition; no name that somebody else would choose. */
static char *
excluding_name(Oid partition)
{
	return psprintf("dbmaint_split_%u_range", partition);
}

static char *
staging_quoted(Oid partition)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(partition)), staging_name(partition));
}

/*
 * What the copy relies on: the columns, CHECKs, indexes and foreign keys of the
 * set, and that the rows stay on their pages.  A change of one would have to be made
 * to the new tables, too.
 */
static char *
shape_of(const Split *split)
{
	Relation	parent = relation_open(split->set->parent, AccessShareLock);
	Relation	rel = relation_open(split->partition, AccessShareLock);
	TupleDesc	columns = RelationGetDescr(rel);
	TupleConstr *checks = RelationGetDescr(parent)->constr;
	List	   *indexes = RelationGetIndexList(parent);
	List	   *keys = RelationGetFKeyList(parent);
	StringInfoData shape;
	ListCell   *cell;

	initStringInfo(&shape);
	appendStringInfo(&shape, "%s %u %u,", set_quoted_name(split->partition), parent->rd_rel->relowner, rel->rd_rel->relfilenode);
	for (int i = 0; i < columns->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, i);

		appendStringInfo(&shape, " %s %u %d %d %d,", NameStr(column->attname), column->atttypid, column->atttypmod,
						 column->attisdropped, column->attnotnull);
	}
	for (int i = 0; i < (checks == NULL ? 0 : checks->num_check); i++)
		appendStringInfo(&shape, " %s", checks->check[i].ccname);
	foreach(cell, indexes)
		appendStringInfo(&shape, " %u", lfirst_oid(cell));
	foreach(cell, keys)
		appendStringInfo(&shape, " %u", ((ForeignKeyCacheInfo *) lfirst(cell))->conoid);
	relation_close(rel, NoLock);
	relation_close(parent, NoLock);
	return shape.data;
}

static void
refuse_altered(const Split *split, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("partition \"%s\" was altered while it was split", set_relation_name(split->partition)),
			 errdetail("%s", detail),
			 errhint("The copy is thrown away; the next try begins anew.")));
}

void
split_require_shape(const Split *split)
{
	if (split_parent(split->partition) != split->set->parent)
		refuse_altered(split, psprintf("It is no partition of \"%s\" any more.", split->set->name));
	if (strcmp(shape_of(split), split->shape) != 0)
		refuse_altered(split, psprintf("Its name, its file, its columns, or CHECKs, indexes or foreign keys of \"%s\", are not what they were.", split->set->name));
}

/* Are the ranges that the new tables are to have still to be had? */
static void
require_ranges(const Split *split)
{
	SetOptions	options = {.ranges_only = true};
	Relation	parent = relation_open(split->set->parent, NoLock);
	PartitionSet *set = set_read(parent, &options, split->extension_schema);

	relation_close(parent, NoLock);
	if (set->default_partition != split->set->default_partition)
		refuse_altered(split, psprintf("The default partition of \"%s\" is another one.", set->name));
	for (int i = 0; i < set->count; i++)
	{
		const Range *range = &set->ranges[i];

		if (set->partitions[i] == split->partition && (range->from != split->range.from || range->to != split->range.to))
			refuse_altered(split, "Its range is another one.");
		for (int part = 0; split->is_default && part < split->count; part++)
		{
			if (range->from < split->parts[part].range.to && split->parts[part].range.from < range->to)
				refuse_altered(split, psprintf("Partition \"%s\" has a range of one of the new ones.", set_relation_name(set->partitions[i])));
		}
	}
}

/* Locks, and with them the tables that foreign keys refer to. */
static void
lock_all(const Split *split, const PoliteLock *own, int count, LOCKMODE referenced)
{
	PoliteLock *locks = foreign_locks(split->set->parent, referenced, own, &count);

	polite_lock_all(psprintf("split partition \"%s\"", set_relation_name(split->partition)),
					split->window_ms, locks, count);
}

static void
lock_one(const Split *split, Oid relation, LOCKMODE mode)
{
	PoliteLock	lock = {relation, mode};

	polite_lock_all(psprintf("split partition \"%s\"", set_relation_name(split->partition)),
					split->window_ms, &lock, 1);
}

/*
 * Another default partition.  It has no rows of the range, and cannot have any
 * while the partition is there; a CHECK says so when that is gone.
 */
bool
split_exclude(const Split *split)
{
	const PartitionSet *set = split->set;

	if (split->is_default || !OidIsValid(set->default_partition))
		return false;
	lock_one(split, set->default_partition, AccessExclusiveLock);
	owner_run(set->owner, psprintf("ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s) NOT VALID", set_quoted_name(set->default_partition),
								   excluding_name(split->partition), set_outside(set, &split->range)));
	return true;
}

void
split_validate(const Split *split)
{
	const PartitionSet *set = split->set;

	lock_one(split, set->default_partition, ShareUpdateExclusiveLock);
	owner_run(set->owner, psprintf("ALTER TABLE %s VALIDATE CONSTRAINT %s", set_quoted_name(set->default_partition),
								   excluding_name(split->partition)));
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

/* One of the new tables, as a partition of the one that stands aside. */
static char *
create_part(const Split *split, const char *name, const Range *range)
{
	const PartitionSet *set = split->set;
	Likeness	likeness = {set, split->partition, split->caller, NULL};
	char	   *free_name = likeness_free_name(name, get_rel_namespace(split->partition));
	char	   *quoted = likeness_create(&likeness, free_name, range, range == NULL ? NULL : set_range_check(set, range));

	foreign_copy(set->owner, set->parent, get_relname_relid(free_name, get_rel_namespace(split->partition)), quoted);
	owner_run(set->owner, psprintf("ALTER TABLE %s ATTACH PARTITION %s %s", split->staging, quoted,
								   range == NULL ? "DEFAULT" : psprintf("FOR VALUES %s", likeness_bound(set, range))));
	return quoted;
}

/*
 * A full disk would stop all who write.  What is to be copied takes as much as
 * it takes now, and a tenth more for the WAL and for who else writes; the copy
 * lies where the partition does (its indexes may not, but are counted).
 */
void
split_require_room(const Split *split, BlockNumber copied)
{
	Oid			tablespace = get_rel_tablespace(split->partition);
	double		left = split->pages > 0 ? 1.0 - (double) copied / split->pages : 1.0;
	int64		needed = (int64) (drop_size(split->partition) * left * 1.1);
	int64		free_bytes;

	if (!OidIsValid(tablespace))
		tablespace = MyDatabaseTableSpace;
	if (!host_free_bytes(tablespace, &free_bytes) || free_bytes >= needed)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DISK_FULL),
			 errmsg("too little free disk space to split partition \"%s\"", set_relation_name(split->partition)),
			 errdetail("What is still to be copied takes about " INT64_FORMAT " MB, and tablespace \"%s\" has " INT64_FORMAT " MB free.",
					   needed / (1024 * 1024) + 1, get_tablespace_name(tablespace), free_bytes / (1024 * 1024)),
			 errhint("Free some space, or move the partition to a tablespace that has more, and try again.")));
}

void
split_stage(Split *split)
{
	Relation	rel;
	Oid			index;

	split_require_room(split, 0);
	split->shape = shape_of(split);
	rel = relation_open(split->partition, AccessShareLock);
	split->staging = staging_quoted(split->partition);
	split->notes = capture_notes(split->partition);
	split->sums = capture_sums(split->partition);
	split->identity = capture_identity(rel, &index);
	split->join = capture_join(rel, index, "r", "n");
	split->written = set_written_columns(split->partition, "");
	relation_close(rel, NoLock);
	create_staging(split);
}

void
split_add(Split *split, int number)
{
	/* the tables that foreign keys refer to */
	lock_all(split, NULL, 0, ShareRowExclusiveLock);
	split_require_shape(split);
	if (number < split->count)
		split->parts[number].quoted = create_part(split, split->parts[number].name, &split->parts[number].range);
	else
		split->rest = create_part(split, set_relation_name(split->partition), NULL);
}

void
split_capture(Split *split)
{
	Relation	rel;
	char	   *columns;

	lock_one(split, split->partition, ShareRowExclusiveLock);
	split_require_shape(split);
	rel = relation_open(split->partition, NoLock);
	/* rows on later pages are written later, and noted */
	split->pages = RelationGetNumberOfBlocks(rel);
	columns = capture_columns(rel, split->identity, "");
	relation_close(rel, NoLock);
	capture_begin(split->set->owner, split->extension_schema, split->partition, columns);
}

static void
move_part(const Split *split, const char *quoted, const char *bound, bool check)
{
	Oid			owner = split->set->owner;

	owner_run(owner, psprintf("ALTER TABLE %s DETACH PARTITION %s", split->staging, quoted));
	owner_run(owner, psprintf("ALTER TABLE %s ATTACH PARTITION %s %s", split->set->quoted, quoted, bound));
	if (check)
		owner_run(owner, psprintf("ALTER TABLE %s DROP CONSTRAINT " SET_RANGE_CHECK, quoted));
}

/* What was detached has foreign keys of its own by now; ours come into force. */
static void
move_foreign_keys(const Split *split)
{
	ListCell   *cell;
	List	   *partitions;

	if (foreign_keys(split->set->parent) == NIL)
		return;
	foreign_stop(split->partition);
	partitions = find_inheritance_children(split->set->parent, NoLock);
	foreach(cell, partitions)
		foreign_start(lfirst_oid(cell));
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
	move_part(split, quoted, "DEFAULT", false);
	*original = quote_qualified_identifier(get_namespace_name(schema), aside);
}

static void
drop_excluding_check(Oid owner, Oid default_partition, Oid partition)
{
	char	   *name = excluding_name(partition);

	if (OidIsValid(default_partition) &&
		OidIsValid(get_relation_constraint_oid(default_partition, name, true)))
		owner_run(owner, psprintf("ALTER TABLE %s DROP CONSTRAINT %s", set_quoted_name(default_partition), name));
}

bool
split_swap(const Split *split, char **original, TimestampTz *locked)
{
	const PartitionSet *set = split->set;
	PoliteLock	locks[] = {
		{set->parent, AccessExclusiveLock},
		{split->partition, AccessExclusiveLock},
		{set->default_partition, AccessExclusiveLock}
	};

	lock_all(split, locks, OidIsValid(set->default_partition) && !split->is_default ? 3 : 2, AccessExclusiveLock);
	*locked = GetCurrentTimestamp();
	split_require_shape(split);
	split_refuse_users(split);
	require_ranges(split);
	if (!split_follow_last(split))
		return false;

	*original = split->quoted;
	owner_run(set->owner, psprintf("ALTER TABLE %s DETACH PARTITION %s", set->quoted, split->quoted));
	for (int i = 0; i < split->count; i++)
		move_part(split, split->parts[i].quoted, psprintf("FOR VALUES %s", likeness_bound(set, &split->parts[i].range)), true);
	if (split->is_default)
		move_rest(split, original);
	else
		drop_excluding_check(set->owner, set->default_partition, split->partition);
	move_foreign_keys(split);
	split_close(split, *original);
	return true;
}

/* The table that has such a CHECK, and is the role's to alter. */
static Oid
find_excluding_check(Oid partition, Oid role)
{
	Relation	constraints = table_open(ConstraintRelationId, AccessShareLock);
	Oid			found = InvalidOid;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_constraint_conname, BTEqualStrategyNumber, F_NAMEEQ, CStringGetDatum(excluding_name(partition)));
	scan = systable_beginscan(constraints, ConstraintNameNspIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Oid			relation = ((Form_pg_constraint) GETSTRUCT(tuple))->conrelid;

		if (OidIsValid(relation) && relation_owned_by(relation, role))
			found = relation;
	}
	systable_endscan(scan);
	table_close(constraints, AccessShareLock);
	return found;
}

/* What has foreign keys, of which some will be dropped with their triggers. */
static Oid
find_foreign_keys(Oid partition, Oid staging)
{
	List	   *parts = OidIsValid(staging) ? find_inheritance_children(staging, NoLock) : NIL;

	if (parts != NIL)
		return linitial_oid(parts);
	return get_rel_relkind(partition) == RELKIND_RELATION && foreign_has_stopped(partition) ? partition : InvalidOid;
}

/* The partition may be no partition any more, in another schema, or gone. */
void
split_clear(Oid partition, Oid role, int window_ms)
{
	Oid			staging = capture_find(staging_name(partition), RELKIND_PARTITIONED_TABLE, role);
	Oid			excluded = find_excluding_check(partition, role);
	Oid			referring = find_foreign_keys(partition, staging);
	bool		captured = capture_exists(partition);
	PoliteLock	own[2];
	PoliteLock *locks = own;
	int			count = 0;

	if (captured || referring == partition)
		own[count++] = (PoliteLock)
	{
		partition, AccessExclusiveLock
	};
	if (OidIsValid(excluded))
		own[count++] = (PoliteLock)
	{
		excluded, AccessExclusiveLock
	};
	if (OidIsValid(referring))
		locks = foreign_locks(referring, AccessExclusiveLock, own, &count);
	if (count > 0)
		polite_lock_all(psprintf("clear away what a split of \"%s\" left", set_relation_name(partition)), window_ms, locks, count);
	if (OidIsValid(excluded))
		drop_excluding_check(owner_of(excluded), excluded, partition);
	/* still a partition: its foreign keys are the parent's, and in force */
	if (captured && !get_rel_relispartition(partition))
		foreign_drop_stopped(owner_of(partition), partition, set_quoted_name(partition));
	capture_end(partition, role);
	if (OidIsValid(staging))
		owner_run(owner_of(staging), psprintf("DROP TABLE %s RESTRICT", set_quoted_name(staging)));
}
