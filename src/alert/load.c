/*-------------------------------------------------------------------------
 *
 * load.c
 *		Rules and open incidents, from their tables into memory.
 *
 * src/alert/load.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>

#include "alert/engine.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "step/query.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* A row of the result that is being read, and which column comes next. */
typedef struct RowReader
{
	HeapTuple	row;
	TupleDesc	columns;
	int			column;
} RowReader;

static Datum
next_datum(RowReader *reader, bool *isnull)
{
	return SPI_getbinval(reader->row, reader->columns, ++reader->column, isnull);
}

static char *
next_text(RowReader *reader)
{
	bool		isnull;
	Datum		value = next_datum(reader, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static bool
next_float(RowReader *reader, double *value)
{
	bool		isnull;
	Datum		datum = next_datum(reader, &isnull);

	*value = isnull ? NAN : DatumGetFloat8(datum);
	return !isnull;
}

static int64
next_int(RowReader *reader, int64 otherwise)
{
	bool		isnull;
	Datum		value = next_datum(reader, &isnull);

	return isnull ? otherwise : DatumGetInt64(value);
}

static bool
next_bool(RowReader *reader)
{
	bool		isnull;
	Datum		value = next_datum(reader, &isnull);

	return !isnull && DatumGetBool(value);
}

/* The next column, an array with an element a level; NULL is no array. */
static void
next_array(RowReader *reader, Oid type, Datum *values, bool *nulls)
{
	bool		isnull;
	Datum		array = next_datum(reader, &isnull);
	Datum	   *elements;
	bool	   *element_nulls;
	int			count = 0;
	int16		length;
	bool		byval;
	char		align;

	if (!isnull)
	{
		get_typlenbyvalalign(type, &length, &byval, &align);
		deconstruct_array(DatumGetArrayTypeP(array), type, length, byval, align,
						  &elements, &element_nulls, &count);
	}
	for (int l = 0; l < ALERT_LEVELS; l++)
	{
		nulls[l] = l >= count || element_nulls[l];
		values[l] = nulls[l] ? (Datum) 0 : elements[l];
	}
}

/* Makes a rule of a row of dbmaint_load_rules(), in its order of columns. */
static Rule *
read_rule(RowReader *reader)
{
	Rule	   *rule = palloc0_object(Rule);
	const char *comparison;
	const char *of_metric;
	const char *traffic_metric;

	rule->metric = metric_find_any(next_text(reader));
	rule->level = (int) next_int(reader, 0);
	rule->pattern = next_text(reader);
	rule->rank = pattern_rank(rule->pattern);
	rule->exact = strpbrk(rule->pattern, "*\\") == NULL;
	rule->name_hash = engine_hash_instance(rule->pattern);
	comparison = next_text(reader);
	rule->limit.watched = true;
	rule->limit.below = comparison[0] == '<';
	rule->limit.or_equal = comparison[1] == '=';
	rule->has_threshold = next_float(reader, &rule->limit.threshold);
	of_metric = next_text(reader);
	rule->of_metric = of_metric == NULL ? -1 : metric_find_any(of_metric);
	next_float(reader, &rule->of_ratio);
	rule->limit.sustained_us = next_int(reader, 0);
	rule->limit.resolve_us = next_int(reader, 0);
	rule->has_resolve_threshold = next_float(reader, &rule->limit.resolve_threshold);
	traffic_metric = next_text(reader);
	rule->traffic_metric = traffic_metric == NULL ? -1 : metric_find_any(traffic_metric);
	next_float(reader, &rule->min_traffic);
	rule->resolve_when_quiet = next_bool(reader);

	/* who writes into the table himself may name what is not there */
	if (rule->metric < 0 || (of_metric != NULL && rule->of_metric < 0) ||
		(traffic_metric != NULL && rule->traffic_metric < 0))
		return NULL;
	return rule;
}

void
load_rules(void *arg)
{
	Turn	   *turn = arg;
	Engine	   *engine = turn->engine;
	const Extension *extension = turn->extension;
	char	   *sql = psprintf("SELECT * FROM %s.dbmaint_load_rules()",
							   extension->schema);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "dbmaint alert rules",
												  ALLOCSET_SMALL_SIZES);
	Rule	   *rules[ANY_METRIC_COUNT] = {0};
	Rule	   *last[ANY_METRIC_COUNT] = {0};
	int			count = 0;
	uint64		rows = query_begin(sql, 0, NULL, NULL, NULL);

	for (uint64 i = 0; i < rows; i++)
	{
		RowReader	reader = {SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 0};
		MemoryContext old = MemoryContextSwitchTo(context);
		Rule	   *rule = read_rule(&reader);

		MemoryContextSwitchTo(old);
		if (rule == NULL)
			continue;
		if (last[rule->metric] == NULL)
			rules[rule->metric] = rule;
		else
			last[rule->metric]->next = rule;
		last[rule->metric] = rule;
		count++;
	}
	query_end();

	/* nothing fails from here on */
	MemoryContextSetParent(context, engine->context);
	MemoryContextDelete(engine->rule_context);
	engine->rule_context = context;
	memcpy(engine->rules, rules, sizeof(rules));
	engine->rule_count = count;
	engine->rules_oid = get_relname_relid("dbmaint_alert_rules", extension->schema_oid);
	engine->dropped_oid = get_relname_relid("dbmaint_dropped_rules", extension->schema_oid);
	engine->silences_oid = get_relname_relid("dbmaint_silences", extension->schema_oid);
	engine->windows_oid = get_relname_relid("dbmaint_maintenance_windows", extension->schema_oid);
	engine_choose_rules(engine, engine->rules_changed);
}

/* The engine's state of a row, whose columns come next. */
static void
read_levels(RowReader *reader, AlertState *state)
{
	Datum		values[ALERT_LEVELS];
	bool		nulls[ALERT_LEVELS];

	next_array(reader, TIMESTAMPTZOID, values, nulls);
	for (int l = 0; l < ALERT_LEVELS; l++)
	{
		state->level[l].breaching = !nulls[l];
		state->level[l].breaching_from = DatumGetTimestampTz(values[l]);
	}
	next_array(reader, TIMESTAMPTZOID, values, nulls);
	for (int l = 0; l < ALERT_LEVELS; l++)
	{
		state->level[l].well = !nulls[l];
		state->level[l].well_from = DatumGetTimestampTz(values[l]);
	}
	next_array(reader, BOOLOID, values, nulls);
	for (int l = 0; l < ALERT_LEVELS; l++)
		state->level[l].holding = !nulls[l] && DatumGetBool(values[l]);
	next_array(reader, INT4OID, values, nulls);
	for (int l = 0; l < ALERT_LEVELS; l++)
		state->level[l].flaps = nulls[l] ? 0 : DatumGetInt32(values[l]);
	next_array(reader, TIMESTAMPTZOID, values, nulls);
	for (int l = 0; l < ALERT_LEVELS; l++)
	{
		state->level[l].ended = !nulls[l];
		state->level[l].ended_at = DatumGetTimestampTz(values[l]);
	}
}

static void
read_incident(Turn *turn, RowReader *reader)
{
	int64		incident_id = next_int(reader, 0);
	int			metric = metric_find_any(next_text(reader));
	char	   *instance = next_text(reader);
	int			phase = (int) next_int(reader, 0);
	int			severity = (int) next_int(reader, 0);
	TimestampTz since = next_int(reader, 0);
	bool		flapping = next_bool(reader);
	TimestampTz last_at;
	const char *comparison;
	Watch	   *watch;

	if (metric < 0)
		return;
	watch = engine_watch(turn->engine, metric, instance, true);
	watch->read_at = turn->collection->at;
	state_init(&watch->state);
	read_levels(reader, &watch->state);
	last_at = next_int(reader, 0);
	for (int l = 0; l < ALERT_LEVELS; l++)
	{
		watch->state.level[l].read = true;
		watch->state.level[l].last_at = last_at;
	}
	comparison = next_text(reader);
	watch->noted.below = comparison[0] == '<';
	watch->noted.or_equal = comparison[1] == '=';
	next_float(reader, &watch->noted.threshold);
	if (phase == ALERT_INACTIVE)
		return;

	watch->incident_id = incident_id;
	watch->state.phase = phase;
	watch->state.severity = severity;
	watch->state.since = since;
	watch->state.flapping = flapping;
	engine_set_open(turn->engine, watch);
}

void
load_incidents(void *arg)
{
	Turn	   *turn = arg;
	char	   *sql = psprintf("SELECT * FROM %s.dbmaint_load_incidents($1)",
							   turn->extension->schema);
	Oid			type = TIMESTAMPTZOID;
	Datum		at = TimestampTzGetDatum(turn->collection->at);
	uint64		rows = query_begin(sql, 1, &type, &at, NULL);

	for (uint64 i = 0; i < rows; i++)
	{
		RowReader	reader = {SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 0};

		read_incident(turn, &reader);
	}
	query_end();
}
