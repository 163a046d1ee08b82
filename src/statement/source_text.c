/*-------------------------------------------------------------------------
 *
 * source_text.c
 *		The texts of statements, from pg_stat_statements.
 *
 * src/statement/source_text.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <sys/stat.h>

#include "access/htup_details.h"
#include "catalog/pg_database.h"
#include "executor/tuptable.h"
#include "mb/pg_wchar.h"
#include "statement/source.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"

/*
 * The server loads the whole file of texts into memory to give one of them.
 * Above this size that is not worth it.
 */
#define TEXT_FILE PG_STAT_TMP_DIR "/pgss_query_texts.stat"
#define TEXT_FILE_MAX (INT64CONST(256) * 1024 * 1024)

static int
compare_texts(const void *a, const void *b)
{
	return memcmp(&((const StatementText *) a)->key,
				  &((const StatementText *) b)->key, sizeof(StatementKey));
}

/* The encoding of a database; SQL_ASCII, which says nothing, if it is gone. */
static int
database_encoding(Oid database)
{
	HeapTuple	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
	int			encoding = PG_SQL_ASCII;

	if (HeapTupleIsValid(tuple))
	{
		encoding = ((Form_pg_database) GETSTRUCT(tuple))->encoding;
		ReleaseSysCache(tuple);
	}
	return encoding;
}

/*
 * Calls pg_stat_statements with texts, as they are.  It converts each to the
 * encoding of the database, and one text of thousands that has no equivalent
 * there would make an error of them all; in SQL_ASCII it leaves them alone.
 * The error that passes through is not handled here, only the encoding is put
 * back.
 */
static Tuplestorestate *
call_with_raw_texts(Oid function)
{
	int			encoding = GetDatabaseEncoding();
	Tuplestorestate *store = NULL;

	PG_TRY();
	{
		SetDatabaseEncoding(PG_SQL_ASCII);
		store = source_call(function, 1, true, NULL);
	}
	PG_FINALLY();
	{
		SetDatabaseEncoding(encoding);
	}
	PG_END_TRY();
	return store;
}

static bool
texts_fit(void)
{
	struct stat file;

	return stat(TEXT_FILE, &file) != 0 || file.st_size <= TEXT_FILE_MAX;
}

bool
source_read_texts(StatementText *texts, int count)
{
	Oid			function = source_function("pg_stat_statements", 1);
	TupleDesc	desc;
	SourceColumns columns;
	Tuplestorestate *store;
	TupleTableSlot *slot;

	if (count == 0 || !OidIsValid(function))
		return true;
	if (!texts_fit())
		return false;

	desc = source_result(function);
	source_columns(desc, &columns);
	store = call_with_raw_texts(function);

	qsort(texts, count, sizeof(StatementText), compare_texts);
	slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	while (tuplestore_gettupleslot(store, true, false, slot))
	{
		StatementText *wanted;
		StatementText key;
		text	   *query;

		CHECK_FOR_INTERRUPTS();
		slot_getsomeattrs(slot, Max(columns.query, columns.query_id));
		if (!source_key(slot, &columns, &key.key) ||
			slot->tts_isnull[columns.query - 1])
			continue;
		wanted = bsearch(&key, texts, count, sizeof(StatementText), compare_texts);
		if (wanted == NULL || wanted->text != NULL)
			continue;
		query = DatumGetTextPP(slot->tts_values[columns.query - 1]);
		wanted->text = query_text_keep(VARDATA_ANY(query), VARSIZE_ANY_EXHDR(query),
									   database_encoding(key.key.database_oid),
									   &wanted->truncated);
	}
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_end(store);
	return true;
}

char *
source_find_text(Oid database_oid, int64 query_id)
{
	Oid			function = source_function("pg_stat_statements", 1);
	TupleDesc	desc;
	SourceColumns columns;
	Tuplestorestate *store;
	TupleTableSlot *slot;
	char	   *found = NULL;

	if (!OidIsValid(function) || !texts_fit())
		return NULL;
	desc = source_result(function);
	source_columns(desc, &columns);
	/* it shows the statements of others without their ids */
	store = call_with_raw_texts(function);
	slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	while (found == NULL && tuplestore_gettupleslot(store, true, false, slot))
	{
		StatementKey key;

		CHECK_FOR_INTERRUPTS();
		slot_getsomeattrs(slot, Max(columns.query, columns.query_id));
		if (source_key(slot, &columns, &key) && key.query_id == query_id &&
			key.database_oid == database_oid &&
			!slot->tts_isnull[columns.query - 1])
			found = TextDatumGetCString(slot->tts_values[columns.query - 1]);
	}
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_end(store);
	/* it was kept from conversion, but is this database's own */
	if (found != NULL)
		pg_verifymbstr(found, strlen(found), false);
	return found;
}
