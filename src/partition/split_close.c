/*-------------------------------------------------------------------------
 *
 * split_close.c
 *		What was split refuses to be written.
 *
 * Whoever waited for the table's lock by its name goes on when it is no
 * partition any more: what he writes would be dropped with it, or seen by
 * nobody.
 *
 * src/partition/split_close.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "commands/trigger.h"
#include "partition/owner.h"
#include "partition/split.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(dbmaint_refuse_write);

/* SQL: the trigger function dbmaint_refuse_write(table) */
Datum
dbmaint_refuse_write(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	char	   *name;
	const char *instead;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"dbmaint_refuse_write\" was not called as a trigger")));
	name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(trigger->tg_relation)),
									  RelationGetRelationName(trigger->tg_relation));
	instead = trigger->tg_trigger->tgnargs == 1 ? trigger->tg_trigger->tgargs[0] : "its partitioned table";
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table %s was split: its rows are in other partitions of %s", name, instead),
			 errhint("Write to %s. If the old table is to be written after all: DROP TRIGGER %s ON %s.",
					 instead, quote_identifier(trigger->tg_trigger->tgname), name)));
	return PointerGetDatum(NULL);	/* keep the compiler quiet */
}

void
split_close(const Split *split, const char *original)
{
	Oid			owner = split->set->owner;

	owner_run(owner, psprintf("CREATE TRIGGER " SPLIT_CLOSED " BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s"
							  " FOR EACH STATEMENT EXECUTE FUNCTION %s.dbmaint_refuse_write(%s)",
							  original, quote_identifier(get_namespace_name(split->extension_schema)),
							  quote_literal_cstr(split->set->quoted)));
	/* what logical replication writes, too */
	owner_run(owner, psprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER " SPLIT_CLOSED, original));
}
