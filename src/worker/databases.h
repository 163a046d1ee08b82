/*-------------------------------------------------------------------------
 *
 * databases.h
 *		Which databases there are, and which of them are to be sampled.
 *
 * For the launcher, which is connected to none.
 *
 * src/worker/databases.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_DATABASES_H
#define DBMAINT_DATABASES_H

#include "datatype/timestamp.h"

typedef struct WantedDatabase
{
	Oid			oid;
	NameData	name;
} WantedDatabase;

typedef struct DatabaseList
{
	MemoryContext context;		/* of what follows; lasts until the next scan */
	Oid		   *existing;		/* every database, wanted or not */
	int			existing_count;
	WantedDatabase *wanted;
	int			wanted_count;
	TimestampTz scanned_at;
	uint32		scanned_generation;
	char		warned_home[NAMEDATALEN];	/* a home database that is none */
} DatabaseList;

/*
 * Reads pg_database anew, in a transaction of its own, and frees what was kept
 * of databases that are no more; warns where the home database is not wanted.
 * The list is zeroed before the first scan.
 */
extern void databases_scan(DatabaseList *list);

extern bool databases_exist(const DatabaseList *list, Oid database_oid);

/* Returns NULL if the database is not to be sampled. */
extern const WantedDatabase *databases_find_wanted(const DatabaseList *list,
												   Oid database_oid);

#endif							/* DBMAINT_DATABASES_H */
