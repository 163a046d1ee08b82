/*-------------------------------------------------------------------------
 *
 * message.c
 *		What there is to tell.
 *
 * src/notify/message.c
 *
 *-------------------------------------------------------------------------
 */
#include "notify/message.h"

#include <string.h>

#define LINE_MOST 2000

const MessageMember message_members[] =
{
#define MEMBER(name, parent, type) \
	{#name, parent, MEMBER_##type, offsetof(Message, name)},
	MESSAGE_MEMBERS(MEMBER)
#undef MEMBER
};

const int	message_member_count = sizeof(message_members) / sizeof(message_members[0]);

const char *
message_get(const Message *message, const MessageMember *member)
{
	return *(const char *const *) ((const char *) message + member->offset);
}

const char *
message_text(const char *string)
{
	return string != NULL ? string : "";
}

/* "Title: value", where there is a value. */
static void
add_line(Text *out, const char *title, const char *value)
{
	if (value == NULL || value[0] == '\0')
		return;
	text_add(out, title);
	text_add(out, ": ");
	text_add_plain(out, value, LINE_MOST, false);
	text_add(out, "\n");
}

/* "Value: 120 ms, limit: > 95 ms for 300 s" */
static void
add_value_line(Text *out, const Message *message)
{
	const char *unit = message_text(message->unit);

	if (message->value == NULL)
		return;
	text_add(out, "Value: ");
	text_add_plain(out, message->value, 64, false);
	if (unit[0] != '\0')
		text_add(out, " ");
	text_add_plain(out, unit, 64, false);
	if (message->threshold != NULL)
	{
		text_add(out, ", limit: ");
		text_add_plain(out, message_text(message->comparison), 64, false);
		text_add(out, " ");
		text_add_plain(out, message->threshold, 64, false);
		if (unit[0] != '\0')
			text_add(out, " ");
		text_add_plain(out, unit, 64, false);
	}
	if (message->sustained_seconds != NULL)
	{
		text_add(out, ", for ");
		text_add_plain(out, message->sustained_seconds, 64, false);
		text_add(out, " s");
	}
	text_add(out, "\n");
}

static void
add_server_line(Text *out, const Message *message)
{
	text_add(out, "Server: ");
	if (message->cluster_name != NULL && message->cluster_name[0] != '\0')
	{
		text_add_plain(out, message->cluster_name, 200, false);
		text_add(out, ", ");
	}
	text_add_plain(out, message_text(message->host), 300, false);
	if (message->port != NULL)
	{
		text_add(out, ":");
		text_add_plain(out, message->port, 8, false);
	}
	text_add(out, ", database ");
	text_add_plain(out, message_text(message->database), 200, false);
	text_add(out, "\n");
}

void
message_add_details(Text *out, const Message *message)
{
	add_line(out, "Severity", message->severity);
	add_line(out, "State", message->state);
	add_line(out, "Metric", message->metric);
	add_line(out, "Of", message->instance);
	add_value_line(out, message);
	add_line(out, "Since", message->since);
	add_line(out, "Likely cause", message->cause);
	add_server_line(out, message);
	if (message->actions != NULL && message->actions[0] != '\0')
	{
		text_add(out, "\nWhat to do:\n");
		text_add_plain(out, message->actions, 2 * LINE_MOST, true);
		text_add(out, "\n");
	}
	if (message->incident != NULL)
	{
		text_add(out, "\n");
		add_line(out, "Incident", message->incident);
	}
}
