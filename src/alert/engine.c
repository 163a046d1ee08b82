/*-------------------------------------------------------------------------
 *
 * engine.c
 *		Rules and states in memory, and a round's turn of them.
 *
 * src/alert/engine.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "alert/engine.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "portability/instr_time.h"
#include "settings.h"
#include "step/guard.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* Rules are loaded so often though nobody said that they changed. */
#define RULES_KEPT_US (60 * USECS_PER_SEC)

/* What no longer has readings is forgotten. */
#define WATCH_KEPT_US (2 * 3600 * USECS_PER_SEC)

/*
 * A turn collects evidence for so many alerts at most, the worst ones, and has
 * dbmaint.evidence_timeout for all of them, since notifications wait for it.
 * In less than a fifth of that there is nothing to be found.
 */
#define EVIDENCE_MOST 3
#define EVIDENCE_LEAST_SHARE 5

PG_FUNCTION_INFO_V1(dbmaint_rules_changed);

/* A worker's; what SQL calls has one of its own. */
static Engine *kept_engine = NULL;

/*
 * SQL: a trigger after each statement that changes rules, silences or windows.
 * The invalidation is sent when the transaction commits.
 */
Datum
dbmaint_rules_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("this function can only be called as a trigger")));
	CacheInvalidateRelcache(((TriggerData *) fcinfo->context)->tg_relation);
	PG_RETURN_POINTER(NULL);
}

/* Relcache callback: may run at any time, and does nothing but note. */
static void
note_invalidation(Datum arg, Oid relation)
{
	Engine	   *engine = kept_engine;

	(void) arg;
	if (engine == NULL)
		return;
	if (!OidIsValid(relation) || relation == engine->rules_oid ||
		relation == engine->dropped_oid)
		engine->rules_stale = engine->attend_all = true;
	if (!OidIsValid(relation) || relation == engine->silences_oid ||
		relation == engine->windows_oid)
		engine->attend_all = true;
}

static Engine *
make_engine(MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent, "dbmaint alerts",
												  ALLOCSET_DEFAULT_SIZES);
	Engine	   *engine = MemoryContextAllocZero(context, sizeof(Engine));
	HASHCTL		control = {0};

	engine->context = context;
	engine->rule_context = AllocSetContextCreate(context, "dbmaint alert rules",
												 ALLOCSET_SMALL_SIZES);
	control.keysize = sizeof(WatchKey);
	control.entrysize = sizeof(Watch);
	control.hcxt = context;
	engine->watches = hash_create("dbmaint alert watches", 256, &control,
								  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	dlist_init(&engine->open);
	engine->rules_stale = true;
	engine->attend_all = true;
	return engine;
}

static Engine *
get_engine(void)
{
	if (!AmBackgroundWorkerProcess())
		return make_engine(CurrentMemoryContext);
	if (kept_engine == NULL)
	{
		kept_engine = make_engine(TopMemoryContext);
		CacheRegisterRelcacheCallback(note_invalidation, (Datum) 0);
	}
	return kept_engine;
}

static void
choose_rules_of(Engine *engine, Watch *watch)
{
	watch->ruled = false;
	memset(watch->rules, 0, sizeof(watch->rules));
	for (const Rule *rule = engine->rules[watch->key.metric]; rule != NULL;
		 rule = rule->next)
	{
		const Rule *chosen = watch->rules[rule->level];

		if ((chosen == NULL || rule->rank > chosen->rank) &&
			(!rule->exact || rule->name_hash == watch->key.instance) &&
			pattern_matches(rule->pattern, watch->instance))
		{
			watch->rules[rule->level] = rule;
			watch->ruled = true;
		}
	}
}

void
engine_choose_rules(Engine *engine, bool changed)
{
	HASH_SEQ_STATUS scan;
	Watch	   *watch;

	hash_seq_init(&scan, engine->watches);
	while ((watch = hash_seq_search(&scan)) != NULL)
	{
		choose_rules_of(engine, watch);
		watch->rules_anew = watch->rules_anew || changed;
	}
}

