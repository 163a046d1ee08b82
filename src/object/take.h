/*-------------------------------------------------------------------------
 *
 * take.h
 *		A snapshot of objects being taken: what take.c reads and store.c
 *		writes.
 *
 * src/object/take.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_TAKE_H
#define DBMAINT_TAKE_H

#include "history/history.h"
#include "object/object.h"
#include "utils/hsearch.h"

/* An object that goes into the snapshot, or whose size may have changed. */
typedef struct Change
{
	int32		object_id;
	bool		stored;			/* goes into the snapshot */
	Oid			tablespace;
	Oid			toast;
	Size		now;			/* where it is in the new reading */
	Size		before;			/* and in the previous one; 0: not there */
	Size		predecessor;	/* whose name and counters it took over; 0:
								 * none */
	int64		unmeasured;		/* rows written since its size was known */
} Change;

/* Numbers that grow in a list. */
typedef struct Numbers
{
	Datum	   *items;
	int			count;
	int			room;
} Numbers;

typedef struct Taking
{
	const ObjectKind *kind;
	Collection *collection;
	Extension	extension;
	int			value_count;	/* counters, gauges, and hidden ones */
	int			sizes_from;		/* where in the values the sizes begin, */
	int			since;			/* and the hidden values are */
	int			written;
	int			measured;
	uint32		forced;			/* values that are kept even if they are 0 */

	ReadingIndex before;
	bool		fresh;			/* there is no previous reading */
	Reading		now;

	HTAB	   *spaces;
	const struct Space *space;	/* the one asked for last */
	Change	   *changes;
	int			change_count;
	int			change_room;
	struct ToastFile *toasts;
	int			toast_count;
	int			toast_room;
	Numbers		unnamed_ids;	/* to be written into the dictionary */
	Numbers		unnamed_oids;
	Numbers		unnamed_places; /* where they are in the new reading */
	int			restarts;		/* objects that began to count anew */
} Taking;

/* The header of the previous reading, or of what stands in for it. */
static inline const ReadingHeader *
previous_header(const Taking *taking)
{
	return (const ReadingHeader *) taking->before.data;
}

/* Appends to a list that is in the current memory context. */
extern void numbers_add(Numbers *numbers, Datum item);

/*
 * Makes a previous reading of the dictionary: it knows the objects, but not
 * what they had counted.
 */
extern void store_read_dictionary(Taking *taking);

/* Writes the snapshot.  Returns false if there is one of that time already. */
extern bool store_snapshot(Taking *taking);

/*
 * Writes new and changed names into the dictionary, and gets to know the
 * tables of indexes.  What was not found is looked for again the next time.
 */
extern void store_names(Taking *taking);

/* Notes in the dictionary what is no longer there. */
extern void store_gone(Taking *taking);

#endif							/* DBMAINT_TAKE_H */
