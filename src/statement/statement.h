/*-------------------------------------------------------------------------
 *
 * statement.h
 *		The history of statements: what pg_stat_statements counts, as the
 *		increases from one snapshot to the next.
 *
 * A snapshot reads pg_stat_statements without texts, subtracts the reading
 * before, and writes one row: the ids of the statements that changed, in
 * ascending order, and one list for each counter.  The parts:
 *
 *		source		finds the function of the installed extension and reads it
 *		source_text	reads the texts of statements
 *		reading		one reading in memory, and what changed since another
 *		query_text	a text's white space and comments; pure, in query_text.h
 *		kept_text	its encoding and length
 *		snapshot_statements	one turn: reads, writes the row
 *		identity	gives each statement a number, and keeps its text
 *		totals		reads the rows back
 *		explain		looks at a text before it is explained
 *
 * Each value is a whole number.  Times are kept as microseconds since the
 * entry began, rounded once; so the increases, of which each is the
 * difference of two such totals, add up to the last of them exactly: the
 * remainder of a rounding is in the next increase.
 *
 * The standard deviation is kept as the square root d of the sum of squared
 * deviations from the interval's mean, in microseconds; that takes half the
 * digits of the sum.  With n calls of mean m, pg_stat_statements' own gives
 * the sum S = n * stddev^2, and of two disjoint sets
 *
 *		S = S1 + S2 + n1 * n2 / (n1 + n2) * (m1 - m2)^2
 *
 * which is solved for S2 when a snapshot is taken and applied again when
 * intervals are added up (Chan, Golub, LeVeque 1979).
 *
 * A minimum and a maximum of the interval are known only where they changed,
 * or where the entry began in it; else they are 0.  One below a microsecond
 * is stored as 1.
 *
 * src/statement/statement.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_STATEMENT_H
#define DBMAINT_STATEMENT_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

/* The counters, in the order of statement.def. */
typedef enum CounterId
{
#define COUNTER(name, kind, column, old_column, number, total) \
	COUNTER_ID_##name,
#include "statement/statement.def"
#undef COUNTER
	COUNTER_COUNT
} CounterId;

StaticAssertDecl(COUNTER_COUNT <= 63, "a set of counters must fit into a bigint");

typedef enum CounterKind
{
	COUNTER_NUMBER,
	COUNTER_TIME,				/* milliseconds there, microseconds here */
	COUNTER_MIN,				/* gauges of what each execution took */
	COUNTER_MAX,
	COUNTER_DEVIATION
} CounterKind;

typedef struct CounterInfo
{
	const char *name;			/* the column of our table */
	CounterKind kind;
	const char *column;			/* that of pg_stat_statements */
	const char *old_column;		/* its name before 1.11, or NULL */
	CounterId	number;			/* gauges: of how many executions */
	CounterId	total;			/* gauges: what these took together */
} CounterInfo;

extern const CounterInfo counters[COUNTER_COUNT];

/* A set of counters, as bits. */
typedef uint64 CounterSet;

#define COUNTER_BIT(counter) (UINT64CONST(1) << (counter))

/* ---- reading ---- */

typedef struct StatementKey
{
	Oid			user_oid;
	Oid			database_oid;
	int64		query_id;
	int32		toplevel;
	int32		padding;		/* keys are compared as bytes */
} StatementKey;

/*
 * One statement of a reading.  Only values that are not zero are kept: those
 * of the set, in the order of the counters.  A deviation is kept as the sum of
 * squared deviations, the bits of a double.
 */
typedef struct StatementEntry
{
	StatementKey key;
	TimestampTz since;			/* its stats_since; 0 before 1.11 */
	CounterSet	set;
	uint32		first_value;	/* of one that is unchanged: in the reading
								 * before, until it is flattened */
	uint32		old;			/* place in the reading before, from 1 on; 0:
								 * new */
	bool		unchanged;		/* since then */
	int32		statement_id;	/* 0: it has none yet */
	int32		used_on;		/* day on which its use was noted last */
} StatementEntry;

