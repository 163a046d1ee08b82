/*-------------------------------------------------------------------------
 *
 * parameters.c
 *		The connection parameters: what the connection string, a service file
 *		and the environment say, made into what a console needs.
 *
 * src/pool/module/parameters.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <stdlib.h>

#include "parameters.h"

#define LIST_LENGTH 4096

/*
 * What a console wants in any case.  PgBouncer refuses start-up parameters
 * that it does not know, its console speaks plain text in one database of a
 * fixed name, and GSSAPI would ask other servers first, and wait.
 */
static const char *const fixed[][2] = {
	{"dbname", "pgbouncer"},
	{"gssencmode", "disable"},
	{"target_session_attrs", "any"},
	{"options", ""},
	{"fallback_application_name", "dbmaint"},
};

/* These are made anew, or would add start-up parameters. */
static const char *const left_out[] = {
	"host", "hostaddr", "port", "service", "servicefile", "client_encoding",
	"replication", "connect_timeout",
};

static bool
is_fixed(const char *keyword)
{
	for (size_t i = 0; i < lengthof(fixed); i++)
	{
		if (strcmp(keyword, fixed[i][0]) == 0)
			return true;
	}
	for (size_t i = 0; i < lengthof(left_out); i++)
	{
		if (strcmp(keyword, left_out[i]) == 0)
			return true;
	}
	return false;
}

static bool
add_parameter(Parameters *parameters, const char *keyword, const char *value)
{
	int			n = parameters->count;

	if (n == MAX_PARAMETERS)
		return false;
	parameters->keywords[n] = strdup(keyword);
	parameters->values[n] = strdup(value);
	parameters->count++;
	return parameters->keywords[n] != NULL && parameters->values[n] != NULL;
}

/* Splits a list at its commas; returns how many there are, -1 for too many. */
static int
split_list(const char *list, char *items[RESOLVE_MAX_HOSTS])
{
	int			count = 0;

	if (list == NULL || *list == '\0')
		return 0;
	for (;;)
	{
		size_t		length = strcspn(list, ",");

		if (count == RESOLVE_MAX_HOSTS)
			return -1;
		items[count] = strndup(list, length);
		if (items[count++] == NULL)
			return -1;
		if (list[length] == '\0')
			return count;
		list += length + 1;
	}
}

/* Fills up a list that is shorter than the others. */
static bool
pad_list(char *items[RESOLVE_MAX_HOSTS], int count, int wanted)
{
	for (int i = count; i < wanted; i++)
	{
		/* a single port is every host's */
		items[i] = strdup(count == 1 ? items[0] : "");
		if (items[i] == NULL)
			return false;
	}
	return true;
}

static bool
read_places(Parameters *parameters, const char *host, const char *hostaddr,
			const char *port)
{
	int			hosts = split_list(host, parameters->hosts);
	int			addresses = split_list(hostaddr, parameters->addresses);
	int			ports = split_list(port, parameters->ports);
	int			places = Max(Max(hosts, addresses), 1);

	if (hosts < 0 || addresses < 0 || ports < 0 ||
		(hosts > 0 && addresses > 0 && hosts != addresses) ||
		(ports > 1 && ports != places))
		return false;
	parameters->places = places;
	return pad_list(parameters->hosts, hosts == 0 ? 0 : places, places) &&
		pad_list(parameters->addresses, addresses == 0 ? 0 : places, places) &&
		pad_list(parameters->ports, ports, places);
}

static const char *
option_value(const PQconninfoOption *options, const char *keyword)
{
	for (; options->keyword != NULL; options++)
	{
		if (strcmp(options->keyword, keyword) == 0)
			return options->val;
	}
	return NULL;
}

static bool
take_options(Parameters *parameters, const PQconninfoOption *options)
{
	if (!read_places(parameters, option_value(options, "host"),
					 option_value(options, "hostaddr"),
					 option_value(options, "port")))
		return false;
	for (const PQconninfoOption *o = options; o->keyword != NULL; o++)
	{
		if (o->val != NULL && o->val[0] != '\0' && !is_fixed(o->keyword) &&
			!add_parameter(parameters, o->keyword, o->val))
			return false;
	}
	for (size_t i = 0; i < lengthof(fixed); i++)
	{
		if (!add_parameter(parameters, fixed[i][0], fixed[i][1]))
			return false;
	}
	return true;
}

/*
 * What libpq makes of a string depends on a service file and the environment,
 * and it tells only of a connection.  One that is made with an option that
 * cannot be valid ends before anything is looked up or sent.
 */
