/*-------------------------------------------------------------------------
 *
 * answer.c
 *		What PgBouncer's console answered: pure, no server, no libpq.
 *
 * src/pool/answer.c
 *
 *-------------------------------------------------------------------------
 */
#include "pool/answer.h"

#include <stdlib.h>
#include <string.h>

#define CONSOLE_DATABASE "pgbouncer"

int
pool_column(const PoolTable *table, const char *name)
{
	for (int c = 0; c < table->columns; c++)
	{
		if (table->names[c] != NULL && strcmp(table->names[c], name) == 0)
			return c;
	}
	return -1;
}

const char *
pool_value(const PoolTable *table, int row, int column)
{
	if (row < 0 || row >= table->rows || column < 0 || column >= table->columns)
		return NULL;
	return table->values[(size_t) row * table->columns + column];
}

int64_t
pool_parse_number(const char *text)
{
	int64_t		number = 0;

	if (text == NULL || *text == '\0')
		return POOL_UNKNOWN;
	for (; *text != '\0'; text++)
	{
		int			digit = *text - '0';

		if (digit < 0 || digit > 9 || number > (INT64_MAX - digit) / 10)
			return POOL_UNKNOWN;
		number = number * 10 + digit;
	}
	return number;
}

static int64_t
number_at(const PoolTable *table, int row, const char *column)
{
	return pool_parse_number(pool_value(table, row, pool_column(table, column)));
}

/* The seconds and the microseconds within the second, which 1.8 brought. */
static int64_t
read_maxwait(const PoolTable *pools, int row)
{
	int64_t		seconds = number_at(pools, row, "maxwait");
	int64_t		us = number_at(pools, row, "maxwait_us");

	if (seconds == POOL_UNKNOWN || seconds > INT64_MAX / 1000000 - 1)
		return POOL_UNKNOWN;
	return seconds * 1000000 + (us < 1000000 && us != POOL_UNKNOWN ? us : 0);
}

/* A row by its name. */
typedef struct Entry
{
	const char *name;
	int			row;
} Entry;

static int
compare_entries(const void *a, const void *b)
{
	const Entry *x = a;
	const Entry *y = b;
	int			order = strcmp(x->name, y->name);

	return order != 0 ? order : (x->row > y->row) - (x->row < y->row);
}

/* The table's rows sorted by a column; false for want of memory. */
static bool
sort_rows(const PoolTable *table, const char *column, Entry **entries, int *count)
{
	int			c = pool_column(table, column);

	*count = 0;
	*entries = malloc(sizeof(Entry) * (table->rows + 1));
	if (*entries == NULL)
		return false;
	for (int row = 0; row < table->rows; row++)
	{
		const char *name = pool_value(table, row, c);

		if (name != NULL)
		{
			(*entries)[*count].name = name;
			(*entries)[(*count)++].row = row;
		}
	}
	qsort(*entries, *count, sizeof(Entry), compare_entries);
	return true;
}

