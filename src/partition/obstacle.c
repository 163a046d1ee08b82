/*-------------------------------------------------------------------------
 *
 * obstacle.c
 *		What would be in the way of a partition's end once it is detached.
 *
 * The runner detaches in a transaction of its own.  What comes to light after
 * it leaves a table that is in no set, and rows that nobody finds: so it is
 * looked for before.
 *
 * src/partition/obstacle.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "partition/drop.h"
#include "partition/owner.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/*
 * What depends on the partition, or on what goes with it, and does not go
 * itself: as DROP ... RESTRICT finds it.  Constraints that have a parent are
 * those of foreign keys on the whole set, which end when it is detached.
 */
static char *
find_dependent(const PartitionSet *set, Oid partition)
{
	Datum		found;

	if (!owner_ask_value(set->owner,
						 psprintf("WITH RECURSIVE goes(classid, objid) AS ("
								  "SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, t.relid::pg_catalog.oid"
								  " FROM pg_catalog.pg_partition_tree(%1$u) AS t"
								  " UNION SELECT d.classid, d.objid FROM goes AS g"
								  " JOIN pg_catalog.pg_depend AS d ON d.refclassid = g.classid AND d.refobjid = g.objid"
								  " WHERE d.deptype IN ('a', 'i', 'P', 'S'))"
								  " SELECT coalesce(CASE WHEN d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass THEN"
								  " (SELECT pg_catalog.pg_describe_object('pg_catalog.pg_class'::pg_catalog.regclass, r.ev_class, 0)"
								  " FROM pg_catalog.pg_rewrite AS r WHERE r.oid = d.objid) END,"
								  " pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid))"
								  " FROM goes AS g JOIN pg_catalog.pg_depend AS d ON d.refclassid = g.classid AND d.refobjid = g.objid"
								  " WHERE d.deptype = 'n' AND (d.classid, d.objid) NOT IN (SELECT o.classid, o.objid FROM goes AS o)"
								  " AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS c WHERE c.oid = d.objid AND c.conparentid <> 0"
								  " AND d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass)"
								  " ORDER BY d.classid, d.objid LIMIT 1", partition),
						 &found))
		return NULL;
	return TextDatumGetCString(found);
}

/* The table's own name, or that of an index, is taken in the schema. */
static char *
find_taken_name(Oid partition, Oid schema)
{
	Relation	rel = relation_open(partition, AccessShareLock);
	List	   *names = list_make1_oid(partition);
	char	   *taken = NULL;
	ListCell   *cell;

	names = list_concat(names, RelationGetIndexList(rel));
	foreach(cell, names)
	{
		char	   *name = get_rel_name(lfirst_oid(cell));

		if (name != NULL && OidIsValid(get_relname_relid(name, schema)))
			taken = name;
	}
	relation_close(rel, NoLock);
	return taken;
}

/* May it be moved there? */
static bool
move_obstacle(const Retirement *retirement, const Retired *retired, Obstacle *obstacle)
{
	const char *schema = retirement->request->move_to_schema;
	Oid			oid = get_namespace_oid(schema, false);
	Oid			owner = owner_of(retired->partition);
	char	   *taken;

	if (oid == get_rel_namespace(retired->partition))
		return false;
	if (!MAY_CREATE_IN(oid, owner))
	{
		obstacle->sqlstate = ERRCODE_INSUFFICIENT_PRIVILEGE;
		obstacle->message = psprintf("cannot move partition \"%s\" to schema \"%s\"", retired->name, schema);
		obstacle->detail = psprintf("Role \"%s\", who owns it, may not create anything there.", GetUserNameFromId(owner, false));
		obstacle->hint = psprintf("GRANT CREATE, USAGE ON SCHEMA %s TO %s.", quote_identifier(schema), quote_identifier(GetUserNameFromId(owner, false)));
		return true;
	}
	taken = find_taken_name(retired->partition, oid);
	if (taken == NULL)
		return false;
	obstacle->sqlstate = ERRCODE_DUPLICATE_TABLE;
	obstacle->message = psprintf("cannot move partition \"%s\" to schema \"%s\"", retired->name, schema);
	obstacle->detail = psprintf("Relation \"%s\" exists there already.", taken);
	obstacle->hint = pstrdup("Rename or drop that one.");
	return true;
}

bool
drop_obstacle(const Retirement *retirement, const Retired *retired, Obstacle *obstacle)
{
	char	   *dependent;

	if (retirement->request->move_to_schema != NULL)
		return move_obstacle(retirement, retired, obstacle);
	if (retirement->request->detach_only)
		return false;
	dependent = find_dependent(retirement->set, retired->partition);
	if (dependent == NULL)
		return false;
	obstacle->sqlstate = ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST;
	obstacle->message = psprintf("cannot drop partition \"%s\"", retired->name);
	obstacle->detail = psprintf("%c%s depends on it.", pg_toupper(dependent[0]), dependent + 1);
	obstacle->hint = pstrdup("Drop that first, or set a policy with detach_only => true.");
	return true;
}
