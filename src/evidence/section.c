/*-------------------------------------------------------------------------
 *
 * section.c
 *		Runs one section of the evidence so that it can fail alone, and in
 *		its own time.
 *
 * Evidence is gathered when the server is not well: a catalog may be locked,
 * a table of ours damaged, the machine too slow.  What one section costs is
 * bounded here; what is in it is SQL.
 *
 * src/evidence/section.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_type.h"
#include "collect/collect.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "history/history.h"
#include "postmaster/bgworker.h"
#include "settings.h"
#include "step/guard.h"
#include "step/query.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(dbmaint_evidence_section);
PG_FUNCTION_INFO_V1(dbmaint_evidence_snapshot_objects);
PG_FUNCTION_INFO_V1(dbmaint_evidence_budget);

/* of all sections in a session, which has nobody waiting behind it */
#define SESSION_BUDGET_MS 3000

/* metric, instance, since_at, at: what every section is told */
#define SECTION_ARGUMENTS 4

typedef struct Section
{
	char	   *function;		/* quoted, with its schema */
	Datum		values[SECTION_ARGUMENTS];
	char		nulls[SECTION_ARGUMENTS + 1];
	MemoryContext context;		/* of the result */
	Datum		result;
	bool		isnull;
} Section;

static void
run_section(void *arg)
{
	Section    *section = arg;
	Oid			types[SECTION_ARGUMENTS] = {TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	char	   *sql = psprintf("SELECT %s($1, $2, $3, $4)", section->function);

	if (query_begin(sql, SECTION_ARGUMENTS, types, section->values, section->nulls) == 1)
	{
		Datum		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
										  1, &section->isnull);

		if (!section->isnull)
		{
			MemoryContext old = MemoryContextSwitchTo(section->context);

			section->result = datumCopy(value, false, -1);
			MemoryContextSwitchTo(old);
		}
	}
	query_end();
}

/*
 * SQL: dbmaint_evidence_section(section, metric, instance, since_at, at,
 * limit_ms) -> (result jsonb, error text), see evidence.sql
 */
Datum
dbmaint_evidence_section(PG_FUNCTION_ARGS)
{
	Section		section = {.isnull = true,.context = CurrentMemoryContext};
	Extension	extension;
	TupleDesc	columns;
	Datum		values[2] = {0};
	bool		nulls[2] = {true, true};
	char	   *name;
	char	   *failure;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(5))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("section and limit_ms must not be null"),
				 errhint("Call dbmaint_collect_evidence() instead, which knows both.")));
	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (!history_find_extension(&extension))
		elog(ERROR, "extension \"dbmaint\" is not installed");

	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	section.function = psprintf("%s.%s", extension.schema,
								quote_identifier(psprintf("dbmaint_evidence_%s", name)));
	for (int i = 0; i < SECTION_ARGUMENTS; i++)
	{
		section.values[i] = PG_ARGISNULL(i + 1) ? (Datum) 0 : PG_GETARG_DATUM(i + 1);
		section.nulls[i] = PG_ARGISNULL(i + 1) ? 'n' : ' ';
	}

	failure = guard_run_within(name, run_section, &section, PG_GETARG_INT32(5));
	if (failure != NULL)
		values[1] = CStringGetTextDatum(failure);
	else
		values[0] = section.result;
	nulls[0] = failure != NULL || section.isnull;
	nulls[1] = failure == NULL;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), values, nulls)));
}

/*
 * SQL: dbmaint_evidence_budget() -> int.  The alert engine cancels all of it
 * when its time is up: what there is by then must be handed back before.
 */
Datum
dbmaint_evidence_budget(PG_FUNCTION_ARGS)
{
	long		left_ms;

	if (MyBgworkerEntry == NULL || !get_timeout_active(STATEMENT_TIMEOUT))
		PG_RETURN_INT32(SESSION_BUDGET_MS);
	left_ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
											  get_timeout_finish_time(STATEMENT_TIMEOUT));
	PG_RETURN_INT32((int32) (left_ms - left_ms / 5));
}

/* SQL: dbmaint_evidence_snapshot_objects(at), see evidence.sql */
Datum
dbmaint_evidence_snapshot_objects(PG_FUNCTION_ARGS)
{
	Collection	collection = {.at = PG_GETARG_TIMESTAMPTZ(0)};
	Extension	extension;

	shared_require();
	if (!history_find_extension(&extension))
		elog(ERROR, "extension \"dbmaint\" is not installed");
	collection.schema = extension.schema;
	collect_tables(&collection);
	collect_indexes(&collection);
	PG_RETURN_VOID();
}
