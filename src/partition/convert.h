/*-------------------------------------------------------------------------
 *
 * convert.h
 *		Makes a plain table a partitioned one, online.
 *
 * The table becomes the first partition of a new one that takes its name.  It
 * has all rows before a bound that lies some time ahead, which a CHECK says
 * and which is looked through while all goes on; so the change itself is one
 * of the catalogs alone, under a lock that lasts some milliseconds.
 *
 * src/partition/convert.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_CONVERT_H
#define DBMAINT_CONVERT_H

#include "history/history.h"
#include "partition/set.h"
#include "utils/timestamp.h"

/* One of the statements of a conversion. */
typedef struct ConvertStatement
{
	Oid			run_as;
	char	   *text;
} ConvertStatement;

typedef struct Conversion
{
	Oid			table;
	const Extension *extension;
	Oid			caller;			/* with whose rights publications change */
	char	   *column;
	SetOptions	options;
	bool		unique_per_partition;
	int			window_ms;
	TimestampTz at;

	/* set by convert_look() */
	PartitionSet *set;			/* as it is going to be, without partitions */
	Range		range;			/* of the table */
	char	   *new_name;		/* of the table */
} Conversion;

/*
 * Raises an error where it cannot be done; else says how, in the current
 * memory context.
 */
extern void convert_look(Conversion *conversion);

/* The statements of each step; those of the change are in *statements. */
extern char *convert_check_statement(const Conversion *conversion);
extern char *convert_validate_statement(const Conversion *conversion);
extern int	convert_statements(const Conversion *conversion, ConvertStatement **statements);

/*
 * Each in a transaction of its own.  While the CHECK is there, rows beyond the
 * bound are refused: convert_uncheck() drops it where nothing comes of it.
 */
#define CONVERT_CHECK_COMMENT "made by dbmaint_partition_table()"	/* also in convert.sql */
extern void convert_check(const Conversion *conversion);
extern void convert_validate(const Conversion *conversion);
extern void convert_swap(const Conversion *conversion);
extern void convert_uncheck(Oid table, int window_ms);

#endif							/* DBMAINT_CONVERT_H */
