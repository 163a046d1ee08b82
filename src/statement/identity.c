/*-------------------------------------------------------------------------
 *
 * identity.c
 *		Gives each statement a number, and keeps its text.
 *
 * The numbers are those of dbmaint_statements.  A reading remembers them, so
 * the table is asked only about statements that it has not seen, and once a
 * week about each, to note that it is in use.
 *
 * src/statement/identity.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "history/history.h"
#include "statement/statement.h"
#include "step/guard.h"
#include "step/query.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* how old a note of a statement's use may be; expiry allows for it */
#define USE_NOTED_DAYS 7

/* the arrays that describe statements to SQL, and the time */
#define KEY_ARGUMENTS 5

typedef struct TextRequest
{
	StatementText *texts;
	int			count;
	bool		complete;
} TextRequest;

/* Fills in the arguments that name statements: the time, then arrays. */
static void
key_arguments(TimestampTz at, const StatementKey *const *keys, int count,
			  Oid *types, Datum *arguments)
{
	Datum	   *values = palloc_array(Datum, count);

	types[0] = TIMESTAMPTZOID;
	arguments[0] = TimestampTzGetDatum(at);
	for (int i = 0; i < count; i++)
		values[i] = ObjectIdGetDatum(keys[i]->user_oid);
	types[1] = OIDARRAYOID;
	arguments[1] = query_array(values, NULL, count, OIDOID);
	for (int i = 0; i < count; i++)
		values[i] = ObjectIdGetDatum(keys[i]->database_oid);
	types[2] = OIDARRAYOID;
	arguments[2] = query_array(values, NULL, count, OIDOID);
	for (int i = 0; i < count; i++)
		values[i] = Int64GetDatum(keys[i]->query_id);
	types[3] = INT8ARRAYOID;
	arguments[3] = query_array(values, NULL, count, INT8OID);
	for (int i = 0; i < count; i++)
		values[i] = BoolGetDatum(keys[i]->toplevel != 0);
	types[4] = BOOLARRAYOID;
	arguments[4] = query_array(values, NULL, count, BOOLOID);
	pfree(values);
}

/*
 * Looks up the ids of the entries; 0 where there is none.  Returns how many
 * have one.
 */
static int
look_up(const Extension *extension, TimestampTz at, StatementEntry **entries,
		int count)
{
	const StatementKey **keys = palloc_array(const StatementKey *, count);
	char	   *sql = psprintf("SELECT n, statement_id FROM %s.dbmaint_find_statements($1, $2, $3, $4, $5)",
							   extension->schema);
	Oid			types[KEY_ARGUMENTS];
	Datum		arguments[KEY_ARGUMENTS];
	uint64		found;

	for (int i = 0; i < count; i++)
	{
		keys[i] = &entries[i]->key;
		entries[i]->statement_id = 0;
	}
	key_arguments(at, keys, count, types, arguments);
	found = query_begin(sql, KEY_ARGUMENTS, types, arguments, NULL);
	for (uint64 i = 0; i < found; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	columns = SPI_tuptable->tupdesc;
		bool		isnull;
		int			n = DatumGetInt32(SPI_getbinval(row, columns, 1, &isnull));

		Assert(n >= 1 && n <= count);
		entries[n - 1]->statement_id =
			DatumGetInt32(SPI_getbinval(row, columns, 2, &isnull));
	}
	query_end();
	pfree(keys);
	return (int) found;
}

/* The statements whose texts are still wanted, with room for more. */
static StatementText *
list_textless(const Extension *extension, int more, int *count)
{
	char	   *sql = psprintf("SELECT user_oid, database_oid, query_id, toplevel FROM %s.dbmaint_statements_without_text()",
							   extension->schema);
	MemoryContext context = CurrentMemoryContext;
	StatementText *texts;
	uint64		found = query_begin(sql, 0, NULL, NULL, NULL);

	texts = MemoryContextAllocExtended(context,
									   sizeof(StatementText) * (found + more),
									   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint64 i = 0; i < found; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	columns = SPI_tuptable->tupdesc;
		StatementKey *key = &texts[i].key;
		bool		isnull;

		key->user_oid = DatumGetObjectId(SPI_getbinval(row, columns, 1, &isnull));
		key->database_oid = DatumGetObjectId(SPI_getbinval(row, columns, 2, &isnull));
		key->query_id = DatumGetInt64(SPI_getbinval(row, columns, 3, &isnull));
		key->toplevel = DatumGetBool(SPI_getbinval(row, columns, 4, &isnull));
	}
	query_end();
	*count = (int) found;
	return texts;
}

