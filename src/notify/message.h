/*-------------------------------------------------------------------------
 *
 * message.h
 *		What there is to tell, and the template that tells it.
 *
 * A message is what dbmaint_notification_message() gives, as strings of any
 * bytes; what is not known is NULL.  Knows no server.
 *
 * src/notify/message.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_NOTIFY_MESSAGE_H
#define DBMAINT_NOTIFY_MESSAGE_H

#include "notify/text.h"

/* What a member of a message is, where it stands outside of a JSON string. */
typedef enum MemberType
{
	MEMBER_TEXT,
	MEMBER_NUMBER,
	MEMBER_JSON
} MemberType;

/*
 * Every member: its name here and in templates, its path in the JSON object,
 * and its type.
 */
#define MESSAGE_MEMBERS(MEMBER) \
	MEMBER(message_id, NULL, TEXT) \
	MEMBER(incident, NULL, NUMBER) \
	MEMBER(dedup_key, NULL, TEXT) \
	MEMBER(kind, NULL, TEXT) \
	MEMBER(state, NULL, TEXT) \
	MEMBER(severity, NULL, TEXT) \
	MEMBER(metric, NULL, TEXT) \
	MEMBER(instance, NULL, TEXT) \
	MEMBER(value, NULL, NUMBER) \
	MEMBER(unit, NULL, TEXT) \
	MEMBER(threshold, NULL, NUMBER) \
	MEMBER(comparison, NULL, TEXT) \
	MEMBER(since, NULL, TEXT) \
	MEMBER(at, NULL, TEXT) \
	MEMBER(sustained_seconds, NULL, NUMBER) \
	MEMBER(summary, NULL, TEXT) \
	MEMBER(cause, NULL, TEXT) \
	MEMBER(actions, NULL, TEXT) \
	MEMBER(escalation_level, NULL, NUMBER) \
	MEMBER(cluster_name, "server", TEXT) \
	MEMBER(host, "server", TEXT) \
	MEMBER(port, "server", NUMBER) \
	MEMBER(database, "server", TEXT) \
	MEMBER(evidence, NULL, JSON) \
	MEMBER(texts, NULL, JSON)

typedef struct Message
{
#define MEMBER(name, parent, type) const char *name;
	MESSAGE_MEMBERS(MEMBER)
#undef MEMBER
	const char *json;			/* all of it, as it was queued */
	int64_t		at_s;			/* seconds since 1970 */
} Message;

typedef struct MessageMember
{
	const char *name;
	const char *parent;			/* the object it is in, NULL for the message */
	MemberType	type;
	size_t		offset;			/* of the string in a Message */
} MessageMember;

extern const MessageMember message_members[];
extern const int message_member_count;

/* The member's string, or NULL. */
extern const char *message_get(const Message *message,
							   const MessageMember *member);

/* The string, or "" instead of NULL. */
extern const char *message_text(const char *string);

/* Adds the message for people, line by line, after its summary. */
extern void message_add_details(Text *out, const Message *message);

/* How a template's placeholders are written. */
typedef enum TemplateFormat
{
	TEMPLATE_JSON,
	TEMPLATE_FORM,
	TEMPLATE_PLAIN
} TemplateFormat;

/*
 * Renders a template: {{name}} is a member, {{short}} the summary in at most
 * 160 characters, {{details}} the lines for people, {{message}} the whole
 * message as JSON.  In JSON, a placeholder inside of a string is escaped as
 * its part, and one outside is a value of its own, null where there is none.
 *
 * Returns NULL, or what is wrong with the template.  message may be NULL: then
 * it is looked over with empty values.
 */
extern const char *template_render(const char *template, TemplateFormat format,
								   const Message *message, Text *out);

#endif							/* DBMAINT_NOTIFY_MESSAGE_H */
