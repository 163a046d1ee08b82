/*-------------------------------------------------------------------------
 *
 * exclude.c
 *		The CHECK on a default partition that excludes rows of new partitions.
 *
 * src/partition/exclude.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_constraint.h"
#include "commands/comment.h"
#include "partition/exclude.h"
#include "partition/owner.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#define EXCLUDING_CHECK "dbmaint_excluded_ranges"

/* The comment that marks it; the ranges follow, as numbers of the grid. */
#define EXCLUDING_COMMENT "dbmaint excludes rows of partitions that are being made: "

/* Reads the ranges of a comment. */
static void
read_ranges(const char *text, Excluded *excluded)
{
	long long	from;
	long long	to;
	int			length;
	int			room = 1;

	for (const char *c = text; *c != '\0'; c++)
		room += *c == ',';
	excluded->ranges = palloc_array(Range, room);
	excluded->count = 0;
	while (excluded->count < room && sscanf(text, "%lld to %lld%n", &from, &to, &length) == 2)
	{
		excluded->ranges[excluded->count++] = (Range)
		{
			from, to
		};
		text += length;
		if (text[0] != ',')
			break;
		text++;
	}
}

static bool
read_constraint(HeapTuple tuple, Excluded *excluded)
{
	Form_pg_constraint constraint = (Form_pg_constraint) GETSTRUCT(tuple);
	char	   *comment;

	if (constraint->contype != CONSTRAINT_CHECK ||
		strncmp(NameStr(constraint->conname), EXCLUDING_CHECK, strlen(EXCLUDING_CHECK)) != 0)
		return false;
	comment = GetComment(constraint->oid, ConstraintRelationId, 0);
	if (comment == NULL || strncmp(comment, EXCLUDING_COMMENT, strlen(EXCLUDING_COMMENT)) != 0)
		return false;
	excluded->constraint = pstrdup(NameStr(constraint->conname));
	excluded->validated = constraint->convalidated;
	read_ranges(comment + strlen(EXCLUDING_COMMENT), excluded);
	return true;
}

bool
exclude_find(const PartitionSet *set, Excluded *excluded)
{
	Relation	constraints;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	memset(excluded, 0, sizeof(*excluded));
	if (!OidIsValid(set->default_partition))
		return false;
	constraints = table_open(ConstraintRelationId, AccessShareLock);
	ScanKeyInit(&key, Anum_pg_constraint_conrelid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(set->default_partition));
	scan = systable_beginscan(constraints, ConstraintRelidTypidNameIndexId, true, NULL, 1, &key);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
		found = read_constraint(tuple, excluded);
	systable_endscan(scan);
	table_close(constraints, AccessShareLock);
	return found;
}

bool
exclude_covers(const Excluded *excluded, const Range *range)
{
	for (int i = 0; excluded->validated && i < excluded->count; i++)
	{
		if (excluded->ranges[i].from <= range->from && range->to <= excluded->ranges[i].to)
			return true;
	}
	return false;
}

/* A name that no constraint of the default partition has. */
static char *
free_name(const PartitionSet *set)
{
	char	   *name = EXCLUDING_CHECK;

	for (int i = 1; OidIsValid(get_relation_constraint_oid(set->default_partition, name, true)); i++)
		name = psprintf(EXCLUDING_CHECK "_%d", i);
	return name;
}

/* Ranges in their order, of which those that touch are one. */
static int
merge(const Range *ranges, int count, Range *merged)
{
	int			last = -1;

	for (int i = 0; i < count; i++)
	{
		if (last >= 0 && merged[last].to == ranges[i].from)
			merged[last].to = ranges[i].to;
		else
			merged[++last] = ranges[i];
	}
	return last + 1;
}

void
exclude_add(const PartitionSet *set, const Range *ranges, int count, bool not_valid,
			Excluded *excluded)
{
	StringInfoData check;
	StringInfoData comment;

	excluded->constraint = free_name(set);
	excluded->validated = !not_valid;
	excluded->ranges = palloc_array(Range, count);
	excluded->count = merge(ranges, count, excluded->ranges);
	initStringInfo(&check);
	initStringInfo(&comment);
	appendStringInfoString(&comment, EXCLUDING_COMMENT);
	for (int i = 0; i < excluded->count; i++)
	{
		const Range *range = &excluded->ranges[i];

		appendStringInfo(&check, "%s(%s)", i == 0 ? "" : " AND ", set_outside(set, range));
		appendStringInfo(&comment, "%s%lld to %lld", i == 0 ? "" : ", ", (long long) range->from, (long long) range->to);
	}
	owner_run(set->owner, psprintf("ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s)%s", set_quoted_name(set->default_partition),
								   excluded->constraint, check.data, not_valid ? " NOT VALID" : ""));
	CreateComments(get_relation_constraint_oid(set->default_partition, excluded->constraint, false),
				   ConstraintRelationId, 0, comment.data);
	CommandCounterIncrement();
}

void
exclude_drop(const PartitionSet *set, const Excluded *excluded)
{
	owner_run(set->owner, psprintf("ALTER TABLE %s DROP CONSTRAINT %s", set_quoted_name(set->default_partition),
								   quote_identifier(excluded->constraint)));
}

void
exclude_validate(const PartitionSet *set, const Excluded *excluded)
{
	owner_run(set->owner, psprintf("ALTER TABLE %s VALIDATE CONSTRAINT %s", set_quoted_name(set->default_partition),
								   quote_identifier(excluded->constraint)));
}
