/*-------------------------------------------------------------------------
 *
 * facts.c
 *		dbmaint_partition_facts(): what is there, and what a policy wants.
 *
 * The sampler asks this of each set in each turn: it reads the server's own
 * descriptor, which is most often in the cache, and waits for no lock.
 *
 * src/partition/facts.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "funcapi.h"
#include "partition/policy.h"
#include "step/guard.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(dbmaint_partition_facts);

/* The columns of the answer. */
enum
{
	FACT_PARTITIONS, FACT_DEFAULT_PARTITION, FACT_PERIOD, FACT_TIME_ZONE,
	FACT_RANGE_FROM, FACT_RANGE_TO, FACT_GAPS, FACT_PREMADE,
	FACT_PREMADE_UNTIL, FACT_MISSING, FACT_EXPIRED, FACT_NULLABLE,
	FACT_DETACH_PENDING, FACT_ERROR, FACTS
};

typedef struct Facts
{
	Oid			parent;
	Oid			extension_schema;
	int			premake;		/* what the policy wants; 0: there is none */
	bool		fill_gaps;
	DropRequest keep;
	bool		keeps;
	TimestampTz at;

	PartitionSet *set;
	int			gaps;
	int			premade;
	int			missing;
	int			futures;
	bool		broken;			/* what comes next is missing */
	int64		until;			/* where the premade ones end */
	bool		known;			/* the grid is: the four above count */
	int			expired;
	const char *problem;
} Facts;

static bool
take_slot(const Slot *slot, void *arg)
{
	Facts	   *facts = arg;
	const Key  *key = &facts->set->key;
	bool		there = slot->existing >= 0;
	bool		possible = there ||
	(key_can_have(key, slot->range.from) && key_can_have(key, slot->range.to));

	if (slot->kind == SLOT_GAP)
	{
		facts->gaps++;
		facts->missing += facts->fill_gaps && possible;
		return true;
	}
	facts->futures += slot->kind == SLOT_FUTURE;
	if (!there)
		facts->broken = true;
	if (facts->futures <= facts->premake)
		facts->missing += !there && possible;
	else if (facts->broken)
		return false;
	if (facts->broken)
		return true;
	facts->premade = facts->futures;
	facts->until = slot->range.to;
	/* a range without an end is as good as any number of them */
	if (facts->until == RANGE_MAXVALUE)
		facts->premade = Max(facts->premade, facts->premake);
	return true;
}

static void
look(void *arg)
{
	Facts	   *facts = arg;
	SetOptions	options = {0};
	Relation	parent;
	PartitionSet *set;
	Oid			asked;
	int64		now;

	if (!ConditionalLockRelationOid(facts->parent, AccessShareLock))
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("the table is locked")));
	parent = try_relation_open(facts->parent, NoLock);
	if (parent == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("there is no relation with OID %u", facts->parent)));
	set = set_read(parent, &options, facts->extension_schema);
	relation_close(parent, NoLock);
	facts->set = set;
	if (!set->has_grid)
	{
		facts->problem = set->grid_reason;
		return;
	}
	if (set->calendar == NULL && !policy_key_indexed(set))
	{
		facts->problem = "there is no index that begins with the partition key";
		return;
	}
	asked = set_asked_for_now(set);
	if (OidIsValid(asked) && get_rel_relkind(asked) == RELKIND_FOREIGN_TABLE)
	{
		facts->problem = "the greatest key is in a foreign table, which is not asked for it";
		return;
	}
	now = set_now(set, facts->at);
	facts->known = true;
	facts->until = RANGE_MINVALUE;
	grid_plan(&set->grid, set->ranges, set->count, now, CREATE_MOST,
			  facts->fill_gaps, take_slot, facts);
	if (facts->keeps)
	{
		drop_require_zone(set);
		facts->keep.at = facts->at;
		facts->expired = drop_count_old(set, drop_limit(&facts->keep, set), now);
	}
}

static void
put_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column] = text == NULL;
	values[column] = text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

