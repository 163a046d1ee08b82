/*-------------------------------------------------------------------------
 *
 * settings.c
 *		The dbmaint.* settings.
 *
 * src/settings.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <limits.h>

#include "notify/address.h"
#include "settings.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/varlena.h"

bool		setting_enabled = true;
char	   *setting_databases = NULL;
char	   *setting_home_database = NULL;
int			setting_sample_interval_s = 10;
int			setting_pool_interval_s = 60;
const char *setting_pgbouncer_conninfo = "";
int			setting_statements_interval_s = 300;
int			setting_objects_interval_s = 1800;
int			setting_activity_interval_ms = 1000;
int			setting_activity_history_interval_s = 60;
int			setting_signals_interval_s = 60;
int			setting_evidence_timeout_ms = 1000;
int			setting_retention_min = 35 * 24 * 60;
int			setting_rollup_retention_min = 730 * 24 * 60;
int			setting_max_history_size_mb = 1024;
int			setting_slow_query_threshold_ms = 100;
char	   *setting_critical_indexes = NULL;
bool		setting_track_latency = true;
int			setting_collector_timeout_ms = 5000;
int			setting_max_databases = 64;
int			setting_max_runners = 2;
int			setting_max_pending_jobs = 1000;
int			setting_job_timeout_s = 6 * 60 * 60;
int			setting_recorder_size_kb = 4096;
int			setting_max_lock_wait_ms = 200;
char	   *setting_notify_allowed_networks = NULL;
int			setting_notify_max_age_s = 6 * 60 * 60;
int			setting_notify_max_queued = 10000;
int			setting_notify_timeout_ms = 10000;

/* What the server knows of a setting that may hold a password. */
#define HIDDEN "********"
#define SECRET_LENGTH 4096

static char *shown_pgbouncer_conninfo = NULL;

typedef struct IntSetting
{
	const char *name;
	const char *description;
	const char *detail;
	int		   *value;
	int			boot;
	int			min;
	int			max;
	int			unit;
} IntSetting;

typedef struct StringSetting
{
	const char *name;
	const char *description;
	const char *detail;
	char	  **value;
	const char *boot;
	int			flags;
	GucStringCheckHook check;
} StringSetting;

static bool check_list(char **newval, void **extra, GucSource source);
static bool check_patterns(char **newval, void **extra, GucSource source);
static bool check_database_name(char **newval, void **extra, GucSource source);
static bool check_networks(char **newval, void **extra, GucSource source);
static bool check_pgbouncer_conninfo(char **newval, void **extra, GucSource source);
static void assign_pgbouncer_conninfo(const char *newval, void *extra);
static const char *show_pgbouncer_conninfo(void);

