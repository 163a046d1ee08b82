/*-------------------------------------------------------------------------
 *
 * state.c
 *		When an alert is pending, fires, changes its severity and resolves.
 *
 * src/alert/state.c
 *
 *-------------------------------------------------------------------------
 */
#include "alert/state.h"

#include <string.h>

/* What a flapping level has to be well for: doubled, from and up to these. */
#define DAMPED_FROM_US (INT64_C(60) * 1000000)
#define DAMPED_MOST_US (INT64_C(3600) * 1000000)
#define DAMPED_MOST_DOUBLINGS 6

void
state_init(AlertState *state)
{
	memset(state, 0, sizeof(AlertState));
	state->severity = -1;
}

static bool
is_beyond(const AlertLimit *limit, double threshold, double value)
{
	if (value == threshold)
		return limit->or_equal;
	return limit->below ? value < threshold : value > threshold;
}

AlertJudgement
state_judge(const AlertLimit *limit, double value)
{
	if (is_beyond(limit, limit->threshold, value))
		return JUDGED_BEYOND;
	if (is_beyond(limit, limit->resolve_threshold, value))
		return JUDGED_BETWEEN;
	return JUDGED_WELL;
}

int64_t
state_resolve_us(const AlertLevel *level, const AlertLimit *limit)
{
	int64_t		wanted = limit->resolve_us;
	int64_t		damped = wanted > DAMPED_FROM_US ? wanted : DAMPED_FROM_US;

	if (level->flaps == 0 || wanted >= DAMPED_MOST_US)
		return wanted;
	for (int i = 0; i < level->flaps && i < DAMPED_MOST_DOUBLINGS; i++)
		damped *= 2;
	return damped < DAMPED_MOST_US ? damped : DAMPED_MOST_US;
}

/* Takes the time since the level's last reading out, where it was a gap. */
static void
pass_gap(AlertLevel *level, const AlertLimit *limit, int64_t at, int64_t gap_us)
{
	int64_t		passed = level->read ? at - level->last_at : 0;

	/* a clock that was set back is a gap, too */
	if (passed >= 0 && passed <= gap_us)
		return;
	level->breaching_from += passed;
	level->well_from += passed;
	if (!level->holding && passed > limit->sustained_us)
		level->breaching = false;
}

static void
begin_level(AlertLevel *level, int64_t at)
{
	bool		again = level->ended && at - level->ended_at < FLAP_WINDOW_US;

	level->flaps = again ? level->flaps + 1 : 0;
	level->holding = true;
	level->well = false;
}

static void
end_level(AlertLevel *level, int64_t at)
{
	level->holding = false;
	level->well = false;
	level->ended = true;
	level->ended_at = at;
}

static void
step_level(AlertLevel *level, const AlertLimit *limit, AlertJudgement judged,
		   int64_t at, int64_t gap_us)
{
	pass_gap(level, limit, at, gap_us);
	level->read = true;
	level->last_at = at;

	if (judged == JUDGED_BEYOND)
	{
		level->begun = !level->breaching;
		if (level->begun)
			level->breaching_from = at;
		level->breaching = true;
		level->well = false;
		if (!level->holding && at - level->breaching_from >= limit->sustained_us)
			begin_level(level, at);
		return;
	}

	level->breaching = false;
	if (judged == JUDGED_BETWEEN)
		level->well = false;
	else if (level->holding)
	{
		if (!level->well)
			level->well_from = at;
		level->well = true;
		if (at - level->well_from >= state_resolve_us(level, limit))
			end_level(level, at);
	}
}

/* A level whose rule is gone. */
static void
forget_level(AlertLevel *level, int64_t at)
{
	level->breaching = false;
	if (level->holding)
		end_level(level, at);
}

/*
 * Where a level began to hold or ended, those below it that are beyond hold as
 * well: a problem that gets better is no new one, which would have to last.
 */
