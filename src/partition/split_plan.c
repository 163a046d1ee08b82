/*-------------------------------------------------------------------------
 *
 * split_plan.c
 *		Into what a partition is divided.
 *
 * src/partition/split_plan.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "mb/pg_wchar.h"
#include "partition/capture.h"
#include "partition/drop.h"
#include "partition/likeness.h"
#include "partition/name.h"
#include "partition/owner.h"
#include "partition/recorded.h"
#include "partition/split.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

Oid
split_parent(Oid partition)
{
	char	   *name = set_relation_name(partition);

	if (!get_rel_relispartition(partition))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a partition", name)));
	return get_partition_parent(partition, true);
}

/* Names them; returns whether the pattern tells them apart. */
static bool
name_by(Split *split, const NamePattern *pattern)
{
	bool		apart = true;

	for (int i = 0; i < split->count; i++)
	{
		split->parts[i].name = likeness_name(split->set, pattern, &split->parts[i].period);
		if (i > 0 && strcmp(split->parts[i].name, split->parts[i - 1].name) == 0)
			apart = false;
	}
	return apart;
}

/* Is it the name of one before it? */
static bool
is_named(const Split *split, int count, const char *name)
{
	for (int i = 0; i < count; i++)
	{
		if (strcmp(split->parts[i].name, name) == 0)
			return true;
	}
	return false;
}

/*
 * As the others are named; by days, say, where those are named by months and
 * would have the same name each.
 */
static void
name_parts(Split *split)
{
	Oid			schema = get_rel_namespace(split->partition);
	NamePattern pattern;

	likeness_names(split->set, &pattern);
	if (!name_by(split, &pattern))
	{
		likeness_default_names(split->set, &split->parts[0].period, &pattern);
		(void) name_by(split, &pattern);
	}
	for (int i = 0; i < split->count; i++)
	{
		SplitPart  *part = &split->parts[i];
		char	   *name = part->name;

		part->name = likeness_free_name(name, schema);
		for (int number = 1; is_named(split, i, part->name); number++)
		{
			char	   *numbered = palloc(NAMEDATALEN);

			CHECK_FOR_INTERRUPTS();
			name_number(name, number, pg_mbcliplen, numbered);
			part->name = likeness_free_name(numbered, schema);
		}
	}
}

static void
refuse(const Split *split, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot split partition \"%s\"", set_relation_name(split->partition)),
			 errdetail("%s", detail),
			 hint != NULL ? errhint("%s", hint) : 0));
}

/* The constraint as the user made it: those of partitions have names of the server's. */
static char *
made_constraint(Oid constraint)
{
	for (;;)
	{
		HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
		Oid			parent;

		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for constraint %u", constraint);
		parent = ((Form_pg_constraint) GETSTRUCT(tuple))->conparentid;
		ReleaseSysCache(tuple);
		if (!OidIsValid(parent))
			return get_constraint_name(constraint);
		constraint = parent;
	}
}

/* What a partition has and its parent has not, the new ones would not have. */
static void
refuse_own_trigger(const Split *split, const Trigger *trigger)
{
	if (RI_FKey_trigger_type(trigger->tgfoid) == RI_TRIGGER_PK)
		refuse(split, psprintf("Foreign key \"%s\" of table \"%s\" refers to its rows.", made_constraint(trigger->tgconstraint),
							   set_relation_name(trigger->tgconstrrelid)),
			   "Drop the foreign key, split it, and add the foreign key again.");
	if (trigger->tgisclone)
		return;
	if (RI_FKey_trigger_type(trigger->tgfoid) == RI_TRIGGER_FK)
		refuse(split, psprintf("Foreign key \"%s\" is its own, and the new ones would not have it.", get_constraint_name(trigger->tgconstraint)),
			   psprintf("Give it to \"%s\", or drop it.", split->set->name));
	if (!trigger->tgisinternal && !capture_is_own(trigger->tgname))
		refuse(split, psprintf("Trigger \"%s\" is its own, and the new ones would not have it.", trigger->tgname),
			   psprintf("Give it to \"%s\", or drop it.", split->set->name));
}

/*
 * Such a value may be there twice: until a transaction ends; or for good, where
 * the index came to no end or waits for those of the partitions.  The copy of
 * one that is not valid would be valid.
 */
