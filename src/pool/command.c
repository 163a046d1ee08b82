/*-------------------------------------------------------------------------
 *
 * command.c
 *		The commands that PgBouncer may be sent: pure, no server, no libpq.
 *
 * src/pool/command.c
 *
 *-------------------------------------------------------------------------
 */
#include "pool/command.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* PgBouncer's own limit on the name of a database */
#define MAX_NAME 127

typedef struct Settable
{
	const char *name;
	int64_t		least;
	int64_t		most;			/* both of a number */
	bool		fraction;		/* seconds may have one */
	const char *words;			/* instead of a number */
} Settable;

/*
 * What an emergency needs, and nothing that opens a door: no paths, no
 * authentication, no addresses, no queries.
 */
static const Settable settables[] =
{
	{"default_pool_size", 1, 100000, false, NULL},
	{"min_pool_size", 0, 100000, false, NULL},
	{"reserve_pool_size", 0, 100000, false, NULL},
	{"reserve_pool_timeout", 0, 86400, true, NULL},
	{"max_client_conn", 1, 1000000, false, NULL},
	{"max_db_connections", 0, 100000, false, NULL},
	{"max_user_connections", 0, 100000, false, NULL},
	{"query_timeout", 0, 604800, true, NULL},
	{"query_wait_timeout", 0, 604800, true, NULL},
	{"client_idle_timeout", 0, 604800, true, NULL},
	{"idle_transaction_timeout", 0, 604800, true, NULL},
	{"server_idle_timeout", 0, 604800, true, NULL},
	{"server_lifetime", 0, 604800, true, NULL},
	{"pool_mode", 0, 0, false, "session transaction statement"},
};

const char *
pool_settable(int index)
{
	if (index < 0 || index >= (int) (sizeof(settables) / sizeof(settables[0])))
		return NULL;
	return settables[index].name;
}

static bool
is_word_of(const char *word, const char *words)
{
	size_t		length = strlen(word);

	while (*words != '\0')
	{
		size_t		next = strcspn(words, " ");

		if (next == length && memcmp(word, words, length) == 0)
			return true;
		words += next;
		words += strspn(words, " ");
	}
	return false;
}

/* Digits, at most six of a fraction where one is allowed; not too great. */
static bool
is_number(const char *text, const Settable *setting)
{
	size_t		whole = strspn(text, "0123456789");
	size_t		fraction = 0;
	int64_t		number = 0;

	if (whole == 0 || whole > 9)
		return false;
	for (size_t i = 0; i < whole; i++)
		number = number * 10 + (text[i] - '0');
	text += whole;

	if (setting->fraction && *text == '.')
	{
		fraction = strspn(text + 1, "0123456789");
		if (fraction == 0 || fraction > 6)
			return false;
		text += 1 + fraction;
	}
	return *text == '\0' && number >= setting->least &&
		number <= setting->most;
}

static CommandFault
build_set(const char *name, const char *value, char *statement, size_t size)
{
	const Settable *setting = NULL;

	if (name == NULL)
		return COMMAND_TARGET_MISSING;
	for (size_t i = 0; i < sizeof(settables) / sizeof(settables[0]); i++)
	{
		if (strcmp(settables[i].name, name) == 0)
			setting = &settables[i];
	}
	if (setting == NULL)
		return COMMAND_SETTING_UNKNOWN;
	if (value == NULL)
		return COMMAND_VALUE_MISSING;
	if (setting->words != NULL ? !is_word_of(value, setting->words) : !is_number(value, setting))
		return COMMAND_VALUE_BAD;
	snprintf(statement, size, "SET %s = '%s'", setting->name, value);
	return COMMAND_FINE;
}

/* A database's name goes in quotes, and quotes in it are doubled. */
static CommandFault
build_for_database(const char *word, const char *database, char *statement, size_t size)
{
	size_t		used = strlen(word);

	memcpy(statement, word, used + 1);
	if (database == NULL)
		return COMMAND_FINE;
	if (*database == '\0' || strlen(database) > MAX_NAME)
		return COMMAND_TARGET_BAD;
	if (used + 2 * strlen(database) + 4 > size)
		return COMMAND_TARGET_BAD;
	statement[used++] = ' ';
	statement[used++] = '"';
	for (; *database != '\0'; database++)
	{
		if ((unsigned char) *database < ' ' || *database == 127)
			return COMMAND_TARGET_BAD;
		if (*database == '"')
			statement[used++] = '"';
		statement[used++] = *database;
	}
	statement[used++] = '"';
	statement[used] = '\0';
	return COMMAND_FINE;
}

CommandFault
pool_build_command(const char *command, const char *target, const char *value,
				   char *statement, size_t size)
{
	statement[0] = '\0';
	if (strcasecmp(command, "SET") == 0)
		return build_set(target, value, statement, size);
	if (strcasecmp(command, "PAUSE") != 0 && strcasecmp(command, "RESUME") != 0 &&
		strcasecmp(command, "RELOAD") != 0)
		return COMMAND_UNKNOWN;
	if (value != NULL)
		return COMMAND_VALUE_UNWANTED;
	if (strcasecmp(command, "PAUSE") == 0)
		return build_for_database("PAUSE", target, statement, size);
	if (strcasecmp(command, "RESUME") == 0)
		return build_for_database("RESUME", target, statement, size);
	if (target != NULL)
		return COMMAND_TARGET_UNWANTED;
	return build_for_database("RELOAD", NULL, statement, size);
}

bool
pool_command_waits(const char *command)
{
	return strcasecmp(command, "PAUSE") == 0;
}
