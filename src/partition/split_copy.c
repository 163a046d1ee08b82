/*-------------------------------------------------------------------------
 *
 * split_copy.c
 *		The rows of a partition that is divided: the copy, and what changes
 *		meanwhile.
 *
 * That no row is lost is not believed of the indexes of the partition, which
 * may be damaged.  A row that nobody changed since the notes began is copied
 * with its page; it differs from all others in what is unique, or that is an
 * error.  One that was changed is not copied with its page, but when its note
 * is followed.  And there is a sum of what the partition has and the copy has
 * not, which must be 0 in the end, when nobody writes.
 *
 * The rows that a page had when the notes began are those that are seen on it
 * later, without the versions that changes made there, and with those that
 * changes ended there.  To all of them come as many rows as changes made more
 * than they ended.  So each batch adds to the sum the rows that it left out,
 * those ended less those made on its pages until then; and each pass adds the
 * versions made less those ended, less what the copy has more for it.
 *
 * src/partition/split_copy.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "partition/capture.h"
#include "partition/owner.h"
#include "partition/set.h"
#include "partition/split.h"
#include "utils/guc.h"

static char *
in_pages(const char *place, BlockNumber from, BlockNumber to)
{
	return psprintf("%1$s >= '(%2$u,0)'::pg_catalog.tid AND %1$s < '(%3$u,0)'::pg_catalog.tid", place, from, to);
}

/* Whatever the planner believes of tables that are new, without these ways. */
static uint64
run_without(const Split *split, const char *const *ways, size_t count, const char *sql)
{
	AsOwner		before;
	uint64		rows;

	owner_begin(split->set->owner, &before);
	for (size_t i = 0; i < count; i++)
		(void) set_config_option(ways[i], "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	rows = owner_run(split->set->owner, sql);
	owner_end(&before);
	return rows;
}

static uint64
run_by_index(const Split *split, const char *sql)
{
	static const char *const ways[] = {"enable_seqscan", "enable_hashjoin", "enable_mergejoin"};

	return run_without(split, ways, lengthof(ways), sql);
}

/*
 * All in one statement, which sees one state of the rows and of their changes.
 */
uint64
split_copy(const Split *split, BlockNumber from, BlockNumber to)
{
	static const char *const ways[] = {"enable_nestloop"};
	StringInfoData sql;

	split_require_shape(split);
	split_require_room(split, from);
	initStringInfo(&sql);
	appendStringInfo(&sql, "WITH changes AS MATERIALIZED (SELECT n." CAPTURE_MADE " AS place, 1 AS rows FROM %s AS n WHERE %s",
					 split->notes, in_pages("n." CAPTURE_MADE, from, to));
	appendStringInfo(&sql, " UNION ALL SELECT n." CAPTURE_ENDED ", -1 FROM %s AS n WHERE %s",
					 split->notes, in_pages("n." CAPTURE_ENDED, from, to));
	appendStringInfo(&sql, " UNION ALL SELECT s.place, s.rows FROM %s AS s WHERE %s),",
					 split->sums, in_pages("s.place", from, to));
	appendStringInfo(&sql, " summed AS (INSERT INTO %s (rows) SELECT (SELECT pg_catalog.count(*) FROM ONLY %s AS r"
					 " WHERE r.ctid = ANY (ARRAY(SELECT DISTINCT c.place FROM changes AS c WHERE c.rows > 0)))"
					 " - coalesce((SELECT pg_catalog.sum(c.rows) FROM changes AS c), 0))",
					 split->sums, split->quoted);
	appendStringInfo(&sql, " INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM ONLY %s AS r WHERE %s"
					 " AND NOT EXISTS (SELECT FROM changes AS c WHERE c.rows > 0 AND c.place = r.ctid)",
					 split->staging, split->written, split->written, split->quoted, in_pages("r.ctid", from, to));
	return run_without(split, ways, lengthof(ways), sql.data);
}

/* What was followed; its places are kept for the pages that are copied later. */
static void
sum_followed(const Split *split, uint64 gone, uint64 come)
{
	owner_run(split->set->owner,
			  psprintf("INSERT INTO %s (rows) SELECT pg_catalog.count(n." CAPTURE_MADE ") - pg_catalog.count(n." CAPTURE_ENDED ") - (" INT64_FORMAT ")"
					   " FROM %s AS n WHERE n." CAPTURE_TAKEN,
					   split->sums, (int64) come - (int64) gone, split->notes));
	if (split->copied < split->pages)
		owner_run(split->set->owner,
				  psprintf("INSERT INTO %1$s (place, rows) SELECT n." CAPTURE_MADE ", 1 FROM %2$s AS n WHERE n." CAPTURE_TAKEN " AND %3$s"
						   " UNION ALL SELECT n." CAPTURE_ENDED ", -1 FROM %2$s AS n WHERE n." CAPTURE_TAKEN " AND %4$s",
						   split->sums, split->notes, in_pages("n." CAPTURE_MADE, split->copied, split->pages),
						   in_pages("n." CAPTURE_ENDED, split->copied, split->pages)));
}

/*
 * A note that is committed after the first statement is left for another time,
 * so that a row which the third one sees in a later state is copied again.  Two
 * rows that exchanged a unique value in between do the same: the one that finds
 * it taken is noted.  When all stand still, last, none can find it taken.
 *
 * A row of several notes is told by where it lies: what identifies it may have
 * more than one idea of what is equal.
 */
static uint64
follow(const Split *split, bool last)
{
	char	   *written = set_written_columns(split->partition, "r.");
	Oid			owner = split->set->owner;
	uint64		count;
	uint64		gone;
	uint64		come;

	capture_check(owner, split->partition, split->notes, split->identity);
	count = owner_run(owner, psprintf("UPDATE %s SET " CAPTURE_TAKEN " = true WHERE NOT " CAPTURE_TAKEN, split->notes));
	if (count == 0)
		return 0;
	gone = run_by_index(split, psprintf("DELETE FROM %s AS r USING %s AS n WHERE n." CAPTURE_TAKEN " AND %s", split->staging, split->notes, split->join));
	come = run_by_index(split, psprintf("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT DISTINCT ON (r.ctid) %s"
										" FROM %s AS n JOIN ONLY %s AS r ON %s WHERE n." CAPTURE_TAKEN "%s",
										split->staging, split->written, written, split->notes, split->quoted, split->join,
										last ? "" : " ON CONFLICT DO NOTHING"));
	sum_followed(split, gone, come);
	owner_run(owner, psprintf("DELETE FROM %s WHERE " CAPTURE_TAKEN, split->notes));
	return count;
}

uint64
split_follow(const Split *split)
{
	split_require_shape(split);
	return follow(split, false);
}

static bool
many_notes(const Split *split)
{
	int64		count = 0;

	(void) owner_ask(split->set->owner, psprintf("SELECT pg_catalog.count(*) FROM (SELECT FROM %s LIMIT %d) AS n",
												 split->notes, split->most_notes + 1), &count);
	return count > split->most_notes;
}

/* Of rows that are the same in what is unique, one alone can be in the copy. */
static void
require_all(const Split *split)
{
	int64		missing = 0;

	(void) owner_ask(split->set->owner, psprintf("SELECT pg_catalog.sum(s.rows)::pg_catalog.int8 FROM %s AS s WHERE s.place IS NULL", split->sums), &missing);
	if (missing != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the copy of partition \"%s\" has not the rows that it has", set_relation_name(split->partition)),
				 errdetail("It has " INT64_FORMAT " rows more than the copy: a unique index of it is damaged.", missing),
				 errhint("REINDEX TABLE %s finds which one, and what is there twice. The copy is thrown away.", split->quoted)));
}

bool
split_follow_last(const Split *split)
{
	if (many_notes(split))
		return false;
	(void) follow(split, true);
	require_all(split);
	return true;
}
