/*-------------------------------------------------------------------------
 *
 * grid_test.c
 *	  Clocks walked over changes of several zones, leap years, month ends and
 *	  week 53: for every instant one partition, no gap, no overlap; and what is
 *	  inferred from ranges; prints TAP.  Linked with src/partition/grid.c,
 *	  needs no server:
 *
 *	  cc -g -fsanitize=address,undefined -Isrc test/unit/grid_test.c \
 *		 src/partition/grid.c -o grid_test && ./grid_test
 *
 *	  Random data comes from a fixed seed, or from the one given as argument.
 *	  The time zones are those of the C library.
 *
 *-------------------------------------------------------------------------
 */
#include "partition/grid.h"
#include "check.h"

#include <time.h>

#define HOUR INT64_C(3600000000)
#define SECOND INT64_C(1000000)
#define EPOCH_2000 INT64_C(946684800)
#define MOST 6000

static const char *const zones[] = {
	"UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo",
	"Australia/Lord_Howe", "Asia/Kathmandu", "Asia/Beirut", "Pacific/Apia",
	"America/St_Johns", "Africa/Casablanca"
};

#define ZONES (sizeof(zones) / sizeof(zones[0]))

static Range ranges[MOST];
static int	range_count;

static int64_t
divide_down(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static void
set_zone(const char *zone)
{
	setenv("TZ", zone, 1);
	tzset();
}

static int64_t
offset_at(int64_t utc)
{
	time_t		seconds = (time_t) (divide_down(utc, SECOND) + EPOCH_2000);
	struct tm	tm;

	localtime_r(&seconds, &tm);
	return tm.tm_gmtoff * SECOND;
}

static int64_t
to_local(const void *zone, int64_t utc)
{
	return utc + offset_at(utc);
}

/* As the server does: a time that a change skips goes by the offset before it. */
static int64_t
to_utc(const void *zone, int64_t local)
{
	int64_t		before = offset_at(local - USECS_A_DAY);
	int64_t		after = offset_at(local + USECS_A_DAY);

	if (offset_at(local - before) == before)
		return local - before;
	if (offset_at(local - after) == after)
		return local - after;
	return local - before;
}

static const Calendar of_zone = {to_local, to_utc, NULL};
static const Calendar no_zone = {NULL, NULL, NULL};

static int64_t
at(int year, int month, int day, int hour)
{
	return calendar_days(year, month, day) * USECS_A_DAY + hour * HOUR;
}

static bool
take(const Slot *slot, void *arg)
{
	(void) arg;
	if (slot->existing >= 0)
		return true;
	if (range_count < MOST)
		ranges[range_count++] = slot->range;
	return true;
}

static int
compare_ranges(const void *a, const void *b)
{
	const Range *left = a;
	const Range *right = b;

	return (left->from > right->from) - (left->from < right->from);
}

static void
make(const Grid *grid, int64_t now, int count, bool gaps)
{
	grid_plan(grid, ranges, range_count, now, count, gaps, take, NULL);
	qsort(ranges, range_count, sizeof(Range), compare_ranges);
}

/*
 * A clock that walks: at every step the set is looked at anew, its period
 * inferred from what is there, and what is missing is made.
 */
static void
walk(const char *zone, const Period *period, int64_t from, int64_t stride,
	 int64_t steps)
{
	Grid		natural;

	set_zone(zone);
	range_count = 0;
	grid_natural(period, &of_zone, &natural);
	make(&natural, from, 3, false);
	CHECK(range_count == 4, "%s: %d made", zone, range_count);

	for (int64_t i = 0; i < steps; i++)
	{
		int64_t		now = from + i * stride;
		Grid		grid;
		const char *reason = grid_infer(ranges, range_count, &of_zone, &grid);
		int			holding = 0;
		int			ahead = 0;

		CHECK(reason == NULL, "%s: %s", zone, reason);
		if (reason != NULL)
			return;
		CHECK(grid.period.count == period->count && grid.period.unit == period->unit,
			  "%s: step %d: unit %d count %lld", zone, (int) i, grid.period.unit, (long long) grid.period.count);
		make(&grid, now, 3, false);
		for (int r = 0; r < range_count; r++)
		{
			holding += ranges[r].from <= now && now < ranges[r].to;
			ahead += ranges[r].from > now;
			CHECK(ranges[r].from < ranges[r].to, "%s: empty range", zone);
			CHECK(r == 0 || ranges[r - 1].to == ranges[r].from,
				  "%s: hole or overlap at %lld", zone, (long long) ranges[r].from);
		}
		CHECK(holding == 1, "%s: %d hold now", zone, holding);
		CHECK(ahead == 3, "%s: %d ahead", zone, ahead);

		/* the bounds are the calendar's */
		if (period->unit == PERIOD_DAYS || period->unit == PERIOD_MONTHS)
		{
			CalendarDate date = calendar_date(to_local(NULL, ranges[range_count - 1].to));
			int64_t		before = to_local(NULL, ranges[range_count - 1].to - 1);

			/* midnight, or where a change skips it, what follows it */
			CHECK(date.time == 0 || divide_down(before, USECS_A_DAY) <
				  calendar_days(date.year, date.month, date.day),
				  "%s: not at midnight: %lld", zone, (long long) date.time);
			CHECK(period->unit != PERIOD_MONTHS || date.day == 1, "%s: day %d", zone, date.day);
		}
	}
}

static void
clocks_over_changes(void)
{
	const Period periods[] = {
		{PERIOD_MONTHS, 1}, {PERIOD_MONTHS, 3}, {PERIOD_MONTHS, 12},
		{PERIOD_DAYS, 1}, {PERIOD_DAYS, 7}, {PERIOD_DAYS, 10},
		{PERIOD_USECS, HOUR}, {PERIOD_USECS, 6 * HOUR}, {PERIOD_USECS, 15 * 60 * SECOND}
	};

	for (size_t z = 0; z < ZONES; z++)
	{
		for (size_t p = 0; p < sizeof(periods) / sizeof(periods[0]); p++)
		{
			bool		months = periods[p].unit == PERIOD_MONTHS;
			int64_t		stride = months ? 9 * USECS_A_DAY + 5 * HOUR :
			periods[p].unit == PERIOD_DAYS ? 7 * HOUR : 11 * 60 * SECOND;

			set_zone(zones[z]);
			/* over a leap day, both changes, a year's end with a week 53 */
			walk(zones[z], &periods[p], at(2020, 2, 20, 3), stride, months ? 150 : periods[p].unit == PERIOD_DAYS ? 1300 : 10);
			/* the days of the changes themselves, step by step */
			if (periods[p].unit == PERIOD_USECS)
			{
				walk(zones[z], &periods[p], at(2020, 10, 24, 0), stride, 500);
				walk(zones[z], &periods[p], at(2021, 3, 13, 12), stride, 200);
			}
		}
		/* a whole day that was skipped: Samoa, 2011-12-30 */
		walk(zones[z], &periods[3], at(2011, 12, 25, 0), 5 * HOUR, 60);
	}
}

static void
month_ends(void)
{
	Period		month = {PERIOD_MONTHS, 1};
	Grid		grid;
	Grid		inferred;
	int			days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	grid_through(&month, &no_zone, at(2024, 1, 31, 6), &grid);
	range_count = 0;
	make(&grid, at(2024, 1, 31, 6), 11, false);
	CHECK(range_count == 12, "%d", range_count);
	for (int i = 0; i < range_count; i++)
		CHECK(ranges[i].from == at(2024, i + 1, days[i], 6), "month %d", i + 1);
	/* from each end the day is found again */
	for (int n = 2; n <= 12; n++)
	{
		CHECK(grid_infer(ranges, n, &no_zone, &inferred) == NULL, "%d", n);
		CHECK(inferred.day == 31 && inferred.period.count == 1 && inferred.period.unit == PERIOD_MONTHS,
			  "%d: day %d", n, inferred.day);
	}
}

static void
weeks_of_iso(void)
{
	int64_t		year;
	int			week;

	calendar_iso_week(at(2021, 1, 3, 23), &year, &week);
	CHECK(year == 2020 && week == 53, "%d", week);
	calendar_iso_week(at(2021, 1, 4, 0), &year, &week);
	CHECK(year == 2021 && week == 1, "%d", week);
	calendar_iso_week(at(2019, 12, 30, 0), &year, &week);
	CHECK(year == 2020 && week == 1, "%d", week);
	/* every day against the C library */
	set_zone("UTC");
	for (int64_t day = calendar_days(1890, 1, 1); day < calendar_days(2120, 1, 1); day++)
	{
		time_t		seconds = (time_t) (day * 86400 + EPOCH_2000);
		struct tm	tm;
		char		text[32];
		char		ours[64];
		CalendarDate date = calendar_date(day * USECS_A_DAY + 5);

		gmtime_r(&seconds, &tm);
		strftime(text, sizeof(text), "%Y-%m-%d %G %V", &tm);
		calendar_iso_week(day * USECS_A_DAY, &year, &week);
		snprintf(ours, sizeof(ours), "%04d-%02d-%02d %04d %02d", (int) date.year, date.month, date.day, (int) year, week);
		CHECK(strcmp(text, ours) == 0, "%s %s", text, ours);
		CHECK(calendar_days(date.year, date.month, date.day) == day, "%s", text);
	}
}

static void
periods_found(void)
{
	Grid		grid;
	Range		feb = {at(2026, 2, 1, 0), at(2026, 3, 1, 0)};
	Range		weeks[] = {{at(2026, 1, 4, 0), at(2026, 2, 1, 0)}, {at(2026, 2, 1, 0), at(2026, 3, 1, 0)}};
	Range		mixed[] = {{RANGE_MINVALUE, at(2020, 1, 1, 0)}, {at(2020, 1, 1, 0), at(2024, 1, 1, 0)},
	{at(2024, 1, 1, 0), at(2024, 2, 1, 0)}, {at(2024, 2, 1, 0), at(2024, 3, 1, 0)}, {at(2024, 3, 1, 0), RANGE_MAXVALUE}};
	Range		steps[] = {{-1000, 0}, {0, 1000}, {1000, 2000}};
	Range		irregular[] = {{0, 1000}, {1000, 1500}};
	Range		wide[] = {{-INT64_MAX, INT64_MAX - 1}};
	Range		far[] = {{at(2026, 1, 1, 0), RANGE_MAXVALUE - 5}};

	CHECK(grid_infer(&feb, 1, &no_zone, &grid) == NULL, "february");
	CHECK(grid.period.unit == PERIOD_MONTHS && grid.period.count == 1, "%d", grid.period.unit);
	CHECK(grid_infer(weeks, 2, &no_zone, &grid) == NULL, "four weeks");
	CHECK(grid.period.unit == PERIOD_DAYS && grid.period.count == 28, "%d", grid.period.unit);
	CHECK(grid_infer(mixed, 5, &no_zone, &grid) == NULL, "merged and endless ones");
	CHECK(grid.period.unit == PERIOD_MONTHS && grid.period.count == 1, "%d", grid.period.unit);
	CHECK(grid_infer(steps, 3, NULL, &grid) == NULL, "steps");
	CHECK(grid.period.unit == PERIOD_STEP && grid.period.count == 1000, "%d", grid.period.unit);
	CHECK(grid_infer(irregular, 2, NULL, &grid) != NULL, "irregular");
	CHECK(grid_infer(wide, 1, NULL, &grid) != NULL, "wide");
	CHECK(grid_infer(far, 1, &no_zone, &grid) != NULL, "beyond the calendar");
	CHECK(grid_infer(mixed, 1, &no_zone, &grid) != NULL, "without a beginning");
	CHECK(grid_infer(mixed, 0, &no_zone, &grid) != NULL, "none");

	/* daily ones over a change are days in their zone, and in no other one */
	set_zone("Europe/Berlin");
	for (int i = 0; i < 5; i++)
	{
		ranges[i].from = to_utc(NULL, at(2026, 3, 27 + i, 0));
		ranges[i].to = to_utc(NULL, at(2026, 3, 28 + i, 0));
	}
	CHECK(grid_infer(ranges, 5, &of_zone, &grid) == NULL, "days");
	CHECK(grid.period.unit == PERIOD_DAYS && grid.period.count == 1, "days");
	CHECK(grid_is_at_midnight(&grid), "midnight");
	CHECK(ranges[2].to - ranges[2].from == 23 * HOUR, "a short day");
	CHECK(grid_infer(ranges, 5, &no_zone, &grid) == NULL && !grid_is_at_midnight(&grid), "off midnight in UTC");
}

/* Sets with holes and ends, random: what is made closes them, once. */
static void
holes_closed(void)
{
	for (int round = 0; round < 3000; round++)
	{
		Period		period = {PERIOD_STEP, 1 + (int64_t) (next_random() % 1000)};
		int64_t		cursor = (int64_t) random_magnitude(50) - (INT64_C(1) << 40);
		int			n = 1 + (int) (next_random() % 20);
		int64_t		now;
		Grid		grid;
		int			before;

		grid_through(&period, NULL, cursor, &grid);
		range_count = 0;
		for (int i = 0; i < n; i++)
		{
			cursor += (int64_t) (next_random() % 3) * period.count / (1 + next_random() % 2);
			ranges[range_count].from = cursor;
			cursor += 1 + (int64_t) (next_random() % (2 * period.count));
			ranges[range_count++].to = cursor;
		}
		now = ranges[0].to + (int64_t) (next_random() % (30 * period.count)) - 5;
		if (next_random() % 4 == 0)
			ranges[0].from = RANGE_MINVALUE;
		if (next_random() % 4 == 0)
			ranges[n - 1].to = RANGE_MAXVALUE;

		make(&grid, now, 4, true);
		before = range_count;
		for (int i = 1; i < range_count; i++)
		{
			CHECK(ranges[i].from < ranges[i].to, "round %d: empty", round);
			CHECK(ranges[i - 1].to <= ranges[i].from, "round %d: overlap", round);
			/* holes are left only beyond what was asked for */
			if (ranges[i - 1].to < ranges[i].from)
				CHECK(ranges[i - 1].to > now, "round %d: hole before now", round);
		}
		make(&grid, now, 4, true);
		CHECK(range_count == before, "round %d: a second run made %d", round, range_count - before);
	}
}

static bool
count_slots(const Slot *slot, void *arg)
{
	(void) slot;
	++*(int *) arg;
	return true;
}

/* At the ends of what can be computed nothing overflows, nor goes on for ever. */
static void
ends_of_time(void)
{
	int64_t		values[] = {RANGE_MINVALUE, RANGE_MINVALUE + 1, -1, 0, RANGE_MAXVALUE - 1, RANGE_MAXVALUE,
	at(CALENDAR_END_YEAR - 1, 12, 31, 23), at(1, 1, 1, 0)};
	Period		periods[] = {{PERIOD_MONTHS, 1}, {PERIOD_MONTHS, INT64_MAX}, {PERIOD_DAYS, 1}, {PERIOD_DAYS, INT64_MAX},
	{PERIOD_USECS, 1}, {PERIOD_USECS, INT64_MAX}, {PERIOD_STEP, 1}, {PERIOD_STEP, INT64_MAX}};

	for (size_t p = 0; p < 8; p++)
	{
		for (size_t v = 0; v < 8; v++)
		{
			Grid		grid;
			int			slots = 0;
			int64_t		point;

			grid_natural(&periods[p], periods[p].unit == PERIOD_STEP ? NULL : &no_zone, &grid);
			if (grid_floor(&grid, values[v], &point))
				CHECK(point <= values[v], "floor");
			if (grid_next(&grid, values[v], &point))
				CHECK(point > values[v], "next");
			grid_plan(&grid, NULL, 0, values[v], 100, true, count_slots, &slots);
			CHECK(slots <= 101, "%d slots", slots);
		}
	}
}

int
main(int argc, char **argv)
{
	check_begin(argc, argv);
	run(weeks_of_iso, "dates and ISO weeks are those of the C library");
	run(month_ends, "the last day of a month stays it");
	run(periods_found, "periods are found");
	run(clocks_over_changes, "a partition for every instant, no gap, no overlap");
	run(holes_closed, "holes are closed once");
	run(ends_of_time, "nothing overflows");
	return check_end();
}
