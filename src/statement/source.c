/*-------------------------------------------------------------------------
 *
 * source.c
 *		Finds pg_stat_statements, and reads it.
 *
 * The function is called by its address in the catalog: the one of that name
 * which is a member of the extension and written in C, wherever the extension
 * was installed.  What else has the name is never called, and neither is the
 * view, whose columns are named in pg_upgrade's dump.  Which counters there
 * are is read from the function's OUT columns.
 *
 * src/statement/source.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "funcapi.h"
#include "statement/source.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#define EXTENSION_NAME "pg_stat_statements"

/* what the rows of a reading may take in memory before they go to disk */
#define READING_WORK_MEM "65536"

/* how often to read again when there is a reset in between */
#define READING_TRIES 3

/* An execution or planning that raised none of these did not take place. */
static const CounterId early_counters[] = {
	COUNTER_ID_calls, COUNTER_ID_total_exec_time_us,
	COUNTER_ID_plans, COUNTER_ID_total_plan_time_us
};

/* Is the function C's, of the name, and with as many arguments? */
static bool
is_source_function(Oid function, const char *name, int nargs)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc proc;
	bool		matches;

	if (!HeapTupleIsValid(tuple))
		return false;
	proc = (Form_pg_proc) GETSTRUCT(tuple);
	matches = strcmp(NameStr(proc->proname), name) == 0 &&
		proc->prolang == ClanguageId && proc->pronargs == nargs &&
		(nargs == 0 || proc->proargtypes.values[0] == BOOLOID);
	ReleaseSysCache(tuple);
	return matches;
}

/* The extension's function of the name, or InvalidOid. */
static Oid
find_member_function(Oid extension, const char *name, int nargs)
{
	Relation	depend = table_open(DependRelationId, AccessShareLock);
	Oid			found = InvalidOid;
	ScanKeyData key[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(ExtensionRelationId));
	ScanKeyInit(&key[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(extension));
	scan = systable_beginscan(depend, DependReferenceIndexId, true, NULL, 2, key);
	while (!OidIsValid(found) &&
		   HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

		if (form->deptype == DEPENDENCY_EXTENSION &&
			form->classid == ProcedureRelationId &&
			is_source_function(form->objid, name, nargs))
			found = form->objid;
	}
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
	return found;
}

/* The library makes its settings only when it is preloaded. */
static bool
is_preloaded(void)
{
	return GetConfigOption("pg_stat_statements.max", true, false) != NULL &&
		(GetConfigOptionFlags("pg_stat_statements.max", true) &
		 GUC_CUSTOM_PLACEHOLDER) == 0;
}

Oid
source_function(const char *name, int nargs)
{
	Oid			extension = get_extension_oid(EXTENSION_NAME, true);

	if (!OidIsValid(extension) || !is_preloaded())
		return InvalidOid;
	return find_member_function(extension, name, nargs);
}

/* Whoever may not see all statements would take those for gone. */
static void
require_rights(void)
{
	if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("role \"%s\" may not see the statements of all users",
						GetUserNameFromId(GetUserId(), false)),
				 errhint("GRANT pg_read_all_stats to it.")));
}

Tuplestorestate *
source_call(Oid function, int nargs, bool showtext, Datum *row)
{
	LOCAL_FCINFO(fcinfo, 1);
	FmgrInfo	flinfo;
	ReturnSetInfo rsinfo = {0};
	Datum		result;

	fmgr_info(function, &flinfo);
	rsinfo.type = T_ReturnSetInfo;
	rsinfo.econtext = CreateStandaloneExprContext();
	rsinfo.econtext->ecxt_per_query_memory = CurrentMemoryContext;
	rsinfo.allowedModes = (int) (SFRM_ValuePerCall | SFRM_Materialize);
	rsinfo.returnMode = SFRM_ValuePerCall;

	InitFunctionCallInfoData(*fcinfo, &flinfo, nargs, InvalidOid, NULL,
							 (Node *) &rsinfo);
	fcinfo->args[0].value = BoolGetDatum(showtext);
	fcinfo->args[0].isnull = false;
	result = FunctionCallInvoke(fcinfo);
	if (row != NULL)
		*row = result;
	else if (rsinfo.returnMode != SFRM_Materialize || rsinfo.setResult == NULL)
		elog(ERROR, "function %u does not return a tuplestore", function);
	FreeExprContext(rsinfo.econtext, true);
	return rsinfo.setResult;
}

static AttrNumber
find_column(TupleDesc desc, const char *name)
{
	for (int i = 0; name != NULL && i < desc->natts; i++)
	{
		if (strcmp(NameStr(TupleDescAttr(desc, i)->attname), name) == 0)
			return i + 1;
	}
	return 0;
}

