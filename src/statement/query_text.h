/*-------------------------------------------------------------------------
 *
 * query_text.h
 *	  The text of a statement on one line.
 *
 * Knows no server: no memory is allocated, nothing is raised.
 *
 * src/statement/query_text.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_QUERY_TEXT_H
#define DBMAINT_QUERY_TEXT_H

#include <stddef.h>

/*
 * Copy a statement to out, which has room for length bytes, without its line
 * comments, and with one space for each run of white space outside of quotes,
 * so that it still means the same.  Returns its length.
 *
 * The encoding is one that a server can have: there no byte of a longer
 * character is an ASCII one.
 */
extern size_t query_text_normalize(const char *query, size_t length, char *out);

/*
 * Take the string constants out of a normalized text, in its own memory, unless
 * it is one of a statement that has a plan: those of all others are as they
 * were sent, passwords and the bodies of DO included.  Each becomes '?', as does the value
 * of a setting in double quotes, and a comment a space, as it may be what was a
 * constant.  Returns the length.
 */
extern size_t query_text_hide(char *line, size_t length);

#endif							/* DBMAINT_QUERY_TEXT_H */
