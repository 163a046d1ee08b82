/*-------------------------------------------------------------------------
 *
 * source.h
 *		What source.c and source_text.c share: the function of
 *		pg_stat_statements, its columns, and calling it.
 *
 * src/statement/source.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_SOURCE_H
#define DBMAINT_SOURCE_H

#include "executor/tuptable.h"
#include "statement/statement.h"
#include "utils/tuplestore.h"

/* Where the columns of the function's result are; 0: it has no such. */
typedef struct SourceColumns
{
	AttrNumber	user_oid;
	AttrNumber	database_oid;
	AttrNumber	toplevel;
	AttrNumber	query_id;
	AttrNumber	query;
	AttrNumber	since;
	AttrNumber	counter[COUNTER_COUNT];
	Oid			counter_type[COUNTER_COUNT];
	AttrNumber	last;
	AttrNumber	last_early;		/* what tells whether it ran */
} SourceColumns;

/*
 * Returns the function of that name and so many arguments, InvalidOid where
 * pg_stat_statements is not installed in this database, or not preloaded.
 */
extern Oid	source_function(const char *name, int nargs);

/* Returns the columns of its result. */
extern TupleDesc source_result(Oid function);

/* Finds the columns; raises an error if one is missing that there must be. */
extern void source_columns(TupleDesc desc, SourceColumns *columns);

/*
 * Calls a function that returns a set or a row; gives the set, or NULL and the
 * row in *row.  The result is in the current memory context.
 */
extern Tuplestorestate *source_call(Oid function, int nargs, bool showtext,
									Datum *row);

/*
 * Takes the key from the row in the slot; false if it has none, as it is where
 * ids are not computed, or kept from the reader.
 */
extern bool source_key(TupleTableSlot *slot, const SourceColumns *columns,
					   StatementKey *key);

#endif							/* DBMAINT_SOURCE_H */
