/*-------------------------------------------------------------------------
 *
 * round.c
 *		One turn of a sampler.
 *
 * src/worker/round.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/xact.h"
#include "alert/alert.h"
#include "catalog/pg_database.h"
#include "collect/series.h"
#include "commands/dbcommands.h"
#include "history/history.h"
#include "mb/pg_wchar.h"
#include "portability/instr_time.h"
#include "settings.h"
#include "step/guard.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/errand.h"
#include "worker/round.h"
#include "worker/schedule.h"

/* how often to look for history to roll up and to delete */
#define EXPIRY_INTERVAL_S 300
#define BACKOFF_MOST_US (300 * USECS_PER_SEC)

/* the first of the collector table keeps the time of the samples */
#define SAMPLE_COLLECTOR 0

/* Everything that the steps of one round share. */
typedef struct Round
{
	DatabaseSlot *slot;
	MemoryContext context;
	Extension	extension;
	bool		installed;
	bool		home;
	bool		sample;			/* a row of performance_metrics is due */
	Collection	collection;
	bool		written;
	ErrandKind	errand;			/* to look for work for */
	int64		rolled_up;
	int64		expired;
} Round;

/* Is the database's sampler to run, and did it?  The caller holds the lock. */
static bool
is_sampled(Oid database_oid)
{
	const DatabaseSlot *slot = OidIsValid(database_oid) ?
	shared_slot_find(database_oid) : NULL;

	return slot != NULL && slot->allowed_at != 0 && slot->last_round_at != 0;
}

/*
 * Is this the database whose sampler reads what concerns the server, or is
 * another one?  Neither, where the setting names what is not sampled.
 */
static void
find_home(Round *round)
{
	bool		named = setting_home_database != NULL &&
	setting_home_database[0] != '\0';
	Oid			home = named ? get_database_oid(setting_home_database, true) :
	InvalidOid;

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	if (!named && !OidIsValid(shared_state->home_database))
		shared_state->home_database = MyDatabaseId;
	if (!named)
		home = shared_state->home_database;
	round->home = home == MyDatabaseId;
	round->collection.home = round->home;
	round->collection.elsewhere = !round->home && is_sampled(home);
	LWLockRelease(shared_state->lock);
}

static void
step_prepare(void *arg)
{
	Round	   *round = arg;
	MemoryContext old = MemoryContextSwitchTo(round->context);

	round->installed = history_find_extension(&round->extension);
	if (round->installed)
	{
		history_require_version(&round->extension);
		find_home(round);
		round->collection.schema = round->extension.schema;
	}
	MemoryContextSwitchTo(old);
}

static void
step_collect(void *arg)
{
	Round	   *round = arg;
	MemoryContext old = MemoryContextSwitchTo(round->context);

	collectors[round->collection.collector].collect(&round->collection);
	MemoryContextSwitchTo(old);
}

static void
step_write(void *arg)
{
	Round	   *round = arg;

	round->written = history_write(&round->extension, &round->collection);
}

static void
step_write_series(void *arg)
{
	Round	   *round = arg;

	series_write(&round->extension, &round->collection);
}

static void
step_roll_up(void *arg)
{
	Round	   *round = arg;

	round->rolled_up = history_roll_up(&round->extension, round->collection.at);
}

static void
step_expire(void *arg)
{
	Round	   *round = arg;

	round->expired = history_expire(&round->extension, round->collection.at);
}

static void
step_probe(void *arg)
{
	Round	   *round = arg;

	if (history_ask(&round->extension, errand_infos[round->errand].probe,
					round->collection.at))
		errand_want(MyDatabaseId, round->errand);
}

/* Copies a message to the slot, as far as there is room. */
static void
copy_message(char *copy, const char *message)
{
	int			length = pg_mbcliplen(message, strlen(message),
									  LAST_ERROR_LENGTH - 1);

	memcpy(copy, message, length);
	copy[length] = '\0';
}

/* Notes an error in the slot; a worker has nobody to tell but the log. */
static void
note_error(DatabaseSlot *slot, const char *message)
{
	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	slot->errors++;
	copy_message(slot->last_error, message);
	LWLockRelease(shared_state->lock);

	if (AmBackgroundWorkerProcess())
		guard_log(message);
}

/* Runs a step; notes its error, and returns the message. */
static char *
run_step(Round *round, const char *what, GuardedStep step)
{
	char	   *failure = guard_run(what, step, round);

	if (failure != NULL)
		note_error(round->slot, failure);
	return failure;
}

/* A reading that a failed collector left behind is not to be trusted. */
static void
forget_readings(Collection *collection, const Readings *readings,
				const SampleMemory *memory, int series_count)
{
	collection->readings = *readings;
	*collection->now = *memory;
	collection->series_count = series_count;
	for (int i = 0; i < SERIES_COUNT; i++)
	{
		if (collection->complete_collector[i] == collection->collector)
			collection->complete_collector[i] = -1;
	}
}