bool
parameters_read(Parameters *parameters, const char *conninfo, PoolTrouble *trouble)
{
	const char *const keywords[] = {"dbname", "gssencmode", "target_session_attrs", NULL};
	const char *const values[] = {conninfo, "*", "*", NULL};
	char	   *error = NULL;
	PQconninfoOption *options = PQconninfoParse(conninfo, &error);
	PGconn	   *probe;
	const char *seen = NULL;
	bool		taken = false;

	memset(parameters, 0, sizeof(Parameters));
	trouble->stage = STAGE_CONNINFO;
	if (options == NULL)
	{
		/* libpq's own message quotes the string, which may hold a password */
		pool_set_message(trouble, "the connection string is not a valid one");
		PQfreemem(error);
		return false;
	}
	PQconninfoFree(options);

	probe = PQconnectStartParams(keywords, values, 1);
	options = probe == NULL ? NULL : PQconninfo(probe);
	if (options != NULL)
	{
		seen = option_value(options, "gssencmode");
		if (seen == NULL || strcmp(seen, "*") != 0)
			pool_set_message(trouble, "the connection string names a service that cannot be read");
		else
		{
			taken = take_options(parameters, options);
			if (!taken)
				pool_set_message(trouble, "hosts, addresses and ports of the connection string do not match, or are too many");
		}
		PQconninfoFree(options);
	}
	else
		pool_set_message(trouble, "out of memory");
	PQfinish(probe);
	return taken;
}

/* Does the place need its host's address looked up? */
static bool
is_unresolved(const Parameters *parameters, int place)
{
	const char *host = parameters->hosts[place];
	struct in6_addr address;

	return parameters->addresses[place][0] == '\0' && host[0] != '\0' &&
		host[0] != '/' && host[0] != '@' &&
		inet_pton(AF_INET, host, &address) != 1 &&
		inet_pton(AF_INET6, host, &address) != 1;
}

int
parameters_unresolved(const Parameters *parameters, char *hosts[RESOLVE_MAX_HOSTS])
{
	int			count = 0;

	for (int i = 0; i < parameters->places; i++)
	{
		if (is_unresolved(parameters, i))
			hosts[count++] = parameters->hosts[i];
	}
	return count;
}

/* The three lists of all places, one of a host's addresses after the other. */
typedef struct PlaceLists
{
	int			count;
	char		hosts[LIST_LENGTH];
	char		addresses[LIST_LENGTH];
	char		ports[LIST_LENGTH];
} PlaceLists;

static bool
append_item(char *list, const char *item, bool first)
{
	return (first || strlcat(list, ",", LIST_LENGTH) < LIST_LENGTH) &&
		strlcat(list, item, LIST_LENGTH) < LIST_LENGTH;
}

static bool
append_place(PlaceLists *lists, const char *host, const char *address, const char *port)
{
	bool		first = lists->count++ == 0;

	return append_item(lists->hosts, host, first) &&
		append_item(lists->addresses, address, first) &&
		append_item(lists->ports, port, first);
}

static bool
append_places(PlaceLists *lists, const Parameters *parameters, const Resolution *found)
{
	int			unresolved = 0;

	for (int i = 0; i < parameters->places; i++)
	{
		const char *host = parameters->hosts[i];
		const char *port = parameters->ports[i];

		if (!is_unresolved(parameters, i))
		{
			if (!append_place(lists, host, parameters->addresses[i], port))
				return false;
			continue;
		}
		for (int a = 0; found != NULL && a < found->found[unresolved]; a++)
		{
			if (!append_place(lists, host, found->addresses[unresolved][a], port))
				return false;
		}
		unresolved++;
	}
	return lists->count > 0;
}

/* Is there more in it than commas? */
static bool
add_list(Parameters *parameters, const char *keyword, const char *list)
{
	return list[strspn(list, ",")] == '\0' || add_parameter(parameters, keyword, list);
}

bool
parameters_finish(Parameters *parameters, const Resolution *found)
{
	PlaceLists *lists = calloc(1, sizeof(PlaceLists));
	bool		finished;

	if (lists == NULL)
		return false;
	finished = append_places(lists, parameters, found) &&
		add_list(parameters, "host", lists->hosts) &&
		add_list(parameters, "hostaddr", lists->addresses) &&
		add_list(parameters, "port", lists->ports);
	free(lists);
	return finished;
}

void
parameters_free(Parameters *parameters)
{
	for (int i = 0; i < parameters->count; i++)
	{
		free(parameters->keywords[i]);
		free(parameters->values[i]);
	}
	for (int i = 0; i < RESOLVE_MAX_HOSTS; i++)
	{
		free(parameters->hosts[i]);
		free(parameters->addresses[i]);
		free(parameters->ports[i]);
	}
	memset(parameters, 0, sizeof(Parameters));
}