static const IntSetting int_settings[] =
{
	{"dbmaint.sample_interval",
		"Time between two samples of a database.",
		NULL,
	&setting_sample_interval_s, 10, 1, 3600, GUC_UNIT_S},
	{"dbmaint.pool_interval",
		"Time between two readings of the connection pool.",
		NULL,
	&setting_pool_interval_s, 60, 1, 86400, GUC_UNIT_S},
	{"dbmaint.statements_interval",
		"Time between two snapshots of pg_stat_statements.",
		NULL,
	&setting_statements_interval_s, 300, 1, 86400, GUC_UNIT_S},
	{"dbmaint.objects_interval",
		"Time between two snapshots of the statistics of tables and indexes.",
		NULL,
	&setting_objects_interval_s, 1800, 1, 86400, GUC_UNIT_S},
	{"dbmaint.activity_interval",
		"Time between two looks at what all sessions do.",
		"Zero turns the activity history and the recorder off.",
	&setting_activity_interval_ms, 1000, 0, 60000, GUC_UNIT_MS},
	{"dbmaint.activity_history_interval",
		"Time that a row of the activity and log history covers.",
		NULL,
	&setting_activity_history_interval_s, 60, 1, 3600, GUC_UNIT_S},
	{"dbmaint.signals_interval",
		"Time between two readings of what alerts watch beside the samples.",
		"Replication, slots, archiving, locks, transaction ids; what needs a look at every table follows dbmaint.objects_interval.",
	&setting_signals_interval_s, 60, 1, 3600, GUC_UNIT_S},
	{"dbmaint.retention",
		"Age at which history is deleted.",
		NULL,
	&setting_retention_min, 35 * 24 * 60, 60, 10 * 366 * 24 * 60, GUC_UNIT_MIN},
	{"dbmaint.rollup_retention",
		"Age at which the roll-ups of history by hour and day are deleted.",
		NULL,
	&setting_rollup_retention_min, 730 * 24 * 60, 24 * 60, 10 * 366 * 24 * 60, GUC_UNIT_MIN},
	{"dbmaint.max_history_size",
		"Size at which the oldest history of a database is deleted.",
		"Zero means that only dbmaint.retention limits the history.",
	&setting_max_history_size_mb, 1024, 0, INT_MAX, GUC_UNIT_MB},
	{"dbmaint.slow_query_threshold",
		"Response time from which a statement counts as slow.",
		NULL,
	&setting_slow_query_threshold_ms, 100, 0, 24 * 60 * 60 * 1000, GUC_UNIT_MS},
	{"dbmaint.collector_timeout",
		"Time that one step of a sampler's round may take.",
		NULL,
	&setting_collector_timeout_ms, 5000, 100, 600000, GUC_UNIT_MS},
	{"dbmaint.max_lock_wait",
		"Time that others may have to wait behind a lock that dbmaint waits for.",
		NULL,
	&setting_max_lock_wait_ms, 200, 10, 60000, GUC_UNIT_MS},
	{"dbmaint.notify_max_age",
		"Age at which a notification that could not be sent is given up.",
		NULL,
	&setting_notify_max_age_s, 6 * 60 * 60, 60, 30 * 24 * 60 * 60, GUC_UNIT_S},
	{"dbmaint.notify_max_queued",
		"Notifications that may wait for a channel.",
		"If there are more, the oldest of the least severity are dropped.",
	&setting_notify_max_queued, 10000, 10, 1000000, 0},
	{"dbmaint.notify_timeout",
		"Time that sending a notification may take.",
		"At most 3 s of it to connect.",
	&setting_notify_timeout_ms, 10000, 1000, 60000, GUC_UNIT_MS},
	{"dbmaint.evidence_timeout",
		"Time that collecting the evidence of an alert may take.",
		"An alert whose evidence takes longer goes without it. Zero means that none is collected.",
	&setting_evidence_timeout_ms, 1000, 0, 60000, GUC_UNIT_MS},
	{"dbmaint.max_runners",
		"Jobs that may run at a time, each in a database of its own.",
		NULL,
	&setting_max_runners, 2, 1, 1000, 0},
	{"dbmaint.max_pending_jobs",
		"Jobs of one role that may wait in a database.",
		NULL,
	&setting_max_pending_jobs, 1000, 1, 1000000, 0},
	{"dbmaint.job_timeout",
		"Time that an attempt at a job may take.",
		"A job's option timeout overrides it, with a longer time only for superusers. Zero means that there is no limit.",
	&setting_job_timeout_s, 6 * 60 * 60, 0, 2000000, GUC_UNIT_S},
};

static const StringSetting string_settings[] =
{
	{"dbmaint.databases",
		"Databases to sample, separated by commas.",
		"\"*\" means every database that accepts connections and has the extension.",
	&setting_databases, "*", GUC_LIST_INPUT, check_list},
	{"dbmaint.home_database",
		"Database whose sampler takes the readings that concern the whole server.",
		"If empty, it is the first database sampled.",
	&setting_home_database, "", 0, check_database_name},
	{"dbmaint.critical_indexes",
		"Indexes whose use is watched closely, separated by commas.",
		"Each is a name, with or without its schema, and may hold the patterns of LIKE.",
	&setting_critical_indexes, "", GUC_LIST_INPUT, check_patterns},
	{"dbmaint.notify_allowed_networks",
		"Networks beside the Internet that notifications may be sent to, separated by commas.",
		"Loopback, private, link-local and reserved addresses are refused otherwise. Each is an address with or without /bits.",
	&setting_notify_allowed_networks, "", GUC_LIST_INPUT, check_networks},
};

/* A pattern of LIKE that ends with an escape is an error where it is used. */
static bool
ends_with_escape(const char *pattern)
{
	for (; *pattern != '\0'; pattern++)
	{
		if (*pattern == '\\' && *++pattern == '\0')
			return true;
	}
	return false;
}

/*
 * GUC check hook: a list of identifiers, or patterns of them.  Works on a copy
 * from malloc, since it runs in the postmaster too, where palloc must not raise
 * an error.
 */
static bool
check_names(const char *value, bool are_patterns)
{
	char	   *copy = strdup(value);
	List	   *names = NIL;
	ListCell   *cell;
	bool		valid;

	if (copy == NULL)
	{
		GUC_check_errcode(ERRCODE_OUT_OF_MEMORY);
		return false;
	}
	valid = SplitGUCList(copy, ',', &names);
	if (!valid)
		GUC_check_errdetail("List syntax is invalid.");
	foreach(cell, valid && are_patterns ? names : NIL)
	{
		if (ends_with_escape(lfirst(cell)))
		{
			GUC_check_errdetail("The entry \"%s\" ends with an escape character.", (char *) lfirst(cell));
			GUC_check_errhint("Write two backslashes for one that is part of a name.");
			valid = false;
			break;
		}
	}
	list_free(names);
	free(copy);
	return valid;
}

static bool
check_list(char **newval, void **extra, GucSource source)
{
	(void) extra;
	(void) source;
	return check_names(*newval, false);
}

static bool
check_patterns(char **newval, void **extra, GucSource source)
{
	(void) extra;
	(void) source;
	return check_names(*newval, true);
}

