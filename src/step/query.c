/*-------------------------------------------------------------------------
 *
 * query.c
 *		Calls a SQL function or statement of ours, inside a step.
 *
 * src/step/query.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "executor/spi.h"
#include "step/query.h"

uint64
query_begin(const char *sql, int nargs, Oid *types, Datum *values,
			const char *nulls)
{
	int			result;

	SPI_connect();
	pgstat_report_activity(STATE_RUNNING, sql);
	result = SPI_execute_with_args(sql, nargs, types, values, nulls, false, 0);
	if (result < 0)
		elog(ERROR, "could not run \"%s\": %s", sql,
			 SPI_result_code_string(result));
	return SPI_processed;
}

void
query_end(void)
{
	SPI_finish();
}
