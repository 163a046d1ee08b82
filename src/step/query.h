/*-------------------------------------------------------------------------
 *
 * query.h
 *		Calls a SQL function or statement of ours, inside a step.
 *
 * The one place that knows SPI's ceremony.  A result lives until
 * query_end(); values are read by column name, since the functions' columns
 * are the metrics' names.
 *
 * src/step/query.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_QUERY_H
#define DBMAINT_QUERY_H

/*
 * Runs the statement and returns the number of rows it gave or changed.
 * Raises an error if it fails.  Parameters as for SPI_execute_with_args.
 */
extern uint64 query_begin(const char *sql, int nargs, Oid *types,
						  Datum *values, const char *nulls);
extern void query_end(void);

/*
 * Makes an array for a parameter, of elements of the type; nulls says which
 * of them are NULL, or is NULL where none is.  In the current memory context.
 */
extern Datum query_array(Datum *elements, bool *nulls, int count, Oid type);

#endif							/* DBMAINT_QUERY_H */
