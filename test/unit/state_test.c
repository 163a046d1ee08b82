/*-------------------------------------------------------------------------
 *
 * state_test.c
 *	  The states of alerts against a plain reference, on random series.
 *
 * Links src/alert/state.c and src/alert/pattern.c.
 *
 * The reference keeps no state but the list of readings: after each it asks
 * anew, by walking back over all of them, since when the value has been beyond
 * or well, in a time from which gaps are taken out.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "alert/pattern.h"
#include "alert/state.h"

#include "check.h"

#define SECOND INT64_C(1000000)
#define SEQUENCES 100000
#define READINGS_OFTEN 60
#define READINGS_MOST 600

typedef struct Reading
{
	int64_t		at;
	AlertJudgement judged[ALERT_LEVELS];
	bool		watched[ALERT_LEVELS];
} Reading;

/* What the reference remembers of a level between readings: only its turns. */
typedef struct ReferenceLevel
{
	bool		holding;
	int			held_from;		/* index of the reading at which it began */
	int			beyond_from;	/* readings before this one do not count */
	int64_t		ended_at;
	bool		ended;
	int			flaps;
} ReferenceLevel;

static Reading readings[READINGS_MOST];
static int	reading_count;
static int	run_from;			/* where judged_for() found the first one */
static int64_t gap;

/*
 * The time covered by readings of the level between two of them: gaps between
 * neighbours count nothing.
 */
static int64_t
covered(int level, int from, int to)
{
	int64_t		sum = 0;
	int			before = from;

	for (int i = from + 1; i <= to; i++)
	{
		int64_t		passed = readings[i].at - readings[before].at;

		if (readings[i].judged[level] == JUDGED_NOT || !readings[i].watched[level])
			continue;
		if (passed >= 0 && passed <= gap)
			sum += passed;
		before = i;
	}
	return sum;
}

/*
 * How long the level has been judged so without a break, up to the last
 * reading and not farther back than `first`; -1: it is not.  A gap that is
 * longer than `forget` is a break, unless forget is negative.
 */
static int64_t
judged_for(int level, AlertJudgement as, int first, int64_t forget)
{
	int			now = reading_count - 1;
	int			from = -1;
	int			after = -1;

	for (int i = now; i >= first; i--)
	{
		if (!readings[i].watched[level])
			break;
		if (readings[i].judged[level] == JUDGED_NOT)
			continue;
		if (readings[i].judged[level] != as)
			break;
		if (after >= 0)
		{
			int64_t		passed = readings[after].at - readings[i].at;

			if ((passed < 0 || passed > gap) && forget >= 0 && passed > forget)
				break;
		}
		from = after = i;
	}
	run_from = from;
	return from < 0 ? -1 : covered(level, from, now);
}

static int64_t
reference_resolve(const ReferenceLevel *level, const AlertLimit *limit)
{
	double		wanted = limit->resolve_us;

	if (level->flaps > 0 && wanted < 3600.0 * SECOND)
	{
		wanted = fmax(wanted, 60.0 * SECOND) * pow(2, fmin(level->flaps, 6));
		wanted = fmin(wanted, 3600.0 * SECOND);
	}
	return (int64_t) wanted;
}

static void
reference_begin(ReferenceLevel *level, int64_t at)
{
	level->flaps = level->ended && at - level->ended_at < FLAP_WINDOW_US ? level->flaps + 1 : 0;
	level->holding = true;
	level->held_from = reading_count - 1;
}

/*
 * One reading by the reference; returns the severity that holds, or -1.  Sets
 * *since: to now, unless it fired, or a run goes on that began before.
 */