/* Notes which collector the readings came from that it added. */
static void
claim_readings(Collection *collection, const Readings *before)
{
	for (int m = 0; m < METRIC_COUNT; m++)
	{
		if (collection->readings.known[m] && !before->known[m])
			collection->metric_collector[m] = collection->collector;
	}
}

static int64
interval_us(int collector)
{
	return *collectors[collector].interval_s * USECS_PER_SEC;
}

/*
 * Is the collector due?  Those that keep the sample's interval run with every
 * sample, so that a row has all of their readings; slower ones with the first
 * that is not before their time.  What has a history of its own needs none.
 */
static bool
collector_due(const Round *round, int collector, int64 *due, int64 *missed)
{
	const CollectorInfo *info = &collectors[collector];
	const TimestampTz *last_due = round->slot->last_due;

	if (collector != SAMPLE_COLLECTOR && !info->own_history && !round->sample)
		return false;
	if (collector != SAMPLE_COLLECTOR && !info->own_history &&
		info->interval_s == collectors[SAMPLE_COLLECTOR].interval_s)
	{
		*due = last_due[SAMPLE_COLLECTOR];
		*missed = 0;
		return true;
	}
	if (schedule_due(last_due[collector], interval_us(collector),
					 round->collection.at, due, missed))
		return true;
	*due = last_due[collector];
	*missed = 0;
	return collector_demand(collector) == DEMAND_NOW;
}

/* Runs one collector; what it failed to read costs nobody else anything. */
static void
run_collector(Round *round, int collector, RoundReport *report)
{
	Collection *collection = &round->collection;
	Readings   *saved_readings = palloc_object(Readings);
	SampleMemory *saved_memory = palloc_object(SampleMemory);
	int			series_count;

	*saved_readings = collection->readings;
	*saved_memory = *collection->now;
	series_count = collection->series_count;
	collection->collector = collector;
	report->status[collector] = run_step(round, collectors[collector].name,
										 step_collect);
	if (report->status[collector] != NULL)
		forget_readings(collection, saved_readings, saved_memory, series_count);
	else
	{
		claim_readings(collection, saved_readings);
		report->status[collector] = pstrdup("ok");
	}
	pfree(saved_readings);
	pfree(saved_memory);
}

/* Runs the collectors that are due.  Returns false if none is. */
static bool
run_collectors(Round *round, RoundReport *report)
{
	DatabaseSlot *slot = round->slot;
	int64		most_missed = 0;
	bool		any = false;

	for (int c = SAMPLE_COLLECTOR; c < collector_count; c++)
	{
		int64		due = 0;
		int64		missed = 0;

		/* what concerns the server is due at home alone, which may move */
		if (collectors[c].scope == METRIC_CLUSTER && !round->home)
		{
			slot->last_due[c] = 0;
			continue;
		}
		if (collector_demand(c) == DEMAND_NONE)
		{
			slot->last_due[c] = 0;
			collector_retire(&round->collection, c);
			continue;
		}
		if (!collector_due(round, c, &due, &missed))
			continue;
		any = true;
		if (c == SAMPLE_COLLECTOR)
			round->sample = true;
		run_collector(round, c, report);

		LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
		slot->last_due[c] = due;
		LWLockRelease(shared_state->lock);
		most_missed = Max(most_missed, missed);
	}

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	slot->missed += most_missed;
	LWLockRelease(shared_state->lock);
	return any;
}

static void
note_failed_round(DatabaseSlot *slot, TimestampTz at)
{
	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	slot->failures++;
	slot->retry_at = at + schedule_backoff(slot->failures,
										   setting_sample_interval_s * USECS_PER_SEC,
										   BACKOFF_MOST_US);
	LWLockRelease(shared_state->lock);
}

static void
note_round(DatabaseSlot *slot, TimestampTz at, instr_time started)
{
	instr_time	cost;

	INSTR_TIME_SET_CURRENT(cost);
	INSTR_TIME_SUBTRACT(cost, started);

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	slot->last_round_at = at;
	slot->last_round_cost_us = INSTR_TIME_GET_MICROSEC(cost);
	slot->rounds++;
	slot->failures = 0;
	slot->retry_at = 0;
	LWLockRelease(shared_state->lock);
}

/*
 * Rolls up what is complete, part after part, each in its own transaction.
 * Called before expiry, which deletes samples whether or not this failed: that
 * history is bounded comes first, and weeks pass until a sample is deleted.
 */
static void
run_roll_up(Round *round, RoundReport *report)
{
	do
	{
		CHECK_FOR_INTERRUPTS();
		round->rolled_up = 0;
		report->roll_up_failure = run_step(round, "roll-up", step_roll_up);
		if (report->roll_up_failure != NULL)
			break;
		report->rolled_up += round->rolled_up;
	} while (round->rolled_up > 0);
}

/*
 * Looks for work that waits for an errand: its time has come, or it was left
 * over when the server ended.
 */
static void
run_probes(Round *round)
{
	for (int kind = 0; kind < ERRAND_KINDS; kind++)
	{
		if (errand_infos[kind].probe == NULL)
			continue;
		round->errand = kind;
		(void) run_step(round, errand_infos[kind].name, step_probe);
	}
}