static bool
check_database_name(char **newval, void **extra, GucSource source)
{
	(void) extra;
	(void) source;

	if (strlen(*newval) >= NAMEDATALEN)
	{
		GUC_check_errdetail("A database's name has at most %d bytes.",
							NAMEDATALEN - 1);
		return false;
	}
	return true;
}

static bool
check_networks(char **newval, void **extra, GucSource source)
{
	(void) extra;
	(void) source;

	if (!networks_valid(*newval))
	{
		GUC_check_errdetail("Each network is an address, such as 10.1.2.3 or ::1, with or without /bits.");
		return false;
	}
	return true;
}

/*
 * The connection string may hold a password, and the postmaster logs the value
 * of a setting that a reload changes.  So the server is given asterisks, always
 * the same, and what stands for it goes along as the hooks' extra.
 */
static bool
check_pgbouncer_conninfo(char **newval, void **extra, GucSource source)
{
	/* a parallel worker is given what the leader's server knows */
	bool		hidden = strcmp(*newval, HIDDEN) == 0;
	const char *real = hidden ? setting_pgbouncer_conninfo : *newval;
	char	   *shown;

	(void) source;

	/* the message without the value, which the default one would show */
	GUC_check_errmsg("invalid value for parameter \"dbmaint.pgbouncer_conninfo\"");
	if (strlen(real) >= SECRET_LENGTH)
	{
		GUC_check_errdetail("A connection string has at most %d bytes.", SECRET_LENGTH - 1);
		return false;
	}
	for (const char *at = real; *at != '\0'; at++)
	{
		if ((unsigned char) *at < ' ' || *at == 127)
		{
			GUC_check_errdetail("A connection string has no control characters.");
			return false;
		}
	}

	*extra = setting_strdup(real);
	shown = setting_strdup(HIDDEN);
	if (*extra == NULL || shown == NULL)
	{
		GUC_check_errcode(ERRCODE_OUT_OF_MEMORY);
		return false;
	}
	setting_free(*newval);
	*newval = shown;
	return true;
}

static void
assign_pgbouncer_conninfo(const char *newval, void *extra)
{
	(void) newval;
	setting_pgbouncer_conninfo = extra;
}

static const char *
show_pgbouncer_conninfo(void)
{
	return setting_pgbouncer_conninfo[0] == '\0' ? "" : HIDDEN;
}

void
settings_define(bool preloading)
{
	DefineCustomBoolVariable("dbmaint.enabled",
							 "Samples the databases in the background.",
							 NULL, &setting_enabled, true,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("dbmaint.track_latency",
							 "Measures the response time of statements.",
							 NULL, &setting_track_latency, true,
							 PGC_SUSET, 0, NULL, NULL, NULL);

	for (size_t i = 0; i < lengthof(int_settings); i++)
	{
		const IntSetting *s = &int_settings[i];

		DefineCustomIntVariable(s->name, s->description, s->detail,
								s->value, s->boot, s->min, s->max,
								PGC_SIGHUP, s->unit, NULL, NULL, NULL);
	}

	for (size_t i = 0; i < lengthof(string_settings); i++)
	{
		const StringSetting *s = &string_settings[i];

		DefineCustomStringVariable(s->name, s->description, s->detail,
								   s->value, s->boot,
								   PGC_SIGHUP, s->flags, s->check, NULL, NULL);
	}

	DefineCustomStringVariable("dbmaint.pgbouncer_conninfo",
							   "Connection string of PgBouncer's admin console.",
							   "Shown as asterisks. If empty, no pool is read.",
							   &shown_pgbouncer_conninfo, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							   check_pgbouncer_conninfo,
							   assign_pgbouncer_conninfo,
							   show_pgbouncer_conninfo);

	if (preloading)
	{
		DefineCustomIntVariable("dbmaint.max_databases",
								"Databases that can be measured at a time.",
								"Each takes about 70 kB of shared memory.",
								&setting_max_databases, 64, 1, 10000,
								PGC_POSTMASTER, 0, NULL, NULL, NULL);
		DefineCustomIntVariable("dbmaint.recorder_size",
								"Shared memory for the last minutes of all sessions in full.",
								"Each session that does something takes 64 bytes a look. Zero turns the recorder off.",
								&setting_recorder_size_kb, 4096, 0, 256 * 1024,
								PGC_POSTMASTER, GUC_UNIT_KB, NULL, NULL, NULL);
	}

	MarkGUCPrefixReserved("dbmaint");
}

bool
settings_database_wanted(const char *datname)
{
	List	   *names = NIL;
	ListCell   *cell;
	bool		wanted = false;

	/* the check hook let only a valid list through */
	(void) SplitGUCList(pstrdup(setting_databases), ',', &names);
	foreach(cell, names)
	{
		const char *name = lfirst(cell);

		if (strcmp(name, "*") == 0 || strcmp(name, datname) == 0)
		{
			wanted = true;
			break;
		}
	}
	list_free(names);
	return wanted;
}
