/*-------------------------------------------------------------------------
 *
 * transport.h
 *		What the library that links libcurl offers the notifier.
 *
 * dbmaint_notify is loaded by the notifier alone.  Requests run side by side;
 * none of these calls waits for a receiver but transport->wait(), which the
 * latch ends.  No function raises an error over libcurl's stack.
 *
 * A connection is refused by its address when it is made, whatever the name
 * resolved to before; redirects are not followed; no proxy, no netrc, no
 * cookies; TLS of 1.2 at least, with peer and host verified.
 *
 * src/notify/transport.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_NOTIFY_TRANSPORT_H
#define DBMAINT_NOTIFY_TRANSPORT_H

#include <sys/socket.h>

#include "notify/kind.h"

#define TRANSPORT_LIBRARY "dbmaint_notify"
#define TRANSPORT_FUNCTION "notify_transport"
#define TRANSPORT_ERROR_LENGTH 256

/* What goes out.  Everything is copied when it is submitted. */
typedef struct Outgoing
{
	int64_t		id;				/* the caller's */
	Carrier		carrier;
	const char *url;
	const char *host;			/* of the URL, to keep it out of messages */
	const char *ca_file;		/* NULL: the system's */

	/* HTTP */
	const char *method;
	const char *headers;		/* "Name: value", a line each */

	/* SMTP */
	const char *mail_from;
	const char *recipients;		/* with commas between them */
	const char *username;
	const char *password;
	bool		plaintext;		/* without STARTTLS */

	const char *body;
	size_t		body_length;
	int			timeout_ms;		/* of the whole; 3 s of it to connect */
} Outgoing;

/* What came of it. */
typedef struct Outcome
{
	int64_t		id;
	Answer		answer;
	bool		answered;		/* whole, or as much of it as is looked at */
	char		retry_after[64];	/* the header, "" if there is none */
	double		duration_ms;
	char		error[TRANSPORT_ERROR_LENGTH];	/* "" if there was none */
} Outcome;

/* May we connect to it?  Called inside of libcurl: must raise no error. */
typedef bool (*AddressCheck) (const struct sockaddr *address);

typedef struct Transport
{
	/* Begins; raises an error if libcurl is not fit for us. */
	void		(*begin) (AddressCheck allowed);

	/* Takes a request; false where there is no memory for it. */
	bool		(*submit) (const Outgoing *outgoing);

	/* Waits for anything to happen, the latch included; then see collect. */
	void		(*wait) (long timeout_ms, uint32_t wait_event);

	/* Gives the next request that has ended; false if there is none. */
	bool		(*collect) (Outcome *outcome);

	/* Gives up the requests that run; collect does not give them. */
	void		(*abandon) (void);
} Transport;

/* What the library exports as TRANSPORT_FUNCTION. */
typedef const Transport *(*GetTransport) (void);

#endif							/* DBMAINT_NOTIFY_TRANSPORT_H */
