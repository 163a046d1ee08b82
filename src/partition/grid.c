/*-------------------------------------------------------------------------
 *
 * grid.c
 *		Where partitions begin and end.
 *
 * src/partition/grid.c
 *
 *-------------------------------------------------------------------------
 */
#include "partition/grid.h"

#include <stddef.h>
#include <string.h>

/* so many of the last ranges say what the period is */
#define RANGES_ASKED 12

/* days from 0000-03-01 to 2000-01-01 */
#define DAYS_BEFORE_2000 730425

#define MONTHS_END ((int64_t) CALENDAR_END_YEAR * 12)

static int64_t
divide_down(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

int64_t
calendar_to_local(const Calendar *calendar, int64_t value)
{
	return calendar->to_local == NULL ? value :
		calendar->to_local(calendar->zone, value);
}

int64_t
calendar_to_utc(const Calendar *calendar, int64_t local)
{
	return calendar->to_utc == NULL ? local :
		calendar->to_utc(calendar->zone, local);
}

/* Days since 2000-01-01, in the Gregorian calendar whenever it began. */
int64_t
calendar_days(int64_t year, int month, int day)
{
	int64_t		y = month <= 2 ? year - 1 : year;
	int64_t		era = divide_down(y, 400);
	int64_t		of_era = y - era * 400;
	int64_t		of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year -
		DAYS_BEFORE_2000;
}

CalendarDate
calendar_date(int64_t local)
{
	CalendarDate date;
	int64_t		days = divide_down(local, USECS_A_DAY);
	int64_t		since = days + DAYS_BEFORE_2000;
	int64_t		era = divide_down(since, 146097);
	int64_t		of_era = since - era * 146097;
	int64_t		year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t		of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t		month = (5 * of_year + 2) / 153;

	date.day = (int) (of_year - (153 * month + 2) / 5 + 1);
	date.month = (int) (month < 10 ? month + 3 : month - 9);
	date.year = year + era * 400 + (date.month <= 2);
	date.time = local - days * USECS_A_DAY;
	return date;
}

void
calendar_iso_week(int64_t local, int64_t *year, int *week)
{
	/* 2000-01-03 was a Monday; the week belongs to its Thursday's year */
	int64_t		days = divide_down(local, USECS_A_DAY);
	int64_t		thursday = divide_down(days - 2, 7) * 7 + 2 + 3;

	*year = calendar_date(thursday * USECS_A_DAY).year;
	*week = (int) ((thursday - calendar_days(*year, 1, 1)) / 7) + 1;
}

static int
month_days(int64_t month)
{
	int64_t		year = divide_down(month, 12);
	int			of_year = (int) (month - year * 12) + 1;

	if (of_year == 12)
		return 31;
	return (int) (calendar_days(year, of_year + 1, 1) - calendar_days(year, of_year, 1));
}

static int64_t
month_of(const CalendarDate *date)
{
	return date->year * 12 + date->month - 1;
}

static bool
in_calendar(int64_t local)
{
	return local >= calendar_days(1, 1, 1) * USECS_A_DAY &&
		local < calendar_days(CALENDAR_END_YEAR, 1, 1) * USECS_A_DAY;
}

/*
 * The local time that a bound is meant to be: where a change of the clocks
 * takes midnight away, the day begins later.
 */
static int64_t
local_bound(const Calendar *calendar, int64_t value)
{
	int64_t		local = calendar_to_local(calendar, value);
	int64_t		midnight = divide_down(local, USECS_A_DAY) * USECS_A_DAY;

	return calendar_to_utc(calendar, midnight) == value ? midnight : local;
}

/* The grid's k-th point; false if it is beyond what can be computed. */
static bool
grid_point(const Grid *grid, int64_t k, int64_t *point)
{
	int64_t		offset;

	if (__builtin_mul_overflow(k, grid->period.count, &offset))
		return false;

	if (grid->period.unit == PERIOD_MONTHS)
	{
		int64_t		month = grid->month + offset;
		int64_t		year;
		int			day;

		if (offset < -MONTHS_END || offset > MONTHS_END || month < 12 || month >= MONTHS_END)
			return false;
		year = divide_down(month, 12);
		day = grid->day < month_days(month) ? grid->day : month_days(month);
		*point = calendar_to_utc(grid->calendar,
								 calendar_days(year, (int) (month - year * 12) + 1, day) * USECS_A_DAY + grid->time);
		return true;
	}

	if (grid->period.unit == PERIOD_DAYS &&
		__builtin_mul_overflow(offset, USECS_A_DAY, &offset))
		return false;
	if (__builtin_add_overflow(grid->origin, offset, point))
		return false;
	if (grid->period.unit == PERIOD_STEP)
		return *point != RANGE_MINVALUE && *point != RANGE_MAXVALUE;
	if (!in_calendar(*point))
		return false;
	if (grid->period.unit == PERIOD_DAYS)
		*point = calendar_to_utc(grid->calendar, *point);
	return true;
}

/* Finds k of the greatest point at or before the value. */
static bool
grid_locate(const Grid *grid, int64_t value, int64_t *k, int64_t *at)
{
	int64_t		next;
	int64_t		distance;

	if (value == RANGE_MINVALUE || value == RANGE_MAXVALUE)
		return false;
	if (grid->period.unit != PERIOD_STEP && !in_calendar(value))
		return false;

	if (grid->period.unit == PERIOD_MONTHS)
	{
		CalendarDate date = calendar_date(calendar_to_local(grid->calendar, value));

		*k = divide_down(month_of(&date) - grid->month, grid->period.count);
	}
	else
	{
		int64_t		near = grid->period.unit == PERIOD_DAYS ?
		calendar_to_local(grid->calendar, value) : value;

		if (__builtin_sub_overflow(near, grid->origin, &distance))
			return false;
		if (grid->period.unit == PERIOD_DAYS)
			distance = divide_down(distance, USECS_A_DAY);
		*k = divide_down(distance, grid->period.count);
	}

	/* a day that is cut off, or a clock that was set, may put it one off */
	if (!grid_point(grid, *k, at))
		return false;
	while (*at > value)
	{
		if (!grid_point(grid, --*k, at))
			return false;
	}
	while (grid_point(grid, *k + 1, &next) && next <= value)
	{
		++*k;
		*at = next;
	}
	return true;
}

bool
grid_floor(const Grid *grid, int64_t value, int64_t *point)
{
	int64_t		k;

	return grid_locate(grid, value, &k, point);
}

bool
grid_next(const Grid *grid, int64_t value, int64_t *point)
{
	int64_t		k;

	return grid_locate(grid, value, &k, point) && grid_point(grid, k + 1, point);
}

bool
grid_is_at_midnight(const Grid *grid)
{
	switch (grid->period.unit)
	{
		case PERIOD_MONTHS:
			return grid->time == 0;
		case PERIOD_DAYS:
			return grid->origin % USECS_A_DAY == 0;
		default:
			return false;
	}
}

void
grid_natural(const Period *period, const Calendar *calendar, Grid *grid)
{
	memset(grid, 0, sizeof(*grid));
	grid->period = *period;
	grid->calendar = calendar;
	grid->month = 2000 * 12;
	grid->day = 1;
	/* a Monday, for weeks */
	if (period->unit == PERIOD_DAYS && period->count % 7 == 0)
		grid->origin = 2 * USECS_A_DAY;
	else if (period->unit == PERIOD_USECS)
		grid->origin = calendar_to_utc(calendar, 0);
}

void
grid_through(const Period *period, const Calendar *calendar, int64_t point,
			 Grid *grid)
{
	grid_natural(period, calendar, grid);
	if (period->unit == PERIOD_MONTHS)
	{
		CalendarDate date = calendar_date(local_bound(calendar, point));

		grid->month = month_of(&date);
		grid->day = date.day;
		grid->time = date.time;
	}
	else
		grid->origin = period->unit == PERIOD_DAYS ?
			local_bound(calendar, point) : point;
}

static bool
is_finite(const Range *range, const Calendar *calendar)
{
	if (range->from == RANGE_MINVALUE || range->to == RANGE_MAXVALUE)
		return false;
	return calendar == NULL || (in_calendar(range->from) && in_calendar(range->to));
}

/* How many of the last ranges, from the last one back, lie on the grid. */
static int
count_fitting(const Grid *grid, const Range *ranges, int count)
{
	int			fitting = 0;

	for (int i = count - 1; i >= 0 && fitting < RANGES_ASKED; i--)
	{
		int64_t		at;

		if (!is_finite(&ranges[i], grid->calendar))
			continue;
		if (!grid_floor(grid, ranges[i].from, &at) || at != ranges[i].from ||
			!grid_next(grid, ranges[i].from, &at) || at != ranges[i].to)
			break;
		fitting++;
	}
	return fitting;
}

/*
 * Periods of months: the day is the latest one that the bounds show, since
 * shorter months cut it.
 */
static bool
months_grid(const Range *last, const Range *ranges, int count,
			const Calendar *calendar, Grid *grid)
{
	CalendarDate from = calendar_date(local_bound(calendar, last->from));
	CalendarDate to = calendar_date(local_bound(calendar, last->to));
	Period		period = {PERIOD_MONTHS, month_of(&to) - month_of(&from)};
	int			asked = 0;

	if (period.count < 1 || from.time != to.time)
		return false;
	grid_through(&period, calendar, last->from, grid);
	for (int i = count - 1; i >= 0 && asked < RANGES_ASKED; i--, asked++)
	{
		int64_t		bounds[] = {ranges[i].from, ranges[i].to};

		if (!is_finite(&ranges[i], calendar))
			continue;
		for (int j = 0; j < 2; j++)
		{
			CalendarDate date = calendar_date(local_bound(calendar, bounds[j]));

			/* only where the day before it was cut to the month's length */
			if (date.day > grid->day && grid->day >= 28)
				grid->day = date.day;
		}
	}
	return true;
}

/* The periods of a calendar that a range may have: months, days. */
static int
calendar_grids(const Range *range, const Range *ranges, int count,
			   const Calendar *calendar, Grid *grids)
{
	int64_t		width = local_bound(calendar, range->to) - local_bound(calendar, range->from);
	int			found = 0;

	if (months_grid(range, ranges, count, calendar, &grids[found]))
		found++;
	if (width > 0 && width % USECS_A_DAY == 0)
	{
		Period		period = {PERIOD_DAYS, width / USECS_A_DAY};

		grid_through(&period, calendar, range->from, &grids[found++]);
	}
	return found;
}

const char *
grid_infer(const Range *ranges, int count, const Calendar *calendar, Grid *grid)
{
	Grid		grids[5];
	int			grid_count = 0;
	int			best = -1;
	int			best_fitting = 0;
	Range		last[2];
	int			finite = 0;
	int			asked = 0;
	Period		period = {calendar == NULL ? PERIOD_STEP : PERIOD_USECS, 0};

	for (int i = count - 1; i >= 0 && asked < RANGES_ASKED; i--)
	{
		if (!is_finite(&ranges[i], calendar))
			continue;
		if (finite < 2)
			last[finite++] = ranges[i];
		asked++;
	}
	if (finite == 0)
		return "no partition has both a lower and an upper bound";
	if (__builtin_sub_overflow(last[0].to, last[0].from, &period.count))
		return "the last partition is too wide";

	/* the last one may be the one that a change of the calendar made longer */
	for (int i = 0; i < finite && calendar != NULL; i++)
		grid_count += calendar_grids(&last[i], ranges, count, calendar, &grids[grid_count]);
	grid_through(&period, calendar, last[0].from, &grids[grid_count++]);

	/* the first one that fits them all is the one: no other fits more */
	for (int i = 0; i < grid_count && best_fitting < asked; i++)
	{
		int			fitting = count_fitting(&grids[i], ranges, count);

		if (fitting > best_fitting)
		{
			best = i;
			best_fitting = fitting;
		}
	}
	if (best < 0 || (finite > 1 && best_fitting < 2))
		return "the last two partitions are of different lengths";
	*grid = grids[best];
	return NULL;
}

/* The state of a plan. */
typedef struct Planning
{
	const Grid *grid;
	const Range *ranges;
	int			range_count;
	SlotTaker	take;
	void	   *arg;
} Planning;

static bool
give(const Planning *planning, int64_t from, int64_t to, SlotKind kind, int existing)
{
	Slot		slot = {{from, to}, kind, existing};

	return planning->take(&slot, planning->arg);
}

/* What lies from one value to another and is missing. */
static bool
give_gap(const Planning *planning, int64_t from, int64_t to, bool cut)
{
	while (from < to)
	{
		int64_t		end = to;

		if (cut && (!grid_next(planning->grid, from, &end) || end > to))
			end = to;
		if (!give(planning, from, end, SLOT_GAP, -1))
			return false;
		from = end;
	}
	return true;
}

/* The first range that ends after the value. */
static int
first_ending_after(const Planning *planning, int64_t value)
{
	int			low = 0;
	int			high = planning->range_count;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (planning->ranges[middle].to > value)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

void
grid_plan(const Grid *grid, const Range *ranges, int range_count, int64_t now,
		  int count, bool cut_gaps, SlotTaker take, void *arg)
{
	Planning	planning = {grid, ranges, range_count, take, arg};
	int			next = first_ending_after(&planning, now);
	bool		held = next < range_count && ranges[next].from <= now;
	int64_t		cursor;

	for (int i = 1; i < range_count && i < next + held; i++)
	{
		if (!give_gap(&planning, ranges[i - 1].to, ranges[i].from, cut_gaps))
			return;
	}

	if (held)
		cursor = ranges[next].from;
	else
	{
		if (!grid_floor(grid, now, &cursor))
			return;
		if (next > 0 && ranges[next - 1].to > cursor)
			cursor = ranges[next - 1].to;
		else if (next > 0 && !give_gap(&planning, ranges[next - 1].to, cursor, cut_gaps))
			return;
	}

	for (int i = 0; i <= count; i++)
	{
		SlotKind	kind = i == 0 ? SLOT_CURRENT : SLOT_FUTURE;
		int64_t		end;

		if (next < range_count && ranges[next].from <= cursor)
		{
			end = ranges[next].to;
			if (!give(&planning, ranges[next].from, end, kind, next))
				return;
			next++;
		}
		else
		{
			if (!grid_next(grid, cursor, &end))
				return;
			if (next < range_count && ranges[next].from < end)
				end = ranges[next].from;
			if (!give(&planning, cursor, end, kind, -1))
				return;
		}
		if (end == RANGE_MAXVALUE)
			return;
		cursor = end;
	}
}
