/*-------------------------------------------------------------------------
 *
 * kind_slack.c
 *		Slack's incoming webhooks.
 *
 * src/notify/kind_slack.c
 *
 *-------------------------------------------------------------------------
 */
#include "notify/kind.h"

#include <string.h>

#define TEXT_MOST 3000
#define TITLE_MOST 1024
#define FIELD_MOST 500

bool
slack_check(const Channel *channel, const char *networks, Problem *problem)
{
	return check_url("the target of a Slack channel", channel->target, false,
					 networks, problem);
}

static const char *
color(const Message *message)
{
	const char *severity = message_text(message->severity);

	if (strcmp(message_text(message->kind), "resolve") == 0)
		return "#2eb67d";
	if (strcmp(severity, "emergency") == 0)
		return "#8b0000";
	if (strcmp(severity, "critical") == 0)
		return "#e01e5a";
	return "#ecb22e";
}

/* "name":"value", escaped as Slack wants it. */
static void
add_escaped(Text *out, const char *name, const char *value, size_t most)
{
	text_add_json_raw(out, name, "\"");
	text_add_slack(out, value, most);
	text_add(out, "\"");
}

static void
add_field(Text *out, const char *title, const char *value, const char *unit)
{
	if (value == NULL || value[0] == '\0')
		return;
	if (out->data[out->length - 1] != '[')
		text_add(out, ",");
	text_add(out, "{");
	add_escaped(out, "title", title, FIELD_MOST);
	text_add_json_raw(out, "value", "\"");
	text_add_slack(out, value, FIELD_MOST);
	if (unit != NULL && unit[0] != '\0')
	{
		text_add(out, " ");
		text_add_slack(out, unit, FIELD_MOST);
	}
	text_add(out, "\"");
	text_add_json_raw(out, "short", "true");
	text_add(out, "}");
}

static void
add_fields(Text *out, const Message *message)
{
	text_add_json_raw(out, "fields", "[");
	add_field(out, "Severity", message->severity, NULL);
	add_field(out, "State", message->state, NULL);
	add_field(out, "Metric", message->metric, NULL);
	add_field(out, "Of", message->instance, NULL);
	add_field(out, "Value", message->value, message->unit);
	add_field(out, "Limit", message->threshold, message->unit);
	add_field(out, "Cluster", message->cluster_name, NULL);
	add_field(out, "Host", message->host, NULL);
	add_field(out, "Database", message->database, NULL);
	add_field(out, "Since", message->since, NULL);
	add_field(out, "Incident", message->incident, NULL);
	text_add(out, "]");
}

void
slack_build(const Channel *channel, const Message *message, Request *request)
{
	Text	   *out = &request->body;
	const char *summary = message_text(message->summary);
	const char *body = message_text(message->actions);

	request->url = channel->target;
	request->method = "POST";
	request->content_type = "application/json";

	text_add(out, "{");
	add_escaped(out, "text", summary, TEXT_MOST);
	text_add_json_raw(out, "attachments", "[{");
	text_add_json_field(out, "color", color(message), FIELD_MOST);
	add_escaped(out, "fallback", summary, TITLE_MOST);
	if (message->cause != NULL && message->cause[0] != '\0')
		add_escaped(out, "title", message->cause, TITLE_MOST);
	if (body[0] != '\0')
		add_escaped(out, "text", body, TEXT_MOST);
	add_fields(out, message);
	text_add(out, ",\"mrkdwn_in\":[],\"ts\":");
	text_add_number(out, message->at_s);
	text_add(out, "}]}");
}

/* It says 200 and "ok", or it did not take the message. */
Verdict
slack_judge(const Answer *answer)
{
	if (answer->status != 200)
		return verdict_http(answer->status) == VERDICT_RETRY ?
			VERDICT_RETRY : VERDICT_REFUSED;
	return answer->body_length == 2 && memcmp(answer->body, "ok", 2) == 0 ?
		VERDICT_SENT : VERDICT_REFUSED;
}