static void
put_int(Datum *values, bool *nulls, int column, int value)
{
	nulls[column] = false;
	values[column] = Int32GetDatum(value);
}

/* The instant of a bound, if the key is a time. */
static void
put_time(Datum *values, bool *nulls, int column, const PartitionSet *set, int64 value)
{
	if (set->calendar == NULL || value == RANGE_MINVALUE)
		return;
	nulls[column] = false;
	if (value >= RANGE_INFINITE_FUTURE)
		values[column] = TimestampTzGetDatum(DT_NOEND);
	else if (value <= RANGE_INFINITE_PAST)
		values[column] = TimestampTzGetDatum(DT_NOBEGIN);
	else
		values[column] = TimestampTzGetDatum(key_is_instant(&set->key) ? value :
											 calendar_to_utc(key_calendar(set->zone), value));
}

static void
put_set(const Facts *facts, Datum *values, bool *nulls)
{
	const PartitionSet *set = facts->set;

	put_int(values, nulls, FACT_PARTITIONS, set->count);
	if (OidIsValid(set->default_partition))
	{
		nulls[FACT_DEFAULT_PARTITION] = false;
		values[FACT_DEFAULT_PARTITION] = ObjectIdGetDatum(set->default_partition);
	}
	if (set->has_grid)
		put_text(values, nulls, FACT_PERIOD, set_period_text(&set->grid.period));
	if (set->calendar != NULL && set->zone != NULL)
		put_text(values, nulls, FACT_TIME_ZONE, pg_get_timezone_name(set->zone));
	if (set->count > 0)
	{
		put_text(values, nulls, FACT_RANGE_FROM, key_text(&set->key, set->ranges[0].from, set->zone));
		put_text(values, nulls, FACT_RANGE_TO, key_text(&set->key, set->ranges[set->count - 1].to, set->zone));
	}
	nulls[FACT_NULLABLE] = nulls[FACT_DETACH_PENDING] = false;
	values[FACT_NULLABLE] = BoolGetDatum(set->nullable);
	values[FACT_DETACH_PENDING] = BoolGetDatum(set->has_pending);
	if (!facts->known)
		return;
	put_int(values, nulls, FACT_GAPS, facts->gaps);
	put_int(values, nulls, FACT_PREMADE, facts->premade);
	put_int(values, nulls, FACT_MISSING, facts->missing);
	put_time(values, nulls, FACT_PREMADE_UNTIL, set, facts->until);
	if (facts->keeps)
		put_int(values, nulls, FACT_EXPIRED, facts->expired);
}

/* SQL: dbmaint_partition_facts(), see policy.sql */
Datum
dbmaint_partition_facts(PG_FUNCTION_ARGS)
{
	Facts		facts = {0};
	Datum		values[FACTS] = {0};
	bool		nulls[FACTS];
	TupleDesc	columns;
	ErrorData  *error;

	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (PG_ARGISNULL(0) || PG_ARGISNULL(5))
		PG_RETURN_NULL();
	facts.parent = PG_GETARG_OID(0);
	facts.extension_schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	facts.premake = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1);
	facts.keeps = !PG_ARGISNULL(2) || !PG_ARGISNULL(3);
	if (!PG_ARGISNULL(2))
		facts.keep.keep = *PG_GETARG_INTERVAL_P(2);
	facts.keep.by_step = PG_ARGISNULL(2);
	facts.keep.keep_step = PG_ARGISNULL(3) ? 0 : PG_GETARG_INT64(3);
	facts.fill_gaps = !PG_ARGISNULL(4) && PG_GETARG_BOOL(4);
	facts.at = PG_GETARG_TIMESTAMPTZ(5);

	memset(nulls, true, sizeof(nulls));
	error = guard_try(look, &facts);
	if (facts.set != NULL)
		put_set(&facts, values, nulls);
	if (error != NULL)
		put_text(values, nulls, FACT_ERROR, error->detail == NULL ? error->message :
				 psprintf("%s: %s", error->message, error->detail));
	else
		put_text(values, nulls, FACT_ERROR, facts.problem);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), values, nulls)));
}
