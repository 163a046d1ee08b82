/*-------------------------------------------------------------------------
 *
 * pool_functions.c
 *		PgBouncer for SQL: its pools and settings now, the status, commands.
 *
 * src/pool/pool_functions.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "pool/command.h"
#include "pool/pool.h"
#include "settings.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#define POOL_COLUMNS 20
#define SETTING_COLUMNS 5
#define STATUS_COLUMNS 12
#define COMMAND_COLUMNS 3

/* A RESUME after a PAUSE that failed has so long. */
#define RESUME_TIMEOUT_MS 2000

PG_FUNCTION_INFO_V1(dbmaint_pools);
PG_FUNCTION_INFO_V1(dbmaint_pool_settings);
PG_FUNCTION_INFO_V1(dbmaint_pool_status);
PG_FUNCTION_INFO_V1(dbmaint_send_pool_command);

static Datum
known_number(int64 number, bool *isnull)
{
	*isnull = number == POOL_UNKNOWN;
	return Int64GetDatum(number);
}

/* Microseconds as milliseconds, or a count as what it is. */
static Datum
known_float(int64 number, double divisor, bool *isnull)
{
	*isnull = number == POOL_UNKNOWN;
	return Float8GetDatum((double) number / divisor);
}

static Datum
known_ratio(bool known, double ratio, bool *isnull)
{
	*isnull = !known;
	return Float8GetDatum(ratio);
}

static Datum
known_text(const char *bytes, bool *isnull)
{
	*isnull = bytes == NULL || *bytes == '\0';
	return *isnull ? (Datum) 0 : CStringGetTextDatum(pool_text(bytes));
}

