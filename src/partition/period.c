/*-------------------------------------------------------------------------
 *
 * period.c
 *		Periods as people write them, and the present of a set.
 *
 * src/partition/period.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/relation.h"
#include "partition/owner.h"
#include "partition/set.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

static void
refuse_period(const PartitionSet *set, const char *text)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("period \"%s\" is not valid for \"%s\"", text, set->name),
			 set->calendar != NULL ?
			 errhint("It is an interval of whole months, of whole days, or of less than a day: '1 month', '1 week', '6 hours'.") :
			 errhint("It is a whole number of the key, as '1000000'; for times in it say epoch => 'seconds' or 'milliseconds', too.")));
}

Period
set_parse_period(const PartitionSet *set, const char *text)
{
	Period		period = {PERIOD_STEP, 0};

	if (set->calendar == NULL)
	{
		char	   *end;

		errno = 0;
		period.count = strtoll(text, &end, 10);
		if (errno != 0 || end == text || *end != '\0')
			refuse_period(set, text);
	}
	else
	{
		Interval   *interval = DatumGetIntervalP(DirectFunctionCall3(interval_in, CStringGetDatum(text),
																	 ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));

		if ((interval->month != 0) + (interval->day != 0) + (interval->time != 0) != 1)
			refuse_period(set, text);
		period.unit = interval->month != 0 ? PERIOD_MONTHS :
			interval->day != 0 ? PERIOD_DAYS : PERIOD_USECS;
		period.count = interval->month != 0 ? interval->month :
			interval->day != 0 ? interval->day : interval->time;

		/*
		 * 24 hours are a day, as they are when the period is inferred: else
		 * the first partitions lay on another grid than the later ones
		 */
		if (period.unit == PERIOD_USECS && period.count % USECS_A_DAY == 0)
		{
			period.unit = PERIOD_DAYS;
			period.count /= USECS_A_DAY;
		}
	}
	if (set->key.kind == KEY_DATE && period.unit == PERIOD_USECS)
		refuse_period(set, text);
	if (period.count < 1 || (period.unit == PERIOD_MONTHS && period.count > 12 * 1000))
		refuse_period(set, text);
	return period;
}

char *
set_period_text(const Period *period)
{
	Interval	interval = {0};

	switch (period->unit)
	{
		case PERIOD_STEP:
			return psprintf("%lld", (long long) period->count);
		case PERIOD_MONTHS:
			interval.month = (int32) period->count;
			break;
		case PERIOD_DAYS:
			interval.day = (int32) period->count;
			break;
		case PERIOD_USECS:
			interval.time = period->count;
			break;
	}
	return DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(&interval)));
}

/*
 * True if it has no rows for sure: a table without a page.  One that is locked
 * may have some: who asks it for its rows waits for a while only.
 */
static bool
is_empty(Oid partition)
{
	Relation	rel;
	bool		empty = false;

	if (!ConditionalLockRelationOid(partition, AccessShareLock))
		return false;
	rel = try_relation_open(partition, NoLock);
	if (rel == NULL)
		return true;
	if (rel->rd_rel->relkind == RELKIND_RELATION)
		empty = RelationGetNumberOfBlocks(rel) == 0;
	relation_close(rel, NoLock);
	return empty;
}

Oid
set_asked_for_now(const PartitionSet *set)
{
	for (int i = set->count - 1; set->calendar == NULL && i >= 0; i--)
	{
		if (!is_empty(set->partitions[i]))
			return set->partitions[i];
	}
	return InvalidOid;
}

int64
set_now(const PartitionSet *set, TimestampTz at)
{
	if (set->calendar != NULL)
	{
		/* local keys: what the clock of their zone shows */
		if (!key_is_instant(&set->key))
			return calendar_to_local(key_calendar(set->zone), at);
		return at;
	}

	/* what is written last is in the last one that has rows */
	for (int i = set->count - 1; i >= 0; i--)
	{
		int64		greatest;

		if (!is_empty(set->partitions[i]) &&
			owner_ask(set->owner,
					  psprintf("SELECT pg_catalog.max(%s)::pg_catalog.int8 FROM %s", quote_identifier(set->column_name), set_quoted_name(set->partitions[i])),
					  &greatest))
			return greatest;
	}
	if (set->count == 0)
		return 0;
	return set->ranges[0].from == RANGE_MINVALUE ? set->ranges[0].to : set->ranges[0].from;
}
