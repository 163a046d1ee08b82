/*-------------------------------------------------------------------------
 *
 * move.c
 *		Moves rows of a default partition into a table that will be a partition.
 *
 * src/partition/move.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/relation.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "partition/foreign.h"
#include "partition/move.h"
#include "partition/owner.h"
#include "utils/builtins.h"

/* The publication that has it, whatever table of the tree is named in it. */
static char *
publication_of(Oid owner, Oid relation)
{
	Datum		name;

	if (!owner_ask_value(owner,
						 psprintf("WITH tree AS (SELECT a.relid FROM pg_catalog.pg_partition_ancestors(%u) AS a"
								  " UNION SELECT t.relid FROM pg_catalog.pg_partition_tree(%u) AS t)"
								  " SELECT p.pubname FROM pg_catalog.pg_publication AS p WHERE (p.pubinsert OR p.pubdelete) AND (p.puballtables"
								  " OR EXISTS (SELECT FROM pg_catalog.pg_publication_rel AS r, tree WHERE r.prpubid = p.oid AND r.prrelid = tree.relid)"
								  " OR EXISTS (SELECT FROM pg_catalog.pg_publication_namespace AS n, tree, pg_catalog.pg_class AS c"
								  " WHERE n.pnpubid = p.oid AND c.oid = tree.relid AND n.pnnspid = c.relnamespace))"
								  " ORDER BY p.pubname",
								  relation, relation), &name))
		return NULL;
	return pstrdup(NameStr(*DatumGetName(name)));
}

char *
move_obstacle(Oid owner, Oid default_partition)
{
	char	   *publication;

	if (foreign_is_referenced(default_partition))
		return "A foreign key refers to them: moving deletes them first, and what refers to them would go with them.";
	publication = publication_of(owner, default_partition);
	if (publication != NULL)
		return psprintf("Publication \"%s\" would tell its subscribers that they are deleted, and not that they are somewhere else now.", publication);
	return NULL;
}

void
move_refuse(const PartitionSet *set, const char *obstacle)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot move rows out of default partition \"%s\"", set_relation_name(set->default_partition)),
			 errdetail("%s", obstacle),
			 errhint("default_rows => 'skip' leaves this partition out, and dbmaint_split_partition() may be able to divide the default partition; or drop the foreign key or the publication, move them, and add it again.")));
}

static const char *
enabling(char enabled)
{
	return enabled == TRIGGER_FIRES_ALWAYS ? "ENABLE ALWAYS" :
		enabled == TRIGGER_FIRES_ON_REPLICA ? "ENABLE REPLICA" : "ENABLE";
}

/*
 * The rows stay in the table that people see, only elsewhere in it: a trigger
 * that counts or notes deleted rows must not fire, since none fires where they
 * go in.  What is disabled is locked against all use.  Returns the statements
 * that make all as it was.
 */
static List *
stop_triggers(const PartitionSet *set)
{
	List	   *tables = find_all_inheritors(set->default_partition, AccessShareLock, NULL);
	List	   *disabling = NIL;
	List	   *undoing = NIL;
	ListCell   *cell;

	foreach(cell, tables)
	{
		Relation	rel = relation_open(lfirst_oid(cell), NoLock);

		for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
		{
			const Trigger *trigger = &rel->trigdesc->triggers[i];
			const char *table = set_quoted_name(lfirst_oid(cell));

			if (trigger->tgisinternal || trigger->tgenabled == TRIGGER_DISABLED)
				continue;
			disabling = lappend(disabling, psprintf("ALTER TABLE ONLY %s DISABLE TRIGGER %s",
													table, quote_identifier(trigger->tgname)));
			undoing = lappend(undoing, psprintf("ALTER TABLE ONLY %s %s TRIGGER %s", table,
												enabling(trigger->tgenabled), quote_identifier(trigger->tgname)));
		}
		relation_close(rel, NoLock);
	}
	foreach(cell, disabling)
		owner_run(set->owner, lfirst(cell));
	return undoing;
}

uint64
move_rows(const PartitionSet *set, const Range *range, const char *to)
{
	char	   *columns = set_written_columns(set->default_partition, "");
	List	   *undoing = stop_triggers(set);
	ListCell   *cell;
	uint64		rows;

	rows = owner_run(set->owner,
					 psprintf("WITH moved AS (DELETE FROM %s WHERE %s RETURNING %s) INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM moved",
							  set_quoted_name(set->default_partition), set_inside(set, range),
							  columns, to, columns, columns));
	foreach(cell, undoing)
		owner_run(set->owner, lfirst(cell));
	return rows;
}
