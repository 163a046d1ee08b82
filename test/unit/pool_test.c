/*-------------------------------------------------------------------------
 *
 * pool_test.c
 *	  What is read out of PgBouncer's answers, whatever columns they have and
 *	  in whatever order; why it failed; and what may be sent to it.  Prints
 *	  TAP.  Linked with src/pool/answer.c, src/pool/reason.c and
 *	  src/pool/command.c, needs no server:
 *
 *	  cc -g -fsanitize=address,undefined -Isrc test/unit/pool_test.c \
 *		 src/pool/answer.c src/pool/reason.c src/pool/command.c -o pool_test
 *
 *	  Random data comes from a fixed seed, or from the one given as argument.
 *
 *-------------------------------------------------------------------------
 */
#include "pool/answer.h"
#include "pool/command.h"
#include "pool/reason.h"
#include "check.h"

#define MOST_COLUMNS 24

/*
 * Tables.
 */

static PoolTable
make_table(int columns, int rows)
{
	PoolTable	table = {columns, rows, NULL, NULL};

	table.names = calloc(columns + 1, sizeof(char *));
	table.values = calloc((size_t) columns * rows + 1, sizeof(char *));
	return table;
}

static void
set_column(PoolTable *table, int column, const char *name)
{
	free(table->names[column]);
	table->names[column] = strdup(name);
}

static void
set_value(PoolTable *table, int row, int column, const char *value)
{
	char	  **place = &table->values[(size_t) row * table->columns + column];

	free(*place);
	*place = value == NULL ? NULL : strdup(value);
}

static void
set_number(PoolTable *table, int row, int column, int64_t number)
{
	char		text[32];

	snprintf(text, sizeof(text), "%" PRId64, number);
	set_value(table, row, column, text);
}

static void
free_table(PoolTable *table)
{
	for (int c = 0; c < table->columns; c++)
		free(table->names[c]);
	for (int i = 0; i < table->columns * table->rows; i++)
		free(table->values[i]);
	free(table->names);
	free(table->values);
}

static void
shuffle(int *order, int count)
{
	for (int i = 0; i < count; i++)
		order[i] = i;
	for (int i = count - 1; i > 0; i--)
	{
		int			other = (int) (next_random() % (uint64_t) (i + 1));
		int			kept = order[i];

		order[i] = order[other];
		order[other] = kept;
	}
}

