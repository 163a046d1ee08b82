/*-------------------------------------------------------------------------
 *
 * store.c
 *		Writes transitions with what they queue, collects evidence, and
 *		attends to what fires.
 *
 * src/alert/store.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>

#include "alert/engine.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "step/query.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Arguments of a call that is being put together. */
typedef struct Arguments
{
	int			count;
	Oid			types[24];
	Datum		values[24];
	char		nulls[24];
} Arguments;

static void
add_datum(Arguments *arguments, Oid type, Datum value, bool isnull)
{
	int			n = arguments->count;

	if (n >= (int) lengthof(arguments->types))
		elog(ERROR, "more arguments than there is room for");
	arguments->count++;
	arguments->types[n] = type;
	arguments->values[n] = isnull ? (Datum) 0 : value;
	arguments->nulls[n] = isnull ? 'n' : ' ';
}

static void
add_text(Arguments *arguments, const char *text)
{
	add_datum(arguments, TEXTOID,
			  text == NULL ? (Datum) 0 : CStringGetTextDatum(text), text == NULL);
}

static void
add_float(Arguments *arguments, double value)
{
	add_datum(arguments, FLOAT8OID, Float8GetDatum(value), isnan(value));
}

static void
add_array(Arguments *arguments, Oid type, Datum *values, bool *nulls)
{
	Oid			array_type = type == BOOLOID ? BOOLARRAYOID :
	type == INT4OID ? INT4ARRAYOID : TIMESTAMPTZARRAYOID;

	add_datum(arguments, array_type,
			  query_array(values, nulls, ALERT_LEVELS, type), false);
}

/* What must outlive a restart: see dbmaint_incidents. */
static void
add_levels(Arguments *arguments, const AlertState *state)
{
	Datum		values[5][ALERT_LEVELS];
	bool		nulls[5][ALERT_LEVELS] = {{0}};

	for (int l = 0; l < ALERT_LEVELS; l++)
	{
		const AlertLevel *level = &state->level[l];

		values[0][l] = TimestampTzGetDatum(level->breaching_from);
		nulls[0][l] = !level->breaching;
		values[1][l] = TimestampTzGetDatum(level->well_from);
		nulls[1][l] = !level->well;
		values[2][l] = BoolGetDatum(level->holding);
		values[3][l] = Int32GetDatum(level->flaps);
		values[4][l] = TimestampTzGetDatum(level->ended_at);
		nulls[4][l] = !level->ended;
	}
	add_array(arguments, TIMESTAMPTZOID, values[0], nulls[0]);
	add_array(arguments, TIMESTAMPTZOID, values[1], nulls[1]);
	add_array(arguments, BOOLOID, values[2], NULL);
	add_array(arguments, INT4OID, values[3], NULL);
	add_array(arguments, TIMESTAMPTZOID, values[4], nulls[4]);
}

static const char *
severity_name(int severity)
{
	static const char *const names[ALERT_LEVELS] = {"warning", "critical", "emergency"};

	return names[Max(severity, 0)];
}

static const char *
change_name(AlertChange change)
{
	static const char *const names[] = {
		[CHANGE_NONE] = "none",
		[CHANGE_MOVED] = "moved",
		[CHANGE_PENDING] = "pending",
		[CHANGE_CANCELLED] = "cancelled",
		[CHANGE_FIRED] = "firing",
		[CHANGE_WORSE] = "worse",
		[CHANGE_BETTER] = "better",
		[CHANGE_RESOLVED] = "resolved",
	};

	return names[change];
}

static const char *
comparison_name(const AlertLimit *limit)
{
	if (limit->below)
		return limit->or_equal ? "<=" : "<";
	return limit->or_equal ? ">=" : ">";
}

static void
store_transition(Turn *turn, Transition *t)
{
	Arguments	arguments = {0};
	const Watch *watch = t->watch;
	char	   *sql = psprintf("SELECT %s.dbmaint_note_transition($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
							   turn->extension->schema);
	bool		isnull;

	add_datum(&arguments, INT8OID, Int64GetDatum(watch->incident_id),
			  watch->incident_id == 0);
	add_text(&arguments, metric_name_any((int) watch->key.metric));
	add_text(&arguments, watch->instance);
	add_text(&arguments, change_name(t->change));
	add_datum(&arguments, TIMESTAMPTZOID,
			  TimestampTzGetDatum(turn->collection->at), false);
	add_text(&arguments, severity_name(t->severity));
	add_text(&arguments, t->has_limit ? comparison_name(&t->limit) : NULL);
	add_float(&arguments, t->has_limit ? t->limit.threshold : NAN);
	add_float(&arguments, watch->known ? watch->value : NAN);
	add_datum(&arguments, TIMESTAMPTZOID, TimestampTzGetDatum(t->next.since), false);
	add_datum(&arguments, BOOLOID, BoolGetDatum(t->next.flapping), false);
	add_text(&arguments, t->because);
	add_datum(&arguments, JSONBOID, t->evidence, t->evidence == (Datum) 0);
	add_text(&arguments, t->cause);
	add_datum(&arguments, BOOLOID, BoolGetDatum(t->looked), false);
	add_levels(&arguments, &t->next);

	if (query_begin(sql, arguments.count, arguments.types, arguments.values,
					arguments.nulls) > 0)
		t->incident_id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
													 SPI_tuptable->tupdesc, 1,
													 &isnull));
	query_end();
}

