/*-------------------------------------------------------------------------
 *
 * session.c
 *		The session of a process of ours: settings that nobody else decides.
 *
 * src/worker/session.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "worker/worker.h"

void
worker_pin_session(const char *application_name)
{
	static const char *const pinned[][2] = {
		{"search_path", "pg_catalog, pg_temp"},
		{"role", "none"},
		{"statement_timeout", "0"},
		{"lock_timeout", "1s"},
		/* who runs a deadlock into us goes on: we look first */
		{"deadlock_timeout", "100ms"},
		{"idle_in_transaction_session_timeout", "0"},
		{"idle_session_timeout", "0"},
#if HAVE_TRANSACTION_TIMEOUT
		{"transaction_timeout", "0"},
#endif
		{"default_transaction_read_only", "off"},
		{"default_transaction_isolation", "read committed"},
		{"default_transaction_deferrable", "off"},
		{"synchronous_commit", "local"},
		{"row_security", "on"},
		{"session_replication_role", "origin"},
		{"stats_fetch_consistency", "none"},
		{"standard_conforming_strings", "on"},
		{"quote_all_identifiers", "off"},
		{"zero_damaged_pages", "off"},
		{"TimeZone", "GMT"},
		{"DateStyle", "ISO, YMD"},
		{"IntervalStyle", "postgres"},
		{"bytea_output", "hex"},
		{"extra_float_digits", "1"},
		{"max_parallel_workers_per_gather", "0"},
		{"jit", "off"},
		{"check_function_bodies", "on"},
		{"default_tablespace", ""},
		{"temp_tablespaces", ""},
		{"default_table_access_method", "heap"},
	};

	/* session_authorization; "role" falls back on it */
	SetSessionAuthorization(BOOTSTRAP_SUPERUSERID, true);

	for (size_t i = 0; i < lengthof(pinned); i++)
		SetConfigOption(pinned[i][0], pinned[i][1], PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("application_name", application_name,
					PGC_SUSET, PGC_S_OVERRIDE);
}
