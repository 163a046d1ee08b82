/*-------------------------------------------------------------------------
 *
 * capture.c
 *		Notes which rows of a table change, while it is copied.
 *
 * The trigger runs in the transactions of everybody who writes the table.  So
 * it never fails: where it cannot note a row it leaves a note that says so,
 * without a value, and the copy is given up.  It calls no code but the
 * server's, and writes into a table of the same owner alone.
 *
 * src/partition/capture.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_am.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "partition/capture.h"
#include "partition/owner.h"
#include "partition/set.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#define ROW_TRIGGER "dbmaint_capture"
#define TRUNCATE_TRIGGER "dbmaint_capture_truncate"

PG_FUNCTION_INFO_V1(dbmaint_capture_row);

static char *
notes_name(Oid table)
{
	return psprintf("dbmaint_changed_%u", table);
}

static char *
sums_name(Oid table)
{
	return psprintf("dbmaint_changes_%u", table);
}

char *
capture_notes(Oid table)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)), notes_name(table));
}

char *
capture_sums(Oid table)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)), sums_name(table));
}

/*
 * The trigger.
 */

/* Of a note, behind what identifies the row: CAPTURE_MADE and so on. */
static const Oid more_columns[] = {TIDOID, TIDOID, BOOLOID};

/* Into which column of the notes which column of the table goes. */
typedef struct Mapping
{
	Oid			notes;			/* InvalidOid: there are none, or not ours */
	int			count;			/* 0: the columns do not fit any more */
	AttrNumber	columns[INDEX_MAX_KEYS];
} Mapping;

/* By its OID: the table may have moved to another schema meanwhile. */
static Oid
named_notes(const TriggerData *trigger)
{
	Oid			notes = trigger->tg_trigger->tgnargs == 1 ? atooid(trigger->tg_trigger->tgargs[0]) : InvalidOid;
	char	   *name = OidIsValid(notes) ? get_rel_name(notes) : NULL;

	/* in a copy of the database it may be any other table's */
	if (name == NULL || strcmp(name, notes_name(RelationGetRelid(trigger->tg_relation))) != 0)
		return InvalidOid;
	return notes;
}

/* A table that the owner of the other one made for it, or the library did. */
static bool
are_notes(Relation notes, Relation table)
{
	return notes->rd_rel->relkind == RELKIND_RELATION &&
		notes->rd_rel->relam == HEAP_TABLE_AM_OID &&
		notes->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED &&
		notes->rd_rel->relowner == table->rd_rel->relowner &&
		!notes->rd_rel->relhasindex;
}

static int
map_columns(Relation notes, Relation table, AttrNumber *columns)
{
	TupleDesc	noted = RelationGetDescr(notes);
	int			count = noted->natts - (int) lengthof(more_columns);

	if (count < 1 || count > INDEX_MAX_KEYS)
		return 0;
	for (size_t i = 0; i < lengthof(more_columns); i++)
	{
		if (TupleDescAttr(noted, count + i)->atttypid != more_columns[i])
			return 0;
	}
	for (int i = 0; i < count; i++)
	{
		Form_pg_attribute column = TupleDescAttr(noted, i);
		AttrNumber	attnum = get_attnum(RelationGetRelid(table), NameStr(column->attname));

		if (column->attisdropped || attnum <= 0 ||
			TupleDescAttr(RelationGetDescr(table), attnum - 1)->atttypid != column->atttypid)
			return 0;
		columns[i] = attnum;
	}
	return count;
}

/* Opens the notes; NULL if there are none.  Once a statement all is looked up. */
static Relation
open_notes(FunctionCallInfo fcinfo, Relation table, const Mapping **mapping)
{
	Mapping    *found = fcinfo->flinfo->fn_extra;
	Relation	notes;

	if (found == NULL)
	{
		found = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(Mapping));
		found->notes = named_notes((TriggerData *) fcinfo->context);
		notes = OidIsValid(found->notes) ? try_table_open(found->notes, RowExclusiveLock) : NULL;
		if (notes != NULL && are_notes(notes, table))
			found->count = map_columns(notes, table, found->columns);
		else
			found->notes = InvalidOid;
		if (notes != NULL)
			table_close(notes, NoLock);
		fcinfo->flinfo->fn_extra = found;
	}
	*mapping = found;
	return OidIsValid(found->notes) ? try_table_open(found->notes, RowExclusiveLock) : NULL;
}

/*
 * row NULL: a note that says that something could not be noted.  made and
 * ended: the versions of the row, if the change made or ended one.
 */