/* The first row of that name, -1 if there is none. */
static int
find_row(const Entry *entries, int count, const char *name)
{
	int			low = 0;
	int			high = count;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (strcmp(entries[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && strcmp(entries[low].name, name) == 0 ? entries[low].row : -1;
}

static void
read_pool(PoolReading *pool, const PoolTable *pools, int row,
		  const PoolTable *stats, int stats_row,
		  const PoolTable *databases, int database_row)
{
	static const char *const names[] = {
		[POOL_CL_ACTIVE] = "cl_active",
		[POOL_CL_WAITING] = "cl_waiting",
		[POOL_SV_ACTIVE] = "sv_active",
		[POOL_SV_IDLE] = "sv_idle",
		[POOL_SV_USED] = "sv_used",
		[POOL_SV_TESTED] = "sv_tested",
		[POOL_SV_LOGIN] = "sv_login",
	};

	for (int n = POOL_CL_ACTIVE; n <= POOL_SV_LOGIN; n++)
		pool->number[n] = number_at(pools, row, names[n]);
	pool->number[POOL_MAXWAIT_US] = read_maxwait(pools, row);
	pool->number[POOL_SIZE] = number_at(databases, database_row, "pool_size");
	pool->number[POOL_AVG_WAIT_US] = number_at(stats, stats_row, "avg_wait_time");
	pool->number[POOL_AVG_QUERY_US] = number_at(stats, stats_row, "avg_query_time");
	pool->number[POOL_AVG_QUERIES] = number_at(stats, stats_row, "avg_query_count");
}

PoolReading *
pool_read(const PoolTable *pools, const PoolTable *stats,
		  const PoolTable *databases, int *count)
{
	int			database_column = pool_column(pools, "database");
	int			user_column = pool_column(pools, "user");
	int			mode_column = pool_column(pools, "pool_mode");
	PoolReading *readings = NULL;
	Entry	   *by_stats = NULL;
	Entry	   *by_database = NULL;
	int			stats_count;
	int			database_count;

	*count = 0;
	if (database_column >= 0 &&
		sort_rows(stats, "database", &by_stats, &stats_count) &&
		sort_rows(databases, "name", &by_database, &database_count))
		readings = malloc(sizeof(PoolReading) * (pools->rows + 1));

	for (int row = 0; readings != NULL && row < pools->rows; row++)
	{
		PoolReading *pool = &readings[*count];
		const char *user = pool_value(pools, row, user_column);

		pool->database = pool_value(pools, row, database_column);
		if (pool->database == NULL || strcmp(pool->database, CONSOLE_DATABASE) == 0)
			continue;
		pool->user = user == NULL ? "" : user;
		pool->mode = pool_value(pools, row, mode_column);
		read_pool(pool, pools, row,
				  stats, find_row(by_stats, stats_count, pool->database),
				  databases, find_row(by_database, database_count, pool->database));
		(*count)++;
	}
	free(by_stats);
	free(by_database);
	return readings;
}

/* All server connections of the pool; what a version does not tell is none. */
static double
count_servers(const PoolReading *pool)
{
	double		servers = 0;

	for (int n = POOL_SV_ACTIVE; n <= POOL_SV_LOGIN; n++)
	{
		if (pool->number[n] != POOL_UNKNOWN)
			servers += (double) pool->number[n];
	}
	return servers;
}

bool
pool_efficiency(const PoolReading *pool, double *percent)
{
	if (pool->number[POOL_CL_ACTIVE] == POOL_UNKNOWN || pool->number[POOL_SV_ACTIVE] <= 0)
		return false;
	*percent = 100.0 * (double) pool->number[POOL_CL_ACTIVE] / (double) pool->number[POOL_SV_ACTIVE];
	return true;
}

bool
pool_utilization(const PoolReading *pool, double *ratio)
{
	double		servers = count_servers(pool);

	if (pool->number[POOL_SV_ACTIVE] == POOL_UNKNOWN || servers <= 0)
		return false;
	*ratio = (double) pool->number[POOL_SV_ACTIVE] / servers;
	return true;
}

bool
pool_multiplexing(const PoolReading *pool, double *ratio)
{
	double		servers = count_servers(pool);

	if (pool->number[POOL_CL_ACTIVE] == POOL_UNKNOWN || servers <= 0)
		return false;
	*ratio = (double) pool->number[POOL_CL_ACTIVE] / servers;
	return true;
}

bool
pool_exhausted(const PoolReading *pool, bool *exhausted)
{
	if (pool->number[POOL_CL_WAITING] == POOL_UNKNOWN || pool->number[POOL_SV_IDLE] == POOL_UNKNOWN)
		return false;
	/* "used" is idle, too, only for longer */
	*exhausted = pool->number[POOL_CL_WAITING] > 0 &&
		pool->number[POOL_SV_IDLE] == 0 && pool->number[POOL_SV_USED] <= 0;
	return true;
}