static void
refuse_index(const Split *split, Oid index_id)
{
	Relation	index = index_open(index_id, AccessShareLock);
	Form_pg_index form = index->rd_index;
	const char *name = RelationGetRelationName(index);

	if (!form->indimmediate)
		refuse(split, psprintf("Constraint \"%s\" is deferrable.", name),
			   "Make it one that is not: what is copied cannot be told from what is deferred.");
	if ((form->indisunique || form->indisexclusion) && (!form->indisvalid || !form->indisready))
		refuse(split, psprintf("Unique index \"%s\" of \"%s\" is not valid, so that values may be there twice.", name, set_relation_name(form->indrelid)),
			   form->indrelid == split->partition ? psprintf("DROP INDEX %1$s, or REINDEX INDEX %1$s.", set_quoted_name(index_id)) :
			   "Attach the indexes of all partitions to it, or drop it.");
	index_close(index, AccessShareLock);
}

static void
refuse_indexes(const Split *split, Relation rel)
{
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *cell;

	foreach(cell, indexes)
		refuse_index(split, lfirst_oid(cell));
}

static void
check_partition(const Split *split, Relation rel)
{
	Oid			index;

	if (PartitionHasPendingDetach(split->partition))
		refuse(split, psprintf("It is being detached from \"%s\".", split->set->name), NULL);
	if (rel->rd_rel->relkind != RELKIND_RELATION)
		refuse(split, "It is no ordinary table.", rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ?
			   "Split its own partitions." : NULL);
	if (rel->rd_rel->relowner != split->set->owner)
		refuse(split, psprintf("Its owner is not that of \"%s\".", split->set->name),
			   psprintf("ALTER TABLE %s OWNER TO %s.", split->quoted, quote_identifier(GetUserNameFromId(split->set->owner, false))));
	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
		refuse_own_trigger(split, &rel->trigdesc->triggers[i]);
	refuse_indexes(split, rel);
	if (capture_identity(rel, &index) == NIL)
		refuse(split, "Nothing identifies its rows, so that changes to them cannot be followed.",
			   "Add a primary key, or a unique index of columns that are NOT NULL.");
}

/*
 * What is copied would be published before it is in its place, to subscribers
 * who have no such table.
 */
static void
refuse_published(const Split *split)
{
	Datum		name;

	if (owner_ask_value(split->set->owner,
						psprintf("SELECT p.pubname FROM pg_catalog.pg_publication AS p WHERE p.puballtables"
								 " OR EXISTS (SELECT FROM pg_catalog.pg_publication_rel AS r WHERE r.prpubid = p.oid AND r.prrelid = %u)"
								 " OR EXISTS (SELECT FROM pg_catalog.pg_publication_namespace AS n WHERE n.pnpubid = p.oid AND n.pnnspid = %u)",
								 split->partition, get_rel_namespace(split->partition)), &name))
		refuse(split, psprintf("Publication \"%s\" has it, and would have the new tables before they are in their place.", NameStr(*DatumGetName(name))),
			   "Publish the partitioned table instead, with publish_via_partition_root.");
	if (owner_ask_value(split->set->owner,
						psprintf("SELECT s.srsubid FROM pg_catalog.pg_subscription_rel AS s WHERE s.srrelid = %u LIMIT 1", split->partition), &name))
		refuse(split, "A subscription writes into it by its name.", "Let the subscription write into the partitioned table.");
}

/*
 * What means the partition would go on to mean the table that it was: a view
 * would show its rows as they were.  So would a rule of its own do nothing.
 */
