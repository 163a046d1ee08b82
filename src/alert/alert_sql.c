/*-------------------------------------------------------------------------
 *
 * alert_sql.c
 *		Patterns, and the host's name, for SQL.
 *
 * src/alert/alert_sql.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <unistd.h>

#include "alert/pattern.h"
#include "common/string.h"
#include "utils/builtins.h"

#define HOST_NAME_LENGTH 256

PG_FUNCTION_INFO_V1(dbmaint_matches_pattern);
PG_FUNCTION_INFO_V1(dbmaint_pattern_rank);
PG_FUNCTION_INFO_V1(dbmaint_host_name);

Datum
dbmaint_matches_pattern(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(pattern_matches(text_to_cstring(PG_GETARG_TEXT_PP(0)),
								   text_to_cstring(PG_GETARG_TEXT_PP(1))));
}

Datum
dbmaint_pattern_rank(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(pattern_rank(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}

Datum
dbmaint_host_name(PG_FUNCTION_ARGS)
{
	char		name[HOST_NAME_LENGTH];

	if (gethostname(name, sizeof(name) - 1) != 0)
		PG_RETURN_NULL();
	name[sizeof(name) - 1] = '\0';
	if (!pg_is_ascii(name))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(name));
}
