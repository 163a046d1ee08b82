/*-------------------------------------------------------------------------
 *
 * resolve.h
 *		Looks up hosts' addresses without waiting.
 *
 * libpq asks getaddrinfo(), which waits for name servers as long as their
 * time-outs say, half a minute and more.  A thread waits instead.  It has all
 * signals blocked, calls nothing of the server's, and tells by a pipe when it
 * is done; one that is given up ends by itself.
 *
 * src/pool/module/resolve.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_RESOLVE_H
#define DBMAINT_RESOLVE_H

#define RESOLVE_MAX_HOSTS 16
#define RESOLVE_MAX_ADDRESSES 8
#define RESOLVE_ADDRESS_LENGTH 64

typedef struct Resolution
{
	int			count;			/* of hosts */
	char	   *hosts[RESOLVE_MAX_HOSTS];
	int			found[RESOLVE_MAX_HOSTS];	/* addresses of each */
	char		addresses[RESOLVE_MAX_HOSTS][RESOLVE_MAX_ADDRESSES][RESOLVE_ADDRESS_LENGTH];
	char		error[128];		/* of the last that was not found */
} Resolution;

typedef struct Resolver Resolver;

/*
 * Starts to look the hosts up; NULL if no thread can be had, or too many of
 * those that were given up still wait.
 */
extern Resolver *resolver_start(char *const *hosts, int count);

/* Readable when resolver_result() has something to give. */
extern int	resolver_descriptor(const Resolver *resolver);

/* What was found; NULL while it is still looked for. */
extern const Resolution *resolver_result(Resolver *resolver);

/* Frees it, or leaves that to the thread. */
extern void resolver_release(Resolver *resolver);

#endif							/* DBMAINT_RESOLVE_H */
