/*-------------------------------------------------------------------------
 *
 * command.h
 *		The commands that PgBouncer may be sent: pure, no server, no libpq.
 *
 * src/pool/command.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_COMMAND_H
#define DBMAINT_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

typedef enum CommandFault
{
	COMMAND_FINE,
	COMMAND_UNKNOWN,			/* no such command */
	COMMAND_TARGET_MISSING,		/* SET needs a setting */
	COMMAND_TARGET_UNWANTED,	/* RELOAD takes nothing */
	COMMAND_TARGET_BAD,			/* not a name that PgBouncer could have */
	COMMAND_SETTING_UNKNOWN,	/* not one of those that may be set */
	COMMAND_VALUE_MISSING,
	COMMAND_VALUE_UNWANTED,
	COMMAND_VALUE_BAD
} CommandFault;

/* Those that may be set, to be named in a hint. */
extern const char *pool_settable(int index);	/* NULL: no more */

/*
 * Writes the statement for the command.  target is a database for PAUSE and
 * RESUME (NULL: all of them), a setting for SET; value is that one's.
 */
extern CommandFault pool_build_command(const char *command, const char *target,
									   const char *value, char *statement,
									   size_t size);

/* Does the command wait for clients to finish, and must be undone if it fails? */
extern bool pool_command_waits(const char *command);

#endif							/* DBMAINT_COMMAND_H */