static void
write_note(Relation notes, const Mapping *mapping, HeapTuple row, TupleDesc columns, HeapTuple made, HeapTuple ended)
{
	int			natts = RelationGetDescr(notes)->natts;
	Datum	   *values = palloc0_array(Datum, natts);
	bool	   *nulls = palloc_array(bool, natts);
	HeapTuple	note;

	memset(nulls, true, natts);
	for (int i = 0; row != NULL && i < mapping->count; i++)
		values[i] = heap_getattr(row, mapping->columns[i], columns, &nulls[i]);
	if (made != NULL)
		values[mapping->count] = PointerGetDatum(&made->t_self);
	if (ended != NULL)
		values[mapping->count + 1] = PointerGetDatum(&ended->t_self);
	if (row != NULL)
	{
		nulls[mapping->count] = made == NULL;
		nulls[mapping->count + 1] = ended == NULL;
	}
	if (TupleDescAttr(RelationGetDescr(notes), natts - 1)->atttypid == BOOLOID)
		nulls[natts - 1] = false;
	note = heap_form_tuple(RelationGetDescr(notes), values, nulls);
	simple_heap_insert(notes, note);
	heap_freetuple(note);
}

/* Did an update leave what identifies the row as it was? */
static bool
same_identity(const Mapping *mapping, TupleDesc columns, HeapTuple old, HeapTuple new)
{
	for (int i = 0; i < mapping->count; i++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, mapping->columns[i] - 1);
		bool		old_null;
		bool		new_null;
		Datum		before = heap_getattr(old, mapping->columns[i], columns, &old_null);
		Datum		after = heap_getattr(new, mapping->columns[i], columns, &new_null);

		if (old_null != new_null ||
			(!old_null && !datumIsEqual(before, after, column->attbyval, column->attlen)))
			return false;
	}
	return true;
}

/* SQL: the trigger function dbmaint_capture_row() */
Datum
dbmaint_capture_row(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	const Mapping *mapping;
	Relation	notes;
	TupleDesc	columns;
	HeapTuple	row;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"dbmaint_capture_row\" was not called as a trigger after the event")));
	notes = open_notes(fcinfo, trigger->tg_relation, &mapping);
	if (notes == NULL)
		return PointerGetDatum(NULL);

	columns = RelationGetDescr(trigger->tg_relation);
	row = trigger->tg_trigtuple;
	if (!TRIGGER_FIRED_FOR_ROW(trigger->tg_event) || mapping->count == 0)
		write_note(notes, mapping, NULL, columns, NULL, NULL);
	else if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		write_note(notes, mapping, row, columns, row, NULL);
	else if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		write_note(notes, mapping, row, columns, NULL, row);
	else if (same_identity(mapping, columns, row, trigger->tg_newtuple))
		write_note(notes, mapping, row, columns, trigger->tg_newtuple, row);
	else
	{
		write_note(notes, mapping, row, columns, NULL, row);
		write_note(notes, mapping, trigger->tg_newtuple, columns, trigger->tg_newtuple, NULL);
	}
	table_close(notes, NoLock);
	return PointerGetDatum(NULL);
}

/*
 * What it is used with.
 */

static bool
identifies(Relation index, TupleDesc columns)
{
	Form_pg_index form = index->rd_index;

	if (!form->indisunique || !form->indimmediate || !form->indisvalid ||
		index->rd_rel->relam != BTREE_AM_OID ||
		RelationGetIndexPredicate(index) != NIL || RelationGetIndexExpressions(index) != NIL)
		return false;
	for (int i = 0; i < form->indnkeyatts; i++)
	{
		if (form->indkey.values[i] <= 0 || !TupleDescAttr(columns, form->indkey.values[i] - 1)->attnotnull)
			return false;
	}
	return true;
}

List *
capture_identity(Relation table, Oid *index)
{
	List	   *indexes = RelationGetIndexList(table);
	List	   *identity = NIL;
	ListCell   *cell;

	*index = InvalidOid;
	foreach(cell, indexes)
	{
		Relation	candidate = index_open(lfirst_oid(cell), AccessShareLock);
		bool		primary = candidate->rd_index->indisprimary;

		if ((primary || identity == NIL) && identifies(candidate, RelationGetDescr(table)))
		{
			identity = NIL;
			for (int i = 0; i < candidate->rd_index->indnkeyatts; i++)
				identity = lappend_int(identity, candidate->rd_index->indkey.values[i]);
			*index = lfirst_oid(cell);
		}
		index_close(candidate, AccessShareLock);
	}
	return identity;
}

char *
capture_join(Relation table, Oid index, const char *a, const char *b)
{
	Relation	rel = index_open(index, AccessShareLock);
	StringInfoData sql;

	initStringInfo(&sql);
	for (int i = 0; i < rel->rd_index->indnkeyatts; i++)
	{
		const char *column = quote_identifier(get_attname(RelationGetRelid(table), rel->rd_index->indkey.values[i], false));
		Oid			equal = get_opfamily_member(rel->rd_opfamily[i], rel->rd_opcintype[i],
												rel->rd_opcintype[i], BTEqualStrategyNumber);
		HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(equal));
		Form_pg_operator form;

		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for operator %u", equal);
		form = (Form_pg_operator) GETSTRUCT(tuple);
		appendStringInfo(&sql, "%s%s.%s OPERATOR(%s.%s) %s.%s", i == 0 ? "" : " AND ", a, column,
						 quote_identifier(get_namespace_name(form->oprnamespace)), NameStr(form->oprname), b, column);
		ReleaseSysCache(tuple);
	}
	index_close(rel, AccessShareLock);
	return sql.data;
}

