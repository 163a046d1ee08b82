/*-------------------------------------------------------------------------
 *
 * key.h
 *		The keys by which tables are partitioned, as numbers of a grid.
 *
 * src/partition/key.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_KEY_H
#define DBMAINT_KEY_H

#include "partition/grid.h"
#include "pgtime.h"

typedef enum KeyKind
{
	KEY_TIMESTAMPTZ,
	KEY_TIMESTAMP,
	KEY_DATE,
	KEY_INTEGER,				/* smallint, integer or bigint: plain numbers */
	KEY_SECONDS,				/* since 1970, in an integer or bigint */
	KEY_MILLISECONDS,			/* since 1970, in a bigint */
	KEY_UUID7					/* a UUID that begins with milliseconds since
								 * 1970 */
} KeyKind;

/* Bounds at an infinity of time, which are none without an end. */
#define RANGE_INFINITE_PAST (RANGE_MINVALUE + 1)
#define RANGE_INFINITE_FUTURE (RANGE_MAXVALUE - 1)

#define UUID_TIME_BYTES 6
#define UUID_TAIL_BYTES 10

typedef struct Key
{
	KeyKind		kind;
	Oid			type;
	/* what follows the time in a UUID that is a bound */
	uint8		uuid_tail[UUID_TAIL_BYTES];
} Key;

/* The kind of a column's type; integers are plain numbers. False if none is. */
extern bool key_of_type(Oid type, Key *key);

/* A calendar orders its values; else they are plain numbers. */
extern bool key_is_calendar(const Key *key);

/* Its values are instants, so that the calendar needs a time zone. */
extern bool key_is_instant(const Key *key);

/*
 * The value of a bound.  What lies beyond the numbers' range is infinite:
 * RANGE_MINVALUE or RANGE_MAXVALUE.
 */
extern int64 key_value(const Key *key, Datum datum);

/* The key as it stands in the table, of a kind that is a number. */
extern int64 key_number(const Key *key, int64 value);

/* False where the key cannot have the value: a date within a day, say. */
extern bool key_can_have(const Key *key, int64 value);

/* For people, instants in the zone; NULL for RANGE_MINVALUE and RANGE_MAXVALUE. */
extern char *key_text(const Key *key, int64 value, pg_tz *zone);

/* A literal for SQL that no setting changes the meaning of. */
extern char *key_literal(const Key *key, int64 value);

/* The calendar of a time zone, or of local times where zone is NULL. */
extern Calendar *key_calendar(pg_tz *zone);

#endif							/* DBMAINT_KEY_H */
