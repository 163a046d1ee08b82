/*-------------------------------------------------------------------------
 *
 * set.c
 *		A partitioned table and its partitions, as ranges on a grid.
 *
 * The server's own descriptor has the bounds sorted and parsed, and most often
 * in its cache: that is why a set of thousands costs little.
 *
 * src/partition/set.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "catalog/partition.h"
#include "catalog/pg_am.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_partitioned_table.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "partition/owner.h"
#include "partition/recorded.h"
#include "partition/set.h"
#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* A plain number of this size, and a multiple of an hour, is a time. */
#define EPOCH_FROM INT64CONST(946684800)	/* 2000 */
#define EPOCH_TO INT64CONST(7258118400) /* 2200 */
#define EPOCH_STEP 3600

void
set_check_rights(Oid parent)
{
	char	   *name = get_rel_name(parent);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("there is no relation with OID %u", parent)));
	if (!relation_owned_by(parent, GetUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of table %s", name)));
}

char *
set_relation_name(Oid relation)
{
	char	   *name = get_rel_name(relation);

	return name != NULL ? name : psprintf("%u", relation);
}

char *
set_quoted_name(Oid relation)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)),
									  set_relation_name(relation));
}

static void
refuse(Relation parent, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot manage the partitions of \"%s\"", RelationGetRelationName(parent)),
			 errdetail("%s", detail),
			 errhint("Its key must be a column of type timestamptz, timestamp, date, smallint, integer, bigint or uuid, or have one as the first of several.")));
}

/*
 * An expression of the key, in SQL; deparsed where nothing but the catalogs is
 * in sight, so that what it names is said with its schema.
 */
static char *
key_expression(Relation parent, Node *expression, Oid owner)
{
	AsOwner		before;
	char	   *text;

	owner_begin(owner, &before);
	text = deparse_expression(expression, deparse_context_for(RelationGetRelationName(parent), RelationGetRelid(parent)),
							  false, false);
	owner_end(&before);
	return psprintf("(%s)", text);
}

/* Conditions on the columns, or expressions, of the key after the first. */
static void
read_other_columns(Relation parent, PartitionKey key, PartitionSet *set)
{
	ListCell   *expression = list_head(key->partexprs);
	StringInfoData present;
	StringInfoData absent;

	initStringInfo(&present);
	initStringInfo(&absent);
	for (int i = 1; i < key->partnatts; i++)
	{
		const char *column;

		if (key->partattrs[i] != 0)
			column = quote_identifier(NameStr(TupleDescAttr(RelationGetDescr(parent), key->partattrs[i] - 1)->attname));
		else
		{
			column = key_expression(parent, lfirst(expression), set->owner);
			expression = lnext(key->partexprs, expression);
		}
		appendStringInfo(&present, " AND %s IS NOT NULL", column);
		appendStringInfo(&absent, " OR %s IS NULL", column);
	}
	set->others_present = present.data;
	set->others_absent = absent.data;
}

/*
 * Ranges are computed in the order of the type: an operator class with another
 * one, a descending one say, has other bounds.
 */
static void
refuse_other_order(Relation parent, PartitionKey key)
{
	HeapTuple	tuple;
	Oid			opclass;
	bool		isnull;

	if (key->partopfamily[0] == get_opclass_family(GetDefaultOpClass(key->parttypid[0], BTREE_AM_OID)))
		return;
	tuple = SearchSysCache1(PARTRELID, ObjectIdGetDatum(RelationGetRelid(parent)));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for partition key of relation %u", RelationGetRelid(parent));
	opclass = ((oidvector *) DatumGetPointer(SysCacheGetAttr(PARTRELID, tuple, Anum_pg_partitioned_table_partclass, &isnull)))->values[0];
	ReleaseSysCache(tuple);
	tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for opclass %u", opclass);
	refuse(parent, psprintf("Its key has the operator class \"%s\", which orders values as its type does not.",
							NameStr(((Form_pg_opclass) GETSTRUCT(tuple))->opcname)));
}

