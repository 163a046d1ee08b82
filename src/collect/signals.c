/*-------------------------------------------------------------------------
 *
 * signals.c
 *		Collectors "signals", "object_signals", "capacity_signals": readings of
 *		series that SQL takes, and how late samplers are.
 *
 * Each calls a function of signals.sql that returns rows (metric, instance,
 * value).  A row without instance says that the metric's instances are all
 * there; one without value, that the instance is there and its value not known.
 *
 * src/collect/signals.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "collect/series.h"
#include "executor/spi.h"
#include "settings.h"
#include "step/query.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

/* Adds what a row says. */
static void
add_row(Collection *collection, HeapTuple row, TupleDesc columns)
{
	bool		no_instance;
	bool		no_value;
	char	   *name = SPI_getvalue(row, columns, 1);
	int			metric = name == NULL ? -1 : metric_find_any(name) - METRIC_COUNT;
	Datum		instance = SPI_getbinval(row, columns, 2, &no_instance);
	Datum		value = SPI_getbinval(row, columns, 3, &no_value);

	if (metric < 0)
		elog(ERROR, "\"%s\" is not a series", name == NULL ? "" : name);
	if (no_instance)
		series_complete(collection, metric);
	else
		series_add(collection, metric, TextDatumGetCString(instance),
				   no_value ? NAN : DatumGetFloat8(value));
}

static void
collect_by_function(Collection *collection, const char *function)
{
	char	   *sql = psprintf("SELECT metric, instance, value FROM %s.%s($1, $2)",
							   collection->schema, function);
	Oid			types[] = {TIMESTAMPTZOID, BOOLOID};
	Datum		values[] = {TimestampTzGetDatum(collection->at),
	BoolGetDatum(collection->home)};
	uint64		rows = query_begin(sql, lengthof(types), types, values, NULL);

	for (uint64 i = 0; i < rows; i++)
		add_row(collection, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
	query_end();
}

/*
 * Since when the slot's sampler has not come; 0 if nobody waits for it: it is
 * not to run, or has yet to find out whether the extension is there.  The
 * caller holds the lock.
 */
static TimestampTz
waiting_since(const DatabaseSlot *slot)
{
	if (!OidIsValid(slot->database_oid) || slot->allowed_at == 0)
		return 0;
	if (slot->last_round_at == 0 && slot->state != DATABASE_SAMPLING &&
		slot->state != DATABASE_FAILING)
		return 0;
	return Max(slot->last_round_at, slot->allowed_at);
}

/*
 * How late is the sampler of each database that is to have one, except ours?
 * One that died is late as well.
 */
static void
add_other_samplers(Collection *collection, double interval_us)
{
	typedef struct Late
	{
		Oid			database_oid;
		double		ratio;
	} Late;
	Late	   *late = palloc_array(Late, shared_state->slot_count);
	int			count = 0;

	LWLockAcquire(shared_state->lock, LW_SHARED);
	for (int i = 0; i < shared_state->slot_count; i++)
	{
		const DatabaseSlot *slot = &shared_state->slots[i];
		TimestampTz since = waiting_since(slot);

		if (since == 0 || slot->database_oid == MyDatabaseId)
			continue;
		late[count].database_oid = slot->database_oid;
		late[count++].ratio = (collection->at - since) / interval_us - 1;
	}
	LWLockRelease(shared_state->lock);

	for (int i = 0; i < count; i++)
	{
		char	   *name = get_database_name(late[i].database_oid);

		if (name != NULL)
			series_add(collection, SERIES_sampler_late_ratio, name,
					   Max(late[i].ratio, 0));
	}
}

/* How late came our own sample? */
static void
add_own_sampler(Collection *collection, double interval_us)
{
	TimestampTz since = collection->before->at;
	const DatabaseSlot *slot;

	if (since == 0)
		return;
	LWLockAcquire(shared_state->lock, LW_SHARED);
	slot = shared_slot_find(MyDatabaseId);
	if (slot != NULL)
		since = Max(since, slot->allowed_at);
	LWLockRelease(shared_state->lock);
	if (collection->at > collection->before->at)
		series_add(collection, SERIES_sampler_late_ratio,
				   get_database_name(MyDatabaseId),
				   Max((collection->at - since) / interval_us - 1, 0));
}

/* One tells: that of the home database, of all; where there is none, each. */
void
collect_signals(Collection *collection)
{
	double		interval_us = setting_sample_interval_s * (double) USECS_PER_SEC;

	collect_by_function(collection, "dbmaint_signals");
	if (!collection->elsewhere)
		add_own_sampler(collection, interval_us);
	if (collection->home)
		add_other_samplers(collection, interval_us);
	series_complete(collection, SERIES_sampler_late_ratio);
}

void
collect_object_signals(Collection *collection)
{
	collect_by_function(collection, "dbmaint_object_signals");
}

void
collect_capacity_signals(Collection *collection)
{
	collect_by_function(collection, "dbmaint_capacity_signals");
}