void
source_columns(TupleDesc desc, SourceColumns *columns)
{
	memset(columns, 0, sizeof(SourceColumns));
	columns->user_oid = find_column(desc, "userid");
	columns->database_oid = find_column(desc, "dbid");
	columns->toplevel = find_column(desc, "toplevel");
	columns->query_id = find_column(desc, "queryid");
	columns->query = find_column(desc, "query");
	columns->since = find_column(desc, "stats_since");
	columns->last = Max(columns->query_id, columns->since);

	for (int c = 0; c < COUNTER_COUNT; c++)
	{
		AttrNumber	column = find_column(desc, counters[c].column);

		if (column == 0)
			column = find_column(desc, counters[c].old_column);
		columns->counter[c] = column;
		if (column != 0)
			columns->counter_type[c] = TupleDescAttr(desc, column - 1)->atttypid;
		columns->last = Max(columns->last, column);
	}

	columns->last_early = Max(columns->query_id, columns->since);
	for (size_t i = 0; i < lengthof(early_counters); i++)
		columns->last_early = Max(columns->last_early,
								  columns->counter[early_counters[i]]);

	if (columns->user_oid == 0 || columns->database_oid == 0 ||
		columns->toplevel == 0 || columns->query_id == 0 ||
		columns->query == 0 || columns->counter[COUNTER_ID_calls] == 0 ||
		columns->counter[COUNTER_ID_total_exec_time_us] == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the installed version of pg_stat_statements is too old"),
				 errdetail("It does not tell nested statements from others."),
				 errhint("Run ALTER EXTENSION pg_stat_statements UPDATE.")));
}

static int64
float_to_int64(double value)
{
	if (!(value > 0))
		return 0;
	/* 2^63 as a double is past the end */
	return value >= (double) PG_INT64_MAX ? PG_INT64_MAX : (int64) rint(value);
}

static int64
numeric_to_int64(Datum value)
{
	Numeric		number = DatumGetNumeric(value);
	Numeric		most;

	if (numeric_is_nan(number) || numeric_is_inf(number))
		return 0;
	/* few digits fit in any case */
	if (VARSIZE_ANY_EXHDR(number) > 10)
	{
		most = int64_to_numeric(PG_INT64_MAX);
		if (DatumGetBool(DirectFunctionCall2(numeric_gt, NumericGetDatum(number),
											 NumericGetDatum(most))))
			return PG_INT64_MAX;
	}
	return DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(number)));
}

/* A column as a whole number; times in microseconds. */
static inline int64
column_value(const CounterInfo *info, Oid type, Datum value)
{
	switch (type)
	{
		case INT8OID:
			return Max(DatumGetInt64(value), 0);
		case FLOAT8OID:
			return float_to_int64(DatumGetFloat8(value) *
								  (info->kind == COUNTER_NUMBER ? 1 : 1000));
		case NUMERICOID:
			return Max(numeric_to_int64(value), 0);
		default:
			elog(ERROR, "unexpected type %u of column \"%s\"", type, info->column);
	}
}

/* A gauge's value; see statement.h. */
static int64
gauge_value(const CounterInfo *info, Datum value, int64 number)
{
	double		ms = DatumGetFloat8(value);
	double		sum;
	int64		bits;

	if (!(ms > 0))
		return 0;
	if (info->kind != COUNTER_DEVIATION)
		return Max(float_to_int64(ms * 1000), 1);
	sum = ms * 1000 * ms * 1000 * number;
	memcpy(&bits, &sum, sizeof(bits));
	return bits;
}

/* Takes the counters of a row; returns those that are not zero. */
static CounterSet
read_counters(TupleTableSlot *slot, const SourceColumns *columns, int64 *values)
{
	int64		all[COUNTER_COUNT];
	CounterSet	set = 0;
	int			n = 0;

	for (int c = 0; c < COUNTER_COUNT; c++)
	{
		const CounterInfo *info = &counters[c];
		int			i = columns->counter[c] - 1;

		all[c] = 0;
		if (i < 0 || slot->tts_isnull[i])
			continue;
		/* numbers and totals come before the gauges that go with them */
		if (info->kind <= COUNTER_TIME)
			all[c] = column_value(info, columns->counter_type[c], slot->tts_values[i]);
		else if (columns->counter_type[c] == FLOAT8OID)
			all[c] = gauge_value(info, slot->tts_values[i], all[info->number]);
		if (all[c] == 0)
			continue;
		set |= COUNTER_BIT(c);
		values[n++] = all[c];
	}
	return set;
}

bool
source_key(TupleTableSlot *slot, const SourceColumns *columns, StatementKey *key)
{
	/* the ids of statements are not computed, or kept from the reader */
	if (slot->tts_isnull[columns->query_id - 1])
		return false;
	memset(key, 0, sizeof(StatementKey));
	key->user_oid = DatumGetObjectId(slot->tts_values[columns->user_oid - 1]);
	key->database_oid = DatumGetObjectId(slot->tts_values[columns->database_oid - 1]);
	key->query_id = DatumGetInt64(slot->tts_values[columns->query_id - 1]);
	key->toplevel = DatumGetBool(slot->tts_values[columns->toplevel - 1]);
	return true;
}

