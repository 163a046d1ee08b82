/*-------------------------------------------------------------------------
 *
 * likeness_sub.c
 *		Making sub-partitions like those of another partition.
 *
 * src/partition/likeness_sub.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/relation.h"
#include "access/sysattr.h"
#include "catalog/partition.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "mb/pg_wchar.h"
#include "nodes/bitmapset.h"
#include "optimizer/optimizer.h"
#include "partition/create.h"
#include "partition/likeness_extras.h"
#include "partition/likeness_sub.h"
#include "partition/name.h"
#include "partition/owner.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"

/* What a new table, and its model, are divided by. */
typedef struct Division
{
	Likeness   *likeness;
	Relation	model;
	PartitionKey key;
	const char *name;			/* of the new table */
	const char *quoted;
	const Range *range;
	List	   *children;		/* of the model */
	int			made;			/* sub-partitions */
} Division;

/* The name with its parent's changed, where it begins with that. */
static char *
in_name_of(const char *model_parent, const char *model, const char *parent)
{
	size_t		length = strlen(model_parent);
	char	   *name = psprintf("%s%s", parent, model + Min(length, strlen(model)));

	if (strncmp(model, model_parent, length) != 0 || model[length] == '\0' || strlen(name) >= NAMEDATALEN)
		return pstrdup(model);
	return name;
}

static Oid
schema_of(const Division *division)
{
	return RelationGetNamespace(division->model);
}

static char *
numbered_name(Division *division)
{
	char	   *name = palloc(NAMEDATALEN);

	name_number(division->name, division->made + 1, pg_mbcliplen, name);
	return likeness_free_name(name, schema_of(division));
}

/* The name of a sub-partition: its model's, with the new parent's name in it. */
static char *
sub_name(Division *division, Oid child)
{
	char	   *model = set_relation_name(child);
	char	   *name = in_name_of(RelationGetRelationName(division->model), model, division->name);

	return strcmp(name, model) == 0 ? numbered_name(division) : likeness_free_name(name, schema_of(division));
}

/* Makes one sub-partition and attaches it to its parent, which nobody sees yet. */
static void
create_sub_partition(Division *division, Oid model, const char *name,
					 const Range *range, const char *bound)
{
	Likeness   *likeness = division->likeness;
	Likeness	below = *likeness;
	char	   *quoted;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (get_rel_relkind(model) == RELKIND_FOREIGN_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot make a partition like \"%s\"", RelationGetRelationName(division->model)),
				 errdetail("Its partition \"%s\" is a foreign table.", set_relation_name(model))));
	below.model = model;
	quoted = likeness_create(&below, name, range, NULL);
	likeness->remark = below.remark;
	owner_run(likeness->set->owner,
			  psprintf("ALTER TABLE %s ATTACH PARTITION %s %s", division->quoted, quoted, bound));
	division->made++;
}

/* The model's partitions as a set of their own, whose numbers mean what the set's do. */
static PartitionSet *
read_sub_set(const Division *division)
{
	const PartitionSet *set = division->likeness->set;
	SetOptions	options = {.time_zone = pstrdup(pg_get_timezone_name(set->zone ? set->zone : log_timezone))};

	options.epoch = set->key.kind == KEY_SECONDS ? "seconds" :
		set->key.kind == KEY_MILLISECONDS ? "milliseconds" :
		set->key.kind == KEY_INTEGER ? "none" : NULL;
	return set_read(division->model, &options, InvalidOid);
}

static void
add_part(Range *parts, int *count, int64 from, int64 to)
{
	if (*count == CREATE_MOST)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a new partition would have more than %d partitions of its own", CREATE_MOST),
				 errdetail("It would be divided as the partition before it is."),
				 errhint("Make one by hand that is divided by a longer period: the next ones will be like it.")));
	parts[(*count)++] = (Range)
	{
		from, to
	};
}

/* By the period of the model's partitions. */
static int
parts_of_grid(const PartitionSet *sub, const Range *range, Range *parts)
{
	int			count = 0;
	int64		from = range->from;

	while (from < range->to)
	{
		int64		to;

		if (!grid_next(&sub->grid, from, &to) || to > range->to)
			to = range->to;
		add_part(parts, &count, from, to);
		from = to;
	}
	return count;
}

/* The range of the set that the model is in, at whatever depth. */
static bool
find_model_range(const Division *division, int *index)
{
	const PartitionSet *set = division->likeness->set;
	List	   *lineage = lcons_oid(RelationGetRelid(division->model),
									get_partition_ancestors(RelationGetRelid(division->model)));

	for (*index = 0; *index < set->count; ++*index)
	{
		if (list_member_oid(lineage, set->partitions[*index]))
			return true;
	}
	return false;
}

