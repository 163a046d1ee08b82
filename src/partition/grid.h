/*-------------------------------------------------------------------------
 *
 * grid.h
 *		Where partitions begin and end: the period of a set of ranges, the
 *		bounds that continue it, and what is missing.
 *
 * Pure: no server, no clock, no globals.  A value is a number: of a calendar
 * microseconds since 2000-01-01, else the key itself.  The calendar of a time
 * zone is asked through two callbacks.
 *
 * A bound follows from the grid and never from the bound before it: the last
 * day of a month stays the last day, and an hour that a change of the clocks
 * takes away is missing from one range alone.  But a new range always begins
 * where the one before it ends, even when that is off the grid.
 *
 * src/partition/grid.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_GRID_H
#define DBMAINT_GRID_H

#include <stdbool.h>
#include <stdint.h>

/* A range without a beginning or an end has one of these for it. */
#define RANGE_MINVALUE INT64_MIN
#define RANGE_MAXVALUE INT64_MAX

#define USECS_A_DAY INT64_C(86400000000)

/* Calendars are computed from the year 1 to before this one. */
#define CALENDAR_END_YEAR 100000

/* From inclusive, to exclusive. */
typedef struct Range
{
	int64_t		from;
	int64_t		to;
} Range;

/* A calendar; NULL callbacks where values are local times already. */
typedef struct Calendar
{
	int64_t		(*to_local) (const void *zone, int64_t utc);
	int64_t		(*to_utc) (const void *zone, int64_t local);
	const void *zone;
} Calendar;

typedef enum PeriodUnit
{
	PERIOD_MONTHS,				/* of the calendar */
	PERIOD_DAYS,				/* of the calendar: 23 to 25 hours */
	PERIOD_USECS,				/* elapsed time */
	PERIOD_STEP					/* no time at all */
} PeriodUnit;

typedef struct Period
{
	PeriodUnit	unit;
	int64_t		count;			/* at least 1 */
} Period;

typedef struct Grid
{
	Period		period;
	const Calendar *calendar;
	/* the point 0 */
	int64_t		month;			/* months: year * 12 + month - 1 */
	int			day;			/* months: 1 to 31, cut to the month's length */
	int64_t		time;			/* months: microseconds after midnight */
	int64_t		origin;			/* days: local time; else the value */
} Grid;

/* A local date, and the microseconds since its midnight. */
typedef struct CalendarDate
{
	int64_t		year;
	int			month;			/* 1 to 12 */
	int			day;			/* 1 to 31 */
	int64_t		time;
} CalendarDate;

extern int64_t calendar_to_local(const Calendar *calendar, int64_t value);
extern int64_t calendar_to_utc(const Calendar *calendar, int64_t local);
extern CalendarDate calendar_date(int64_t local);
extern int64_t calendar_days(int64_t year, int month, int day);

/* The year and week of ISO 8601. */
extern void calendar_iso_week(int64_t local, int64_t *year, int *week);

/*
 * The grid of a period where nothing says where it lies: calendar periods
 * begin at midnight, months on the first and counted from January, whole weeks
 * on Monday; elapsed times at local midnight of 2000-01-01; steps at 0.
 */
extern void grid_natural(const Period *period, const Calendar *calendar,
						 Grid *grid);

/* The same period through a point: where a set has an end already. */
extern void grid_through(const Period *period, const Calendar *calendar,
						 int64_t point, Grid *grid);

/*
 * Finds the period of ranges, sorted and disjoint, from the last ones back:
 * what was merged or made otherwise long ago does not matter.  calendar is
 * NULL for steps.  Returns NULL, or why there is none.
 */
extern const char *grid_infer(const Range *ranges, int count,
							  const Calendar *calendar, Grid *grid);

/* True if the grid's calendar periods begin at midnight. */
extern bool grid_is_at_midnight(const Grid *grid);

/*
 * The greatest point at or before the value, and the least one after it.
 * False when that is beyond what can be computed.
 */
extern bool grid_floor(const Grid *grid, int64_t value, int64_t *point);
extern bool grid_next(const Grid *grid, int64_t value, int64_t *point);

typedef enum SlotKind
{
	SLOT_GAP,					/* before the current one: missing */
	SLOT_CURRENT,
	SLOT_FUTURE
} SlotKind;

typedef struct Slot
{
	Range		range;
	SlotKind	kind;
	int			existing;		/* index of the range that is there, or -1 */
} Slot;

/* What a plan hands its slots to; false ends it. */
typedef bool (*SlotTaker) (const Slot *slot, void *arg);

/*
 * Goes through what should be there at the time now: the gaps of the past from
 * first to last, each cut by the grid when cut_gaps; then the range that holds
 * now; then count ranges after it.  Ends early at a range without an end, and
 * where nothing more can be computed.
 */
extern void grid_plan(const Grid *grid, const Range *ranges, int range_count,
					  int64_t now, int count, bool cut_gaps,
					  SlotTaker take, void *arg);

#endif							/* DBMAINT_GRID_H */
