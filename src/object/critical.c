/*-------------------------------------------------------------------------
 *
 * critical.c
 *		The list of critical indexes, as SQL reads it.
 *
 * src/object/critical.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "funcapi.h"
#include "settings.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"
#include "utils/varlena.h"

PG_FUNCTION_INFO_V1(dbmaint_critical_indexes);

/* SQL: dbmaint_critical_indexes() -> setof text, one an entry of the setting */
Datum
dbmaint_critical_indexes(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	List	   *names = NIL;
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);

	/* the check hook let only a valid list through */
	(void) SplitGUCList(pstrdup(setting_critical_indexes), ',', &names);
	foreach(cell, names)
	{
		Datum		value = CStringGetTextDatum(lfirst(cell));
		bool		isnull = false;

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, &value,
							 &isnull);
	}
	return (Datum) 0;
}
