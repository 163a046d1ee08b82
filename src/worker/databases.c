/*-------------------------------------------------------------------------
 *
 * databases.c
 *		Which databases there are, and which of them are to be sampled.
 *
 * src/worker/databases.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "activity/message_log.h"
#include "catalog/pg_database.h"
#include "settings.h"
#include "shared.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "worker/databases.h"

/* May a sampler connect to it, and is it to? */
static bool
database_wanted(Form_pg_database form)
{
	/* -2 marks what an interrupted DROP DATABASE left behind */
	return setting_enabled && form->datallowconn && !form->datistemplate &&
		form->datconnlimit != -2 &&
		settings_database_wanted(NameStr(form->datname));
}

bool
databases_exist(const DatabaseList *list, Oid database_oid)
{
	for (int i = 0; i < list->existing_count; i++)
	{
		if (list->existing[i] == database_oid)
			return true;
	}
	return false;
}

/* Frees the histograms and counters of databases that are no more. */
static void
forget_dropped(const DatabaseList *list)
{
	Oid		   *measured = palloc_array(Oid, shared_state->slot_count);
	int			count = latency_databases(measured, shared_state->slot_count);

	for (int i = 0; i < count; i++)
	{
		if (!databases_exist(list, measured[i]))
			latency_forget(measured[i]);
	}
	message_log_forget_others(list->existing, list->existing_count);
}

/* Says once that what concerns the server has nobody to read it. */
static void
check_home(DatabaseList *list)
{
	bool		found = !setting_enabled || setting_home_database[0] == '\0';

	for (int i = 0; i < list->wanted_count && !found; i++)
		found = strcmp(NameStr(list->wanted[i].name), setting_home_database) == 0;
	if (found)
		list->warned_home[0] = '\0';
	else if (strcmp(list->warned_home, setting_home_database) != 0)
	{
		strlcpy(list->warned_home, setting_home_database, NAMEDATALEN);
		ereport(WARNING,
				(errcode(ERRCODE_UNDEFINED_DATABASE),
				 errmsg("dbmaint.home_database names \"%s\", which is no database that is sampled",
						setting_home_database),
				 errdetail("Nobody reads what concerns the whole server, and no alert on it fires."),
				 errhint("Name a database that is sampled, or none for the first one, and reload.")));
	}
}

void
databases_scan(DatabaseList *list)
{
	int			allocated = 64;
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;

	list->scanned_generation =
		pg_atomic_read_u32(&shared_state->catalog_generation);
	list->scanned_at = GetCurrentTimestamp();

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());

	if (list->context == NULL)
		list->context = AllocSetContextCreate(TopMemoryContext,
											  "dbmaint databases",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(list->context);
	MemoryContextSwitchTo(list->context);
	list->existing = palloc_array(Oid, allocated);
	list->existing_count = 0;
	list->wanted = palloc_array(WantedDatabase, allocated);
	list->wanted_count = 0;

	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);

		CHECK_FOR_INTERRUPTS();
		if (list->existing_count == allocated)
		{
			allocated *= 2;
			list->existing = repalloc(list->existing,
									  allocated * sizeof(Oid));
			list->wanted = repalloc(list->wanted,
									allocated * sizeof(WantedDatabase));
		}
		list->existing[list->existing_count++] = form->oid;
		if (database_wanted(form))
		{
			WantedDatabase *wanted = &list->wanted[list->wanted_count++];

			wanted->oid = form->oid;
			wanted->name = form->datname;
		}
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(list->context);

	forget_dropped(list);
	check_home(list);
	MemoryContextSwitchTo(TopMemoryContext);

	shared_state->launcher_scan_at = list->scanned_at;
	shared_state->launcher_scans++;
}

const WantedDatabase *
databases_find_wanted(const DatabaseList *list, Oid database_oid)
{
	for (int i = 0; i < list->wanted_count; i++)
	{
		if (list->wanted[i].oid == database_oid)
			return &list->wanted[i];
	}
	return NULL;
}