static void
step_read_texts(void *arg)
{
	TextRequest *request = arg;

	request->complete = source_read_texts(request->texts, request->count);
}

/* Reads the texts; false, and a line in the log, where that fails. */
static bool
read_texts(StatementText *texts, int count)
{
	TextRequest request = {texts, count, false};
	char	   *failure = guard_run("texts of statements", step_read_texts, &request);

	if (failure != NULL)
		guard_log(failure);
	return request.complete;
}

/* Stores statements with their texts. */
static void
store(const Extension *extension, TimestampTz at, const StatementText *texts,
	  int count)
{
	char	   *sql = psprintf("SELECT %s.dbmaint_store_statements($1, $2, $3, $4, $5, $6, $7)",
							   extension->schema);
	const StatementKey **keys = palloc_array(const StatementKey *, count);
	Datum	   *values = palloc_array(Datum, count);
	bool	   *nulls = palloc_array(bool, count);
	Oid			types[KEY_ARGUMENTS + 2];
	Datum		arguments[KEY_ARGUMENTS + 2];

	for (int i = 0; i < count; i++)
		keys[i] = &texts[i].key;
	key_arguments(at, keys, count, types, arguments);

	for (int i = 0; i < count; i++)
	{
		nulls[i] = texts[i].text == NULL;
		values[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(texts[i].text);
	}
	types[KEY_ARGUMENTS] = TEXTARRAYOID;
	arguments[KEY_ARGUMENTS] = query_array(values, nulls, count, TEXTOID);
	for (int i = 0; i < count; i++)
		values[i] = BoolGetDatum(texts[i].truncated);
	types[KEY_ARGUMENTS + 1] = BOOLARRAYOID;
	arguments[KEY_ARGUMENTS + 1] = query_array(values, NULL, count, BOOLOID);

	query_begin(sql, KEY_ARGUMENTS + 2, types, arguments, NULL);
	query_end();
}

/* Moves the entries without an id to the front; returns how many. */
static int
gather_unknown(StatementEntry **entries, int count)
{
	int			unknown = 0;

	for (int i = 0; i < count; i++)
	{
		StatementEntry *entry = entries[i];

		if (entry->statement_id != 0)
			continue;
		entries[i] = entries[unknown];
		entries[unknown++] = entry;
	}
	return unknown;
}

/* Stores the entries, which nobody knows yet, and what lacks its text. */
static void
store_unknown(const Extension *extension, StatementReading *reading,
			  StatementEntry **entries, int count, bool again)
{
	StatementText *texts;
	int			textless = 0;

	if (again)
		texts = list_textless(extension, count, &textless);
	else
		texts = palloc0_array(StatementText, Max(count, 1));
	for (int i = 0; i < count; i++)
		texts[textless + i].key = entries[i]->key;
	if (textless + count == 0)
		return;

	reading->texts_missing = !read_texts(texts, textless + count);
	store(extension, reading->at, texts, textless + count);
	if (count > 0 && look_up(extension, reading->at, entries, count) != count)
		elog(ERROR, "statements have no id after they were stored");
}

void
identity_assign(const Extension *extension, StatementReading *reading,
				StatementEntry **entries, int count, bool again)
{
	StatementEntry **stale = palloc_array(StatementEntry *, Max(count, 1));
	int32		today = (int32) (reading->at / USECS_PER_DAY);
	int			asked = 0;
	int			unknown = 0;

	for (int i = 0; i < count; i++)
	{
		if (entries[i]->statement_id == 0 ||
			abs(today - entries[i]->used_on) >= USE_NOTED_DAYS)
			stale[asked++] = entries[i];
	}
	if (asked > 0)
	{
		look_up(extension, reading->at, stale, asked);
		for (int i = 0; i < asked; i++)
			stale[i]->used_on = today;
		unknown = gather_unknown(stale, asked);
	}
	if (unknown > 0 || again)
		store_unknown(extension, reading, stale, unknown, again);
	pfree(stale);
}
