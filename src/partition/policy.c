/*-------------------------------------------------------------------------
 *
 * policy.c
 *		dbmaint_set_partition_policy(), dbmaint_drop_partition_policy().
 *
 * A policy is the table owner's; it is written as the extension's owner, after
 * the caller's right has been looked at.
 *
 * src/partition/policy.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/genam.h"
#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "partition/owner.h"
#include "partition/policy.h"
#include "partition/recorded.h"
#include "settings.h"
#include "step/query.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#define POLICIES_TABLE "dbmaint_partition_policies"

PG_FUNCTION_INFO_V1(dbmaint_set_partition_policy);
PG_FUNCTION_INFO_V1(dbmaint_drop_partition_policy);

/* The arguments of dbmaint_set_partition_policy(). */
enum
{
	ARG_PARENT, ARG_PREMAKE, ARG_KEEP, ARG_KEEP_VALUES, ARG_PERIOD, ARG_TIME_ZONE,
	ARG_EPOCH, ARG_DEFAULT_ROWS, ARG_FILL_GAPS, ARG_DETACH_ONLY,
	ARG_MOVE_TO_SCHEMA, ARG_ENABLED, ARGS
};

bool
policy_key_indexed(const PartitionSet *set)
{
	Relation	parent = relation_open(set->parent, AccessShareLock);
	List	   *indexes = RelationGetIndexList(parent);
	ListCell   *cell;
	bool		found = false;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		/* a partial one cannot say which value is the greatest */
		if (index->rd_rel->relam == BTREE_AM_OID && index->rd_index->indisvalid &&
			heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL) &&
			index->rd_index->indkey.values[0] == set->column)
			found = true;
		index_close(index, AccessShareLock);
	}
	relation_close(parent, AccessShareLock);
	return found;
}

bool
policy_find(const Extension *extension, Oid parent, Oid owner, TimestampTz at,
			Policy *policy)
{
	MemoryContext context = CurrentMemoryContext;
	Oid			type = OIDOID;
	Datum		value = ObjectIdGetDatum(parent);
	bool		found = false;

	memset(policy, 0, sizeof(Policy));
	if (query_begin(psprintf("SELECT premake, keep, keep_values, default_rows, fill_gaps, detach_only, move_to_schema"
							 " FROM %s." POLICIES_TABLE
							 " WHERE parent OPERATOR(pg_catalog.=) $1 AND enabled", extension->schema),
					1, &type, &value, NULL) > 0)
	{
		HeapTuple	row = SPI_tuptable->vals[0];
		TupleDesc	columns = SPI_tuptable->tupdesc;
		MemoryContext old = MemoryContextSwitchTo(context);
		bool		isnull[7];
		Datum		values[7];
		char	   *rows;

		heap_deform_tuple(row, columns, values, isnull);
		found = true;
		policy->create.count = DatumGetInt32(values[0]);
		rows = TextDatumGetCString(values[3]);
		policy->create.default_rows = strcmp(rows, "move") == 0 ? DEFAULT_ROWS_MOVE :
			strcmp(rows, "skip") == 0 ? DEFAULT_ROWS_SKIP : DEFAULT_ROWS_ERROR;
		policy->create.fill_gaps = DatumGetBool(values[4]);
		policy->keeps = !isnull[1] || !isnull[2];
		if (!isnull[1])
			policy->drop.keep = *DatumGetIntervalP(values[1]);
		policy->drop.by_step = !isnull[2];
		policy->drop.keep_step = isnull[2] ? 0 : DatumGetInt64(values[2]);
		policy->drop.detach_only = DatumGetBool(values[5]);
		policy->drop.move_to_schema = isnull[6] ? NULL : pstrdup(NameStr(*DatumGetName(values[6])));
		MemoryContextSwitchTo(old);
	}
	query_end();

	policy->create.parent = policy->drop.parent = parent;
	policy->create.extension_schema = policy->drop.extension_schema = extension->schema_oid;
	policy->create.at = policy->drop.at = at;
	policy->create.caller = owner;
	policy->create.window_ms = policy->drop.window_ms = setting_max_lock_wait_ms;
	return found;
}

