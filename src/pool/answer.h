/*-------------------------------------------------------------------------
 *
 * answer.h
 *		What PgBouncer's console answered: pure, no server, no libpq.
 *
 * Columns are found by their names, since every few versions bring new ones.
 * A column that is missing, and a value that is no number, are unknown.
 *
 * src/pool/answer.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_ANSWER_H
#define DBMAINT_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

/* An answer as text, row by row; a value may be NULL. */
typedef struct PoolTable
{
	int			columns;
	int			rows;
	char	  **names;
	char	  **values;			/* of row r and column c: [r * columns + c] */
} PoolTable;

#define POOL_UNKNOWN INT64_C(-1)

/* The numbers of a pool, in the order of dbmaint_store_pools()'s columns. */
typedef enum PoolNumber
{
	POOL_CL_ACTIVE,
	POOL_CL_WAITING,
	POOL_SV_ACTIVE,
	POOL_SV_IDLE,
	POOL_SV_USED,
	POOL_SV_TESTED,
	POOL_SV_LOGIN,
	POOL_MAXWAIT_US,
	POOL_SIZE,
	POOL_AVG_WAIT_US,
	POOL_AVG_QUERY_US,
	POOL_AVG_QUERIES,			/* a second */
	POOL_NUMBERS				/* how many there are */
} PoolNumber;

/* A pool; the texts are the tables'. */
typedef struct PoolReading
{
	const char *database;
	const char *user;			/* "" where the answer has none */
	const char *mode;			/* NULL: unknown */
	int64_t		number[POOL_NUMBERS];
} PoolReading;

/* The column of that name, -1 if there is none. */
extern int	pool_column(const PoolTable *table, const char *name);

/* The value of a column; NULL where there is neither row, column nor value. */
extern const char *pool_value(const PoolTable *table, int row, int column);

/* A whole number that is not negative, or POOL_UNKNOWN. */
extern int64_t pool_parse_number(const char *text);

/*
 * Reads the answers to SHOW POOLS, SHOW STATS and SHOW DATABASES into one
 * reading a pool, without the console's own.  Returns a malloc'd array and its
 * length; NULL where there is no column "database", or no memory.
 */
extern PoolReading *pool_read(const PoolTable *pools, const PoolTable *stats,
							  const PoolTable *databases, int *count);

/*
 * What is made of the numbers; each returns false where it is unknown, or has
 * no meaning: an efficiency without a server that works.
 */
extern bool pool_efficiency(const PoolReading *pool, double *percent);
extern bool pool_utilization(const PoolReading *pool, double *ratio);
extern bool pool_multiplexing(const PoolReading *pool, double *ratio);
extern bool pool_exhausted(const PoolReading *pool, bool *exhausted);

#endif							/* DBMAINT_ANSWER_H */