uint64
engine_hash_instance(const char *instance)
{
	return hash_bytes_extended((const unsigned char *) instance,
							   (int) strlen(instance), 0);
}

Watch *
engine_watch(Engine *engine, int metric, const char *instance, bool make)
{
	WatchKey	key;
	Watch	   *watch;
	bool		found;

	key.instance = engine_hash_instance(instance);
	key.metric = (uint64) metric;
	watch = hash_search(engine->watches, &key, make ? HASH_ENTER : HASH_FIND,
						&found);
	if (watch == NULL || found)
		return watch;

	memset((char *) watch + sizeof(WatchKey), 0,
		   sizeof(Watch) - sizeof(WatchKey));
	watch->instance = MemoryContextStrdup(engine->context, instance);
	state_init(&watch->state);
	choose_rules_of(engine, watch);
	return watch;
}

void
engine_set_open(Engine *engine, Watch *watch)
{
	bool		open = watch->state.phase != ALERT_INACTIVE;

	if (open == watch->open)
		return;
	if (open)
		dlist_push_tail(&engine->open, &watch->node);
	else
		dlist_delete(&watch->node);
	watch->open = open;
}

/* Forgets what is not read any more: dropped indexes, pools that are gone. */
static void
forget_idle_watches(Engine *engine, TimestampTz at)
{
	HASH_SEQ_STATUS scan;
	Watch	   *watch;

	hash_seq_init(&scan, engine->watches);
	while ((watch = hash_seq_search(&scan)) != NULL)
	{
		if (watch->open || (at >= watch->read_at &&
							at - watch->read_at < WATCH_KEPT_US))
			continue;
		pfree(unconstify(char *, watch->instance));
		hash_search(engine->watches, &watch->key, HASH_REMOVE, NULL);
	}
}

static bool
run_step(Turn *turn, const char *what, GuardedStep step, int timeout_ms)
{
	char	   *failure = timeout_ms == 0 ? guard_run(what, step, turn) :
	guard_run_for(what, step, turn, timeout_ms);

	if (failure != NULL)
	{
		turn->report->failures = lappend(turn->report->failures, failure);
		/* evidence alone has a time limit */
		if (timeout_ms == 0)
			turn->report->broken = failure;
	}
	return failure == NULL;
}

/* Loads what is not there or may have changed; false if that fails. */
static bool
load(Turn *turn)
{
	Engine	   *engine = turn->engine;
	TimestampTz at = turn->collection->at;

	/* a commit of somebody else's may say more when a transaction begins */
	if (engine->rules_stale || at < engine->loaded_at ||
		at - engine->loaded_at >= RULES_KEPT_US)
	{
		engine->rules_changed = engine->rules_stale;
		engine->rules_stale = false;
		if (!run_step(turn, "alert rules", load_rules, 0))
		{
			engine->rules_stale = true;
			return false;
		}
		engine->loaded_at = at;
		forget_idle_watches(engine, at);
	}
	if (!engine->incidents_loaded)
	{
		if (!run_step(turn, "open alerts", load_incidents, 0))
			return false;
		engine->incidents_loaded = true;
	}
	return true;
}

/* Looks for the evidence of what fires or gets worse, the worst first. */
static void
look_for_evidence(Turn *turn)
{
	int			all_ms = setting_evidence_timeout_ms;
	int			left_ms = all_ms;
	int			looked = 0;
	TimestampTz begun = GetCurrentTimestamp();

	for (int level = ALERT_LEVELS - 1; level >= 0; level--)
	{
		for (int i = 0; i < turn->count; i++)
		{
			Transition *t = &turn->transitions[i];

			if (t->severity != level ||
				(t->change != CHANGE_FIRED && t->change != CHANGE_WORSE))
				continue;
			if (looked > 0)
				left_ms = all_ms - (int) TimestampDifferenceMilliseconds(begun,
																		 GetCurrentTimestamp());
			if (looked == EVIDENCE_MOST || all_ms == 0 ||
				left_ms < all_ms / EVIDENCE_LEAST_SHARE)
				return;
			looked++;
			turn->current = i;
			t->looked = true;
			run_step(turn, "evidence", collect_evidence, Max(left_ms, 1));
		}
	}
}

