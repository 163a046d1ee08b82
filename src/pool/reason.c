/*-------------------------------------------------------------------------
 *
 * reason.c
 *		Why PgBouncer could not be read: pure, no server, no libpq.
 *
 * src/pool/reason.c
 *
 *-------------------------------------------------------------------------
 */
#include "pool/reason.h"

#include <string.h>

static const struct
{
	const char *name;
	const char *advice;
}			reasons[POOL_REASONS] =

{
	[POOL_NOT_TRIED] = {"not read yet",
	"It is read by the sampler of the home database, every dbmaint.pool_interval."},
	[POOL_OK] = {"ok", ""},
	[POOL_BAD_CONNINFO] = {"bad connection string",
	"Mend dbmaint.pgbouncer_conninfo: keyword = value pairs or a URI, as libpq takes them."},
	[POOL_NO_LIBRARY] = {"library missing",
	"Install dbmaint_pool beside the library dbmaint, of the same version."},
	[POOL_NO_HOST] = {"host not found",
	"Look at the host in dbmaint.pgbouncer_conninfo and at name resolution on this server."},
	[POOL_UNREACHABLE] = {"unreachable",
	"Is PgBouncer running, and does it listen where dbmaint.pgbouncer_conninfo says? A firewall may be in the way."},
	[POOL_TIMEOUT] = {"no answer",
	"PgBouncer, or the network, hangs: look at its process and its log."},
	[POOL_TLS] = {"TLS failed",
	"Compare sslmode and sslrootcert of dbmaint.pgbouncer_conninfo with client_tls_sslmode and the certificate of PgBouncer."},
	[POOL_AUTHENTICATION] = {"authentication failed",
	"Look at user and password (passfile, service) of dbmaint.pgbouncer_conninfo, and at auth_file and auth_hba_file of PgBouncer."},
	[POOL_DENIED] = {"console access denied",
	"Put the user into stats_users (or admin_users, for dbmaint_pool_command) of PgBouncer."},
	[POOL_FULL] = {"no more connections",
	"PgBouncer has as many clients as max_client_conn allows: raise it, or find who keeps them."},
	[POOL_NOT_PGBOUNCER] = {"not a PgBouncer",
	"dbmaint.pgbouncer_conninfo leads to something else: it must name PgBouncer's own host and port (6432 by default)."},
	[POOL_LOST] = {"connection lost",
	"PgBouncer closed the connection: look at its log. It is tried again."},
	[POOL_UNUSABLE] = {"unusable answer",
	"What it answered is not what PgBouncer 1.17 to 1.26 answers."},
};

const char *
pool_reason_name(PoolReason reason)
{
	return reasons[reason].name;
}

const char *
pool_reason_advice(PoolReason reason)
{
	return reasons[reason].advice;
}

/* The other side said no: is it the password, the right, or the room? */
static PoolReason
login_reason(const PoolTrouble *trouble)
{
	static const struct
	{
		const char *sqlstate;	/* or its class */
		const char *text;
		PoolReason	reason;
	}			answers[] =
	{
		/* PgBouncer's, most of which have the same SQLSTATE */
		{"08P01", "not allowed", POOL_DENIED},
		{"08P01", "no more connections allowed", POOL_FULL},
		{"08P01", "SSL required", POOL_TLS},
		{"08P01", "TLS", POOL_TLS},
		{"28", "", POOL_AUTHENTICATION},
		{"08P01", "", POOL_AUTHENTICATION},
		/* a server's: no such database, no slot */
		{"3D000", "", POOL_NOT_PGBOUNCER},
		{"53", "", POOL_FULL},
	};

	/* "no more connections allowed" has both */
	if (strstr(trouble->message, "no more connections") != NULL)
		return POOL_FULL;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
	{
		if (strncmp(trouble->sqlstate, answers[i].sqlstate, strlen(answers[i].sqlstate)) == 0 &&
			strstr(trouble->message, answers[i].text) != NULL)
			return answers[i].reason;
	}
	if (trouble->wants_password)
		return POOL_AUTHENTICATION;
	return trouble->sqlstate[0] == '\0' ? POOL_LOST : POOL_AUTHENTICATION;
}

PoolReason
pool_reason(const PoolTrouble *trouble)
{
	if (trouble->timed_out)
		return POOL_TIMEOUT;
	switch (trouble->stage)
	{
		case STAGE_CONNINFO:
			return POOL_BAD_CONNINFO;
		case STAGE_RESOLVE:
			return POOL_NO_HOST;
		case STAGE_CONNECT:
			return POOL_UNREACHABLE;
		case STAGE_TLS:
			return POOL_TLS;
		case STAGE_LOGIN:
			return login_reason(trouble);
		case STAGE_VERSION:
			return trouble->lost ? POOL_LOST : POOL_NOT_PGBOUNCER;
		case STAGE_STATEMENT:
			break;
	}
	return trouble->lost ? POOL_LOST : POOL_UNUSABLE;
}

static bool
is_sqlstate(const char *text)
{
	for (int i = 0; i < 5; i++)
	{
		if (!(text[i] >= '0' && text[i] <= '9') && !(text[i] >= 'A' && text[i] <= 'Z'))
			return false;
	}
	return text[5] == ':' && text[6] == ' ';
}

void
pool_set_message(PoolTrouble *trouble, const char *text)
{
	size_t		used = 0;
	const char *at = text;

	trouble->sqlstate[0] = '\0';

	/* "...: FATAL:  08P01: not allowed": what stands before it is ours */
	for (const char *found = text; *found != '\0' && *found != '\n'; found++)
	{
		if (strncmp(found, ":  ", 3) == 0 && is_sqlstate(found + 3))
		{
			memcpy(trouble->sqlstate, found + 3, 5);
			trouble->sqlstate[5] = '\0';
			at = found + 10;
			break;
		}
	}
	for (; *at != '\0' && *at != '\n' && used < POOL_MESSAGE_LENGTH - 1; at++)
		trouble->message[used++] = (unsigned char) *at < ' ' || *at == 127 ? ' ' : *at;
	while (used > 0 && trouble->message[used - 1] == ' ')
		used--;
	trouble->message[used] = '\0';
}
