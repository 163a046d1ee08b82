/*-------------------------------------------------------------------------
 *
 * retiring.c
 *		Notes of tables that the runner is to drop: dbmaint_retiring_partitions.
 *
 * src/partition/retiring.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "partition/owner.h"
#include "partition/recorded.h"
#include "partition/retiring.h"
#include "step/query.h"
#include "utils/builtins.h"

void
retiring_lock(const Job *job)
{
	if (!history_lock(job->extension, "dbmaint_retiring_partitions"))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table dbmaint_retiring_partitions does not exist")));
}

void
retiring_note(const Job *job, Oid partition, Oid parent, const char *from, const char *to, int64 size_bytes)
{
	Oid			types[] = {OIDOID, OIDOID, TEXTOID, TEXTOID, INT8OID};
	char		nulls[] = {' ', ' ', from == NULL ? 'n' : ' ', to == NULL ? 'n' : ' ', ' '};
	Datum		values[] = {
		ObjectIdGetDatum(partition), ObjectIdGetDatum(parent),
		from == NULL ? (Datum) 0 : CStringGetTextDatum(from),
		to == NULL ? (Datum) 0 : CStringGetTextDatum(to),
		Int64GetDatum(size_bytes)
	};

	retiring_lock(job);
	query_begin(psprintf("SELECT %s.dbmaint_note_retiring($1, $2, $3, $4, $5)", job->extension->schema),
				lengthof(types), types, values, nulls);
	query_end();
}

void
retiring_forget(const Job *job, Oid partition)
{
	Oid			type = OIDOID;
	Datum		value = ObjectIdGetDatum(partition);

	retiring_lock(job);
	query_begin(psprintf("SELECT %s.dbmaint_forget_retiring($1)", job->extension->schema), 1, &type, &value, NULL);
	query_end();
}

bool
retiring_has(const Extension *extension, Oid partition)
{
	Oid			type = OIDOID;
	Datum		value = ObjectIdGetDatum(partition);
	AsOwner		before;
	bool		found;

	/* who asks need not have the right to read it */
	owner_begin(recorded_owner(extension->schema_oid), &before);
	found = query_begin(psprintf("SELECT FROM %1$s.dbmaint_retiring_partitions AS r WHERE r.partition_oid OPERATOR(pg_catalog.=) $1"
								 " AND r.database_oid OPERATOR(pg_catalog.=) %1$s.dbmaint_current_database()"
								 " AND %1$s.dbmaint_retirement_state(r.partition_oid, r.parent_oid, r.partition_name) OPERATOR(pg_catalog.=) 'detached'::pg_catalog.text",
								 extension->schema), 1, &type, &value, NULL) > 0;
	query_end();
	owner_end(&before);
	return found;
}
