/*-------------------------------------------------------------------------
 *
 * condition.c
 *		What a SQLSTATE is called.
 *
 * src/activity/condition.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(dbmaint_condition_name);

typedef struct Condition
{
	const char *sqlstate;
	const char *name;
} Condition;

static int
compare_condition(const void *sqlstate, const void *condition)
{
	return strcmp(sqlstate, ((const Condition *) condition)->sqlstate);
}

/* SQL: dbmaint_condition_name(sqlstate text), see message_log.sql */
Datum
dbmaint_condition_name(PG_FUNCTION_ARGS)
{
	static const Condition conditions[] = {
#define CONDITION(sqlstate, name) {sqlstate, name},
#include "activity/condition.def"
#undef CONDITION
	};
	char	   *sqlstate = text_to_cstring(PG_GETARG_TEXT_PP(0));
	const Condition *found = bsearch(sqlstate, conditions, lengthof(conditions),
									 sizeof(Condition), compare_condition);

	if (found == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(found->name));
}
