/*-------------------------------------------------------------------------
 *
 * table.h
 *		Rows of libpq become a table of malloc'd texts.
 *
 * src/pool/module/table.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_POOL_TABLE_H
#define DBMAINT_POOL_TABLE_H

#include <libpq-fe.h>
#include <stddef.h>

#include "pool/answer.h"

/* What a table that is being filled takes; all zero for an empty one. */
typedef struct TableRoom
{
	int			rows;			/* there is room for so many */
	size_t		bytes;			/* of the values */
} TableRoom;

/*
 * Adds the rows of a result.  Returns false where there is no memory, where
 * there are too many or too large ones, and where their columns differ from
 * those before; the table can be freed all the same.
 */
extern bool table_take(PoolTable *table, TableRoom *room, const PGresult *result);

extern void table_free(PoolTable *table);

#endif							/* DBMAINT_POOL_TABLE_H */