static void
read_key(Relation parent, PartitionSet *set)
{
	PartitionKey key;

	if (parent->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a partitioned table", RelationGetRelationName(parent)),
				 errdetail_relkind_not_supported(parent->rd_rel->relkind)));
	if (parent->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		refuse(parent, "It is a temporary table.");

	key = RelationGetPartitionKey(parent);
	if (key->strategy != PARTITION_STRATEGY_RANGE)
		refuse(parent, key->strategy == PARTITION_STRATEGY_LIST ?
			   "It is partitioned by lists of values, not by ranges." :
			   "It is partitioned by hash values, not by ranges.");
	if (key->partattrs[0] == 0)
		refuse(parent, "It is partitioned by an expression.");
	if (!key_of_type(key->parttypid[0], &set->key))
		refuse(parent, psprintf("Its key is of type %s.", format_type_be(key->parttypid[0])));
	refuse_other_order(parent, key);

	set->column = key->partattrs[0];
	set->column_name = pstrdup(NameStr(TupleDescAttr(RelationGetDescr(parent), set->column - 1)->attname));
	set->column_count = key->partnatts;
	read_other_columns(parent, key, set);
	set->nullable = !TupleDescAttr(RelationGetDescr(parent), set->column - 1)->attnotnull;
}

/*
 * The first column's value of a bound, RANGE_MINVALUE or RANGE_MAXVALUE.  What
 * is infinite in time lies within these two; the least bigint is one of them,
 * since nothing lies below it.
 */
static int64
bound_value(const PartitionSet *set, PartitionBoundInfo bounds, int i, Relation parent)
{
	int64		value;

	if (bounds->kind[i][0] == PARTITION_RANGE_DATUM_MINVALUE)
		return RANGE_MINVALUE;
	if (bounds->kind[i][0] == PARTITION_RANGE_DATUM_MAXVALUE)
		return RANGE_MAXVALUE;
	for (int column = 1; column < set->column_count; column++)
	{
		if (bounds->kind[i][column] != PARTITION_RANGE_DATUM_MINVALUE)
			refuse(parent, "Its ranges differ in other columns than the first one: theirs must begin and end with MINVALUE.");
	}
	value = key_value(&set->key, bounds->datums[i][0]);
	if (!key_is_calendar(&set->key))
		return value;
	return value == RANGE_MINVALUE ? RANGE_INFINITE_PAST :
		value == RANGE_MAXVALUE ? RANGE_INFINITE_FUTURE : value;
}

/* What follows the time in the bounds' UUIDs must be the same in all. */
static void
read_uuid_tail(PartitionSet *set, PartitionBoundInfo bounds, Relation parent)
{
	bool		found = false;

	for (int i = 0; i < bounds->ndatums; i++)
	{
		const pg_uuid_t *uuid;

		if (bounds->kind[i][0] != PARTITION_RANGE_DATUM_VALUE)
			continue;
		uuid = DatumGetUUIDP(bounds->datums[i][0]);
		if (found && memcmp(set->key.uuid_tail, uuid->data + UUID_TIME_BYTES, UUID_TAIL_BYTES) != 0)
			refuse(parent, "Its bounds are no times of UUIDs of version 7: they differ in what follows the time.");
		memcpy(set->key.uuid_tail, uuid->data + UUID_TIME_BYTES, UUID_TAIL_BYTES);
		found = true;
	}
}

static void
read_ranges(Relation parent, PartitionSet *set)
{
	PartitionDesc desc = RelationGetPartitionDesc(parent, false);
	PartitionBoundInfo bounds = desc->boundinfo;

	set->has_pending = desc->detached_exist;
	if (desc->nparts == 0)
		return;
	if (partition_bound_has_default(bounds))
		set->default_partition = desc->oids[bounds->default_index];
	if (set->key.kind == KEY_UUID7)
		read_uuid_tail(set, bounds, parent);

	set->ranges = palloc_array(Range, desc->nparts);
	set->partitions = palloc_array(Oid, desc->nparts);
	/* each bound is the upper one of the range before it, where there is one */
	for (int i = 1; i < bounds->ndatums; i++)
	{
		Range	   *range = &set->ranges[set->count];

		if (bounds->indexes[i] < 0)
			continue;
		range->from = bound_value(set, bounds, i - 1, parent);
		range->to = bound_value(set, bounds, i, parent);
		if (range->from >= range->to)
			refuse(parent, "Some of its partitions are not told apart by the first column.");
		set->partitions[set->count++] = desc->oids[bounds->indexes[i]];
	}
}

