/*-------------------------------------------------------------------------
 *
 * engine.h
 *		What the files of the alert room share: rules and states in memory.
 *
 * src/alert/engine.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_ENGINE_H
#define DBMAINT_ENGINE_H

#include "alert/alert.h"
#include "alert/pattern.h"
#include "alert/state.h"
#include "lib/ilist.h"
#include "utils/hsearch.h"

/* One row of dbmaint_alert_rules. */
typedef struct Rule
{
	int			metric;			/* of either table, see metric.h */
	int			level;
	const char *pattern;
	int			rank;			/* of the pattern */
	bool		exact;			/* the pattern is a name, with this hash */
	uint64		name_hash;
	AlertLimit	limit;
	bool		has_threshold;
	bool		has_resolve_threshold;
	int			of_metric;		/* -1: none */
	double		of_ratio;
	int			traffic_metric; /* -1: none */
	double		min_traffic;
	bool		resolve_when_quiet;
	struct Rule *next;			/* of the same metric */
} Rule;

typedef struct WatchKey
{
	uint64		instance;		/* hash */
	uint64		metric;			/* of either table */
} WatchKey;

/* A metric of an instance, with or without rules. */
typedef struct Watch
{
	WatchKey	key;
	const char *instance;
	const Rule *rules[ALERT_LEVELS];
	bool		ruled;			/* has a rule */
	bool		open;			/* is in the list of those pending or firing */
	dlist_node	node;
	int64		incident_id;	/* 0: none */
	AlertState	state;
	AlertLimit	noted;			/* its threshold as it is in the incident */
	bool		rules_anew;		/* its rules were changed since */
	uint64		turn;			/* the last one that read it */
	uint64		judged;			/* the last one that judged it */
	TimestampTz read_at;
	bool		known;
	double		value;
	int			collector;
} Watch;

/* What is about to be written. */
typedef struct Transition
{
	Watch	   *watch;
	AlertState	next;
	AlertChange change;
	int			severity;
	int64		incident_id;
	bool		has_limit;
	AlertLimit	limit;			/* of the severity's rule */
	const char *because;		/* of what resolves */
	Datum		evidence;		/* jsonb, or 0 */
	char	   *cause;
	bool		looked;			/* for evidence */
} Transition;

typedef struct Engine
{
	MemoryContext context;
	MemoryContext rule_context;
	Rule	   *rules[ANY_METRIC_COUNT];	/* lists */
	int			rule_count;
	HTAB	   *watches;
	dlist_head	open;
	uint64		turn;
	bool		rules_stale;
	bool		rules_changed;	/* that is why they are being loaded */
	bool		incidents_loaded;
	TimestampTz loaded_at;
	Oid			rules_oid;		/* the tables that are watched for changes */
	Oid			dropped_oid;
	Oid			silences_oid;
	Oid			windows_oid;
	bool		attend;			/* something changed */
	bool		attend_all;		/* silences, windows or rules did */
	TimestampTz attended_at;	/* which set attention_at; 0: never */
	TimestampTz attention_at;	/* 0: nothing needs attention */
} Engine;

/* A turn: its arguments, and what is written at its end. */
typedef struct Turn
{
	Engine	   *engine;
	const Extension *extension;
	const Collection *collection;
	bool		sample;
	bool		rotating;
	MemoryContext context;
	Transition *transitions;
	int			count;
	int			room;
	int			current;		/* the one that a step is about */
	char	   *attend_failure; /* of one that was attended to, or NULL */
	AlertReport *report;
} Turn;

/* engine.c */
extern uint64 engine_hash_instance(const char *instance);
extern Watch *engine_watch(Engine *engine, int metric, const char *instance,
						   bool make);
extern void engine_choose_rules(Engine *engine, bool changed);
extern void engine_set_open(Engine *engine, Watch *watch);

/* judge.c: fills the turn's transitions. */
extern void judge_readings(Turn *turn);

/* load.c: steps. */
extern void load_rules(void *turn);
extern void load_incidents(void *turn);

/* store.c: steps; the first writes all transitions, the second the current. */
extern void store_all(void *turn);
extern void store_current(void *turn);
extern void collect_evidence(void *turn);
extern void attend_incidents(void *turn);
extern void complete_evidence(void *turn);

#endif							/* DBMAINT_ENGINE_H */
