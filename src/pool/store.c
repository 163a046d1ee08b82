/*-------------------------------------------------------------------------
 *
 * store.c
 *		Hands what PgBouncer answered to dbmaint_store_pools().
 *
 * src/pool/store.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>
#include <stdlib.h>

#include "catalog/pg_type.h"
#include "collect/series.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "pool/pool.h"
#include "step/query.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define NAME_BYTES 255

/* The store function's columns: time, names, numbers, settings. */
#define STORE_NAMES 3
#define STORE_CONFIG 3
#define STORE_COLUMNS (1 + STORE_NAMES + POOL_NUMBERS + STORE_CONFIG)

char *
pool_text(const char *bytes)
{
	char	   *text = pstrdup(bytes);
	int			length = (int) strlen(text);

	/* PgBouncer says UTF8, and passes on what it was given */
	if (GetDatabaseEncoding() != PG_UTF8 || !pg_verify_mbstr(PG_UTF8, text, length, true))
	{
		for (char *at = text; *at != '\0'; at++)
		{
			if (IS_HIGHBIT_SET(*at))
				*at = '?';
		}
	}
	if (length > NAME_BYTES)
		text[pg_mbcliplen(text, length, NAME_BYTES)] = '\0';
	return text;
}

PoolReading *
pool_readings(Console *console, int *count)
{
	PoolReading *found = pool_read(&console->answers[ANSWER_POOLS],
								   &console->answers[ANSWER_STATS],
								   &console->answers[ANSWER_DATABASES], count);
	PoolReading *readings;

	if (found == NULL)
	{
		console->state = CONSOLE_FAILED;
		console->trouble.stage = STAGE_STATEMENT;
		pool_set_message(&console->trouble, "the answer to SHOW POOLS has no column \"database\"");
		pool_raise(console);
	}
	readings = palloc_array(PoolReading, *count + 1);
	memcpy(readings, found, sizeof(PoolReading) * *count);
	free(found);
	return readings;
}

bool
pool_shows_setting(const char *name)
{
	static const char *const shown[] = {
		"client_idle_timeout", "client_login_timeout", "default_pool_size",
		"idle_transaction_timeout", "listen_backlog", "max_client_conn",
		"max_db_client_connections", "max_db_connections", "max_prepared_statements",
		"max_user_client_connections", "max_user_connections", "min_pool_size",
		"pool_mode", "query_timeout", "query_wait_timeout", "reserve_pool_size",
		"reserve_pool_timeout", "server_check_delay", "server_connect_timeout",
		"server_idle_timeout", "server_lifetime", "server_login_retry",
		"server_round_robin", "stats_period", "tcp_keepalive", "transaction_timeout",
	};

	for (size_t i = 0; i < lengthof(shown); i++)
	{
		if (strcmp(shown[i], name) == 0)
			return true;
	}
	return false;
}

static Datum
text_array(char **texts, int count)
{
	Datum	   *elements = palloc_array(Datum, count + 1);

	for (int i = 0; i < count; i++)
		elements[i] = CStringGetTextDatum(texts[i]);
	return query_array(elements, NULL, count, TEXTOID);
}

