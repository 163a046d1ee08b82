/*-------------------------------------------------------------------------
 *
 * kind_pagerduty.c
 *		PagerDuty's Events API v2.
 *
 * src/notify/kind_pagerduty.c
 *
 *-------------------------------------------------------------------------
 */
#include "notify/kind.h"

#include <stdio.h>
#include <string.h>

#define EVENTS_URL "https://events.pagerduty.com/v2/enqueue"
#define KEY_LENGTH 32
#define SUMMARY_MOST 1024
#define DEDUP_KEY_MOST 255
#define FIELD_MOST 255
#define CAUSE_MOST 2000

bool
pagerduty_check(const Channel *channel, const char *networks, Problem *problem)
{
	if (strlen(channel->target) != KEY_LENGTH ||
		strspn(channel->target,
			   "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != KEY_LENGTH)
		return problem_set(problem, "the target of a PagerDuty channel",
						   "must be an integration key of 32 letters and digits",
						   "The service's page of integrations shows the key of its Events API v2 integration.");
	return channel->url == NULL ||
		check_url("the option url", channel->url, false, networks, problem);
}

static const char *
action(const Message *message)
{
	const char *kind = message_text(message->kind);

	if (strcmp(kind, "resolve") == 0)
		return "resolve";
	if (strcmp(kind, "acknowledge") == 0)
		return "acknowledge";
	return "trigger";
}

static const char *
severity(const Message *message)
{
	const char *ours = message_text(message->severity);

	if (strcmp(ours, "emergency") == 0)
		return "critical";
	if (strcmp(ours, "critical") == 0)
		return "error";
	if (strcmp(ours, "warning") == 0)
		return "warning";
	return "info";
}

/*
 * The key must be the same for the same trouble, also where it is too long:
 * then its end is a hash of all of it (FNV-1a).
 */
static void
add_dedup_key(Text *out, const char *key)
{
	char		cut[DEDUP_KEY_MOST + 1];
	uint64_t	hash = UINT64_C(0xcbf29ce484222325);
	size_t		count = 0;
	size_t		length = 0;
	const char *end = key + strlen(key);

	for (const char *c = key; c < end; c++)
		hash = (hash ^ (unsigned char) *c) * UINT64_C(0x100000001b3);
	if (strlen(key) <= DEDUP_KEY_MOST)
	{
		text_add_json_field(out, "dedup_key", key, DEDUP_KEY_MOST);
		return;
	}
	while (count < DEDUP_KEY_MOST - 17)
	{
		int			next = text_character_length(key + length, end);

		next = next > 0 ? next : 1;
		if (length + (size_t) next > DEDUP_KEY_MOST - 17)
			break;
		length += (size_t) next;
		count++;
	}
	memcpy(cut, key, length);
	snprintf(cut + length, sizeof(cut) - length, "#%016llx",
			 (unsigned long long) hash);
	text_add_json_field(out, "dedup_key", cut, DEDUP_KEY_MOST);
}

/* "name":"value", where there is a value. */
static void
add_known(Text *out, const char *name, const char *value, size_t most)
{
	if (value != NULL && value[0] != '\0')
		text_add_json_field(out, name, value, most);
}

/* "name":5, where there is a number. */
static void
add_number(Text *out, const char *name, const char *value)
{
	if (value != NULL && text_is_json_number(value))
		text_add_json_raw(out, name, value);
}

static void
add_details(Text *out, const Message *message)
{
	text_add_json_raw(out, "custom_details", "{");
	add_number(out, "incident", message->incident);
	add_known(out, "kind", message->kind, FIELD_MOST);
	add_known(out, "severity", message->severity, FIELD_MOST);
	add_known(out, "metric", message->metric, FIELD_MOST);
	add_known(out, "instance", message->instance, FIELD_MOST);
	add_number(out, "value", message->value);
	add_known(out, "unit", message->unit, FIELD_MOST);
	add_known(out, "comparison", message->comparison, FIELD_MOST);
	add_number(out, "threshold", message->threshold);
	add_known(out, "since", message->since, FIELD_MOST);
	add_number(out, "sustained_seconds", message->sustained_seconds);
	add_known(out, "likely_cause", message->cause, CAUSE_MOST);
	add_known(out, "what_to_do", message->actions, CAUSE_MOST);
	add_number(out, "escalation_level", message->escalation_level);
	add_known(out, "database", message->database, FIELD_MOST);
	if (message->evidence != NULL)
		text_add_json_raw(out, "evidence", message->evidence);
	if (message->texts != NULL)
		text_add_json_raw(out, "query_texts", message->texts);
	text_add(out, "}");
}

/* Host, port and cluster name: whatever is known of where it happened. */
static void
add_source(Text *out, const Message *message)
{
	text_add_json_raw(out, "source", "\"");
	if (message->host == NULL || message->host[0] == '\0')
		text_add_json(out, message->cluster_name != NULL && message->cluster_name[0] != '\0' ?
					  message->cluster_name : "PostgreSQL", FIELD_MOST, false);
	else
		text_add_json(out, message->host, FIELD_MOST, false);
	if (message->port != NULL)
	{
		text_add(out, ":");
		text_add_json(out, message->port, 8, false);
	}
	text_add(out, "\"");
}

static void
add_payload(Text *out, const Message *message, bool details)
{
	const char *summary = message_text(message->summary);

	text_add_json_raw(out, "payload", "{");
	text_add_json_field(out, "summary",
						summary[0] != '\0' ? summary : "alert of dbmaint",
						SUMMARY_MOST);
	add_source(out, message);
	text_add_json_field(out, "severity", severity(message), FIELD_MOST);
	add_known(out, "timestamp", message->at, FIELD_MOST);
	add_known(out, "component", message->database, FIELD_MOST);
	add_known(out, "group", message->cluster_name, FIELD_MOST);
	add_known(out, "class", message->metric, FIELD_MOST);
	if (details)
		add_details(out, message);
	text_add(out, "}");
	text_add_json_field(out, "client", "dbmaint", FIELD_MOST);
}

static void
write_event(const Channel *channel, const Message *message, bool details,
			Text *out)
{
	text_add(out, "{");
	text_add_json_field(out, "routing_key", channel->target, KEY_LENGTH);
	text_add_json_field(out, "event_action", action(message), FIELD_MOST);
	add_dedup_key(out, message_text(message->dedup_key));
	if (strcmp(action(message), "trigger") == 0)
		add_payload(out, message, details);
	text_add(out, "}");
}

void
pagerduty_build(const Channel *channel, const Message *message,
				Request *request)
{
	Text	   *out = &request->body;

	request->url = channel->url != NULL ? channel->url : EVENTS_URL;
	request->method = "POST";
	request->content_type = "application/json";
	write_event(channel, message, true, out);
	if (out->overflowed || out->length > BODY_MOST)
	{
		/* what PagerDuty would refuse for its size goes without details */
		text_begin(out, out->data, out->size);
		write_event(channel, message, false, out);
	}
}
