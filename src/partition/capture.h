/*-------------------------------------------------------------------------
 *
 * capture.h
 *		Notes which rows of a table change, while it is copied.
 *
 * A trigger writes what identifies a changed row, and nothing else of it, into
 * a table beside the one that it is on, as part of the transaction that
 * changes it: whoever sees the note sees the change.
 *
 * src/partition/capture.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_CAPTURE_H
#define DBMAINT_CAPTURE_H

#include "utils/rel.h"

/*
 * Of each note, behind what identifies the row: where the version of it lies
 * that the change made, and the one that it ended, or NULL; and is it being
 * worked on?
 */
#define CAPTURE_MADE "dbmaint_made"
#define CAPTURE_ENDED "dbmaint_ended"
#define CAPTURE_TAKEN "dbmaint_taken"

/*
 * The columns that identify the rows of a table: of its primary key, or of
 * another unique index that has no NULLs.  NIL if there is none; *index is it.
 */
extern List *capture_identity(Relation table, Oid *index);

/* "a.id = b.id AND ...", for SQL; by the operators of the index. */
extern char *capture_join(Relation table, Oid index, const char *a, const char *b);

/* The columns, each with "alias." before it. */
extern char *capture_columns(Relation table, const List *identity, const char *alias);

/*
 * The notes' table, for SQL, whether it is there or not; and that of the sums,
 * each of a place or of none.
 */
extern char *capture_notes(Oid table);
extern char *capture_sums(Oid table);

/*
 * Begins it, as the owner, with the columns of the identity: waits for whoever
 * writes the table, which the caller has locked for that.  Ends it, whatever
 * has become of the table, where what is left is the role's to drop.
 */
extern void capture_begin(Oid owner, Oid extension_schema, Oid table, const char *columns);
extern void capture_end(Oid table, Oid role);

/* Was it begun and not ended? */
extern bool capture_exists(Oid table);

/* A trigger that it has on a table. */
extern bool capture_is_own(const char *trigger);

/* Raises an error where changes were made that could not be noted. */
extern void capture_check(Oid owner, Oid table, const char *notes, const List *identity);

/* The relation of a name that is made of an OID, in whatever schema it is. */
extern Oid	capture_find(const char *name, char relkind, Oid role);

#endif							/* DBMAINT_CAPTURE_H */
