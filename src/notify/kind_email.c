/*-------------------------------------------------------------------------
 *
 * kind_email.c
 *		Mail, as RFC 5322 and the MIME RFCs write it.
 *
 * src/notify/kind_email.c
 *
 *-------------------------------------------------------------------------
 */
#include "notify/kind.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "notify/address.h"

#define SUBJECT_MOST 200
#define RECIPIENTS_MOST 20
#define DETAILS_BYTES 16384

/* Checks a list of addresses with commas and blanks between them. */
static bool
recipients_valid(const char *list)
{
	int			count = 0;

	for (;;)
	{
		size_t		length;
		size_t		blanks;

		list += strspn(list, " ");
		length = strcspn(list, ", ");
		if (!mail_address_valid(list, length) || ++count > RECIPIENTS_MOST)
			return false;
		list += length;
		blanks = strspn(list, " ");
		if (list[blanks] == '\0')
			return true;
		if (list[blanks] != ',')
			return false;
		list += blanks + 1;
	}
}

bool
email_check(const Channel *channel, const char *networks, Problem *problem)
{
	if (!recipients_valid(channel->target))
		return problem_set(problem, "the target of an e-mail channel",
						   "must be an address, or up to 20 with commas between them",
						   "For example: dba-team@example.com.");
	if (channel->smtp == NULL)
		return problem_set(problem, "an e-mail channel", "needs the option smtp",
						   "Name the mail server: {\"smtp\": \"smtp://mail.example.com:587\"}.");
	if (!check_url("the option smtp", channel->smtp, true, networks, problem))
		return false;
	if (channel->from == NULL ||
		!mail_address_valid(channel->from, strlen(channel->from)))
		return problem_set(problem, "an e-mail channel",
						   "needs the option from, an address", NULL);
	if ((channel->username == NULL) != (channel->password == NULL))
		return problem_set(problem, "the options username and password",
						   "go together", NULL);
	if (channel->username != NULL && channel->insecure_plaintext)
		return problem_set(problem, "a password",
						   "is not sent without encryption",
						   "Leave insecure_plaintext out, or username and password.");
	return true;
}

/* The headers that hold addresses, checked when they were entered. */
static void
add_addresses(Text *mail, const Channel *channel)
{
	const char *list = channel->target;
	const char *before = "To: <";

	text_add(mail, "From: dbmaint <");
	text_add(mail, channel->from);
	text_add(mail, ">\r\n");
	while (*list != '\0')
	{
		size_t		length = strcspn(list, ", ");

		text_add(mail, before);
		text_add_bytes(mail, list, length);
		text_add(mail, ">");
		before = ",\r\n <";
		list += length;
		list += strspn(list, ", ");
	}
	text_add(mail, "\r\n");
}

static void
add_date(Text *mail, int64_t at_s)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t		at = (time_t) at_s;
	struct tm	tm;
	char		date[64];

	if (gmtime_r(&at, &tm) == NULL)
		return;
	snprintf(date, sizeof(date),
			 "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d +0000\r\n",
			 days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon,
			 tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	text_add(mail, date);
}

/*
 * Identifies the mail, the same with each attempt, and its incident, so that
 * mails of one are shown together.
 */
static void
add_ids(Text *mail, const Channel *channel, const Message *message)
{
	const char *domain = strrchr(channel->from, '@');
	uint64_t	hash = UINT64_C(0xcbf29ce484222325);

	for (const char *c = message_text(message->dedup_key); *c != '\0'; c++)
		hash = (hash ^ (unsigned char) *c) * UINT64_C(0x100000001b3);
	text_add(mail, "Message-ID: <");
	/* a UUID, but in a preview of anything */
	for (const char *c = message_text(message->message_id); *c != '\0'; c++)
	{
		if (strchr("0123456789abcdef-", *c) != NULL)
			text_add_bytes(mail, c, 1);
	}
	text_add(mail, domain);
	text_add(mail, ">\r\n");
	if (message->incident != NULL && text_is_json_number(message->incident))
	{
		char		id[80];

		snprintf(id, sizeof(id), "References: <dbmaint.%016llx.",
				 (unsigned long long) hash);
		text_add(mail, id);
		text_add_plain(mail, message->incident, 20, false);
		text_add(mail, domain);
		text_add(mail, ">\r\n");
	}
}

static void
add_body(Text *mail, const Message *message)
{
	char		plain[DETAILS_BYTES];
	char		lines[2 * DETAILS_BYTES];
	Text		in;
	Text		out;

	text_begin(&in, plain, sizeof(plain));
	text_add_plain(&in, message_text(message->summary), 3000, false);
	text_add(&in, "\n\n");
	message_add_details(&in, message);

	text_begin(&out, lines, sizeof(lines));
	for (const char *c = plain; *c != '\0'; c++)
	{
		if (*c == '\n')
			text_add(&out, "\r\n");
		else
			text_add_bytes(&out, c, 1);
	}
	text_add_base64_lines(mail, lines, out.length);
}

void
email_build(const Channel *channel, const Message *message, Request *request)
{
	Text	   *mail = &request->body;

	request->url = channel->smtp;
	add_addresses(mail, channel);
	text_add_mail_header(mail, "Subject", message_text(message->summary),
						 SUBJECT_MOST);
	add_date(mail, message->at_s);
	add_ids(mail, channel, message);
	text_add(mail, "Auto-Submitted: auto-generated\r\n");
	text_add_mail_header(mail, "X-Dbmaint-Severity",
						 message_text(message->severity), 64);
	text_add(mail, "MIME-Version: 1.0\r\n"
			 "Content-Type: text/plain; charset=utf-8\r\n"
			 "Content-Transfer-Encoding: base64\r\n\r\n");
	add_body(mail, message);
}

Verdict
email_judge(const Answer *answer)
{
	return verdict_smtp(answer->status);
}