/* A reading, in one piece of memory after statement_reading_write(). */
typedef struct StatementReading
{
	TimestampTz at;
	TimestampTz reset_at;		/* pg_stat_statements_info.stats_reset; 0:
								 * unknown */
	int64		evictions;		/* pg_stat_statements_info.dealloc, before
								 * reading */
	int64		evictions_after;	/* and after */
	CounterSet	known;			/* counters that it has */
	bool		has_since;		/* stats_since, too */
	bool		texts_missing;	/* texts could not be read */
	uint32		entry_count;
	uint32		value_count;	/* its own */
	uint32		shared_count;	/* and those it shares with the one before */
	uint32		bucket_count;	/* a power of two */
	StatementEntry *entries;
	int64	   *values;
	uint32	   *buckets;		/* entry + 1 by hash of the key; 0: free */
	uint32		entry_room;
	uint32		value_room;
} StatementReading;

/* What changed from one reading to the next. */
typedef struct StatementChange
{
	uint32		entry;			/* of the newer reading */
	CounterSet	set;			/* of increases, as in StatementEntry */
	uint32		first_value;
} StatementChange;

typedef struct StatementChanges
{
	StatementChange *changes;
	uint32		count;
	int64	   *values;
	uint32		value_count;
	int32		restarted;		/* entries that began anew meanwhile */
	int32		vanished;		/* entries that are no more */
	CounterSet	known;			/* counters whose increases are known */
	bool		incomplete;		/* something that ran is not counted */
} StatementChanges;

/* Begin a reading, with room for what the one before (or NULL) had. */
extern StatementReading *statement_reading_begin(const StatementReading *before);

/*
 * Return the place of a key, from 1 on; 0 if it is not there.  *last is where
 * the previous call found one; it begins as 0.
 */
extern uint32 statement_reading_find(const StatementReading *reading,
									 const StatementKey *key, uint32 *last);

/* Return the value of a counter of an entry. */
extern int64 statement_reading_value(const StatementReading *reading,
									 const StatementEntry *entry, CounterId counter);

/*
 * Append an entry that was at the place old in the reading before; values has
 * those of the set, in order.  The other one appends it unchanged.
 */
extern void statement_reading_append(StatementReading *reading,
									 const StatementReading *before, uint32 old,
									 const StatementKey *key, TimestampTz since,
									 CounterSet set, const int64 *values);
extern void statement_reading_append_unchanged(StatementReading *reading,
											   const StatementReading *before,
											   uint32 old);

/*
 * What changed from before, which may be NULL, to now, which was read with it
 * at hand.  Of an entry that was not there everything counts, since it counted
 * nothing then; one that began anew counts from its new beginning.
 */
extern StatementChanges *statement_reading_compare(const StatementReading *before,
												   const StatementReading *now);

/*
 * Put the reading into one piece of memory of the given size, without
 * pointers; and use one where it is.
 */
extern Size statement_reading_size(const StatementReading *reading);
extern void statement_reading_write(const StatementReading *reading,
									const StatementReading *before, void *flat);
extern StatementReading *statement_reading_restore(const void *flat, Size size);

/* ---- source ---- */

/*
 * Read pg_stat_statements.  NULL where it is not installed in this database,
 * or not preloaded.  Raises an error where it is too old (before 1.9).  What
 * did not run since the reading before (or NULL) is taken over from there.
 */
extern StatementReading *source_read(TimestampTz at,
									 const StatementReading *before);

/* The text of a statement: of the one that is at this place in a list. */
typedef struct StatementText
{
	StatementKey key;
	char	   *text;			/* NULL: not found */
	bool		truncated;
} StatementText;

/*
 * Fill in the texts of the statements.  Loads all texts that the server has,
 * and keeps those asked for.  Returns false, and leaves them NULL, where that
 * would be too much.
 */
extern bool source_read_texts(StatementText *texts, int count);

/*
 * Return the whole text of a statement that ran in the database, one that the
 * current user may see; NULL where there is none.
 */
extern char *source_find_text(Oid database_oid, int64 query_id);

/* ---- kept_text ---- */

#define QUERY_TEXT_MAX 8192		/* bytes that are kept of a text */

/*
 * Make what is kept of a text, in the database's encoding: from any bytes,
 * said to be in the encoding.  Characters that are not valid or have no
 * equivalent become question marks.
 */
extern char *query_text_keep(const char *bytes, size_t length, int encoding,
							 bool *truncated);

/* ---- identity ---- */

struct Extension;

/*
 * Give each of the entries its statement_id, for a snapshot at the time.
 * Keeps the texts of those that had none; sets reading->texts_missing where
 * that was not possible, and tries again at the next snapshot (again).
 */
extern void identity_assign(const struct Extension *extension,
							StatementReading *reading,
							StatementEntry **entries, int count, bool again);

#endif							/* DBMAINT_STATEMENT_H */
