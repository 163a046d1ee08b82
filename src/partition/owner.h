/*-------------------------------------------------------------------------
 *
 * owner.h
 *		Doing things as the owner of a table.
 *
 * A function in a partition key, a CHECK or an index, a trigger: whatever code
 * a table's owner left there runs with his rights and no others, in a
 * security-restricted operation and with a search_path that he cannot fill.
 * What is deparsed and parsed there does not depend on the session's formats
 * and time zone.
 * FORCE ROW LEVEL SECURITY hides none of the rows that are moved.
 *
 * src/partition/owner.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_OWNER_H
#define DBMAINT_OWNER_H

/* The owner of a relation; raises an error where there is none. */
extern Oid	owner_of(Oid relation);

typedef struct AsOwner
{
	Oid			user;
	int			context;
	int			nest;
} AsOwner;

/*
 * From the one to the other everything is done as the role.  An error ends it
 * with the transaction or subtransaction.
 */
extern void owner_begin(Oid role, AsOwner *before);
extern void owner_end(const AsOwner *before);

/* Runs one statement as the role; returns how many rows it gave or changed. */
extern uint64 owner_run(Oid role, const char *sql);

/*
 * Runs a query as the role, of one row with one value, or a number; false if
 * there is none, or it is NULL.
 */
extern bool owner_ask_value(Oid role, const char *sql, Datum *answer);
extern bool owner_ask(Oid role, const char *sql, int64 *answer);

#endif							/* DBMAINT_OWNER_H */
