/*-------------------------------------------------------------------------
 *
 * partition.c
 *		create_future_partitions(), drop_old_partitions() and what
 *		dbmaint_split_partition() and dbmaint_partition_table() would do, for
 *		SQL.
 *
 * src/partition/partition.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "funcapi.h"
#include "partition/convert.h"
#include "partition/create.h"
#include "partition/drop.h"
#include "partition/split.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/tuplestore.h"

#define CREATE_COLUMNS 4
#define DROP_COLUMNS 5
#define SPLIT_COLUMNS 3
#define CONVERSION_COLUMNS 2

/* a window longer than this is not waited for in somebody's session */
#define LONGEST_WINDOW_MS (24 * 60 * 60 * 1000)

PG_FUNCTION_INFO_V1(dbmaint_create_future_partitions);
PG_FUNCTION_INFO_V1(dbmaint_drop_old_partitions_months);
PG_FUNCTION_INFO_V1(dbmaint_drop_old_partitions_interval);
PG_FUNCTION_INFO_V1(dbmaint_drop_old_partitions_values);
PG_FUNCTION_INFO_V1(dbmaint_split_plan);
PG_FUNCTION_INFO_V1(dbmaint_conversion_plan);

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

static bool
bool_argument(FunctionCallInfo fcinfo, int argument, const char *name)
{
	refuse_null(fcinfo, argument, name);
	return PG_GETARG_BOOL(argument);
}

/* An interval of elapsed time, in milliseconds. */
static int
window_argument(FunctionCallInfo fcinfo, int argument)
{
	Interval   *window;
	double		ms;

	refuse_null(fcinfo, argument, "lock_window");
	window = PG_GETARG_INTERVAL_P(argument);
	ms = window->time / 1000.0 + (window->day + window->month * 30.0) * 86400000.0;
	if (ms < 0 || ms > LONGEST_WINDOW_MS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("lock_window must be from 0 to 24 hours")));
	return (int) ms;
}

static TimestampTz
time_argument(FunctionCallInfo fcinfo, int argument)
{
	TimestampTz at;

	refuse_null(fcinfo, argument, "as_of");
	at = PG_GETARG_TIMESTAMPTZ(argument);
	if (TIMESTAMP_NOT_FINITE(at))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("as_of must be finite")));
	return at;
}

static DefaultRows
default_rows_argument(FunctionCallInfo fcinfo, int argument)
{
	char	   *text;

	refuse_null(fcinfo, argument, "default_rows");
	text = text_argument(fcinfo, argument);

	if (strcmp(text, "error") == 0)
		return DEFAULT_ROWS_ERROR;
	if (strcmp(text, "move") == 0)
		return DEFAULT_ROWS_MOVE;
	if (strcmp(text, "skip") == 0)
		return DEFAULT_ROWS_SKIP;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("default_rows must not be \"%s\"", text),
			 errhint("It is 'error', 'move' or 'skip'.")));
	return DEFAULT_ROWS_ERROR;	/* keep the compiler quiet */
}

static char *
epoch_argument(FunctionCallInfo fcinfo, int argument)
{
	char	   *text = text_argument(fcinfo, argument);

	if (text != NULL && strcmp(text, "seconds") != 0 &&
		strcmp(text, "milliseconds") != 0 && strcmp(text, "none") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("epoch must not be \"%s\"", text),
				 errhint("It is 'seconds' or 'milliseconds' since 1970, or 'none' for numbers that are no times.")));
	return text;
}

/* A NULL text is a NULL value. */
static void
put_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column] = text == NULL;
	values[column] = text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

