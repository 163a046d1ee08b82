/*-------------------------------------------------------------------------
 *
 * kind_server.c
 *		What the server itself carries: NOTIFY and its log.
 *
 * src/notify/kind_server.c
 *
 *-------------------------------------------------------------------------
 */
#include "notify/kind.h"

#include <string.h>

/* what NOTIFY takes is less than 8000 bytes */
#define NOTIFY_MOST 7900
#define NAME_MOST 63

bool
notify_check(const Channel *channel, const char *networks, Problem *problem)
{
	size_t		length = strlen(channel->target);

	(void) networks;
	if (length == 0 || length > NAME_MOST)
		return problem_set(problem, "the target of a notify channel",
						   "must be the name of a channel for LISTEN, of 1 to 63 bytes",
						   "For example: dbmaint_alerts.");
	return true;
}

/* "name":"value" in ASCII, which every encoding of a database can hold. */
static void
add_ascii(Text *out, const char *name, const char *value, size_t most)
{
	if (value == NULL)
	{
		text_add_json_raw(out, name, NULL);
		return;
	}
	text_add_json_raw(out, name, "\"");
	text_add_json(out, value, most, true);
	text_add(out, "\"");
}

static void
add_members(Text *out, const Message *message, size_t most)
{
	text_add(out, "{");
	for (int i = 0; i < message_member_count; i++)
	{
		const MessageMember *member = &message_members[i];
		const char *value = message_get(message, member);

		if (member->type == MEMBER_JSON)
			continue;
		if (member->type == MEMBER_NUMBER)
			text_add_json_raw(out, member->name,
							  value != NULL && text_is_json_number(value) ? value : NULL);
		else
			add_ascii(out, member->name, value, most);
	}
	text_add(out, "}");
}

/* The more there is to say, the less of each: it has to fit. */
void
notify_build(const Channel *channel, const Message *message, Request *request)
{
	Text	   *out = &request->body;
	size_t		size = out->size < NOTIFY_MOST ? out->size : NOTIFY_MOST;

	(void) channel;
	for (size_t most = 2000; most >= 3; most /= 2)
	{
		text_begin(out, out->data, size);
		add_members(out, message, most);
		if (!out->overflowed)
			return;
	}
	request->too_large = true;
}

bool
log_check(const Channel *channel, const char *networks, Problem *problem)
{
	(void) networks;
	if (channel->target[0] != '\0')
		return problem_set(problem, "the target of a log channel",
						   "must be empty: there is but one log", NULL);
	return true;
}

void
log_build(const Channel *channel, const Message *message, Request *request)
{
	(void) channel;
	text_add(&request->body, "dbmaint ");
	text_add_plain(&request->body, message_text(message->kind), 32, false);
	text_add(&request->body, ": ");
	text_add_plain(&request->body, message_text(message->summary), 2000, false);
	/* where the summary does not end with it */
	if (message->cause != NULL && message->cause[0] != '\0' &&
		strstr(message_text(message->summary), message->cause) == NULL)
	{
		text_add(&request->body, "; likely cause: ");
		text_add_plain(&request->body, message->cause, 1000, false);
	}
}
