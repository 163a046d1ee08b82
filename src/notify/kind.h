/*-------------------------------------------------------------------------
 *
 * kind.h
 *		The kinds of channels: what each needs, sends, and takes for success.
 *
 * One more kind is one file kind_<name>.c and one row in kind.c.  Knows no
 * server: a channel is what was configured, a request what goes out.
 *
 * src/notify/kind.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_NOTIFY_KIND_H
#define DBMAINT_NOTIFY_KIND_H

#include "notify/message.h"
#include "notify/retry.h"

/* the longest body that goes out, and what of an answer is looked at */
#define BODY_MOST (512 * 1000)
#define ANSWER_MOST (64 * 1024)
#define ANSWER_KEPT 16

typedef enum Carrier
{
	CARRIER_HTTP,
	CARRIER_SMTP,
	CARRIER_NOTIFY,				/* the server's own NOTIFY */
	CARRIER_LOG					/* the server's log */
} Carrier;

typedef struct ChannelKind ChannelKind;

/* A channel as configured; what was not given is NULL. */
typedef struct Channel
{
	const char *name;
	const ChannelKind *kind;
	const char *target;
	const char *url;			/* of PagerDuty */
	const char *smtp;			/* URL of the mail server */
	const char *from;
	const char *username;
	const char *password;
	const char *method;
	const char *content_type;
	const char *body;			/* template */
	const char *headers;		/* "Name: value", a line each */
	const char *signing_key;
	const char *signature_header;
	const char *ca_file;
	bool		insecure_plaintext;
} Channel;

typedef struct Request
{
	const char *url;
	const char *method;
	const char *content_type;
	Text		body;			/* the caller gives the buffer */
	bool		too_large;		/* not even without what can be left out */
} Request;

typedef struct Answer
{
	int			status;			/* 0: there was none */
	char		body[ANSWER_KEPT];	/* its beginning, never stored or shown */
	size_t		body_length;	/* as far as it was read */
} Answer;

/* What is wrong with a channel. */
typedef struct Problem
{
	char		message[300];
	const char *hint;			/* or NULL */
} Problem;

struct ChannelKind
{
	const char *name;
	Carrier		carrier;
	const char *options;		/* what it knows, beside the common ones */
	double		rate;			/* messages a second, unless told otherwise */
	int			concurrency;	/* requests at once, unless told otherwise */
	bool		evidence;		/* does it take the evidence along? */

	/* Is the channel complete and valid?  If not, says why. */
	bool		(*check) (const Channel *channel, const char *networks,
						  Problem *problem);

	/* Writes the request; message_id and the rest of message are known. */
	void		(*build) (const Channel *channel, const Message *message,
						  Request *request);

	/* What does the answer mean? */
	Verdict		(*judge) (const Answer *answer);
};

extern const ChannelKind channel_kinds[];
extern const int channel_kind_count;

/* Options that every kind knows. */
extern const char *const common_options;

/* The kind of the name, or NULL. */
extern const ChannelKind *channel_kind_find(const char *name);

/* Does the kind know the option? */
extern bool channel_kind_knows(const ChannelKind *kind, const char *option);

/* The kinds' own, one file each. */
extern bool slack_check(const Channel *channel, const char *networks, Problem *problem);
extern void slack_build(const Channel *channel, const Message *message, Request *request);
extern Verdict slack_judge(const Answer *answer);
extern bool pagerduty_check(const Channel *channel, const char *networks, Problem *problem);
extern void pagerduty_build(const Channel *channel, const Message *message, Request *request);
extern bool email_check(const Channel *channel, const char *networks, Problem *problem);
extern void email_build(const Channel *channel, const Message *message, Request *request);
extern Verdict email_judge(const Answer *answer);
extern bool webhook_check(const Channel *channel, const char *networks, Problem *problem);
extern void webhook_build(const Channel *channel, const Message *message, Request *request);
extern Verdict http_judge(const Answer *answer);

/* Is what is sent JSON, by its content type? */
extern bool content_type_is_json(const char *type);

extern bool notify_check(const Channel *channel, const char *networks, Problem *problem);
extern void notify_build(const Channel *channel, const Message *message, Request *request);
extern bool log_check(const Channel *channel, const char *networks, Problem *problem);
extern void log_build(const Channel *channel, const Message *message, Request *request);

/* Fills problem in, and returns false. */
extern bool problem_set(Problem *problem, const char *subject,
						const char *wrong, const char *hint);

/* Checks a URL of the schemes http and https, or of mail. */
extern bool check_url(const char *subject, const char *string, bool mail,
					  const char *networks, Problem *problem);

#endif							/* DBMAINT_NOTIFY_KIND_H */