static void
refuse_dependents(const Split *split)
{
	Datum		name;

	if (owner_ask_value(split->set->owner,
						psprintf("SELECT w.rulename FROM pg_catalog.pg_rewrite AS w WHERE w.ev_class = %u ORDER BY 1 LIMIT 1", split->partition), &name))
		refuse(split, psprintf("Rule \"%s\" is its own, and the new ones would not have it.", NameStr(*DatumGetName(name))), "Drop the rule.");
	if (owner_ask_value(split->set->owner,
						psprintf("SELECT o.name FROM (SELECT CASE WHEN w.oid IS NULL THEN pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)"
								 " ELSE pg_catalog.pg_describe_object('pg_catalog.pg_class'::pg_catalog.regclass, w.ev_class, 0) END AS name"
								 " FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_type AS y ON y.oid = c.reltype"
								 " JOIN pg_catalog.pg_depend AS d ON d.deptype = 'n' AND (d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = c.oid"
								 " OR d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.refobjid IN (y.oid, y.typarray))"
								 " LEFT JOIN pg_catalog.pg_rewrite AS w ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND w.oid = d.objid"
								 " WHERE c.oid = %u AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS n WHERE d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND n.oid = d.objid AND n.conrelid = c.oid)"
								 " AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger AS n WHERE d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND n.oid = d.objid AND n.tgrelid = c.oid)"
								 " AND NOT EXISTS (SELECT FROM pg_catalog.pg_policy AS n WHERE d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND n.oid = d.objid AND n.polrelid = c.oid)"
								 " AND NOT EXISTS (SELECT FROM pg_catalog.pg_attrdef AS n WHERE d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND n.oid = d.objid AND n.adrelid = c.oid)"
								 " AND (d.classid, d.objid) <> ('pg_catalog.pg_class'::pg_catalog.regclass, c.oid)) AS o ORDER BY 1 LIMIT 1",
								 split->partition), &name))
		refuse(split, psprintf("What depends on it would go on to mean the table that it was: %s.", TextDatumGetCString(name)),
			   psprintf("Make it mean \"%s\", or drop it.", split->set->name));
}

void
split_refuse_users(const Split *split)
{
	refuse_published(split);
	refuse_dependents(split);
}

static void
find_partition(Split *split)
{
	const PartitionSet *set = split->set;

	split->is_default = split->partition == set->default_partition;
	if (split->is_default)
		return;
	for (int i = 0; i < set->count; i++)
	{
		if (set->partitions[i] == split->partition)
		{
			split->range = set->ranges[i];
			if (set->calendar != NULL &&
				(split->range.from == RANGE_INFINITE_PAST || split->range.to == RANGE_INFINITE_FUTURE))
				refuse(split, "Its range begins or ends at an infinity.", NULL);
			return;
		}
	}
	refuse(split, psprintf("It is being detached from \"%s\".", set->name), NULL);
}

/*
 * Steps of numbers that were said begin where the partition does, or the first
 * one of the set; not at the end of the set, where new ones would go on.
 */
static void
place_steps(Split *split)
{
	PartitionSet *set = split->set;
	Range		range = split->is_default && set->count > 0 ? set->ranges[0] : split->range;
	int64		anchor = range.from != RANGE_MINVALUE ? range.from : range.to;
	int64		floor;
	Period		period = set->grid.period;

	if (set->calendar != NULL || (split->is_default && set->count == 0))
		return;
	grid_natural(&period, NULL, &set->grid);
	if (anchor != RANGE_MAXVALUE && (!grid_floor(&set->grid, anchor, &floor) || floor != anchor))
		grid_through(&period, NULL, anchor, &set->grid);
}

void
split_look(Split *split)
{
	Relation	parent = relation_open(split_parent(split->partition), AccessShareLock);
	Relation	rel = relation_open(split->partition, AccessShareLock);
	SetOptions	options = {.period = split->period};

	split->set = set_read(parent, &options, split->extension_schema);
	split->quoted = set_quoted_name(split->partition);
	check_partition(split, rel);
	refuse_indexes(split, parent);
	relation_close(parent, NoLock);
	relation_close(rel, NoLock);
	find_partition(split);
	split_refuse_users(split);
	if (!split->set->has_grid)
		create_refuse_unknown_grid(split->set);
	drop_require_zone(split->set);
	if (split->period != NULL)
		place_steps(split);
}

void
split_plan(Split *split)
{
	split_look(split);
	split->parts = palloc_array(SplitPart, CREATE_MOST);
	split->count = 0;
	split->cut = false;
	split_find_periods(split);
	if (split->count < (split->is_default ? 1 : 2))
		refuse(split, split->is_default ? "None of its rows has a period of its own." :
			   "It holds rows of no more than one period.", NULL);
	name_parts(split);
}
