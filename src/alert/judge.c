/*-------------------------------------------------------------------------
 *
 * judge.c
 *		What the readings of a round mean by the rules.
 *
 * No SQL and no lock: this runs with every sample.
 *
 * src/alert/judge.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>

#include "alert/engine.h"
#include "utils/timestamp.h"

/*
 * Time without a reading that is no gap: three intervals, and where databases
 * take turns, ten.  What is short by itself may be five seconds late.
 */
#define GAP_INTERVALS 3
#define GAP_INTERVALS_ROTATING 10
#define GAP_LATE_US (5 * USECS_PER_SEC)

static int64
gap_us(const Turn *turn, int collector)
{
	int64		interval = *collectors[collector].interval_s * USECS_PER_SEC;

	if (turn->rotating)
		return interval * GAP_INTERVALS_ROTATING;
	return Max(interval * GAP_INTERVALS, interval + GAP_LATE_US);
}

static void
note_reading(Turn *turn, int metric, const char *instance, bool known,
			 double value, int collector)
{
	Watch	   *watch = engine_watch(turn->engine, metric, instance, true);

	watch->turn = turn->engine->turn;
	watch->read_at = turn->collection->at;
	watch->known = known;
	watch->value = value;
	watch->collector = collector;
}

/* Is it the sampler of another database that reads the metric now? */
static bool
read_elsewhere(const Turn *turn, int metric)
{
	MetricScope scope = metric < METRIC_COUNT ? metrics[metric].scope :
	series_table[metric - METRIC_COUNT].scope;

	return scope == METRIC_CLUSTER && turn->collection->elsewhere;
}

/* Does the sample of this turn, if it took one, have the metric? */
static bool
in_sample(const Turn *turn, int metric)
{
	return turn->sample && !read_elsewhere(turn, metric);
}

static void
note_readings(Turn *turn)
{
	const Collection *collection = turn->collection;

	for (int m = 0; m < METRIC_COUNT; m++)
	{
		if (!in_sample(turn, m))
			continue;
		note_reading(turn, m, "", collection->readings.known[m],
					 collection->readings.value[m],
					 collection->metric_collector[m]);
	}
	for (int i = 0; i < collection->series_count; i++)
	{
		const SeriesReading *r = &collection->series[i];

		note_reading(turn, METRIC_COUNT + r->metric, r->instance, r->known,
					 r->value, r->collector);
	}
}

/*
 * What this turn read of another metric: of the same instance, else of the
 * metric that has none.
 */
static bool
companion(Turn *turn, int metric, const char *instance, double *value)
{
	const Watch *watch = engine_watch(turn->engine, metric, instance, false);

	if (watch == NULL && instance[0] != '\0')
		watch = engine_watch(turn->engine, metric, "", false);
	if (watch == NULL || watch->turn != turn->engine->turn || !watch->known)
		return false;
	*value = watch->value;
	return true;
}

/* The rule's limit as it is now; false if it depends on what is not known. */
static bool
limit_now(Turn *turn, const Watch *watch, const Rule *rule, AlertLimit *limit)
{
	double		of;

	*limit = rule->limit;
	if (rule->of_metric >= 0)
	{
		if (companion(turn, rule->of_metric, watch->instance, &of))
		{
			double		threshold = rule->of_ratio * of;

			/* the tighter one */
			if (!rule->has_threshold ||
				(limit->below ? threshold > limit->threshold :
				 threshold < limit->threshold))
				limit->threshold = threshold;
		}
		else if (!rule->has_threshold)
			return false;
	}
	if (!rule->has_resolve_threshold)
		limit->resolve_threshold = limit->threshold;
	return true;
}

static AlertJudgement
judge_level(Turn *turn, const Watch *watch, const Rule *rule,
			const AlertLimit *limit)
{
	double		traffic;

	if (rule->traffic_metric >= 0)
	{
		if (!companion(turn, rule->traffic_metric, watch->instance, &traffic))
			return JUDGED_NOT;
		if (traffic < rule->min_traffic)
			return rule->resolve_when_quiet ? JUDGED_WELL : JUDGED_NOT;
	}
	return watch->known ? state_judge(limit, watch->value) : JUDGED_NOT;
}

static void
add_transition(Turn *turn, Watch *watch, const AlertState *next,
			   AlertChange change, const AlertLimit *limits, const char *because)
{
	Transition *t;

	if (turn->count == turn->room)
	{
		turn->room = Max(16, turn->room * 2);
		turn->transitions = turn->transitions == NULL ?
			palloc_array(Transition, turn->room) :
			repalloc(turn->transitions, sizeof(Transition) * turn->room);
	}
	t = &turn->transitions[turn->count++];
	memset(t, 0, sizeof(Transition));
	t->watch = watch;
	t->next = *next;
	t->change = change;
	t->because = because;
	t->severity = next->severity >= 0 ? next->severity : watch->state.severity;
	t->has_limit = t->severity >= 0 && limits[t->severity].watched;
	if (t->has_limit)
		t->limit = limits[t->severity];
}