/* The tables that a transition writes; none may have triggers or rules. */
static void
lock_tables(const Turn *turn)
{
	if (!history_lock(turn->extension, "dbmaint_incidents") ||
		!history_lock(turn->extension, "dbmaint_incident_events"))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the tables of incidents are gone"),
				 errhint("Create the extension anew.")));
}

void
store_all(void *arg)
{
	Turn	   *turn = arg;

	lock_tables(turn);
	for (int i = 0; i < turn->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		store_transition(turn, &turn->transitions[i]);
	}
}

void
store_current(void *arg)
{
	Turn	   *turn = arg;

	lock_tables(turn);
	store_transition(turn, &turn->transitions[turn->current]);
}

void
collect_evidence(void *arg)
{
	Turn	   *turn = arg;
	Transition *t = &turn->transitions[turn->current];
	char	   *sql = psprintf("SELECT evidence, cause FROM %s.dbmaint_look_for_evidence($1, $2, $3, $4)",
							   turn->extension->schema);
	Arguments	arguments = {0};
	bool		isnull;

	add_text(&arguments, metric_name_any((int) t->watch->key.metric));
	add_text(&arguments, t->watch->instance);
	add_datum(&arguments, TIMESTAMPTZOID, TimestampTzGetDatum(t->next.since), false);
	add_datum(&arguments, TIMESTAMPTZOID, TimestampTzGetDatum(turn->collection->at), false);

	if (query_begin(sql, arguments.count, arguments.types, arguments.values,
					arguments.nulls) > 0)
	{
		HeapTuple	row = SPI_tuptable->vals[0];
		TupleDesc	columns = SPI_tuptable->tupdesc;
		Datum		evidence = SPI_getbinval(row, columns, 1, &isnull);
		MemoryContext old;

		old = MemoryContextSwitchTo(turn->context);
		if (!isnull)
			t->evidence = PointerGetDatum(PG_DETOAST_DATUM_COPY(evidence));
		evidence = SPI_getbinval(row, columns, 2, &isnull);
		if (!isnull)
			t->cause = TextDatumGetCString(evidence);
		MemoryContextSwitchTo(old);
	}
	query_end();
}

/* Takes the row of dbmaint_attend_incidents(): next_at, left_over, failure. */
static void
read_attendance(Turn *turn, HeapTuple row, TupleDesc columns, bool all)
{
	Engine	   *engine = turn->engine;
	bool		isnull;
	Datum		at = SPI_getbinval(row, columns, 1, &isnull);
	char	   *failure = SPI_getvalue(row, columns, 3);

	engine->attention_at = isnull ? 0 : DatumGetTimestampTz(at);
	/* a silence that began or ended is not known by its time */
	if (all && DatumGetBool(SPI_getbinval(row, columns, 2, &isnull)))
		engine->attend_all = true;
	if (failure != NULL)
		turn->attend_failure = MemoryContextStrdup(turn->context, failure);
}

void
attend_incidents(void *arg)
{
	Turn	   *turn = arg;
	Engine	   *engine = turn->engine;
	char	   *sql = psprintf("SELECT next_at, left_over, failure FROM %s.dbmaint_attend_incidents($1, $2)",
							   turn->extension->schema);
	Oid			types[] = {TIMESTAMPTZOID, BOOLOID};
	Datum		values[] = {TimestampTzGetDatum(turn->collection->at),
	BoolGetDatum(engine->attend_all)};
	bool		all = engine->attend_all;

	lock_tables(turn);
	/* what commits from here on is for the next time */
	engine->attend_all = false;
	engine->attention_at = 0;
	if (query_begin(sql, lengthof(types), types, values, NULL) > 0)
		read_attendance(turn, SPI_tuptable->vals[0], SPI_tuptable->tupdesc, all);
	engine->attend = false;
	query_end();
}

void
complete_evidence(void *arg)
{
	Turn	   *turn = arg;
	char	   *sql = psprintf("SELECT %s.dbmaint_complete_due_evidence($1)",
							   turn->extension->schema);
	Oid			type = TIMESTAMPTZOID;
	Datum		at = TimestampTzGetDatum(turn->collection->at);

	query_begin(sql, 1, &type, &at, NULL);
	query_end();
}
