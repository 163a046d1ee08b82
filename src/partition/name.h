/*-------------------------------------------------------------------------
 *
 * name.h
 *		The names of partitions: the pattern that existing ones follow, and
 *		names of at most 63 bytes made by it.
 *
 * Pure: no server.  How an encoding's characters are cut is asked through a
 * callback.  Names are as they stand in the catalog, not quoted.
 *
 * src/partition/name.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_NAME_H
#define DBMAINT_NAME_H

#include "partition/grid.h"

#define NAME_BYTES 63
#define NAME_MOST_PARTS 160

typedef enum NamePart
{
	NAME_LITERAL,				/* one byte */
	NAME_YEAR,					/* of four digits or more */
	NAME_YEAR_SHORT,			/* its last two */
	NAME_QUARTER,
	NAME_MONTH,
	NAME_MONTH_NAME,			/* jan, Jan or JAN */
	NAME_DAY,
	NAME_ISO_YEAR,
	NAME_ISO_WEEK,
	NAME_HOUR,
	NAME_MINUTE,
	NAME_SECOND,
	NAME_FROM,					/* the key itself, where it is a number */
	NAME_TO
} NamePart;

/* Of which moment of the range the date and time are. */
typedef enum NameMoment
{
	NAME_OF_BEGIN,
	NAME_OF_END,				/* which the range has not any more */
	NAME_OF_LAST				/* the last one it has */
} NameMoment;

#define NAME_MOMENTS (NAME_OF_LAST + 1)

typedef struct NamePattern
{
	NameMoment	moment;
	int			count;
	struct
	{
		NamePart	part;
		int			value;		/* a literal's byte, a number's digits, a
								 * month name's case */
	}			parts[NAME_MOST_PARTS];
} NamePattern;

/* What of a range goes into its name. */
typedef struct NameFields
{
	bool		is_calendar;
	int64_t		local;			/* of a calendar: when it begins, local time */
	int64_t		from;			/* as the key says it, where it is a number */
	int64_t		to;
	bool		is_number;
	int64_t		local_end;		/* of a calendar: when it ends, local time */
} NameFields;

/* The length to which a text of so many bytes is cut to have at most limit. */
typedef int (*NameClip) (const char *text, int length, int limit);

/*
 * Finds the pattern of the last of count names, oldest first, with the fields
 * of their ranges; others must follow it, one of them at least where there is
 * one, and it must tell the next range from the last.  That ranges are called
 * by their ends takes two names to say.  False if there is none.
 */
extern bool name_infer(const char *const *names, const NameFields *fields,
					   int count, const NameFields *next, NamePattern *pattern);

/* The pattern for a set that shows none: PARENT_2026_01 and the like. */
extern void name_default(const char *parent, const Period *period,
						 const NameFields *first, NamePattern *pattern);

/*
 * Makes a name, in NAME_BYTES + 1 bytes.  One that would be too long has its
 * beginning cut and a hash of the whole put in.
 */
extern void name_build(const NamePattern *pattern, const NameFields *fields,
					   NameClip clip, char *name);

/* The name with _NUMBER after it, where that without is taken. */
extern void name_number(const char *name, int number, NameClip clip, char *result);

#endif							/* DBMAINT_NAME_H */
