/*-------------------------------------------------------------------------
 *
 * foreign.c
 *		Foreign keys of tables that hold a copy of another one's rows.
 *
 * ALTER TABLE ... DISABLE TRIGGER would do for the triggers on a table, for a
 * superuser; on the table that is referred to it finds them by names alone.
 * So the catalog is changed, as that command does.
 *
 * src/partition/foreign.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "partition/foreign.h"
#include "partition/owner.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

List *
foreign_keys(Oid table)
{
	Relation	rel = relation_open(table, AccessShareLock);
	List	   *keys = copyObject(RelationGetFKeyList(rel));

	relation_close(rel, NoLock);
	return keys;
}

static PoliteLock *
add_locks(List *tables, LOCKMODE mode, const PoliteLock *own, int *count)
{
	PoliteLock *locks = palloc_array(PoliteLock, *count + list_length(tables));
	ListCell   *cell;

	memcpy(locks, own, sizeof(PoliteLock) * *count);
	foreach(cell, tables)
		locks[(*count)++] = (PoliteLock)
	{
		lfirst_oid(cell), mode
	};
	return locks;
}

PoliteLock *
foreign_locks(Oid table, LOCKMODE mode, const PoliteLock *own, int *count)
{
	List	   *tables = NIL;
	List	   *keys = foreign_keys(table);
	ListCell   *cell;

	/* of a partitioned one each partition has triggers, too */
	foreach(cell, keys)
		tables = list_concat_unique_oid(tables, find_all_inheritors(((ForeignKeyCacheInfo *) lfirst(cell))->confrelid, NoLock, NULL));
	return add_locks(tables, mode, own, count);
}

PoliteLock *
foreign_locks_both(Oid table, LOCKMODE mode, const PoliteLock *own, int *count)
{
	Relation	rel = relation_open(table, AccessShareLock);
	List	   *tables = NIL;

	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (RI_FKey_trigger_type(trigger->tgfoid) == RI_TRIGGER_PK && trigger->tgconstrrelid != table)
			tables = list_append_unique_oid(tables, trigger->tgconstrrelid);
	}
	relation_close(rel, NoLock);
	own = foreign_locks(table, mode, own, count);
	return add_locks(tables, mode, own, count);
}

bool
foreign_is_referenced(Oid table)
{
	Relation	rel = relation_open(table, AccessShareLock);
	bool		referenced = false;

	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		if (RI_FKey_trigger_type(rel->trigdesc->triggers[i].tgfoid) == RI_TRIGGER_PK)
			referenced = true;
	}
	relation_close(rel, NoLock);
	return referenced;
}

void
foreign_copy(Oid role, Oid from, Oid table, const char *quoted)
{
	List	   *keys = foreign_keys(from);
	ListCell   *cell;

	foreach(cell, keys)
	{
		Oid			constraint = ((ForeignKeyCacheInfo *) lfirst(cell))->conoid;
		AsOwner		before;
		char	   *definition;

		/* deparsed where nothing but the catalogs is in sight */
		owner_begin(role, &before);
		definition = TextDatumGetCString(OidFunctionCall1(F_PG_GET_CONSTRAINTDEF_OID, ObjectIdGetDatum(constraint)));
		owner_end(&before);
		owner_run(role, psprintf("ALTER TABLE %s ADD CONSTRAINT %s %s", quoted,
								 quote_identifier(get_constraint_name(constraint)), definition));
	}
	foreign_stop(table);
}

/* Of the triggers of a constraint those on the table; InvalidOid: all. */
static void
set_triggers(Oid constraint, Oid table, char enabled)
{
	Relation	triggers = table_open(TriggerRelationId, RowExclusiveLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_trigger_tgconstraint, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(constraint));
	scan = systable_beginscan(triggers, TriggerConstraintIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(tuple);

		if (trigger->tgenabled == enabled || (OidIsValid(table) && trigger->tgrelid != table))
			continue;
		tuple = heap_copytuple(tuple);
		trigger = (Form_pg_trigger) GETSTRUCT(tuple);
		trigger->tgenabled = enabled;
		CatalogTupleUpdate(triggers, &tuple->t_self, tuple);
		CacheInvalidateRelcacheByRelid(trigger->tgrelid);
		heap_freetuple(tuple);
	}
	systable_endscan(scan);
	table_close(triggers, RowExclusiveLock);
}

/* The constraint's own ones, and those that it has on partitions. */
static void
stop_constraint(Oid constraint)
{
	Relation	constraints = table_open(ConstraintRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	set_triggers(constraint, InvalidOid, TRIGGER_DISABLED);
	ScanKeyInit(&key, Anum_pg_constraint_conparentid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(constraint));
	scan = systable_beginscan(constraints, ConstraintParentIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		stop_constraint(((Form_pg_constraint) GETSTRUCT(tuple))->oid);
	systable_endscan(scan);
	table_close(constraints, AccessShareLock);
}

void
foreign_stop(Oid table)
{
	List	   *keys = foreign_keys(table);
	ListCell   *cell;

	CommandCounterIncrement();
	foreach(cell, keys)
		stop_constraint(((ForeignKeyCacheInfo *) lfirst(cell))->conoid);
	CommandCounterIncrement();
}

void
foreign_start(Oid table)
{
	List	   *keys = foreign_keys(table);
	ListCell   *cell;

	foreach(cell, keys)
		set_triggers(((ForeignKeyCacheInfo *) lfirst(cell))->conoid, table, TRIGGER_FIRES_ON_ORIGIN);
	CommandCounterIncrement();
}

/* Does one of the table's own triggers of the foreign key stand still? */
static bool
stands_still(Relation rel, Oid constraint)
{
	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (trigger->tgconstraint == constraint && trigger->tgenabled == TRIGGER_DISABLED)
			return true;
	}
	return false;
}

static List *
stopped_keys(Oid table)
{
	Relation	rel = relation_open(table, AccessShareLock);
	List	   *keys = copyObject(RelationGetFKeyList(rel));
	List	   *stopped = NIL;
	ListCell   *cell;

	foreach(cell, keys)
	{
		Oid			constraint = ((ForeignKeyCacheInfo *) lfirst(cell))->conoid;

		if (stands_still(rel, constraint))
			stopped = lappend_oid(stopped, constraint);
	}
	relation_close(rel, NoLock);
	return stopped;
}

bool
foreign_has_stopped(Oid table)
{
	return stopped_keys(table) != NIL;
}

void
foreign_drop_stopped(Oid role, Oid table, const char *quoted)
{
	List	   *stopped = stopped_keys(table);
	ListCell   *cell;

	foreach(cell, stopped)
		owner_run(role, psprintf("ALTER TABLE %s DROP CONSTRAINT %s", quoted,
								 quote_identifier(get_constraint_name(lfirst_oid(cell)))));
}
