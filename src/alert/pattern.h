/*-------------------------------------------------------------------------
 *
 * pattern.h
 *		Which instances a rule is for.  Pure.
 *
 * In a pattern * stands for any characters, none included, and \ makes the
 * next one literal.  Bytes are compared, which is right in every encoding that
 * a database can have.
 *
 * src/alert/pattern.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_PATTERN_H
#define DBMAINT_PATTERN_H

#include <stdbool.h>

extern bool pattern_matches(const char *pattern, const char *text);

/*
 * Which of two patterns that match is the one to take?  The greater number:
 * one without a *, then the longer one.
 */
extern int	pattern_rank(const char *pattern);

#endif							/* DBMAINT_PATTERN_H */
