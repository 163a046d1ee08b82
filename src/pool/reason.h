/*-------------------------------------------------------------------------
 *
 * reason.h
 *		Why PgBouncer could not be read: pure, no server, no libpq.
 *
 * Told from how far the connection came and from the SQLSTATE, not from texts,
 * which may be in any language; PgBouncer's own texts are always in English.
 *
 * src/pool/reason.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_REASON_H
#define DBMAINT_REASON_H

#include <stdbool.h>
#include <stddef.h>

#define POOL_MESSAGE_LENGTH 256

/* How far it came. */
typedef enum PoolStage
{
	STAGE_CONNINFO,				/* reading the connection string */
	STAGE_RESOLVE,				/* looking the host up */
	STAGE_CONNECT,
	STAGE_TLS,
	STAGE_LOGIN,
	STAGE_VERSION,				/* is it PgBouncer at all? */
	STAGE_STATEMENT
} PoolStage;

/* What happened there. */
typedef struct PoolTrouble
{
	PoolStage	stage;
	bool		timed_out;
	bool		lost;			/* the connection was cut */
	bool		too_large;		/* the answer was, and not read to its end */
	bool		wants_password; /* and there is none */
	char		sqlstate[6];	/* of the other side; empty: none */
	char		message[POOL_MESSAGE_LENGTH];	/* one line */
} PoolTrouble;

typedef enum PoolReason
{
	POOL_NOT_TRIED,
	POOL_OK,
	POOL_BAD_CONNINFO,
	POOL_NO_LIBRARY,
	POOL_NO_HOST,
	POOL_UNREACHABLE,
	POOL_TIMEOUT,
	POOL_TLS,
	POOL_AUTHENTICATION,
	POOL_DENIED,
	POOL_FULL,
	POOL_NOT_PGBOUNCER,
	POOL_LOST,
	POOL_UNUSABLE,
	POOL_REASONS				/* how many there are */
} PoolReason;

/* Its name, for the state of dbmaint_status(). */
extern const char *pool_reason_name(PoolReason reason);

/* What to do about it: a sentence or two; "" where there is nothing to do. */
extern const char *pool_reason_advice(PoolReason reason);

extern PoolReason pool_reason(const PoolTrouble *trouble);

/*
 * Takes over a message, as libpq gives it with all details: its first line,
 * without control characters, and the SQLSTATE that stands in it.
 */
extern void pool_set_message(PoolTrouble *trouble, const char *text);

#endif							/* DBMAINT_REASON_H */
