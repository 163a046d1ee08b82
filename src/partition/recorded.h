/*-------------------------------------------------------------------------
 *
 * recorded.h
 *		What is recorded about partitioned tables: dbmaint_partition_sets.
 *
 * src/partition/recorded.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_RECORDED_H
#define DBMAINT_RECORDED_H

#include "partition/set.h"

/*
 * Reads the row of a set, whatever the user may read: it is asked for by the
 * owner of the set.  What is not recorded stays as it is.
 */
extern void recorded_find(Oid extension_schema, Oid parent, SetOptions *options);

/*
 * Records what was said about a set (NULL: nothing), as the extension's owner.
 * Does nothing where it says what is recorded already.
 */
extern void recorded_store(Oid extension_schema, Oid parent,
						   const SetOptions *options);

/* The owner of our tables of partitions, as whom they are written. */
extern Oid	recorded_owner(Oid extension_schema);

#endif							/* DBMAINT_RECORDED_H */