/*
 * Now and then: rolls history up, then deletes expired rows, batch after
 * batch, each in its own transaction.
 */
static void
run_expiry(Round *round, RoundReport *report)
{
	DatabaseSlot *slot = round->slot;
	int64		due;
	int64		missed;

	if (!schedule_due(slot->last_expiry, EXPIRY_INTERVAL_S * USECS_PER_SEC,
					  round->collection.at, &due, &missed))
		return;
	slot->last_expiry = due;

	run_roll_up(round, report);
	do
	{
		CHECK_FOR_INTERRUPTS();
		round->expired = 0;
		report->expiry_failure = run_step(round, "history", step_expire);
		if (report->expiry_failure != NULL)
			break;
		report->expired += round->expired;
	} while (round->expired > 0);
}

/* Judges what was read; an error costs its step. */
static void
run_alerts(Round *round, RoundReport *report)
{
	DatabaseSlot *slot = round->slot;
	AlertReport alerts;
	ListCell   *cell;

	alert_turn(&round->extension, &round->collection, round->sample,
			   shared_state->rotating, &alerts);
	foreach(cell, alerts.failures)
	{
		note_error(slot, lfirst(cell));
		report->alert_failure = lfirst(cell);
	}

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	slot->alert_at = round->collection.at;
	slot->alert_rules = alerts.rules;
	slot->alert_series = Max(slot->alert_series, alerts.series);
	slot->alert_pending = alerts.pending;
	slot->alert_firing = alerts.firing;
	slot->alert_judged_ms = alerts.judged_ms;
	copy_message(slot->alert_failure, alerts.broken != NULL ? alerts.broken : "");
	LWLockRelease(shared_state->lock);
}

static void
prepare_collection(Round *round, TimestampTz at)
{
	Collection *collection = &round->collection;
	const SampleMemory *before = &round->slot->samples;

	collection->at = at;
	collection->context = CurrentMemoryContext;
	for (int m = 0; m < METRIC_COUNT; m++)
		collection->metric_collector[m] = SAMPLE_COLLECTOR;
	for (int i = 0; i < SERIES_COUNT; i++)
		collection->complete_collector[i] = -1;
	collection->before = before;
	collection->now = palloc_object(SampleMemory);
	*collection->now = *before;
	collection->now->at = at;
	if (before->at != 0 && at > before->at)
	{
		collection->interval_ms = (at - before->at) / 1000.0;
		reading_set(&collection->readings, METRIC_sample_interval_ms,
					collection->interval_ms);
	}
}

RoundResult
round_run(DatabaseSlot *slot, TimestampTz at, RoundReport *report)
{
	Round	   *round = palloc0_object(Round);
	instr_time	started;

	memset(report, 0, sizeof(RoundReport));
	round->slot = slot;
	round->context = CurrentMemoryContext;

	INSTR_TIME_SET_CURRENT(started);
	report->failure = run_step(round, "extension", step_prepare);
	if (report->failure != NULL)
	{
		note_failed_round(slot, at);
		return ROUND_FAILED;
	}
	if (!round->installed)
		return ROUND_NOT_INSTALLED;
	report->home = round->home;
	if (slot->retry_at != 0 && at < slot->retry_at &&
		at > slot->retry_at - BACKOFF_MOST_US)
		return ROUND_NOT_DUE;

	prepare_collection(round, at);
	if (!run_collectors(round, report))
		return ROUND_NOT_DUE;

	if (round->collection.series_count > 0)
		report->series_failure = run_step(round, "dbmaint_series_samples",
										  step_write_series);
	if (round->sample)
	{
		report->failure = run_step(round, "performance_metrics", step_write);
		if (report->failure != NULL)
		{
			note_failed_round(slot, at);
			return ROUND_FAILED;
		}
		if (!round->written)
			return ROUND_NOT_INSTALLED;
		slot->samples = *round->collection.now;
	}
	run_alerts(round, report);
	run_probes(round);
	run_expiry(round, report);
	note_round(slot, at, started);
	return ROUND_DONE;
}

TimestampTz
round_next_due(const DatabaseSlot *slot, TimestampTz now)
{
	TimestampTz next = schedule_next(slot->last_due[SAMPLE_COLLECTOR],
									 interval_us(SAMPLE_COLLECTOR), now);

	/* one that never ran here is due with the first sample, if ever */
	for (int c = 0; c < collector_count; c++)
	{
		if (!collectors[c].own_history || slot->last_due[c] == 0)
			continue;
		if (collector_demand(c) == DEMAND_NOW)
			next = now;
		else
			next = Min(next, schedule_next(slot->last_due[c], interval_us(c),
										   now));
	}

	/* the back-off is not to be trusted after the clock was set back */
	if (slot->retry_at > next && slot->retry_at < now + 2 * BACKOFF_MOST_US)
		next = slot->retry_at;
	return next;
}