static int
reference_step(ReferenceLevel *levels, const AlertLimit *limits, int *pending,
			   int64_t *since)
{
	const Reading *now = &readings[reading_count - 1];
	bool		fired = levels[0].holding || levels[1].holding || levels[2].holding;
	bool		changed = false;
	bool		goes_on = fired;
	int			severity = -1;

	*pending = -1;
	for (int l = ALERT_LEVELS - 1; l >= 0; l--)
	{
		ReferenceLevel *level = &levels[l];
		bool		held = level->holding;
		bool		read = now->watched[l] && now->judged[l] != JUDGED_NOT;
		int64_t		beyond = judged_for(l, JUDGED_BEYOND, level->beyond_from,
										level->holding ? -1 : limits[l].sustained_us);

		goes_on = goes_on || (beyond >= 0 && run_from < reading_count - 1);
		if (!now->watched[l])
			level->holding = false;
		else if (read && !level->holding)
		{
			if (beyond >= limits[l].sustained_us)
				reference_begin(level, now->at);
		}
		else if (read && now->judged[l] == JUDGED_WELL &&
				 judged_for(l, JUDGED_WELL, level->held_from, -1) >= reference_resolve(level, &limits[l]))
			level->holding = false;
		if (held && !level->holding)
		{
			level->ended = true;
			level->ended_at = now->at;
		}
		if (changed && !level->holding && beyond >= 0)
			reference_begin(level, now->at);
		changed = changed || held != level->holding;
		if (level->holding && severity < l)
			severity = l;
		if (beyond >= 0 && *pending < l)
			*pending = l;
	}
	/* what resolves begins anew */
	for (int l = 0; l < ALERT_LEVELS && fired && severity < 0; l++)
		levels[l].beyond_from = reading_count;
	if (fired && severity < 0)
		*pending = -1;
	if (!goes_on)
		*since = now->at;
	return severity;
}

static void
make_limits(AlertLimit *limits)
{
	for (int l = 0; l < ALERT_LEVELS; l++)
	{
		limits[l].watched = next_random() % 4 != 0;
		limits[l].sustained_us = next_random() % 3 == 0 ? 0 : (int64_t) (next_random() % 120) * SECOND;
		limits[l].resolve_us = next_random() % 3 == 0 ? 0 : (int64_t) (next_random() % 120) * SECOND;
	}
	gap = (int64_t) (5 + next_random() % 40) * SECOND;
}

static void
make_reading(AlertLimit *limits, int64_t *at)
{
	Reading    *r = &readings[reading_count++];
	int			kind = (int) (next_random() % 40);

	if (kind == 0)
		*at -= (int64_t) (next_random() % 100) * SECOND;
	else if (kind == 1)
		*at += (int64_t) (next_random() % 8000) * SECOND;
	else
		*at += (int64_t) (1 + next_random() % 45) * SECOND;
	r->at = *at;

	/* long spells of the same judgement, or few would ever fire */
	for (int l = 0; l < ALERT_LEVELS; l++)
	{
		if (next_random() % 200 == 0)
			limits[l].watched = !limits[l].watched;
		r->watched[l] = limits[l].watched;
		if (reading_count > 1 && next_random() % 6 != 0)
			r->judged[l] = readings[reading_count - 2].judged[l];
		else
			r->judged[l] = (AlertJudgement) (next_random() % 4);
	}
}

/* What must be true of every step, whatever the series. */
static void
check_change(AlertChange change, const AlertState *before, const AlertState *after)
{
	bool		fired = before->phase != ALERT_FIRING && after->phase == ALERT_FIRING;
	bool		resolved = before->phase == ALERT_FIRING && after->phase != ALERT_FIRING;

	CHECK((change == CHANGE_FIRED) == fired, "change %d", change);
	CHECK((change == CHANGE_RESOLVED) == resolved, "change %d", change);
	CHECK(!resolved || after->phase == ALERT_INACTIVE, "resolved to pending");
	CHECK((change == CHANGE_PENDING) == (before->phase == ALERT_INACTIVE && after->phase == ALERT_PENDING), "change %d", change);
	CHECK((change == CHANGE_CANCELLED) == (before->phase == ALERT_PENDING && after->phase == ALERT_INACTIVE), "change %d", change);
	if (before->phase == ALERT_FIRING && after->phase == ALERT_FIRING)
	{
		CHECK((change == CHANGE_WORSE) == (after->severity > before->severity), "change %d", change);
		CHECK((change == CHANGE_BETTER) == (after->severity < before->severity), "change %d", change);
	}
}

