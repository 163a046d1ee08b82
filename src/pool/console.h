/*-------------------------------------------------------------------------
 *
 * console.h
 *		PgBouncer's admin console, spoken to without waiting.
 *
 * The library dbmaint_pool has the implementation, with libpq, and is loaded
 * by the process that needs it; this header is what the two agree on.  A
 * console is made of malloc'd memory alone and raises no error, so that a
 * sampler may hold one between its rounds and advance it outside of a
 * transaction.
 *
 * An exchange is a list of statements.  Whoever runs one calls advance() when
 * the descriptor of wait_for() is ready, until it no longer says
 * CONSOLE_WORKING, and give_up() when he has waited for long enough.  The
 * connection stays open for the next exchange; one that was cut meanwhile is
 * made anew once.
 *
 * src/pool/console.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_CONSOLE_H
#define DBMAINT_CONSOLE_H

#include "pool/answer.h"
#include "pool/reason.h"

/* of both: a library that was replaced under a running server is refused */
#define CONSOLE_API_VERSION 1

#define CONSOLE_STATEMENTS 4
#define CONSOLE_STATEMENT_LENGTH 512

/* an answer may have so many rows, and so many bytes */
#define CONSOLE_MAX_ROWS 10000
#define CONSOLE_MAX_BYTES (4 * 1024 * 1024)

typedef enum ConsoleState
{
	CONSOLE_IDLE,				/* no exchange was begun */
	CONSOLE_WORKING,
	CONSOLE_DONE,
	CONSOLE_FAILED
} ConsoleState;

typedef struct ConsoleLink ConsoleLink; /* the library's */

typedef struct Console
{
	ConsoleState state;
	PoolTrouble trouble;		/* if it failed */
	int			count;
	char		statements[CONSOLE_STATEMENTS][CONSOLE_STATEMENT_LENGTH];
	PoolTable	answers[CONSOLE_STATEMENTS];	/* until the next exchange */
	char		tags[CONSOLE_STATEMENTS][64];	/* the commands' */
	char		version[64];	/* of PgBouncer; empty if unknown */
	ConsoleLink *link;
} Console;

typedef struct ConsoleApi
{
	int			version;
	/* Makes a console; NULL for want of memory.  Nothing is sent yet. */
	Console    *(*open) (const char *conninfo);
	void		(*close) (Console *console);
	/* Begins an exchange, with the statements that are set. */
	void		(*begin) (Console *console);
	void		(*advance) (Console *console);
	/* What to wait for: WL_SOCKET_READABLE or WL_SOCKET_WRITEABLE. */
	int			(*wait_for) (const Console *console, int *descriptor);
	/* Ends an exchange that takes too long, and the connection with it. */
	void		(*give_up) (Console *console);
} ConsoleApi;

/* The library's only entry point. */
typedef const ConsoleApi *(*ConsoleApiFunction) (void);

#endif							/* DBMAINT_CONSOLE_H */