static void
refuse_null(FunctionCallInfo fcinfo, int argument, const char *name)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be NULL", name)));
}

static char *
text_argument(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(argument));
}

static void
refuse_choice(const char *name, const char *text, const char *const choices[3], const char *hint)
{
	for (int i = 0; i < 3; i++)
	{
		if (strcmp(text, choices[i]) == 0)
			return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s must not be \"%s\"", name, text),
			 errhint("%s", hint)));
}

/* What each argument may be, by itself. */
static void
check_arguments(FunctionCallInfo fcinfo)
{
	static const char *const rows[] = {"error", "move", "skip"};
	static const char *const epochs[] = {"seconds", "milliseconds", "none"};
	int			premake;

	refuse_null(fcinfo, ARG_PARENT, "parent");
	refuse_null(fcinfo, ARG_PREMAKE, "premake");
	refuse_null(fcinfo, ARG_DEFAULT_ROWS, "default_rows");
	refuse_null(fcinfo, ARG_FILL_GAPS, "fill_gaps");
	refuse_null(fcinfo, ARG_DETACH_ONLY, "detach_only");
	refuse_null(fcinfo, ARG_ENABLED, "enabled");
	premake = PG_GETARG_INT32(ARG_PREMAKE);
	if (premake < 1 || premake > CREATE_MOST)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("premake must be from 1 to %d", CREATE_MOST)));
	refuse_choice("default_rows", text_argument(fcinfo, ARG_DEFAULT_ROWS), rows,
				  "It is 'error', 'move' or 'skip'.");
	if (!PG_ARGISNULL(ARG_EPOCH))
		refuse_choice("epoch", text_argument(fcinfo, ARG_EPOCH), epochs,
					  "It is 'seconds' or 'milliseconds' since 1970, or 'none' for numbers that are no times.");
	if (!PG_ARGISNULL(ARG_KEEP) && !PG_ARGISNULL(ARG_KEEP_VALUES))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("keep and keep_values must not be given together"),
				 errhint("keep is for times, keep_values for plain numbers.")));
	if (!PG_ARGISNULL(ARG_KEEP))
	{
		const Interval *keep = PG_GETARG_INTERVAL_P(ARG_KEEP);

		drop_check_interval(keep);
	}
	if (!PG_ARGISNULL(ARG_KEEP_VALUES) && PG_GETARG_INT64(ARG_KEEP_VALUES) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("keep_values must be at least 1")));
	if (!PG_ARGISNULL(ARG_MOVE_TO_SCHEMA))
		(void) get_namespace_oid(NameStr(*PG_GETARG_NAME(ARG_MOVE_TO_SCHEMA)), false);
}

/* What they may be for this set: whatever would fail later fails now. */
static void
check_set(FunctionCallInfo fcinfo, Oid extension_schema, const SetOptions *options)
{
	DropRequest keep = {0};
	Relation	parent = try_relation_open(PG_GETARG_OID(ARG_PARENT), AccessShareLock);
	PartitionSet *set;

	if (parent == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("there is no relation with OID %u", PG_GETARG_OID(ARG_PARENT))));
	set = set_read(parent, options, extension_schema);
	relation_close(parent, NoLock);
	if (!set->has_grid)
		create_refuse_unknown_grid(set);
	if (set->calendar == NULL && !policy_key_indexed(set))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" has no index on its partition key", set->name),
				 errdetail("A key that is a plain number has no present but its greatest value, which is looked for again and again."),
				 errhint("CREATE INDEX ON %s (%s).", set->quoted, quote_identifier(set->column_name))));
	if (PG_ARGISNULL(ARG_KEEP) && PG_ARGISNULL(ARG_KEEP_VALUES))
		return;
	if (!PG_ARGISNULL(ARG_KEEP))
		keep.keep = *PG_GETARG_INTERVAL_P(ARG_KEEP);
	keep.by_step = PG_ARGISNULL(ARG_KEEP);
	keep.keep_step = keep.by_step ? PG_GETARG_INT64(ARG_KEEP_VALUES) : 0;
	keep.at = GetCurrentTimestamp();
	(void) drop_limit(&keep, set);
}