/* Numbers between 2000 and 2200, all at whole hours, are times. */
static bool
looks_like_epoch(const PartitionSet *set, int64 units)
{
	int			finite = 0;

	for (int i = 0; i < set->count; i++)
	{
		int64		bounds[] = {set->ranges[i].from, set->ranges[i].to};

		for (int j = 0; j < 2; j++)
		{
			if (bounds[j] == RANGE_MINVALUE || bounds[j] == RANGE_MAXVALUE)
				continue;
			if (bounds[j] % (EPOCH_STEP * units) != 0 ||
				bounds[j] < EPOCH_FROM * units || bounds[j] > EPOCH_TO * units)
				return false;
			finite++;
		}
	}
	return finite > 1;
}

/* Decides whether numbers are times, and makes them values of the calendar. */
static void
read_epoch(PartitionSet *set, const char *epoch)
{
	int64		units = 0;

	if (epoch != NULL)
		units = strcmp(epoch, "seconds") == 0 ? 1 : strcmp(epoch, "milliseconds") == 0 ? 1000 : 0;
	else if (set->key.type == INT8OID && looks_like_epoch(set, 1000))
		units = 1000;
	else if (set->key.type != INT2OID && looks_like_epoch(set, 1))
		units = 1;
	if (units == 0)
		return;

	set->key.kind = units == 1 ? KEY_SECONDS : KEY_MILLISECONDS;
	for (int i = 0; i < set->count; i++)
	{
		Range	   *range = &set->ranges[i];

		if (range->from != RANGE_MINVALUE)
			range->from = key_value(&set->key, Int64GetDatum(range->from));
		if (range->to != RANGE_MAXVALUE)
			range->to = key_value(&set->key, Int64GetDatum(range->to));
	}
}

pg_tz *
set_find_zone(const char *name)
{
	pg_tz	   *zone = pg_tzset(name);

	if (zone == NULL || !pg_tz_acceptable(zone))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" is not known", name),
				 errhint("pg_timezone_names lists those that are.")));
	return zone;
}

static bool
is_at_midnight(const Calendar *calendar, int64 bound)
{
	return bound <= RANGE_INFINITE_PAST || bound >= RANGE_INFINITE_FUTURE ||
		calendar_date(calendar_to_local(calendar, bound)).time == 0;
}

/*
 * Does the period of the set begin at midnight in the zone?  Where ranges are
 * of all lengths, do all of them?
 */
static bool
fits_zone(const PartitionSet *set, pg_tz *zone)
{
	const Calendar *calendar = key_calendar(zone);
	Grid		grid;

	if (grid_infer(set->ranges, set->count, calendar, &grid) == NULL)
		return grid_is_at_midnight(&grid);
	for (int i = 0; i < set->count; i++)
	{
		if (!is_at_midnight(calendar, set->ranges[i].from) || !is_at_midnight(calendar, set->ranges[i].to))
			return false;
	}
	return true;
}

/*
 * The time zone that the partitions were made in, where nobody said it: that
 * of the server (log_timezone, which no session, role or database changes), or
 * UTC.  Elapsed times of less than a day need none.
 */
static void
infer_zone(PartitionSet *set)
{
	pg_tz	   *utc = pg_tzset("UTC");
	Grid		grid;

	set->zone = log_timezone;
	if (!key_is_instant(&set->key))
		return;
	if (grid_infer(set->ranges, set->count, key_calendar(utc), &grid) != NULL &&
		set->count == 0)
		return;
	if (fits_zone(set, log_timezone))
		return;
	set->zone = utc;
	if (fits_zone(set, utc))
		return;
	if (grid_infer(set->ranges, set->count, key_calendar(utc), &grid) == NULL &&
		grid.period.unit == PERIOD_USECS && grid.period.count < 23 * USECS_PER_HOUR)
		return;
	set->zone_reason = "the bounds are at midnight neither in the server's time zone nor in UTC";
}

