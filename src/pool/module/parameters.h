/*-------------------------------------------------------------------------
 *
 * parameters.h
 *		The connection parameters: what the connection string, a service file
 *		and the environment say, made into what a console needs.
 *
 * src/pool/module/parameters.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_PARAMETERS_H
#define DBMAINT_PARAMETERS_H

#include "pool/reason.h"
#include "resolve.h"

#define MAX_PARAMETERS 64

typedef struct Parameters
{
	int			count;
	char	   *keywords[MAX_PARAMETERS + 1];	/* for PQconnectStartParams */
	char	   *values[MAX_PARAMETERS + 1];

	/* the places to connect to, one after the other; "" is the default */
	int			places;
	char	   *hosts[RESOLVE_MAX_HOSTS];
	char	   *addresses[RESOLVE_MAX_HOSTS];
	char	   *ports[RESOLVE_MAX_HOSTS];
} Parameters;

/*
 * Reads a connection string; on failure sets the message and returns false.
 * That message says nothing of what the string holds.
 */
extern bool parameters_read(Parameters *parameters, const char *conninfo,
							PoolTrouble *trouble);

/* The hosts whose addresses must be looked up; returns their number. */
extern int	parameters_unresolved(const Parameters *parameters,
								  char *hosts[RESOLVE_MAX_HOSTS]);

/*
 * Adds host, hostaddr and port, with what was found (NULL: nothing had to be
 * looked up).  Returns false if there is no memory, or no host was found.
 */
extern bool parameters_finish(Parameters *parameters, const Resolution *found);

extern void parameters_free(Parameters *parameters);

#endif							/* DBMAINT_PARAMETERS_H */