static void
put_pool(ReturnSetInfo *rsinfo, const PoolReading *pool)
{
	Datum		values[POOL_COLUMNS];
	bool		nulls[POOL_COLUMNS] = {false};
	const int64_t *number = pool->number;
	double		ratio = 0;
	bool		exhausted = false;
	bool		known;
	int			n = 0;

	values[n++] = CStringGetTextDatum(pool_name(pool));
	values[n++] = CStringGetTextDatum(pool_text(pool->database));
	values[n++] = CStringGetTextDatum(pool_text(pool->user));
	values[n] = known_text(pool->mode, &nulls[n]);
	n++;
	for (int c = POOL_CL_ACTIVE; c <= POOL_SV_LOGIN; c++, n++)
		values[n] = known_number(number[c], &nulls[n]);
	values[n] = known_float(number[POOL_MAXWAIT_US], 1000, &nulls[n]);
	n++;
	values[n] = known_number(number[POOL_SIZE], &nulls[n]);
	n++;
	known = pool_efficiency(pool, &ratio);
	values[n] = known_ratio(known, ratio, &nulls[n]);
	n++;
	known = pool_utilization(pool, &ratio);
	values[n] = known_ratio(known, ratio, &nulls[n]);
	n++;
	known = pool_multiplexing(pool, &ratio);
	values[n] = known_ratio(known, ratio, &nulls[n]);
	n++;
	nulls[n] = !pool_exhausted(pool, &exhausted);
	values[n++] = BoolGetDatum(exhausted);
	values[n] = known_float(number[POOL_AVG_WAIT_US], 1000, &nulls[n]);
	n++;
	values[n] = known_float(number[POOL_AVG_QUERY_US], 1000, &nulls[n]);
	n++;
	values[n] = known_float(number[POOL_AVG_QUERIES], 1, &nulls[n]);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* SQL: dbmaint_pools(), see pool.sql */
Datum
dbmaint_pools(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Console    *console;
	PoolReading *readings;
	int			count;

	InitMaterializedSRF(fcinfo, 0);
	if (setting_pgbouncer_conninfo[0] == '\0')
		return (Datum) 0;

	console = pool_exchange(pool_statements, ANSWER_DATABASES + 1, POOL_DEADLINE_MS);
	if (console->state != CONSOLE_DONE)
		pool_raise(console);
	readings = pool_readings(console, &count);
	for (int i = 0; i < count; i++)
		put_pool(rsinfo, &readings[i]);
	return (Datum) 0;
}

static void
put_setting(ReturnSetInfo *rsinfo, const char *database, const char *setting,
			const char *value, const char *default_value, const char *changeable)
{
	Datum		values[SETTING_COLUMNS];
	bool		nulls[SETTING_COLUMNS] = {false};

	values[0] = known_text(database, &nulls[0]);
	values[1] = CStringGetTextDatum(pool_text(setting));
	nulls[2] = value == NULL;
	values[2] = value == NULL ? (Datum) 0 : CStringGetTextDatum(pool_text(value));
	nulls[3] = default_value == NULL;
	values[3] = default_value == NULL ? (Datum) 0 : CStringGetTextDatum(pool_text(default_value));
	nulls[4] = changeable == NULL;
	values[4] = BoolGetDatum(changeable != NULL && strcmp(changeable, "yes") == 0);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* SQL: dbmaint_pool_settings(), see pool.sql */
Datum
dbmaint_pool_settings(PG_FUNCTION_ARGS)
{
	static const char *const statements[] = {"SHOW CONFIG", "SHOW DATABASES"};
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const PoolTable *config;
	Console    *console;
	PoolSetting *of_databases;
	int			count;

	InitMaterializedSRF(fcinfo, 0);
	if (setting_pgbouncer_conninfo[0] == '\0')
		return (Datum) 0;

	console = pool_exchange(statements, lengthof(statements), POOL_DEADLINE_MS);
	if (console->state != CONSOLE_DONE)
		pool_raise(console);

	config = &console->answers[0];
	for (int row = 0; row < config->rows; row++)
	{
		const char *key = pool_value(config, row, pool_column(config, "key"));

		if (key != NULL && pool_shows_setting(key))
			put_setting(rsinfo, NULL, key,
						pool_value(config, row, pool_column(config, "value")),
						pool_value(config, row, pool_column(config, "default")),
						pool_value(config, row, pool_column(config, "changeable")));
	}
	of_databases = pool_database_settings(&console->answers[1], &count);
	for (int i = 0; i < count; i++)
		put_setting(rsinfo, of_databases[i].database, of_databases[i].setting,
					of_databases[i].value, NULL, NULL);
	return (Datum) 0;
}

/* SQL: dbmaint_pool_status(), see pool.sql */
Datum
dbmaint_pool_status(PG_FUNCTION_ARGS)
{
	Datum		values[STATUS_COLUMNS] = {0};
	bool		nulls[STATUS_COLUMNS] = {false};
	PoolStatus	status = {0};
	TupleDesc	desc;
	bool		configured = setting_pgbouncer_conninfo[0] != '\0';

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	(void) pool_status(&status);

	values[0] = BoolGetDatum(configured);
	values[1] = CStringGetTextDatum(configured ? pool_reason_name(status.reason) : "not configured");
	values[2] = TimestampTzGetDatum(status.tried_at);
	nulls[2] = status.tried_at == 0;
	values[3] = TimestampTzGetDatum(status.read_at);
	nulls[3] = status.read_at == 0;
	values[4] = Float8GetDatum(status.cost_us / 1000.0);
	nulls[4] = status.tried_at == 0;
	values[5] = Int32GetDatum(status.pools);
	nulls[5] = status.read_at == 0;
	values[6] = Int64GetDatum(status.readings);
	values[7] = Int64GetDatum(status.errors);
	values[8] = Int32GetDatum(status.failures);
	values[9] = known_text(status.version, &nulls[9]);
	values[10] = known_text(status.reason == POOL_OK ? NULL : status.message, &nulls[10]);
	values[11] = known_text(configured ? pool_reason_advice(status.reason) :
							"Set dbmaint.pgbouncer_conninfo to the admin console of PgBouncer and reload.",
							&nulls[11]);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/*
 * Commands.
 */

static void
refuse_command(CommandFault fault, const char *command, const char *target, const char *value)
{
	StringInfoData settable;

	switch (fault)
	{
		case COMMAND_FINE:
			return;
		case COMMAND_UNKNOWN:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("no command \"%s\" is sent to PgBouncer", command),
					 errhint("There are PAUSE, RESUME, RELOAD and SET.")));
			break;
		case COMMAND_TARGET_MISSING:
		case COMMAND_SETTING_UNKNOWN:
			initStringInfo(&settable);
			for (int i = 0; pool_settable(i) != NULL; i++)
				appendStringInfo(&settable, "%s%s", i == 0 ? "" : ", ", pool_settable(i));
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 target == NULL ? errmsg("SET needs the name of a setting") :
					 errmsg("the setting \"%s\" of PgBouncer is not set from here", target),
					 errhint("Those that may be set are %s.", settable.data)));
			break;
		case COMMAND_TARGET_UNWANTED:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("RELOAD takes no target")));
			break;
		case COMMAND_TARGET_BAD:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_NAME),
					 errmsg("no database of PgBouncer can have that name"),
					 errdetail("A name has 1 to 127 bytes and no control characters.")));
			break;
		case COMMAND_VALUE_MISSING:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("SET needs a value for \"%s\"", target)));
			break;
		case COMMAND_VALUE_UNWANTED:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("only SET takes a value")));
			break;
		case COMMAND_VALUE_BAD:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid value for the setting \"%s\" of PgBouncer: \"%s\"", target, value),
					 errdetail("It is a number without a unit (seconds, for a time) that is not too great, or a pool mode.")));
			break;
	}
}