static void
hold_lower_levels(AlertState *state, const bool *held, int64_t at)
{
	bool		changed = false;

	for (int l = ALERT_LEVELS - 1; l >= 0; l--)
	{
		AlertLevel *level = &state->level[l];

		if (changed && !level->holding && level->breaching)
			begin_level(level, at);
		changed = changed || level->holding != held[l];
	}
}

/*
 * The phase, the severity and whether it flaps follow from the levels.  Where
 * the last one that held ended while another is beyond, though not for long
 * enough, the alert resolves, and what is beyond begins anew: only rules whose
 * thresholds are in no order get there.
 */
static void
sum_up(AlertState *state)
{
	bool		fired = state->phase == ALERT_FIRING;
	int			holding = -1;
	int			breaching = -1;

	state->flapping = false;
	for (int l = 0; l < ALERT_LEVELS; l++)
	{
		const AlertLevel *level = &state->level[l];

		if (level->holding)
			holding = l;
		if (level->breaching)
			breaching = l;
		if (level->holding && level->flaps >= FLAPPING_FROM)
			state->flapping = true;
	}
	for (int l = 0; l < ALERT_LEVELS && fired && holding < 0; l++)
		state->level[l].breaching = false;
	if (fired && holding < 0)
		breaching = -1;

	state->phase = holding >= 0 ? ALERT_FIRING :
		breaching >= 0 ? ALERT_PENDING : ALERT_INACTIVE;
	state->severity = holding >= 0 ? holding : breaching;
}

/* Does something last that began before this reading? */
static bool
goes_on(const AlertState *now, const AlertState *before)
{
	if (before->phase == ALERT_FIRING)
		return true;
	for (int l = 0; l < ALERT_LEVELS; l++)
	{
		if (now->level[l].breaching && !now->level[l].begun)
			return true;
	}
	return false;
}

/* Is there a difference that a restart must not lose? */
static bool
must_be_kept(const AlertState *now, const AlertState *before)
{
	if (now->phase == ALERT_INACTIVE)
		return false;
	if (now->severity != before->severity || now->flapping != before->flapping)
		return true;
	for (int l = 0; l < ALERT_LEVELS; l++)
	{
		const AlertLevel *a = &now->level[l];
		const AlertLevel *b = &before->level[l];

		if (a->breaching != b->breaching || a->well != b->well ||
			a->holding != b->holding || a->flaps != b->flaps ||
			(a->breaching && a->breaching_from != b->breaching_from) ||
			(a->well && a->well_from != b->well_from))
			return true;
	}
	return false;
}

AlertChange
state_step(AlertState *state, const AlertLimit limits[ALERT_LEVELS],
		   const AlertJudgement judged[ALERT_LEVELS], int64_t at,
		   int64_t gap_us)
{
	AlertState	before = *state;
	bool		held[ALERT_LEVELS];

	for (int l = 0; l < ALERT_LEVELS; l++)
	{
		held[l] = state->level[l].holding;
		state->level[l].begun = false;
		if (!limits[l].watched)
			forget_level(&state->level[l], at);
		else if (judged[l] != JUDGED_NOT)
			step_level(&state->level[l], &limits[l], judged[l], at, gap_us);
	}
	hold_lower_levels(state, held, at);
	sum_up(state);
	if (!goes_on(state, &before))
		state->since = at;

	if (before.phase != state->phase)
	{
		if (state->phase == ALERT_FIRING)
			return CHANGE_FIRED;
		if (before.phase == ALERT_FIRING)
			return CHANGE_RESOLVED;
		return state->phase == ALERT_PENDING ? CHANGE_PENDING : CHANGE_CANCELLED;
	}
	if (state->phase == ALERT_FIRING && state->severity != before.severity)
		return state->severity > before.severity ? CHANGE_WORSE : CHANGE_BETTER;
	return must_be_kept(state, &before) ? CHANGE_MOVED : CHANGE_NONE;
}
