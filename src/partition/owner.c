/*-------------------------------------------------------------------------
 *
 * owner.c
 *		Doing things as the owner of a table.
 *
 * src/partition/owner.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "partition/owner.h"
#include "settings.h"
#include "pgtime.h"
#include "storage/proc.h"
#include "utils/bytea.h"
#include "utils/datum.h"
#include "utils/float.h"
#include "utils/guc.h"
#include "utils/syscache.h"

Oid
owner_of(Oid relation)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relation);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

static void
pin(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Constants of bounds, CHECKs and policies are written out and read again: in
 * a form that says all of the value, and says the same to whoever reads it.
 * "IST" is India's time to one and Israel's to another.  Most sessions have
 * most of it so, and pay nothing for it.
 */
static void
pin_formats(void)
{
	if (DateStyle != USE_ISO_DATES)
		pin("DateStyle", "ISO");
	if (IntervalStyle != INTSTYLE_POSTGRES)
		pin("IntervalStyle", "postgres");
	if (strcmp(pg_get_timezone_name(session_timezone), "UTC") != 0)
		pin("TimeZone", "UTC");
	if (extra_float_digits < 1)
		pin("extra_float_digits", "3");
	if (bytea_output != BYTEA_OUTPUT_HEX)
		pin("bytea_output", "hex");
}

void
owner_begin(Oid role, AsOwner *before)
{
	GetUserIdAndSecContext(&before->user, &before->context);
	SetUserIdAndSecContext(role, before->context | SECURITY_RESTRICTED_OPERATION | SECURITY_NOFORCE_RLS);
	before->nest = NewGUCNestLevel();
	pin("search_path", "pg_catalog, pg_temp");
	/* what a statement does not name is the database's, not the session's */
	pin("default_tablespace", "");
	pin_formats();

	/*
	 * what could be in use was locked before: the rest fails sooner than it
	 * waits; whoever wants to wait for less has his way
	 */
	if (LockTimeout == 0 || LockTimeout > setting_max_lock_wait_ms)
		pin("lock_timeout", psprintf("%d", setting_max_lock_wait_ms));
}

void
owner_end(const AsOwner *before)
{
	AtEOXact_GUC(false, before->nest);
	SetUserIdAndSecContext(before->user, before->context);
}

uint64
owner_run(Oid role, const char *sql)
{
	AsOwner		before;
	uint64		rows;
	int			result;

	owner_begin(role, &before);
	SPI_connect();
	result = SPI_execute(sql, false, 0);
	if (result < 0)
		elog(ERROR, "could not run \"%s\": %s", sql, SPI_result_code_string(result));
	rows = SPI_processed;
	SPI_finish();
	owner_end(&before);
	return rows;
}

bool
owner_ask_value(Oid role, const char *sql, Datum *answer)
{
	MemoryContext context = CurrentMemoryContext;
	AsOwner		before;
	bool		isnull = true;
	int			result;

	owner_begin(role, &before);
	SPI_connect();
	result = SPI_execute(sql, false, 1);
	if (result < 0)
		elog(ERROR, "could not run \"%s\": %s", sql, SPI_result_code_string(result));
	if (SPI_processed > 0)
	{
		Form_pg_attribute column = TupleDescAttr(SPI_tuptable->tupdesc, 0);
		Datum		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);

		MemoryContextSwitchTo(context);
		if (!isnull)
			*answer = datumCopy(value, column->attbyval, column->attlen);
	}
	SPI_finish();
	owner_end(&before);
	return !isnull;
}

bool
owner_ask(Oid role, const char *sql, int64 *answer)
{
	Datum		value;

	if (!owner_ask_value(role, sql, &value))
		return false;
	*answer = DatumGetInt64(value);
	return true;
}
