/*-------------------------------------------------------------------------
 *
 * object.h
 *		The history of tables and indexes: what their statistics counted.
 *
 * Two collectors, "tables" and "indexes" (collect/collect.h has their
 * callbacks), write one row a snapshot, whose columns are lists: the objects
 * that changed, and by how much, one list a counter.  take.c does that for
 * both; indexes.c and tables.c say what is read of an object.
 *
 * An object is known by the oid of its relation, whatever file it has.  It gets
 * a small number of its own in the dictionary, the table dbmaint_objects, when
 * it is first seen with something counted or stored, and keeps it as long as
 * it is there.
 *
 * No relation is opened and no lock waited for: names and files come from a
 * walk over pg_class, counters straight from the cumulative statistics, sizes
 * from the file system.
 *
 * src/object/object.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_OBJECT_H
#define DBMAINT_OBJECT_H

#include "catalog/pg_class.h"
#include "collect/collect.h"

/* values of an object: a bit each in ObjectEntry.present */
#define OBJECT_VALUES_MAX 32

/* One object of a reading; the values that are not 0 follow. */
typedef struct ObjectEntry
{
	Oid			relation;
	int32		object_id;
	uint32		name_hash;		/* 0: its name is not in the dictionary */
	Oid			filenode;
	int32		pages;			/* by pg_class */
	Oid			table;			/* an index's, once it is named; else 0 */
	uint32		present;		/* which values follow */
	int64		values[FLEXIBLE_ARRAY_MEMBER];
} ObjectEntry;

/*
 * A kind of object.  Its values are first the counters, then the gauges, of
 * which the last ones are sizes in bytes.  Three follow that are not stored:
 * the time since when the counters count (0 where the server does not tell),
 * the rows written that may have made it grow, and those of them that had
 * been written when its size was looked at.
 */
#define OBJECT_HIDDEN_VALUES 3
typedef struct ObjectKind
{
	SnapshotKind snapshot;
	const char *letter;			/* in dbmaint_objects.kind */
	const char *table;			/* where the snapshots go */
	const char *const *columns; /* of the counters and gauges, in order */
	int			counters;
	int			gauges;
	int			sizes;			/* how many of the gauges are */
	int			toast_from;		/* counters of the TOAST table, */
	int			toast_counters; /* which has statistics of its own */
	bool		inherits;		/* REINDEX CONCURRENTLY hands counters on */
	/* Is the relation one of this kind?  Its schema is looked at elsewhere. */
	bool		(*includes) (Form_pg_class form);
	/* Reads the counters, and the gauges that are no sizes; zeroes are set. */
	void		(*read) (Form_pg_class form, int64 *values,
						 TimestampTz *counted_since);
	/* How many rows were written so far that may have made it grow? */
	int64		(*written) (const ObjectEntry *entry, const int64 *values);
} ObjectKind;

/* A reading begins so, and goes on with its entries. */
typedef struct ReadingHeader
{
	TimestampTz at;
	TimestampTz database_reset; /* of the statistics; 0: never */
	int32		next_object_id;
	int32		count;
} ReadingHeader;

/* A reading being made. */
typedef struct Reading
{
	char	   *data;			/* begins with a ReadingHeader */
	Size		used;
	Size		room;
} Reading;

/* A reading of the time before, to find objects in. */
typedef struct ReadingIndex
{
	char	   *data;			/* NULL: there is none */
	Size		size;
	Size		cursor;			/* where the next object probably is */
	struct EntryPlace *places;	/* by oid, once the cursor was wrong */
	int			place_count;
	struct NamePlace *names;	/* by name, once one was asked for */
} ReadingIndex;

/* reading.c: knows no catalog and no statistics */
extern void object_reading_begin(Reading *reading, Size expected);
extern ReadingHeader *object_reading_header(const Reading *reading);

/*
 * Appends an entry with the values; those of `forced` follow even if they are
 * 0.  Returns its offset, which stays valid while the reading grows.
 */
extern Size object_reading_append(Reading *reading, const ObjectEntry *entry,
								  const int64 *values, int count, uint32 forced);
extern ObjectEntry *object_reading_entry(const char *data, Size offset);
extern Size object_reading_next(const char *data, Size offset);

/* Spreads the entry's values, zeroes and all. */
extern void entry_values(const ObjectEntry *entry, int64 *values, int count);

/* Sets a value that is present. */
extern void entry_set(ObjectEntry *entry, int value, int64 to);

extern void object_reading_index(ReadingIndex *index, char *data, Size size);

/*
 * Finds an object, and takes it out: what is found twice is not there the
 * second time.  Returns its offset, 0 if it is not there.
 */
extern Size object_reading_take(ReadingIndex *index, Oid relation);

/*
 * Finds the object that had the name, taken out or not.  Returns its offset, 0
 * if there is none.
 */
extern Size object_reading_named(ReadingIndex *index, uint32 name_hash);

/* Was the entry taken out? */
#define entry_was_taken(entry) (!OidIsValid((entry)->relation))

/* relation_file.c */

/*
 * Returns the size of a relation's main fork in bytes, by its files: 0 where
 * there are none.  Takes no lock.
 */
extern int64 relation_file_bytes(Oid tablespace, Oid filenode);

/*
 * As pg_total_relation_size(), of a table that is open and locked: all forks,
 * with its TOAST table and indexes.  Locks nothing more.
 */
extern int64 relation_total_bytes(Relation rel);

/* take.c: the two collectors' work, inside a step */
extern void object_take_snapshot(const ObjectKind *kind,
								 Collection *collection);

#endif							/* DBMAINT_OBJECT_H */
