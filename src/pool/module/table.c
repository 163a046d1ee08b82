/*-------------------------------------------------------------------------
 *
 * table.c
 *		Rows of libpq become a table of malloc'd texts.
 *
 * src/pool/module/table.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <stdlib.h>

#include "pool/console.h"
#include "table.h"

static bool
take_columns(PoolTable *table, const PGresult *result)
{
	int			columns = PQnfields(result);

	if (table->names != NULL)
		return table->columns == columns;
	table->names = calloc(Max(columns, 1), sizeof(char *));
	if (table->names == NULL)
		return false;
	table->columns = columns;
	for (int c = 0; c < columns; c++)
	{
		table->names[c] = strdup(PQfname(result, c));
		if (table->names[c] == NULL)
			return false;
	}
	return true;
}

/* Makes room for another row; false where there is none. */
static bool
make_room(PoolTable *table, TableRoom *room)
{
	int			rows = Max(16, 2 * room->rows);
	char	  **values;

	if (table->rows >= CONSOLE_MAX_ROWS)
		return false;
	if (table->rows < room->rows)
		return true;
	values = realloc(table->values, sizeof(char *) * rows * Max(table->columns, 1));
	if (values == NULL)
		return false;
	table->values = values;
	room->rows = rows;
	return true;
}

static bool
take_row(PoolTable *table, TableRoom *room, const PGresult *result, int row)
{
	char	  **values;

	if (!make_room(table, room))
		return false;
	values = &table->values[(size_t) table->rows * table->columns];
	memset(values, 0, sizeof(char *) * table->columns);
	table->rows++;
	for (int c = 0; c < table->columns; c++)
	{
		if (PQgetisnull(result, row, c))
			continue;
		room->bytes += PQgetlength(result, row, c);
		if (room->bytes > CONSOLE_MAX_BYTES)
			return false;
		values[c] = strdup(PQgetvalue(result, row, c));
		if (values[c] == NULL)
			return false;
	}
	return true;
}

bool
table_take(PoolTable *table, TableRoom *room, const PGresult *result)
{
	if (PQnfields(result) == 0)
		return true;
	if (!take_columns(table, result))
		return false;
	for (int row = 0; row < PQntuples(result); row++)
	{
		if (!take_row(table, room, result, row))
			return false;
	}
	return true;
}

void
table_free(PoolTable *table)
{
	for (int c = 0; c < table->columns; c++)
		free(table->names[c]);
	for (size_t i = 0; i < (size_t) table->rows * table->columns; i++)
		free(table->values[i]);
	free(table->names);
	free(table->values);
	memset(table, 0, sizeof(PoolTable));
}