static void
read_calendar(PartitionSet *set, const SetOptions *options)
{
	if (!key_is_calendar(&set->key))
		return;
	if (options->time_zone != NULL)
		set->zone = set_find_zone(options->time_zone);
	else
		infer_zone(set);
	set->calendar = key_calendar(key_is_instant(&set->key) ? set->zone : NULL);
}

static void
read_grid(PartitionSet *set, const SetOptions *options)
{
	if (options->period != NULL)
	{
		Period		period = set_parse_period(set, options->period);
		int64		end = set->count == 0 ? RANGE_MAXVALUE : set->ranges[set->count - 1].to;
		Grid		found;

		set->has_grid = true;
		/* the grid that is there, if it is that of the period */
		if (grid_infer(set->ranges, set->count, set->calendar, &found) == NULL &&
			found.period.unit == period.unit && found.period.count == period.count)
			set->grid = found;
		else
		{
			int64		floor;

			grid_natural(&period, set->calendar, &set->grid);
			if (end != RANGE_MAXVALUE &&
				(!grid_floor(&set->grid, end, &floor) || floor != end) &&
				!key_is_calendar(&set->key))
				grid_through(&period, set->calendar, end, &set->grid);
		}
		return;
	}
	set->grid_reason = set->zone_reason != NULL ? set->zone_reason :
		set->count == 0 ? "there is no partition yet" :
		grid_infer(set->ranges, set->count, set->calendar, &set->grid);
	set->has_grid = set->grid_reason == NULL;
}

PartitionSet *
set_read(Relation parent, const SetOptions *options, Oid extension_schema)
{
	PartitionSet *set = palloc0_object(PartitionSet);
	SetOptions	merged = *options;
	SetOptions	recorded = {0};

	set->parent = RelationGetRelid(parent);
	set->owner = parent->rd_rel->relowner;
	set->schema = RelationGetNamespace(parent);
	set->name = pstrdup(RelationGetRelationName(parent));
	set->quoted = set_quoted_name(set->parent);

	read_key(parent, set);
	read_ranges(parent, set);

	recorded_find(extension_schema, set->parent, &recorded);
	if (merged.time_zone == NULL)
		merged.time_zone = recorded.time_zone;
	if (merged.epoch == NULL)
		merged.epoch = recorded.epoch;
	if (set->key.kind == KEY_INTEGER)
		read_epoch(set, merged.epoch);
	read_calendar(set, &merged);
	if (options->ranges_only)
		return set;
	/* partitions that are there say more than what was once recorded */
	if (merged.period == NULL && recorded.period != NULL)
	{
		read_grid(set, &merged);
		if (set->has_grid)
			return set;
		merged.period = recorded.period;
	}
	read_grid(set, &merged);
	return set;
}

PartitionSet *
set_of_plain_table(Relation table, const char *column, const SetOptions *options)
{
	PartitionSet *set = palloc0_object(PartitionSet);
	Form_pg_attribute attribute;

	set->parent = RelationGetRelid(table);
	set->owner = table->rd_rel->relowner;
	set->schema = RelationGetNamespace(table);
	set->name = pstrdup(RelationGetRelationName(table));
	set->quoted = set_quoted_name(set->parent);
	set->column = get_attnum(set->parent, column);
	set->column_name = pstrdup(column);
	set->column_count = 1;
	set->others_present = "";
	set->others_absent = "";
	if (set->column <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of table \"%s\" does not exist", column, set->name)));
	attribute = TupleDescAttr(RelationGetDescr(table), set->column - 1);
	if (attribute->attgenerated != '\0')
		refuse(table, psprintf("Column \"%s\" is generated, and can be no key.", column));
	if (!key_of_type(attribute->atttypid, &set->key))
		refuse(table, psprintf("Column \"%s\" is of type %s.", column, format_type_be(attribute->atttypid)));
	set->nullable = !attribute->attnotnull;
	if (set->key.kind == KEY_INTEGER)
		read_epoch(set, options->epoch);
	read_calendar(set, options);
	read_grid(set, options);
	return set;
}