/* "SELECT s.dbmaint_store_pools($1, ...)" */
static char *
store_statement(const char *schema, int parameters)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s.dbmaint_store_pools($1", schema);
	for (int i = 2; i <= parameters; i++)
		appendStringInfo(&sql, ", $%d", i);
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

PoolSetting *
pool_database_settings(const PoolTable *databases, int *count)
{
	static const char *const columns[] = {
		"pool_size", "min_pool_size", "reserve_pool_size", "reserve_pool",
		"pool_mode", "server_lifetime", "max_connections",
		"max_client_connections", "paused", "disabled",
	};
	PoolSetting *settings = palloc_array(PoolSetting, databases->rows * lengthof(columns) + 1);

	*count = 0;
	for (int row = 0; row < databases->rows; row++)
	{
		const char *name = pool_value(databases, row, pool_column(databases, "name"));

		/* an empty one would stand for PgBouncer itself */
		if (name == NULL || name[0] == '\0' || strcmp(name, "pgbouncer") == 0)
			continue;
		for (size_t i = 0; i < lengthof(columns); i++)
		{
			PoolSetting *setting = &settings[*count];

			setting->database = name;
			setting->value = pool_value(databases, row, pool_column(databases, columns[i]));
			/* 1.24 gave it its present name */
			setting->setting = strcmp(columns[i], "reserve_pool") == 0 ? "reserve_pool_size" : columns[i];
			if (setting->value != NULL)
				(*count)++;
		}
	}
	return settings;
}

/* Makes three parallel arrays of the settings that are shown. */
static void
config_arrays(const Console *console, Datum *values)
{
	const PoolTable *config = &console->answers[ANSWER_CONFIG];
	int			count;
	PoolSetting *of_databases = pool_database_settings(&console->answers[ANSWER_DATABASES], &count);
	int			room = config->rows + count + 1;
	char	  **names = palloc_array(char *, room);
	char	  **settings = palloc_array(char *, room);
	char	  **texts = palloc_array(char *, room);
	int			used = 0;

	for (int row = 0; row < config->rows; row++)
	{
		const char *key = pool_value(config, row, pool_column(config, "key"));
		const char *value = pool_value(config, row, pool_column(config, "value"));

		if (key == NULL || value == NULL || !pool_shows_setting(key))
			continue;
		names[used] = "";
		settings[used] = pool_text(key);
		texts[used++] = pool_text(value);
	}
	for (int i = 0; i < count; i++)
	{
		names[used] = pool_text(of_databases[i].database);
		settings[used] = pool_text(of_databases[i].setting);
		texts[used++] = pool_text(of_databases[i].value);
	}
	values[0] = text_array(names, used);
	values[1] = text_array(settings, used);
	values[2] = text_array(texts, used);
}

/* What is not known is no number, and says that the pool is there. */
static double
series_number(int64 number, double divisor)
{
	return number == POOL_UNKNOWN ? NAN : (double) number / divisor;
}

static void
add_series(Collection *collection, const PoolReading *pool, const char *name)
{
	double		efficiency = NAN;
	double		utilization = NAN;
	bool		exhausted = false;

	(void) pool_efficiency(pool, &efficiency);
	(void) pool_utilization(pool, &utilization);
	series_add(collection, SERIES_pool_efficiency, name, efficiency);
	series_add(collection, SERIES_server_utilization, name, utilization);
	series_add(collection, SERIES_cl_active, name, series_number(pool->number[POOL_CL_ACTIVE], 1));
	series_add(collection, SERIES_cl_waiting, name, series_number(pool->number[POOL_CL_WAITING], 1));
	series_add(collection, SERIES_maxwait_ms, name, series_number(pool->number[POOL_MAXWAIT_US], 1000));
	series_add(collection, SERIES_pool_exhausted, name,
			   pool_exhausted(pool, &exhausted) ? exhausted : NAN);
}

void
pool_complete(Collection *collection)
{
	static const SeriesId all[] = {
		SERIES_pool_efficiency, SERIES_server_utilization, SERIES_cl_active,
		SERIES_cl_waiting, SERIES_maxwait_ms, SERIES_pool_exhausted,
	};

	for (size_t i = 0; i < lengthof(all); i++)
		series_complete(collection, all[i]);
}

char *
pool_name(const PoolReading *pool)
{
	char	   *database = pool_text(pool->database);
	char	   *user = pool_text(pool->user);

	return *user == '\0' ? database : psprintf("%s.%s", database, user);
}

void
pool_store(Collection *collection, Console *console)
{
	Oid			types[STORE_COLUMNS];
	Datum		values[STORE_COLUMNS];
	int			count;
	PoolReading *readings = pool_readings(console, &count);
	char	  **texts[STORE_NAMES];
	int			n = 0;

	for (int c = 0; c < STORE_NAMES; c++)
		texts[c] = palloc_array(char *, count + 1);
	for (int i = 0; i < count; i++)
	{
		texts[0][i] = pool_text(readings[i].database);
		texts[1][i] = pool_text(readings[i].user);
		texts[2][i] = pool_text(readings[i].mode == NULL ? "" : readings[i].mode);
		add_series(collection, &readings[i], pool_name(&readings[i]));
	}
	pool_complete(collection);

	types[n] = TIMESTAMPTZOID;
	values[n++] = TimestampTzGetDatum(collection->at);
	for (int c = 0; c < STORE_NAMES; c++)
	{
		types[n] = TEXTARRAYOID;
		values[n++] = text_array(texts[c], count);
	}
	for (int c = 0; c < POOL_NUMBERS; c++)
	{
		Datum	   *numbers = palloc_array(Datum, count + 1);

		for (int i = 0; i < count; i++)
			numbers[i] = Int64GetDatum(readings[i].number[c]);
		types[n] = INT8ARRAYOID;
		values[n++] = query_array(numbers, NULL, count, INT8OID);
	}
	config_arrays(console, &values[n]);
	for (int c = 0; c < STORE_CONFIG; c++)
		types[n++] = TEXTARRAYOID;
	query_begin(store_statement(collection->schema, n), n, types, values, NULL);
	query_end();

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	shared_state->pool.pools = count;
	LWLockRelease(shared_state->lock);
}