/* SQL: create_future_partitions(), see partition.sql */
Datum
dbmaint_create_future_partitions(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	CreateRequest request = {0};
	Creation	creation = {0};

	InitMaterializedSRF(fcinfo, 0);
	refuse_null(fcinfo, 0, "parent");
	refuse_null(fcinfo, 1, "count");
	request.parent = PG_GETARG_OID(0);
	request.extension_schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	request.count = PG_GETARG_INT32(1);
	request.options.period = text_argument(fcinfo, 2);
	request.options.time_zone = text_argument(fcinfo, 3);
	request.options.epoch = epoch_argument(fcinfo, 4);
	request.fill_gaps = bool_argument(fcinfo, 5, "fill_gaps");
	request.default_rows = default_rows_argument(fcinfo, 6);
	request.dry_run = bool_argument(fcinfo, 7, "dry_run");
	request.window_ms = window_argument(fcinfo, 8);
	request.at = time_argument(fcinfo, 9);
	request.caller = GetUserId();
	if (request.count < 0 || request.count > CREATE_MOST)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("count must be from 0 to %d", CREATE_MOST)));

	set_check_rights(request.parent);
	creation.request = &request;
	if (create_look(&creation) > 0 && !request.dry_run)
	{
		PreventCommandIfReadOnly("create_future_partitions()");
		PreventCommandDuringRecovery("create_future_partitions()");
		create_partitions(&creation);
	}
	else
		create_name(&creation);

	for (int i = 0; i < creation.count; i++)
	{
		const Wanted *wanted = &creation.wanted[i];
		Datum		values[CREATE_COLUMNS];
		bool		nulls[CREATE_COLUMNS];

		put_text(values, nulls, 0, wanted->name);
		put_text(values, nulls, 1, key_text(&creation.set->key, wanted->slot.range.from, creation.set->zone));
		put_text(values, nulls, 2, key_text(&creation.set->key, wanted->slot.range.to, creation.set->zone));
		put_text(values, nulls, 3, wanted->status);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* The arguments after "keep", which all forms share; then the work. */
static Datum
drop_old_partitions(FunctionCallInfo fcinfo, DropRequest *request)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Retirement	retirement = {0};

	InitMaterializedSRF(fcinfo, 0);
	refuse_null(fcinfo, 0, "parent");
	request->parent = PG_GETARG_OID(0);
	request->extension_schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	request->dry_run = bool_argument(fcinfo, 2, "dry_run");
	request->detach_only = bool_argument(fcinfo, 3, "detach_only");
	request->move_to_schema = PG_ARGISNULL(4) ? NULL : pstrdup(NameStr(*PG_GETARG_NAME(4)));
	request->window_ms = window_argument(fcinfo, 5);
	request->at = time_argument(fcinfo, 6);
	/* what holds the present never goes, whatever time is asked about */
	if (request->at > GetCurrentTimestamp())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("as_of must not be in the future"),
				 errhint("It says which partitions were old at a time.")));

	set_check_rights(request->parent);
	retirement.request = request;
	drop_look(&retirement, false);
	if (retirement.count > 0 && !request->dry_run)
	{
		PreventCommandIfReadOnly("drop_old_partitions()");
		PreventCommandDuringRecovery("drop_old_partitions()");
		drop_partitions(&retirement);
	}

	for (int i = 0; i < retirement.count; i++)
	{
		const Retired *retired = &retirement.retired[i];
		Datum		values[DROP_COLUMNS];
		bool		nulls[DROP_COLUMNS] = {false};

		put_text(values, nulls, 0, retired->name);
		put_text(values, nulls, 1, key_text(&retirement.set->key, retired->range.from, retirement.set->zone));
		put_text(values, nulls, 2, key_text(&retirement.set->key, retired->range.to, retirement.set->zone));
		values[3] = Int64GetDatum(retired->size_bytes);
		put_text(values, nulls, 4, retired->status);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* SQL: drop_old_partitions(regclass, int, ...), see partition.sql */
Datum
dbmaint_drop_old_partitions_months(PG_FUNCTION_ARGS)
{
	DropRequest request = {0};

	refuse_null(fcinfo, 1, "keep_months");
	request.keep.month = PG_GETARG_INT32(1);
	if (request.keep.month < 1 || request.keep.month > 12 * 1000)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("keep_months must be from 1 to %d", 12 * 1000)));
	return drop_old_partitions(fcinfo, &request);
}

/* SQL: drop_old_partitions(regclass, interval, ...), see partition.sql */
Datum
dbmaint_drop_old_partitions_interval(PG_FUNCTION_ARGS)
{
	DropRequest request = {0};

	refuse_null(fcinfo, 1, "keep");
	request.keep = *PG_GETARG_INTERVAL_P(1);
	drop_check_interval(&request.keep);
	return drop_old_partitions(fcinfo, &request);
}

/* SQL: drop_old_partitions(regclass, keep_values bigint, ...), see partition.sql */
Datum
dbmaint_drop_old_partitions_values(PG_FUNCTION_ARGS)
{
	DropRequest request = {0};

	refuse_null(fcinfo, 1, "keep_values");
	request.keep_step = PG_GETARG_INT64(1);
	request.by_step = true;
	if (request.keep_step < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("keep_values must be at least 1")));
	return drop_old_partitions(fcinfo, &request);
}

/* SQL: dbmaint_split_plan(regclass, text), see split.sql */
Datum
dbmaint_split_plan(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Split		split = {0};

	InitMaterializedSRF(fcinfo, 0);
	refuse_null(fcinfo, 0, "partition");
	split.partition = PG_GETARG_OID(0);
	split.extension_schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	split.caller = GetUserId();
	split.period = text_argument(fcinfo, 1);
	set_check_rights(split.partition);
	split_plan(&split);

	for (int i = 0; i < split.count; i++)
	{
		Datum		values[SPLIT_COLUMNS];
		bool		nulls[SPLIT_COLUMNS];

		put_text(values, nulls, 0, split.parts[i].name);
		put_text(values, nulls, 1, key_text(&split.set->key, split.parts[i].range.from, split.set->zone));
		put_text(values, nulls, 2, key_text(&split.set->key, split.parts[i].range.to, split.set->zone));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

static void
put_statement(ReturnSetInfo *result, const char *step, const char *statement)
{
	Datum		values[CONVERSION_COLUMNS];
	bool		nulls[CONVERSION_COLUMNS];

	put_text(values, nulls, 0, step);
	put_text(values, nulls, 1, statement);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* SQL: dbmaint_conversion_plan(regclass, name, ...), see convert.sql */
Datum
dbmaint_conversion_plan(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Conversion	conversion = {0};
	Extension	extension;
	ConvertStatement *statements;
	int			count;

	InitMaterializedSRF(fcinfo, 0);
	refuse_null(fcinfo, 0, "table_name");
	refuse_null(fcinfo, 1, "column_name");
	conversion.table = PG_GETARG_OID(0);
	conversion.extension = &extension;
	conversion.column = pstrdup(NameStr(*PG_GETARG_NAME(1)));
	conversion.options.period = text_argument(fcinfo, 2);
	conversion.options.time_zone = text_argument(fcinfo, 3);
	conversion.options.epoch = epoch_argument(fcinfo, 4);
	conversion.unique_per_partition = bool_argument(fcinfo, 5, "unique_per_partition");
	conversion.at = GetCurrentTimestamp();
	set_check_rights(conversion.table);
	if (!history_find_extension(&extension))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension dbmaint is not installed in this database")));
	convert_look(&conversion);

	put_statement(result, "check", convert_check_statement(&conversion));
	put_statement(result, "validate", convert_validate_statement(&conversion));
	count = convert_statements(&conversion, &statements);
	for (int i = 0; i < count; i++)
		put_statement(result, "swap", statements[i].text);
	return (Datum) 0;
}