/* stats_since of the row in the slot; 0: there is none. */
static TimestampTz
read_since(TupleTableSlot *slot, const SourceColumns *columns)
{
	if (columns->since == 0 || slot->tts_isnull[columns->since - 1])
		return 0;
	return DatumGetTimestampTz(slot->tts_values[columns->since - 1]);
}

/* Did the statement not run since the reading before? */
static bool
is_unchanged(TupleTableSlot *slot, const SourceColumns *columns,
			 TimestampTz since, const StatementReading *before, uint32 old)
{
	const StatementEntry *entry = &before->entries[old - 1];

	if (since != entry->since)
		return false;
	for (size_t i = 0; i < lengthof(early_counters); i++)
	{
		CounterId	c = early_counters[i];
		int			column = columns->counter[c] - 1;

		if (column >= 0 &&
			column_value(&counters[c], columns->counter_type[c],
						 slot->tts_values[column]) != statement_reading_value(before, entry, c))
			return false;
	}
	return true;
}

static void
read_entry(TupleTableSlot *slot, const SourceColumns *columns,
		   const StatementReading *before, uint32 *last,
		   StatementReading *reading)
{
	int64		values[COUNTER_COUNT];
	StatementKey key;
	TimestampTz since;
	CounterSet	set;
	uint32		old = 0;

	slot_getsomeattrs(slot, columns->last_early);
	if (!source_key(slot, columns, &key))
		return;
	since = read_since(slot, columns);
	if (before != NULL)
		old = statement_reading_find(before, &key, last);
	if (old != 0 && before->reset_at == reading->reset_at &&
		before->known == reading->known &&
		is_unchanged(slot, columns, since, before, old))
	{
		statement_reading_append_unchanged(reading, before, old);
		return;
	}

	slot_getsomeattrs(slot, columns->last);
	set = read_counters(slot, columns, values);
	statement_reading_append(reading, before, old, &key, since, set, values);
}

TupleDesc
source_result(Oid function)
{
	TupleDesc	desc;

	if (get_func_result_type(function, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "function %u does not return rows", function);
	return desc;
}

static void
read_entries(Oid function, const StatementReading *before,
			 StatementReading *reading)
{
	TupleDesc	desc = source_result(function);
	SourceColumns columns;
	Tuplestorestate *store;
	TupleTableSlot *slot;
	int			level = NewGUCNestLevel();
	uint32		last = 0;

	source_columns(desc, &columns);
	if (work_mem < atoi(READING_WORK_MEM))
		(void) set_config_option("work_mem", READING_WORK_MEM, PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	store = source_call(function, 1, false, NULL);
	AtEOXact_GUC(true, level);

	reading->has_since = columns.since != 0;
	for (int c = 0; c < COUNTER_COUNT; c++)
	{
		if (columns.counter[c] != 0)
			reading->known |= COUNTER_BIT(c);
	}

	slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	while (tuplestore_gettupleslot(store, true, false, slot))
	{
		CHECK_FOR_INTERRUPTS();
		read_entry(slot, &columns, before, &last, reading);
	}
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_end(store);
}

/* pg_stat_statements_info: how many entries were evicted since which reset. */
static void
read_info(Oid function, int64 *evictions, TimestampTz *reset_at)
{
	Datum		row;
	HeapTupleHeader header;
	bool		isnull;

	(void) source_call(function, 0, false, &row);
	header = DatumGetHeapTupleHeader(row);
	*evictions = DatumGetInt64(GetAttributeByName(header, "dealloc", &isnull));
	*reset_at = DatumGetTimestampTz(GetAttributeByName(header, "stats_reset", &isnull));
}

StatementReading *
source_read(TimestampTz at, const StatementReading *before)
{
	Oid			function = source_function("pg_stat_statements", 1);
	Oid			info = source_function("pg_stat_statements_info", 0);

	if (!OidIsValid(function))
		return NULL;
	require_rights();
	if (!OidIsValid(info))
	{
		SourceColumns columns;

		/* it came with the column that source_columns() demands */
		source_columns(source_result(function), &columns);
		elog(ERROR, "extension \"%s\" has no function pg_stat_statements_info",
			 EXTENSION_NAME);
	}

	for (int i = 0; i < READING_TRIES; i++)
	{
		StatementReading *reading = statement_reading_begin(before);
		TimestampTz reset_after;

		reading->at = at;
		read_info(info, &reading->evictions, &reading->reset_at);
		read_entries(function, before, reading);
		read_info(info, &reading->evictions_after, &reset_after);

		/* else nobody knows which of the entries it took away */
		if (reset_after == reading->reset_at)
			return reading;
	}
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("pg_stat_statements is reset all the time"),
			 errdetail("There was a reset during each of %d attempts to read it.",
					   READING_TRIES)));
}
