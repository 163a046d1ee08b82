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
#include "utils/array.h"
#include "utils/lsyscache.h"

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

Datum
query_array(Datum *elements, bool *nulls, int count, Oid type)
{
	int16		length;
	bool		byval;
	char		align;
	int			lower = 1;

	get_typlenbyvalalign(type, &length, &byval, &align);
	return PointerGetDatum(construct_md_array(elements, nulls, 1, &count, &lower,
											  type, length, byval, align));
}