/*
 * Sends one statement; *answer is what came of it, and *open says that nobody
 * knows whether PgBouncer is still at it.
 */
static bool
send_statement(const char *statement, int timeout_ms, char **answer, bool *open)
{
	Console    *console = pool_exchange(&statement, 1, timeout_ms);

	*open = console->state != CONSOLE_DONE &&
		console->trouble.stage == STAGE_STATEMENT &&
		console->trouble.sqlstate[0] == '\0';
	if (console->state == CONSOLE_DONE)
	{
		*answer = pool_text(console->tags[0]);
		return true;
	}
	*answer = psprintf("%s: %s", pool_reason_name(pool_reason(&console->trouble)),
					   pool_text(console->trouble.message));
	return false;
}

/*
 * A PAUSE that did not end leaves PgBouncer waiting for its clients to finish,
 * and letting no query begin; so it is undone, also where the user cancels.
 * One that was refused is not: it may be paused by somebody else.
 */
static bool
send_command(const char *command, const char *target, const char *statement,
			 int timeout_ms, char **answer)
{
	char		resume[CONSOLE_STATEMENT_LENGTH];
	char	   *resumed;
	bool		succeeded;
	bool		open;

	if (!pool_command_waits(command))
		return send_statement(statement, timeout_ms, answer, &open);

	HOLD_CANCEL_INTERRUPTS();
	succeeded = send_statement(statement, timeout_ms, answer, &open);
	if (open)
	{
		(void) pool_build_command("RESUME", target, NULL, resume, sizeof(resume));
		HOLD_INTERRUPTS();
		(void) send_statement(resume, RESUME_TIMEOUT_MS, &resumed, &open);
		RESUME_INTERRUPTS();
		*answer = psprintf("%s; sent %s: %s", *answer, resume, resumed);
	}
	RESUME_CANCEL_INTERRUPTS();
	return succeeded;
}

/* SQL: dbmaint_send_pool_command(), see pool.sql */
Datum
dbmaint_send_pool_command(PG_FUNCTION_ARGS)
{
	const char *command = PG_ARGISNULL(0) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(0));
	const char *target = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	const char *value = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));
	int			timeout_ms = PG_ARGISNULL(3) ? 0 : PG_GETARG_INT32(3);
	char		statement[CONSOLE_STATEMENT_LENGTH];
	Datum		values[COMMAND_COLUMNS] = {0};
	bool		nulls[COMMAND_COLUMNS] = {false, true, true};
	char	   *answer;
	bool		succeeded;
	TupleDesc	desc;

	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("only a superuser may send commands to PgBouncer")));
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	refuse_command(pool_build_command(command, target, value, statement, sizeof(statement)),
				   command, target, value);
	if (setting_pgbouncer_conninfo[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("no PgBouncer is configured"),
				 errhint("Set dbmaint.pgbouncer_conninfo to its admin console and reload.")));

	values[0] = CStringGetTextDatum(statement);
	if (timeout_ms > 0)
	{
		succeeded = send_command(command, target, statement, timeout_ms, &answer);
		ereport(LOG,
				(errmsg("dbmaint: sent to PgBouncer by \"%s\": %s: %s",
						GetUserNameFromId(GetSessionUserId(), false), statement, answer)));
		values[1] = BoolGetDatum(succeeded);
		values[2] = CStringGetTextDatum(answer);
		nulls[1] = nulls[2] = false;
	}
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}
