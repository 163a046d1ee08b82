/*-------------------------------------------------------------------------
 *
 * host.h
 *		What the machine says of itself, for those who need it at once.
 *
 * The collector "host" (collect.h) reads it for the history.
 *
 * src/collect/host.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_HOST_H
#define DBMAINT_HOST_H

/*
 * Free bytes on the file system of a tablespace, for those who are not root;
 * false where it cannot be asked.  The tablespace must be a real one: not 0 for
 * the database's own.
 */
extern bool host_free_bytes(Oid tablespace, int64 *free_bytes);

#endif							/* DBMAINT_HOST_H */