static void
test_against_reference(void)
{
	int			fired = 0;
	int			resolved = 0;
	int			flapping = 0;

	for (int s = 0; s < SEQUENCES && broken == 0; s++)
	{
		AlertLimit	limits[ALERT_LEVELS] = {{0}};
		ReferenceLevel levels[ALERT_LEVELS] = {{0}};
		AlertState	state;
		int			count = 1 + (int) (next_random() % (s % 50 == 0 ? READINGS_MOST : READINGS_OFTEN));
		int64_t		at = INT64_C(800000000) * SECOND;
		int64_t		since = 0;

		make_limits(limits);
		state_init(&state);
		reading_count = 0;
		while (reading_count < count)
		{
			AlertState	before = state;
			AlertChange change;
			int			severity;
			int			pending;
			Reading    *now;

			make_reading(limits, &at);
			now = &readings[reading_count - 1];
			change = state_step(&state, limits, now->judged, at, gap);
			severity = reference_step(levels, limits, &pending, &since);

			check_change(change, &before, &state);
			CHECK((state.phase == ALERT_FIRING ? state.severity : -1) == severity,
				  "sequence %d, reading %d: %d holds, %d expected", s, reading_count,
				  state.phase == ALERT_FIRING ? state.severity : -1, severity);
			CHECK((state.phase == ALERT_PENDING ? state.severity : -1) == (severity < 0 ? pending : -1),
				  "sequence %d, reading %d: %d is pending, %d expected", s, reading_count, state.severity, pending);
			CHECK(state.phase == ALERT_INACTIVE || state.since == since, "sequence %d, reading %d: since %lld, %lld expected",
				  s, reading_count, (long long) state.since, (long long) since);
			for (int l = 0; l < ALERT_LEVELS; l++)
				CHECK(state.level[l].flaps == levels[l].flaps, "sequence %d, reading %d, level %d: %d flaps, %d expected",
					  s, reading_count, l, state.level[l].flaps, levels[l].flaps);
			fired += change == CHANGE_FIRED;
			resolved += change == CHANGE_RESOLVED;
			flapping += state.flapping && !before.flapping;
		}
	}
	CHECK(fired > SEQUENCES / 2 && resolved > SEQUENCES / 8 && flapping > 40,
		  "%d fired, %d resolved, %d flapped", fired, resolved, flapping);
	printf("# %d fired, %d resolved, %d flapped\n", fired, resolved, flapping);
}

/* A state that is written down and read again goes on as if nothing were. */
static void
test_restart(void)
{
	for (int s = 0; s < SEQUENCES / 10 && broken == 0; s++)
	{
		AlertLimit	limits[ALERT_LEVELS] = {{0}};
		AlertState	state;
		AlertState	kept;
		int64_t		at = INT64_C(800000000) * SECOND;

		make_limits(limits);
		state_init(&state);
		kept = state;
		reading_count = 0;
		while (reading_count < READINGS_OFTEN)
		{
			AlertState	again;
			AlertChange change;
			AlertChange change_again;

			make_reading(limits, &at);
			/* what was written last, and when each level was read last */
			again = kept;
			for (int l = 0; l < ALERT_LEVELS; l++)
			{
				again.level[l].read = state.level[l].read;
				again.level[l].last_at = state.level[l].last_at;
			}
			change = state_step(&state, limits, readings[reading_count - 1].judged, at, gap);
			change_again = state_step(&again, limits, readings[reading_count - 1].judged, at, gap);
			CHECK(change == change_again && state.phase == again.phase && state.severity == again.severity,
				  "sequence %d, reading %d: %d and %d", s, reading_count, change, change_again);
			if (change != CHANGE_NONE)
				kept = state;
		}
	}
}