/*
 * Is the threshold that an open incident has another one than the rule's now?
 * A share of a metric changes with that: only another rule counts.
 */
static bool
threshold_changed(const Watch *watch, const AlertState *next,
				  const AlertLimit *limits)
{
	const AlertLimit *limit;
	const Rule *rule;

	if (!watch->open || next->severity < 0)
		return false;
	limit = &limits[next->severity];
	rule = watch->rules[next->severity];
	if (rule == NULL || isnan(limit->threshold) ||
		(rule->of_metric >= 0 && !watch->rules_anew))
		return false;
	return limit->threshold != watch->noted.threshold ||
		limit->below != watch->noted.below ||
		limit->or_equal != watch->noted.or_equal;
}

/* Takes one step of the watch's state. */
static void
step_watch(Turn *turn, Watch *watch, const AlertLimit *limits,
		   const AlertJudgement *judged, int collector, const char *because)
{
	AlertState	next = watch->state;
	AlertChange change = state_step(&next, limits, judged,
									turn->collection->at,
									gap_us(turn, collector));

	if (change == CHANGE_NONE && threshold_changed(watch, &next, limits))
		change = CHANGE_MOVED;
	if (change == CHANGE_NONE)
		watch->state = next;
	else
		add_transition(turn, watch, &next, change, limits, because);
}

static void
judge_watch(Turn *turn, Watch *watch)
{
	AlertLimit	limits[ALERT_LEVELS] = {{0}};
	AlertJudgement judged[ALERT_LEVELS];
	bool		any = false;

	for (int l = 0; l < ALERT_LEVELS; l++)
	{
		const Rule *rule = watch->rules[l];

		judged[l] = JUDGED_NOT;
		if (rule == NULL)
			continue;
		if (limit_now(turn, watch, rule, &limits[l]))
			judged[l] = judge_level(turn, watch, rule, &limits[l]);
		limits[l].watched = true;
		any = any || judged[l] != JUDGED_NOT;
	}
	if (any || watch->open)
		step_watch(turn, watch, limits, judged, watch->collector,
				   watch->ruled ? "well" : "no rule");
}

/*
 * What is open and was not read: gone, if its collector named all there are, or
 * another database's sampler reads it now; without a rule, if somebody dropped or disabled it; else it waits.
 */
static void
judge_unread(Turn *turn, Watch *watch)
{
	int			series = (int) watch->key.metric - METRIC_COUNT;
	int			collector = series < 0 ? -1 :
	turn->collection->complete_collector[series];
	bool		gone = collector >= 0 ||
	read_elsewhere(turn, (int) watch->key.metric);
	AlertLimit	limits[ALERT_LEVELS] = {{0}};
	AlertJudgement judged[ALERT_LEVELS];

	for (int l = 0; l < ALERT_LEVELS; l++)
	{
		if (watch->rules[l] != NULL)
		{
			limits[l] = watch->rules[l]->limit;
			limits[l].watched = true;
			/* a share of what was not read */
			if (watch->rules[l]->of_metric >= 0)
				limits[l].threshold = NAN;
		}
		judged[l] = gone ? JUDGED_WELL : JUDGED_NOT;
	}
	watch->known = false;
	step_watch(turn, watch, limits, judged, Max(collector, 0),
			   watch->ruled ? "gone" : "no rule");
}

void
judge_readings(Turn *turn)
{
	Engine	   *engine = turn->engine;
	const Collection *collection = turn->collection;
	dlist_iter	iter;

	engine->turn++;
	note_readings(turn);

	for (int m = 0; m < METRIC_COUNT; m++)
	{
		if (in_sample(turn, m) && engine->rules[m] != NULL)
			judge_watch(turn, engine_watch(engine, m, "", true));
	}
	for (int i = 0; i < collection->series_count; i++)
	{
		const SeriesReading *r = &collection->series[i];
		Watch	   *watch;

		if (engine->rules[METRIC_COUNT + r->metric] == NULL)
			continue;
		watch = engine_watch(engine, METRIC_COUNT + r->metric, r->instance, true);
		/* of two readings of one instance, the last one counts */
		if (watch->judged == engine->turn)
			continue;
		watch->judged = engine->turn;
		turn->report->series++;
		judge_watch(turn, watch);
	}

	dlist_foreach(iter, &engine->open)
	{
		Watch	   *watch = dlist_container(Watch, node, iter.cur);

		if (watch->turn != engine->turn || engine->rules[watch->key.metric] == NULL)
			judge_unread(turn, watch);
	}
}