static void
test_numbers(void)
{
	static const struct
	{
		const char *text;
		int64_t		number;
	}			cases[] = {
		{"0", 0}, {"7", 7}, {"0012", 12}, {"9223372036854775807", INT64_MAX},
		{"9223372036854775808", POOL_UNKNOWN}, {"99999999999999999999999", POOL_UNKNOWN},
		{"", POOL_UNKNOWN}, {"-1", POOL_UNKNOWN}, {"+1", POOL_UNKNOWN}, {" 1", POOL_UNKNOWN},
		{"1 ", POOL_UNKNOWN}, {"1.5", POOL_UNKNOWN}, {"1e3", POOL_UNKNOWN}, {"0x10", POOL_UNKNOWN},
		{"NULL", POOL_UNKNOWN}, {"\xc2\xb2", POOL_UNKNOWN}, {NULL, POOL_UNKNOWN},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK(pool_parse_number(cases[i].text) == cases[i].number, "%s",
			  cases[i].text == NULL ? "NULL" : cases[i].text);
	for (int i = 0; i < 20000; i++)
	{
		uint64_t	number = random_magnitude(63);
		char		text[32];

		snprintf(text, sizeof(text), "%" PRIu64, number);
		CHECK(pool_parse_number(text) == (int64_t) number, "%s", text);
	}
}

/* What a table should give is known from how it was made. */
typedef struct Expected
{
	char		database[16];
	char		user[16];
	int64_t		number[POOL_NUMBERS];
} Expected;

static const char *const pool_columns[] = {
	"database", "user", "cl_active", "cl_waiting", "sv_active", "sv_idle",
	"sv_used", "sv_tested", "sv_login", "maxwait", "maxwait_us", "pool_mode",
	"cl_active_cancel_req", "load_balance_hosts",
};

#define POOL_COLUMNS ((int) (sizeof(pool_columns) / sizeof(pool_columns[0])))

/*
 * Random answers: columns in any order, any of them but "database" left out,
 * the console's own pool among the rows, values that are no numbers.
 */
static void
try_random_answer(void)
{
	int			order[POOL_COLUMNS];
	bool		left_out[POOL_COLUMNS] = {false};
	int			columns = 0;
	int			rows = (int) (next_random() % 12);
	int			expected_count = 0;
	int			count;
	Expected   *expected = calloc(rows + 1, sizeof(Expected));
	PoolTable	pools;
	PoolTable	stats = make_table(4, 3);
	PoolTable	databases = make_table(2, 2);
	PoolReading *readings;

	set_column(&stats, 0, "avg_query_time");
	set_column(&stats, 1, "database");
	set_column(&stats, 2, "avg_wait_time");
	set_column(&stats, 3, "avg_query_count");
	set_column(&databases, 0, "pool_size");
	set_column(&databases, 1, "name");
	for (int row = 0; row < 3; row++)
	{
		char		name[16];

		snprintf(name, sizeof(name), "db%d", row);
		set_number(&stats, row, 0, 100 + row);
		set_value(&stats, row, 1, name);
		set_number(&stats, row, 2, 200 + row);
		set_number(&stats, row, 3, 300 + row);
		if (row < 2)
		{
			set_number(&databases, row, 0, 20 + row);
			set_value(&databases, row, 1, name);
		}
	}

	for (int c = 1; c < POOL_COLUMNS; c++)
		left_out[c] = next_random() % 4 == 0;
	shuffle(order, POOL_COLUMNS);
	for (int c = 0; c < POOL_COLUMNS; c++)
		columns += !left_out[c];
	pools = make_table(columns, rows);

	for (int row = 0; row < rows; row++)
	{
		Expected   *e = &expected[expected_count];
		bool		console = next_random() % 5 == 0;
		int			db = (int) (next_random() % 4);
		int			place = 0;

		for (int n = 0; n < POOL_NUMBERS; n++)
			e->number[n] = POOL_UNKNOWN;
		e->user[0] = '\0';
		snprintf(e->database, sizeof(e->database), "%s%d", console ? "pgbouncer" : "db", db);
		if (console)
			e->database[strlen("pgbouncer")] = '\0';
		if (db < 3)
		{
			e->number[POOL_AVG_QUERY_US] = 100 + db;
			e->number[POOL_AVG_WAIT_US] = 200 + db;
			e->number[POOL_AVG_QUERIES] = 300 + db;
		}
		if (db < 2)
			e->number[POOL_SIZE] = 20 + db;

		for (int o = 0; o < POOL_COLUMNS; o++)
		{
			int			c = order[o];
			int64_t		number = (int64_t) random_magnitude(20);

			if (left_out[c])
				continue;
			set_column(&pools, place, pool_columns[c]);
			if (c == 0)
				set_value(&pools, row, place, e->database);
			else if (c == 1)
			{
				snprintf(e->user, sizeof(e->user), "u%d", row);
				set_value(&pools, row, place, e->user);
			}
			else if (c >= 2 && c <= 8)
			{
				if (next_random() % 10 == 0)
					set_value(&pools, row, place, next_random() % 2 ? "many" : NULL);
				else
				{
					set_number(&pools, row, place, number);
					e->number[c - 2] = number;
				}
			}
			else if (c == 9)
				set_number(&pools, row, place, number);
			else if (c == 10)
				set_number(&pools, row, place, number % 1000000);
			else
				set_value(&pools, row, place, "x");
			place++;
		}
		if (!left_out[9])
		{
			int64_t		seconds = pool_parse_number(pool_value(&pools, row, pool_column(&pools, "maxwait")));
			int64_t		us = pool_parse_number(pool_value(&pools, row, pool_column(&pools, "maxwait_us")));

			e->number[POOL_MAXWAIT_US] = seconds * 1000000 + (us == POOL_UNKNOWN ? 0 : us);
		}
		if (!console)
			expected_count++;
	}

	readings = pool_read(&pools, &stats, &databases, &count);
	if (rows == 0)
		/* nothing says that there are columns, in a table that was not named */
		CHECK(count == 0, "%d", count);
	else
	{
		CHECK(readings != NULL && count == expected_count, "%d of %d", count, expected_count);
		for (int i = 0; readings != NULL && i < count && i < expected_count; i++)
		{
			CHECK(strcmp(readings[i].database, expected[i].database) == 0, "%s", readings[i].database);
			CHECK(strcmp(readings[i].user, expected[i].user) == 0, "%s", readings[i].user);
			for (int n = 0; n < POOL_NUMBERS; n++)
				CHECK(readings[i].number[n] == expected[i].number[n],
					  "number %d: %" PRId64 ", not %" PRId64, n, readings[i].number[n], expected[i].number[n]);
		}
	}
	free(readings);
	free(expected);
	free_table(&pools);
	free_table(&stats);
	free_table(&databases);
}

static void
test_random_answers(void)
{
	for (int i = 0; i < 5000; i++)
		try_random_answer();
}

static void
test_odd_answers(void)
{
	PoolTable	nothing = {0};
	PoolTable	pools = make_table(3, 2);
	PoolReading *readings;
	int			count;

	readings = pool_read(&nothing, &nothing, &nothing, &count);
	CHECK(readings == NULL && count == 0, "no table");

	/* a name that comes twice: the first column counts */
	set_column(&pools, 0, "database");
	set_column(&pools, 1, "cl_active");
	set_column(&pools, 2, "cl_active");
	set_value(&pools, 0, 0, "a");
	set_value(&pools, 0, 1, "1");
	set_value(&pools, 0, 2, "2");
	/* a row without a database is none */
	set_value(&pools, 1, 1, "1");
	readings = pool_read(&pools, &nothing, &nothing, &count);
	CHECK(readings != NULL && count == 1, "%d", count);
	CHECK(readings != NULL && readings[0].number[POOL_CL_ACTIVE] == 1, "the first");
	CHECK(readings != NULL && readings[0].mode == NULL, "no mode");
	free(readings);
	set_column(&pools, 0, "Database");
	CHECK(pool_read(&pools, &nothing, &nothing, &count) == NULL && count == 0, "names have their case");
	free_table(&pools);
}

static PoolReading
pool_of(int64_t cl_active, int64_t cl_waiting, int64_t sv_active, int64_t sv_idle, int64_t sv_used)
{
	PoolReading pool = {0};

	for (int n = 0; n < POOL_NUMBERS; n++)
		pool.number[n] = POOL_UNKNOWN;
	pool.number[POOL_CL_ACTIVE] = cl_active;
	pool.number[POOL_CL_WAITING] = cl_waiting;
	pool.number[POOL_SV_ACTIVE] = sv_active;
	pool.number[POOL_SV_IDLE] = sv_idle;
	pool.number[POOL_SV_USED] = sv_used;
	return pool;
}

static void
test_ratios(void)
{
	PoolReading pool = pool_of(3, 0, 4, 1, 0);
	double		value;
	bool		exhausted;

	CHECK(pool_efficiency(&pool, &value) && value == 75, "%g", value);
	CHECK(pool_utilization(&pool, &value) && value == 0.8, "%g", value);
	CHECK(pool_multiplexing(&pool, &value) && value == 0.6, "%g", value);
	CHECK(pool_exhausted(&pool, &exhausted) && !exhausted, "nobody waits");

	/* pgbouncer #992 */
	pool = pool_of(357, 0, 80, 0, 0);
	CHECK(pool_efficiency(&pool, &value) && value == 446.25, "%g", value);

	pool = pool_of(9, 0, 0, 0, 0);
	CHECK(!pool_efficiency(&pool, &value), "a quiet pool has none");
	CHECK(!pool_utilization(&pool, &value) && !pool_multiplexing(&pool, &value), "nor these");
	pool = pool_of(POOL_UNKNOWN, POOL_UNKNOWN, 2, POOL_UNKNOWN, POOL_UNKNOWN);
	CHECK(!pool_efficiency(&pool, &value) && !pool_multiplexing(&pool, &value), "unknown");
	CHECK(!pool_exhausted(&pool, &exhausted), "unknown");
	CHECK(pool_utilization(&pool, &value) && value == 1, "%g", value);

	pool = pool_of(4, 1, 4, 0, 0);
	CHECK(pool_exhausted(&pool, &exhausted) && exhausted, "waits, and none is free");
	pool = pool_of(4, 1, 4, 0, POOL_UNKNOWN);
	CHECK(pool_exhausted(&pool, &exhausted) && exhausted, "the same without sv_used");
	pool = pool_of(4, 1, 4, 1, 0);
	CHECK(pool_exhausted(&pool, &exhausted) && !exhausted, "one is free");
	pool = pool_of(4, 1, 4, 0, 1);
	CHECK(pool_exhausted(&pool, &exhausted) && !exhausted, "one has been free for long");
}

/* 10,000 pools of 10,000 databases are joined in no time. */
static void
test_many(void)
{
	const int	rows = 10000;
	PoolTable	pools = make_table(2, rows);
	PoolTable	databases = make_table(2, rows);
	PoolTable	nothing = {0};
	PoolReading *readings;
	int			count;

	set_column(&pools, 0, "database");
	set_column(&pools, 1, "user");
	set_column(&databases, 0, "name");
	set_column(&databases, 1, "pool_size");
	for (int i = 0; i < rows; i++)
	{
		char		name[32];

		snprintf(name, sizeof(name), "database%d", i);
		set_value(&pools, i, 0, name);
		set_value(&databases, rows - 1 - i, 0, name);
		set_number(&databases, rows - 1 - i, 1, i);
	}
	readings = pool_read(&pools, &nothing, &databases, &count);
	CHECK(readings != NULL && count == rows, "%d", count);
	for (int i = 0; readings != NULL && i < count; i++)
		CHECK(readings[i].number[POOL_SIZE] == i, "%d", i);
	free(readings);
	free_table(&pools);
	free_table(&databases);
}

/*
 * Reasons.
 */

static PoolReason
reason_of(PoolStage stage, const char *message)
{
	PoolTrouble trouble = {0};

	trouble.stage = stage;
	pool_set_message(&trouble, message);
	return pool_reason(&trouble);
}

static void
test_reasons(void)
{
	PoolTrouble trouble = {0};

#define CHECK_REASON(stage, message, reason) \
	CHECK(reason_of(stage, message) == reason, "%s: %s", message, \
		  pool_reason_name(reason_of(stage, message)))

	CHECK_REASON(STAGE_CONNINFO, "not a valid one", POOL_BAD_CONNINFO);
	CHECK_REASON(STAGE_RESOLVE, "Name or service not known", POOL_NO_HOST);
	CHECK_REASON(STAGE_CONNECT, "Verbindung verweigert", POOL_UNREACHABLE);
	CHECK_REASON(STAGE_TLS, "server does not support SSL", POOL_TLS);
	CHECK_REASON(STAGE_LOGIN, "x failed: FATAL:  28P01: password authentication failed", POOL_AUTHENTICATION);
	CHECK_REASON(STAGE_LOGIN, "x failed: FATAL:  08P01: no such user", POOL_AUTHENTICATION);
	CHECK_REASON(STAGE_LOGIN, "x failed: FATAL:  08P01: not allowed", POOL_DENIED);
	CHECK_REASON(STAGE_LOGIN, "x failed: FATAL:  08P01: SSL required", POOL_TLS);
	CHECK_REASON(STAGE_LOGIN, "x failed: FATAL:  08P01: no more connections allowed (max_client_conn)", POOL_FULL);
	CHECK_REASON(STAGE_LOGIN, "x failed: FATAL:  53300: no more connections allowed", POOL_FULL);
	CHECK_REASON(STAGE_LOGIN, "x failed: FATAL:  3D000: database \"pgbouncer\" does not exist", POOL_NOT_PGBOUNCER);
	CHECK_REASON(STAGE_LOGIN, "server closed the connection unexpectedly", POOL_LOST);
	CHECK_REASON(STAGE_VERSION, "ERROR:  42704: unrecognized configuration parameter", POOL_NOT_PGBOUNCER);
	CHECK_REASON(STAGE_STATEMENT, "anything", POOL_UNUSABLE);

	trouble.stage = STAGE_LOGIN;
	trouble.wants_password = true;
	CHECK(pool_reason(&trouble) == POOL_AUTHENTICATION, "no password");
	trouble.timed_out = true;
	CHECK(pool_reason(&trouble) == POOL_TIMEOUT, "whatever the stage");
	trouble.timed_out = false;
	trouble.stage = STAGE_STATEMENT;
	trouble.lost = true;
	CHECK(pool_reason(&trouble) == POOL_LOST, "cut");

	for (int r = 0; r < POOL_REASONS; r++)
	{
		CHECK(pool_reason_name(r) != NULL && pool_reason_advice(r) != NULL, "%d", r);
		for (int o = 0; o < r; o++)
			CHECK(strcmp(pool_reason_name(r), pool_reason_name(o)) != 0, "%d %d", r, o);
	}
}

static void
test_messages(void)
{
	PoolTrouble trouble = {0};
	char		longest[1000];

	pool_set_message(&trouble, "connection to server at \"::1\", port 1 failed: FATAL:  08P01: not\tallowed \r\nLOCATION:  x");
	CHECK(strcmp(trouble.message, "not allowed") == 0, "%s", trouble.message);
	CHECK(strcmp(trouble.sqlstate, "08P01") == 0, "%s", trouble.sqlstate);

	pool_set_message(&trouble, "Connection refused\n\tIs the server running?");
	CHECK(strcmp(trouble.message, "Connection refused") == 0 && trouble.sqlstate[0] == '\0', "%s", trouble.message);
	pool_set_message(&trouble, "");
	CHECK(trouble.message[0] == '\0', "%s", trouble.message);
	pool_set_message(&trouble, ":  ");
	pool_set_message(&trouble, ":  28P0");
	pool_set_message(&trouble, "FATAL:  28P01");
	CHECK(trouble.sqlstate[0] == '\0', "%s", trouble.sqlstate);

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	pool_set_message(&trouble, longest);
	CHECK(strlen(trouble.message) == POOL_MESSAGE_LENGTH - 1, "%zu", strlen(trouble.message));

	for (int i = 0; i < 20000; i++)
	{
		int			length = (int) (next_random() % 300);
		char	   *text = malloc(length + 1);

		for (int c = 0; c < length; c++)
		{
			static const char some[] = ":  FATAL08P01x\n\t\x01\x7f\xc3";

			text[c] = some[next_random() % (sizeof(some) - 1)];
		}
		text[length] = '\0';

		pool_set_message(&trouble, text);
		for (const char *at = trouble.message; *at; at++)
			CHECK((unsigned char) *at >= ' ' && *at != 127, "control character");
		free(text);
	}
}

/*
 * Commands.
 */

static CommandFault
build(const char *command, const char *target, const char *value, char *statement)
{
	return pool_build_command(command, target, value, statement, 512);
}

static void
test_commands(void)
{
	char		statement[512];

#define CHECK_COMMAND(command, target, value, expected) \
	CHECK(build(command, target, value, statement) == COMMAND_FINE && \
		  strcmp(statement, expected) == 0, "%s", statement)
#define CHECK_REFUSED(command, target, value, fault) \
	CHECK(build(command, target, value, statement) == fault && statement[0] == '\0', "%s", statement)

	CHECK_COMMAND("PAUSE", NULL, NULL, "PAUSE");
	CHECK_COMMAND("pause", "app", NULL, "PAUSE \"app\"");
	CHECK_COMMAND("RESUME", "a\"b; SHUTDOWN", NULL, "RESUME \"a\"\"b; SHUTDOWN\"");
	CHECK_COMMAND("Reload", NULL, NULL, "RELOAD");
	CHECK_COMMAND("SET", "default_pool_size", "40", "SET default_pool_size = '40'");
	CHECK_COMMAND("set", "query_timeout", "1.5", "SET query_timeout = '1.5'");
	CHECK_COMMAND("SET", "pool_mode", "transaction", "SET pool_mode = 'transaction'");

	CHECK_REFUSED("SHUTDOWN", NULL, NULL, COMMAND_UNKNOWN);
	CHECK_REFUSED("", NULL, NULL, COMMAND_UNKNOWN);
	CHECK_REFUSED("PAUSE;SHUTDOWN", NULL, NULL, COMMAND_UNKNOWN);
	CHECK_REFUSED("RELOAD", "app", NULL, COMMAND_TARGET_UNWANTED);
	CHECK_REFUSED("PAUSE", "app", "1", COMMAND_VALUE_UNWANTED);
	CHECK_REFUSED("SET", NULL, "1", COMMAND_TARGET_MISSING);
	CHECK_REFUSED("SET", "default_pool_size", NULL, COMMAND_VALUE_MISSING);
	CHECK_REFUSED("SET", "auth_query", "SELECT 1", COMMAND_SETTING_UNKNOWN);
	CHECK_REFUSED("SET", "auth_file", "/tmp/x", COMMAND_SETTING_UNKNOWN);
	CHECK_REFUSED("SET", "default_pool_size = 1; x", "1", COMMAND_SETTING_UNKNOWN);
	CHECK_REFUSED("SET", "default_pool_size", "0", COMMAND_VALUE_BAD);
	CHECK_REFUSED("SET", "default_pool_size", "-1", COMMAND_VALUE_BAD);
	CHECK_REFUSED("SET", "default_pool_size", "1.5", COMMAND_VALUE_BAD);
	CHECK_REFUSED("SET", "default_pool_size", "1000000000000", COMMAND_VALUE_BAD);
	CHECK_REFUSED("SET", "default_pool_size", "100001", COMMAND_VALUE_BAD);
	CHECK_REFUSED("SET", "default_pool_size", "4'; SHUTDOWN; '", COMMAND_VALUE_BAD);
	CHECK_REFUSED("SET", "default_pool_size", "", COMMAND_VALUE_BAD);
	CHECK_REFUSED("SET", "query_timeout", "1.", COMMAND_VALUE_BAD);
	CHECK_REFUSED("SET", "query_timeout", "1.1234567", COMMAND_VALUE_BAD);
	CHECK_REFUSED("SET", "pool_mode", "session transaction", COMMAND_VALUE_BAD);
	CHECK_REFUSED("SET", "pool_mode", "", COMMAND_VALUE_BAD);
	CHECK_REFUSED("SET", "pool_mode", "4", COMMAND_VALUE_BAD);
	CHECK(build("PAUSE", "", NULL, statement) == COMMAND_TARGET_BAD, "no name");
	CHECK(build("PAUSE", "a\nb", NULL, statement) == COMMAND_TARGET_BAD, "newline");
}

/* Whatever name it is: one quoted word, which PgBouncer reads back as the name. */
static void
test_quoting(void)
{
	for (int i = 0; i < 20000; i++)
	{
		char		name[200];
		char		back[200];
		char		statement[512];
		int			length = 1 + (int) (next_random() % 150);
		int			used = 0;
		const char *at;
		CommandFault fault;

		for (int c = 0; c < length; c++)
			name[c] = next_random() % 3 == 0 ? '"' : (char) (32 + next_random() % 95);
		name[length] = '\0';
		fault = build("PAUSE", name, NULL, statement);
		CHECK((fault == COMMAND_FINE) == (length <= 127), "length %d", length);
		if (fault != COMMAND_FINE)
			continue;
		CHECK(strncmp(statement, "PAUSE \"", 7) == 0, "%s", statement);
		for (at = statement + 7; *at != '\0'; at++)
		{
			if (*at == '"' && at[1] != '"')
				break;
			if (*at == '"')
				at++;
			back[used++] = *at;
		}
		back[used] = '\0';
		CHECK(strcmp(at, "\"") == 0, "%s", statement);
		CHECK(strcmp(back, name) == 0, "%s", statement);
	}
}

int
main(int argc, char **argv)
{
	check_begin(argc, argv);
	run(test_numbers, "numbers, and what is none");
	run(test_random_answers, "columns in any order, and any of them left out");
	run(test_odd_answers, "answers that are none");
	run(test_ratios, "the runbook's formula, and the others");
	run(test_many, "10,000 pools");
	run(test_reasons, "why it failed");
	run(test_messages, "messages on one line, and the SQLSTATE in them");
	run(test_commands, "commands that may be sent, and those that may not");
	run(test_quoting, "a database's name stays one word");
	return check_end();
}