/* Calls a function of ours as the extension's owner; returns its bool. */
static bool
write_policy(const char *function, int nargs, Oid *types, Datum *values, const char *nulls)
{
	Extension	extension;
	AsOwner		before;
	StringInfoData sql;
	Oid			owner;
	bool		result = false;
	bool		isnull;

	if (!history_find_extension(&extension))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension dbmaint is not installed in this database")));
	/* no trigger may run as the extension's owner */
	if (!history_lock(&extension, POLICIES_TABLE))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table %s." POLICIES_TABLE " does not exist", extension.schema)));
	owner = recorded_owner(extension.schema_oid);

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s.%s(", extension.schema, function);
	for (int i = 0; i < nargs; i++)
		appendStringInfo(&sql, "%s$%d", i == 0 ? "" : ", ", i + 1);
	appendStringInfoChar(&sql, ')');

	owner_begin(owner, &before);
	if (query_begin(sql.data, nargs, types, values, nulls) > 0)
		result = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	query_end();
	owner_end(&before);
	return result;
}

/* SQL: dbmaint_set_partition_policy(), see policy.sql */
Datum
dbmaint_set_partition_policy(PG_FUNCTION_ARGS)
{
	static const struct
	{
		int			argument;
		Oid			type;
	}			written[] = {
		{ARG_PARENT, OIDOID}, {ARG_PREMAKE, INT4OID}, {ARG_KEEP, INTERVALOID},
		{ARG_KEEP_VALUES, INT8OID}, {ARG_DEFAULT_ROWS, TEXTOID},
		{ARG_FILL_GAPS, BOOLOID}, {ARG_DETACH_ONLY, BOOLOID},
		{ARG_MOVE_TO_SCHEMA, NAMEOID}, {ARG_ENABLED, BOOLOID},
	};
	Oid			extension_schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	SetOptions	options = {0};
	Oid			types[lengthof(written)];
	Datum		values[lengthof(written)];
	char		nulls[lengthof(written)];

	check_arguments(fcinfo);
	set_check_rights(PG_GETARG_OID(ARG_PARENT));
	PreventCommandIfReadOnly("dbmaint_set_partition_policy()");
	PreventCommandDuringRecovery("dbmaint_set_partition_policy()");
	options.period = text_argument(fcinfo, ARG_PERIOD);
	options.time_zone = text_argument(fcinfo, ARG_TIME_ZONE);
	options.epoch = text_argument(fcinfo, ARG_EPOCH);
	check_set(fcinfo, extension_schema, &options);

	recorded_store(extension_schema, PG_GETARG_OID(ARG_PARENT), &options);
	for (size_t i = 0; i < lengthof(written); i++)
	{
		types[i] = written[i].type;
		nulls[i] = PG_ARGISNULL(written[i].argument) ? 'n' : ' ';
		values[i] = PG_GETARG_DATUM(written[i].argument);
	}
	(void) write_policy("dbmaint_record_partition_policy", lengthof(written), types, values, nulls);
	PG_RETURN_VOID();
}

/* SQL: dbmaint_drop_partition_policy(regclass) returns bool */
Datum
dbmaint_drop_partition_policy(PG_FUNCTION_ARGS)
{
	Oid			type = OIDOID;
	Datum		value = PG_GETARG_DATUM(0);

	set_check_rights(PG_GETARG_OID(0));
	PreventCommandIfReadOnly("dbmaint_drop_partition_policy()");
	PreventCommandDuringRecovery("dbmaint_drop_partition_policy()");
	PG_RETURN_BOOL(write_policy("dbmaint_forget_partition_policy", 1, &type, &value, " "));
}