char *
capture_columns(Relation table, const List *identity, const char *alias)
{
	StringInfoData sql;
	ListCell   *cell;

	initStringInfo(&sql);
	foreach(cell, identity)
		appendStringInfo(&sql, "%s%s%s", sql.len == 0 ? "" : ", ", alias,
						 quote_identifier(get_attname(RelationGetRelid(table), lfirst_int(cell), false)));
	return sql.data;
}

void
capture_begin(Oid owner, Oid extension_schema, Oid table, const char *columns)
{
	char	   *quoted = set_quoted_name(table);
	char	   *function;

	owner_run(owner, psprintf("CREATE UNLOGGED TABLE %s USING heap AS SELECT %s, NULL::pg_catalog.tid AS " CAPTURE_MADE ", NULL::pg_catalog.tid AS " CAPTURE_ENDED
							  ", false AS " CAPTURE_TAKEN " FROM ONLY %s WITH NO DATA",
							  capture_notes(table), columns, quoted));
	owner_run(owner, psprintf("CREATE UNLOGGED TABLE %s (place pg_catalog.tid, rows pg_catalog.int8 NOT NULL) USING heap", capture_sums(table)));
	owner_run(owner, psprintf("CREATE INDEX ON %s (place)", capture_sums(table)));
	function = psprintf("%s.dbmaint_capture_row('%u')", quote_identifier(get_namespace_name(extension_schema)),
						get_relname_relid(notes_name(table), get_rel_namespace(table)));
	owner_run(owner, psprintf("CREATE TRIGGER " ROW_TRIGGER " AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION %s", quoted, function));
	owner_run(owner, psprintf("CREATE TRIGGER " TRUNCATE_TRIGGER " AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION %s", quoted, function));
	/* what logical replication writes, too */
	owner_run(owner, psprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER " ROW_TRIGGER ", ENABLE ALWAYS TRIGGER " TRUNCATE_TRIGGER, quoted));
}

bool
capture_is_own(const char *trigger)
{
	return strcmp(trigger, ROW_TRIGGER) == 0 || strcmp(trigger, TRUNCATE_TRIGGER) == 0;
}

bool
capture_exists(Oid table)
{
	return OidIsValid(get_trigger_oid(table, ROW_TRIGGER, true)) ||
		OidIsValid(get_trigger_oid(table, TRUNCATE_TRIGGER, true));
}

Oid
capture_find(const char *name, char relkind, Oid role)
{
	Relation	classes = table_open(RelationRelationId, AccessShareLock);
	Oid			found = InvalidOid;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_class_relname, BTEqualStrategyNumber, F_NAMEEQ, CStringGetDatum(name));
	scan = systable_beginscan(classes, ClassNameNspIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);

		if (form->relkind == relkind && relation_owned_by(form->oid, role))
			found = form->oid;
	}
	systable_endscan(scan);
	table_close(classes, AccessShareLock);
	return found;
}

void
capture_end(Oid table, Oid role)
{
	const char *names[] = {notes_name(table), sums_name(table)};
	static const char *const triggers[] = {ROW_TRIGGER, TRUNCATE_TRIGGER};

	for (size_t i = 0; i < lengthof(triggers); i++)
	{
		if (OidIsValid(get_trigger_oid(table, triggers[i], true)))
			owner_run(owner_of(table), psprintf("DROP TRIGGER %s ON %s", triggers[i], set_quoted_name(table)));
	}
	for (size_t i = 0; i < lengthof(names); i++)
	{
		Oid			found = capture_find(names[i], RELKIND_RELATION, role);

		if (OidIsValid(found))
			owner_run(owner_of(found), psprintf("DROP TABLE %s RESTRICT", set_quoted_name(found)));
	}
}

/* ALTER TABLE ... DISABLE TRIGGER ALL; enabled again they fire less often. */
static bool
always_fire(Oid table)
{
	Relation	rel = relation_open(table, AccessShareLock);
	int			always = 0;

	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (capture_is_own(trigger->tgname) && trigger->tgenabled == TRIGGER_FIRES_ALWAYS)
			always++;
	}
	relation_close(rel, NoLock);
	return always == 2;
}

void
capture_check(Oid owner, Oid table, const char *notes, const List *identity)
{
	int64		missed = 0;

	(void) owner_ask(owner, psprintf("SELECT pg_catalog.count(*) FROM (SELECT FROM %s AS n WHERE n.%s IS NULL LIMIT 1) AS m", notes,
									 quote_identifier(get_attname(table, linitial_int(identity), false))), &missed);
	if (missed > 0 || !always_fire(table))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("changes of table \"%s\" could not be followed", set_relation_name(table)),
				 missed > 0 ? errdetail("It was truncated, or what identifies its rows was altered, while it was copied.") :
				 errdetail("Its triggers were disabled while it was copied."),
				 errhint("The copy is thrown away; the next try begins anew.")));
}