/* As far from the new beginning as it is from the old one: on the calendar, if there is one. */
static bool
shift(const Calendar *calendar, int64 bound, int64 from, int64 to, int64 *shifted)
{
	int64		distance;

	if (calendar != NULL)
	{
		bound = calendar_to_local(calendar, bound);
		from = calendar_to_local(calendar, from);
		to = calendar_to_local(calendar, to);
	}
	if (pg_sub_s64_overflow(bound, from, &distance) || pg_add_s64_overflow(to, distance, shifted))
		return false;
	if (calendar != NULL)
		*shifted = calendar_to_utc(calendar, *shifted);
	return true;
}

/*
 * Cut where the model is cut, as far from the beginning; what the model has
 * not, a part gets that is before it, so that no row is refused.  *models is
 * which partition each part is like.
 */
static int
parts_of_model(const Division *division, const PartitionSet *sub, Range *parts, int *models)
{
	const Range *range = division->range;
	int			count = 0;
	int			index;
	int64		origin = sub->ranges[0].from;
	int64		from = range->from;

	if (find_model_range(division, &index) && (origin == RANGE_MINVALUE || origin < division->likeness->set->ranges[index].from))
		origin = division->likeness->set->ranges[index].from;
	models[0] = 0;
	for (int i = 1; i < sub->count; i++)
	{
		int64		cut;

		if (!shift(sub->calendar, sub->ranges[i].from, origin, range->from, &cut) ||
			cut <= from || cut >= range->to || !key_can_have(&sub->key, cut))
			continue;
		add_part(parts, &count, from, cut);
		models[count] = i;
		from = cut;
	}
	add_part(parts, &count, from, range->to);
	return count;
}

/* The model is divided by the key of the set: so is the new range. */
static void
cut_range(Division *division, const PartitionSet *sub)
{
	Range	   *parts = palloc_array(Range, CREATE_MOST);
	int		   *models = palloc_array(int, sub->count);
	int			count = sub->has_grid ? parts_of_grid(sub, division->range, parts) :
	parts_of_model(division, sub, parts, models);
	NamePattern pattern;

	if (sub->has_grid)
		likeness_names(sub, &pattern);
	for (int i = 0; i < count; i++)
	{
		Oid			like = sub->partitions[sub->has_grid ? sub->count - 1 : models[i]];
		char	   *name;

		if (sub->has_grid)
		{
			name = in_name_of(sub->name, likeness_name(sub, &pattern, &parts[i]), division->name);
			name = OidIsValid(get_relname_relid(name, schema_of(division))) ? numbered_name(division) :
				likeness_free_name(name, schema_of(division));
		}
		else
			name = sub_name(division, like);
		create_sub_partition(division, like, name, &parts[i],
							 psprintf("FOR VALUES %s", likeness_bound(sub, &parts[i])));
	}
	if (OidIsValid(sub->default_partition))
		create_sub_partition(division, sub->default_partition, sub_name(division, sub->default_partition),
							 division->range, "DEFAULT");
}

static bool
is_divided_by_key(const Division *division)
{
	AttrNumber	column = division->key->partattrs[0];

	return division->key->strategy == PARTITION_STRATEGY_RANGE && column != 0 &&
		strcmp(get_attname(RelationGetRelid(division->model), column, false), division->likeness->set->column_name) == 0;
}

/* By an expression of the key of the set? */
static bool
is_divided_by_expression(const Division *division)
{
	AttrNumber	column = get_attnum(RelationGetRelid(division->model), division->likeness->set->column_name);
	Bitmapset  *columns = NULL;

	if (division->key->partattrs[0] != 0)
		return false;
	pull_varattnos(linitial(division->key->partexprs), 1, &columns);
	return bms_is_member(column - FirstLowInvalidHeapAttributeNumber, columns);
}

static bool
is_of_time(Oid type)
{
	return type == DATEOID || type == TIMESTAMPOID || type == TIMESTAMPTZOID;
}

static List *
bounds_of(const Division *division, List *children)
{
	List	   *bounds = NIL;
	ListCell   *cell;

	foreach(cell, children)
		bounds = lappend(bounds, makeString(likeness_bound_text(division->likeness->set->owner, lfirst_oid(cell))));
	return bounds;
}