/* Takes a transition that was written over into the memory. */
static void
apply(Turn *turn, Transition *t)
{
	t->watch->state = t->next;
	if (t->has_limit)
	{
		t->watch->noted = t->limit;
		t->watch->rules_anew = false;
	}
	t->watch->incident_id = t->next.phase == ALERT_INACTIVE ? 0 : t->incident_id;
	engine_set_open(turn->engine, t->watch);
	if (t->change != CHANGE_MOVED && t->change != CHANGE_CANCELLED &&
		t->change != CHANGE_PENDING)
		turn->engine->attend = true;
}

/*
 * Writes all transitions in one transaction; where that fails, each by itself,
 * so that one which cannot be written keeps no other.
 */
static void
store(Turn *turn)
{
	List	   *failures = turn->report->failures;
	const char *broken = turn->report->broken;

	if (turn->count == 0)
		return;
	if (run_step(turn, "alerts", store_all, 0))
	{
		for (int i = 0; i < turn->count; i++)
			apply(turn, &turn->transitions[i]);
		return;
	}
	if (turn->count == 1)
		return;
	turn->report->failures = failures;
	turn->report->broken = broken;
	for (turn->current = 0; turn->current < turn->count; turn->current++)
	{
		CHECK_FOR_INTERRUPTS();
		if (run_step(turn, "alerts", store_current, 0))
			apply(turn, &turn->transitions[turn->current]);
	}
}

/* Reminders, escalation, silences, and the rest of the evidence. */
static void
attend(Turn *turn)
{
	Engine	   *engine = turn->engine;
	TimestampTz at = turn->collection->at;

	/* what fell due before this engine was there is due now */
	bool		due = engine->attended_at == 0 ||
	(engine->attention_at != 0 && at >= engine->attention_at);

	/* the clock was set back: no time that was set before is to be trusted */
	if (at < engine->attended_at)
		engine->attend_all = true;
	if (!due && !engine->attend && !engine->attend_all)
		return;
	if (!run_step(turn, "alerts", attend_incidents, 0))
		return;
	engine->attended_at = at;
	if (turn->attend_failure != NULL)
		turn->report->failures = lappend(turn->report->failures,
										 psprintf("alerts: %s", turn->attend_failure));
	if (due && setting_evidence_timeout_ms > 0)
		run_step(turn, "evidence", complete_evidence, setting_evidence_timeout_ms);
}

static void
count_open(Turn *turn)
{
	dlist_iter	iter;

	turn->report->rules = turn->engine->rule_count;
	dlist_foreach(iter, &turn->engine->open)
	{
		const Watch *watch = dlist_container(Watch, node, iter.cur);

		if (watch->state.phase == ALERT_FIRING)
			turn->report->firing++;
		else
			turn->report->pending++;
	}
}

void
alert_turn(const Extension *extension, const Collection *collection,
		   bool sample, bool rotating, AlertReport *report)
{
	Turn	   *turn = palloc0_object(Turn);
	instr_time	begun;
	instr_time	judged;

	memset(report, 0, sizeof(AlertReport));
	turn->engine = get_engine();
	turn->extension = extension;
	turn->collection = collection;
	turn->sample = sample;
	turn->rotating = rotating;
	turn->context = CurrentMemoryContext;
	turn->report = report;
	if (!load(turn))
		return;

	INSTR_TIME_SET_CURRENT(begun);
	judge_readings(turn);
	INSTR_TIME_SET_CURRENT(judged);
	INSTR_TIME_SUBTRACT(judged, begun);
	report->judged_ms = INSTR_TIME_GET_MILLISEC(judged);

	look_for_evidence(turn);
	store(turn);
	attend(turn);
	count_open(turn);
}
