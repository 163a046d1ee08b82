/*-------------------------------------------------------------------------
 *
 * likeness_extras.h
 *		What CREATE TABLE (LIKE ...) leaves out.
 *
 * src/partition/likeness_extras.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_LIKENESS_EXTRAS_H
#define DBMAINT_LIKENESS_EXTRAS_H

#include "partition/likeness.h"

/*
 * Gives the new table what the model has: privileges, statistics targets,
 * options of columns, row security and its policies, replica identity, comment
 * and publications.
 */
extern void likeness_extras(Likeness *likeness, Relation model, Oid table,
							const char *quoted);

/* The name of the new table's index that is like one of the model; NULL: none is. */
extern char *likeness_find_index(Relation model, Oid model_index, Oid table);

/* likeness_statistics.c: targets of extended statistics and of index columns. */
extern void likeness_statistics(Oid owner, Relation model, Oid table);

/* The bound of a partition as ATTACH PARTITION wants it, by the owner given. */
extern char *likeness_bound_text(Oid owner, Oid partition);

#endif							/* DBMAINT_LIKENESS_EXTRAS_H */