/* Does one of the bounds take what no other takes, or do the first and last have no end? */
static bool
is_complete(const List *bounds)
{
	ListCell   *cell;
	bool		begins = false;
	bool		ends = false;

	foreach(cell, bounds)
	{
		const char *bound = strVal(lfirst(cell));

		if (strcmp(bound, "DEFAULT") == 0)
			return true;
		begins |= strncmp(bound, "FOR VALUES FROM (MINVALUE", 25) == 0;
		ends |= strstr(bound, ") TO (MAXVALUE") != NULL;
	}
	return begins && ends;
}

static char *
key_text_of(const Division *division, Oid relation)
{
	AsOwner		before;
	char	   *key;

	owner_begin(division->likeness->set->owner, &before);
	key = TextDatumGetCString(OidFunctionCall1(F_PG_GET_PARTKEYDEF, ObjectIdGetDatum(relation)));
	owner_end(&before);
	return key;
}

/* The partition before the model that is divided by the same key; InvalidOid: none. */
static Oid
find_sibling(const Division *division)
{
	const PartitionSet *set = division->likeness->set;
	Oid			model = RelationGetRelid(division->model);
	int			index;
	Oid			sibling;

	if (!find_model_range(division, &index) || set->partitions[index] != model || index == 0)
		return InvalidOid;
	sibling = set->partitions[index - 1];
	if (get_rel_relkind(sibling) != RELKIND_PARTITIONED_TABLE ||
		strcmp(key_text_of(division, model), key_text_of(division, sibling)) != 0)
		return InvalidOid;
	return sibling;
}

/* Do the ranges of another column of time lie about where the model's do? */
static bool
lies_in_period(const Division *division)
{
	const PartitionSet *set = division->likeness->set;
	PartitionSet *sub;
	Range		near;
	int			index;

	if (division->key->strategy != PARTITION_STRATEGY_RANGE || division->key->partnatts != 1 ||
		division->key->partattrs[0] == 0 || !is_of_time(division->key->parttypid[0]) ||
		!key_is_calendar(&set->key) || !find_model_range(division, &index) ||
		set->ranges[index].from <= RANGE_INFINITE_PAST || set->ranges[index].to >= RANGE_INFINITE_FUTURE)
		return false;
	near = set->ranges[index];
	near.from -= set->ranges[index].to - set->ranges[index].from;
	near.to += set->ranges[index].to - set->ranges[index].from;
	sub = read_sub_set(division);
	for (int i = 0; i < sub->count; i++)
	{
		if (sub->ranges[i].from < near.from || sub->ranges[i].to > near.to)
			return false;
	}
	return sub->count > 0;
}

/* Are the model's partitions for its own range, so that no other can have them? */
static bool
follows_period(const Division *division)
{
	List	   *bounds = bounds_of(division, division->children);
	bool		by_expression;
	Oid			sibling;

	if (division->key->strategy == PARTITION_STRATEGY_HASH)
		return false;
	by_expression = is_divided_by_expression(division);
	if (is_complete(bounds))
		return by_expression && is_of_time(division->key->parttypid[0]) && list_length(bounds) > 1;
	sibling = find_sibling(division);
	if (OidIsValid(sibling))
		return list_intersection(bounds, bounds_of(division, find_inheritance_children(sibling, NoLock))) == NIL;
	return by_expression || lies_in_period(division);
}

static void
copy_bounds(Division *division)
{
	ListCell   *cell;

	foreach(cell, division->children)
	{
		Oid			child = lfirst_oid(cell);

		if (get_rel_name(child) != NULL)
			create_sub_partition(division, child, sub_name(division, child), division->range,
								 likeness_bound_text(division->likeness->set->owner, child));
	}
}

void
likeness_sub_partitions(Likeness *likeness, const char *name, const char *quoted, const Range *range)
{
	Relation	model = relation_open(likeness->model, AccessShareLock);
	Division	division = {likeness, model, RelationGetPartitionKey(model), name, quoted, range, NIL, 0};
	PartitionSet *sub = is_divided_by_key(&division) ? read_sub_set(&division) : NULL;

	division.children = find_inheritance_children(likeness->model, AccessShareLock);
	if (sub != NULL && sub->count > 0)
		cut_range(&division, sub);
	else if (sub == NULL && follows_period(&division))
	{
		create_sub_partition(&division, llast_oid(division.children), numbered_name(&division), range, "DEFAULT");
		if (likeness->remark == NULL)
			likeness->remark = psprintf("not divided as \"%s\", whose partitions are for its own period", RelationGetRelationName(model));
	}
	else
		copy_bounds(&division);
	relation_close(model, NoLock);
}