static void
test_gap(void)
{
	AlertLimit	limits[ALERT_LEVELS] = {{true, false, false, 10, 10, 60 * SECOND, 60 * SECOND}};
	AlertJudgement beyond[ALERT_LEVELS] = {JUDGED_BEYOND};
	AlertJudgement well[ALERT_LEVELS] = {JUDGED_WELL};
	AlertState	state;

	/* a short gap is not counted, and takes nothing */
	state_init(&state);
	for (int s = 0; s <= 50; s += 10)
		state_step(&state, limits, beyond, s * SECOND, 30 * SECOND);
	CHECK(state_step(&state, limits, beyond, 100 * SECOND, 30 * SECOND) == CHANGE_MOVED, "phase %d", state.phase);
	CHECK(state_step(&state, limits, beyond, 110 * SECOND, 30 * SECOND) == CHANGE_FIRED, "phase %d", state.phase);
	/* nor does one resolve */
	CHECK(state_step(&state, limits, well, 120 * SECOND, 30 * SECOND) == CHANGE_MOVED, "phase %d", state.phase);
	CHECK(state_step(&state, limits, well, 9000 * SECOND, 30 * SECOND) == CHANGE_MOVED, "phase %d", state.phase);
	CHECK(state.phase == ALERT_FIRING, "phase %d", state.phase);
	CHECK(state_step(&state, limits, well, 9030 * SECOND, 30 * SECOND) == CHANGE_NONE, "phase %d", state.phase);
	CHECK(state_step(&state, limits, well, 9060 * SECOND, 30 * SECOND) == CHANGE_RESOLVED, "phase %d", state.phase);

	/* what was pending long ago begins anew */
	state_init(&state);
	for (int s = 0; s <= 50; s += 10)
		state_step(&state, limits, beyond, s * SECOND, 30 * SECOND);
	state_step(&state, limits, beyond, 5000 * SECOND, 30 * SECOND);
	CHECK(state_step(&state, limits, beyond, 5030 * SECOND, 30 * SECOND) == CHANGE_NONE, "phase %d", state.phase);
	CHECK(state_step(&state, limits, beyond, 5060 * SECOND, 30 * SECOND) == CHANGE_FIRED, "phase %d", state.phase);
}

static void
test_judgement(void)
{
	AlertLimit	above = {true, false, false, 80, 70, 0, 0};
	AlertLimit	at_most = {true, true, true, 10, 20, 0, 0};

	CHECK(state_judge(&above, 80) == JUDGED_BETWEEN, "80");
	CHECK(state_judge(&above, 80.001) == JUDGED_BEYOND, "80.001");
	CHECK(state_judge(&above, 70.001) == JUDGED_BETWEEN, "70.001");
	CHECK(state_judge(&above, 70) == JUDGED_WELL, "70");
	CHECK(state_judge(&at_most, 10) == JUDGED_BEYOND, "10");
	CHECK(state_judge(&at_most, 20) == JUDGED_BETWEEN, "20");
	CHECK(state_judge(&at_most, 20.5) == JUDGED_WELL, "20.5");
}

/* The reference: tries everything. */
static bool
plain_match(const char *pattern, const char *text)
{
	if (*pattern == '\0')
		return *text == '\0';
	if (*pattern == '*')
		return plain_match(pattern + 1, text) || (*text != '\0' && plain_match(pattern, text + 1));
	if (*pattern == '\\' && pattern[1] != '\0')
		pattern++;
	return *text == *pattern && plain_match(pattern + 1, text + 1);
}

static void
test_patterns(void)
{
	int			matches = 0;

	for (int i = 0; i < SEQUENCES; i++)
	{
		char		pattern[8];
		char		text[8];
		int			length = (int) (next_random() % 7);

		for (int c = 0; c < length; c++)
			pattern[c] = "ab*\\"[next_random() % 4];
		pattern[length] = '\0';
		length = (int) (next_random() % 7);
		for (int c = 0; c < length; c++)
			text[c] = "ab*\\"[next_random() % 8 % 4];
		text[length] = '\0';

		matches += plain_match(pattern, text);
		CHECK(pattern_matches(pattern, text) == plain_match(pattern, text), "\"%s\" and \"%s\"", pattern, text);
	}
	CHECK(matches > SEQUENCES / 50, "%d matches", matches);
	CHECK(pattern_rank("abc") > pattern_rank("a*bcdef"), "a name wins");
	CHECK(pattern_rank("ab*") > pattern_rank("a*"), "the longer one wins");
	CHECK(pattern_rank("\\*") > pattern_rank("abcdef*"), "a literal star is no star");
}

int
main(int argc, char **argv)
{
	check_begin(argc, argv);
	run(test_against_reference, "random series against the reference");
	run(test_restart, "what is written at transitions is enough to go on");
	run(test_gap, "a gap neither fires nor resolves");
	run(test_judgement, "thresholds and resolve thresholds");
	run(test_patterns, "patterns of instances");
	return check_end();
}
