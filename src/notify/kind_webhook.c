/*-------------------------------------------------------------------------
 *
 * kind_webhook.c
 *		Any receiver of HTTP: a template, headers, a signature.
 *
 * src/notify/kind_webhook.c
 *
 *-------------------------------------------------------------------------
 */
#include "notify/kind.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TEMPLATE_MOST 16384
#define TOKEN_CHARACTERS \
	"!#$%&'*+-.^_`|~0123456789" \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define SMS_BODY "{\"text\": \"{{short}}\"}"
#define JSON_TYPE "application/json"
#define WEBHOOK_MOST 65536

/* Headers that are ours to write, or the library's. */
static const char *const our_headers[] = {
	"host", "content-length", "content-type", "transfer-encoding",
	"connection", "expect", "idempotency-key", "te", "trailer", "upgrade",
};

static const char *
content_type(const Channel *channel)
{
	return channel->content_type != NULL ? channel->content_type : JSON_TYPE;
}

bool
content_type_is_json(const char *type)
{
	size_t		length = strcspn(type, "; ");

	return (length == strlen(JSON_TYPE) && strncasecmp(type, JSON_TYPE, length) == 0) ||
		(length > 5 && strncasecmp(type + length - 5, "+json", 5) == 0);
}

/* How a template is filled in follows from what the receiver will read. */
static bool
find_format(const char *type, TemplateFormat *format)
{
	size_t		length = strcspn(type, "; ");

	if (content_type_is_json(type))
		*format = TEMPLATE_JSON;
	else if (length == 33 &&
			 strncasecmp(type, "application/x-www-form-urlencoded", length) == 0)
		*format = TEMPLATE_FORM;
	else if (length == 10 && strncasecmp(type, "text/plain", length) == 0)
		*format = TEMPLATE_PLAIN;
	else
		return false;
	return true;
}

/* Can it be the value of a header? */
static bool
header_value_valid(const char *value, size_t length)
{
	for (size_t i = 0; i < length; i++)
	{
		if ((unsigned char) value[i] < 0x20 || (unsigned char) value[i] > 0x7E)
			return false;
	}
	return true;
}

static bool
header_name_valid(const char *name, size_t length)
{
	if (length == 0 || length > 100 || strspn(name, TOKEN_CHARACTERS) < length)
		return false;
	for (size_t i = 0; i < sizeof(our_headers) / sizeof(our_headers[0]); i++)
	{
		if (strlen(our_headers[i]) == length &&
			strncasecmp(our_headers[i], name, length) == 0)
			return false;
	}
	return true;
}

/* Checks "Name: value", a line each. */
static bool
headers_valid(const char *headers)
{
	while (*headers != '\0')
	{
		size_t		line = strcspn(headers, "\n");
		size_t		name = strcspn(headers, ":\n");

		if (name >= line || !header_name_valid(headers, name) ||
			!header_value_valid(headers, line))
			return false;
		headers += headers[line] == '\n' ? line + 1 : line;
	}
	return true;
}

static const char *
body_template(const Channel *channel)
{
	if (channel->body != NULL)
		return channel->body;
	return strcmp(channel->kind->name, "sms") == 0 ? SMS_BODY : NULL;
}

static bool
check_body(const Channel *channel, Problem *problem)
{
	char		rendered[4 * TEMPLATE_MOST];
	Text		out;
	TemplateFormat format;
	const char *wrong;

	if (!header_value_valid(content_type(channel), strlen(content_type(channel))) ||
		!find_format(content_type(channel), &format))
		return problem_set(problem, "the option content_type", "is not known",
						   "There are application/json, application/x-www-form-urlencoded and text/plain.");
	if (body_template(channel) == NULL)
	{
		if (format != TEMPLATE_JSON)
			return problem_set(problem, "the option body",
							   "is needed where the content type is not JSON", NULL);
		return true;
	}
	if (strlen(body_template(channel)) > TEMPLATE_MOST)
		return problem_set(problem, "the option body",
						   "is longer than 16384 bytes", NULL);
	text_begin(&out, rendered, sizeof(rendered));
	wrong = template_render(body_template(channel), format, NULL, &out);
	if (wrong != NULL)
		return problem_set(problem, "the option body", wrong,
						   "There are {{summary}}, {{short}}, {{severity}}, {{metric}}, {{value}} and others; see the documentation.");
	return true;
}

bool
webhook_check(const Channel *channel, const char *networks, Problem *problem)
{
	const char *method = channel->method;
	const char *header = channel->signature_header;

	if (!check_url("the target of a webhook", channel->target, false,
				   networks, problem))
		return false;
	if (method != NULL && strcmp(method, "POST") != 0 &&
		strcmp(method, "PUT") != 0 && strcmp(method, "PATCH") != 0)
		return problem_set(problem, "the option method",
						   "must be POST, PUT or PATCH", NULL);
	if (channel->headers != NULL && !headers_valid(channel->headers))
		return problem_set(problem, "the option headers",
						   "must have names of letters, digits and hyphens, and values of one line of ASCII",
						   "Host, Content-Type, Content-Length, Idempotency-Key and those of the connection are not to be given.");
	if (header != NULL && !header_name_valid(header, strlen(header)))
		return problem_set(problem, "the option signature_header",
						   "is no name of a header", NULL);
	if (channel->signing_key != NULL && channel->signing_key[0] == '\0')
		return problem_set(problem, "the option signing_key", "is empty", NULL);
	return check_body(channel, problem);
}

void
webhook_build(const Channel *channel, const Message *message,
			  Request *request)
{
	const char *template = body_template(channel);
	TemplateFormat format = TEMPLATE_JSON;

	request->url = channel->target;
	request->method = channel->method != NULL ? channel->method : "POST";
	request->content_type = content_type(channel);
	(void) find_format(request->content_type, &format);
	(void) template_render(template != NULL ? template : "{{message}}", format,
						   message, &request->body);
	if (request->body.overflowed || request->body.length > WEBHOOK_MOST)
	{
		Message		less = *message;
		char		json[2048];
		Text		out;

		/* without what has no bounds; the whole message is cut to its core */
		text_begin(&out, json, sizeof(json));
		text_add(&out, "{");
		text_add_json_field(&out, "message_id", message_text(message->message_id), 64);
		text_add_json_field(&out, "kind", message_text(message->kind), 64);
		text_add_json_field(&out, "severity", message_text(message->severity), 64);
		text_add_json_field(&out, "metric", message_text(message->metric), 64);
		text_add_json_field(&out, "summary", message_text(message->summary), 160);
		text_add_json_raw(&out, "truncated", "true");
		text_add(&out, "}");
		less.json = json;
		less.evidence = less.texts = NULL;
		text_begin(&request->body, request->body.data, request->body.size);
		(void) template_render(template != NULL ? template : "{{message}}",
							   format, &less, &request->body);
		request->too_large = request->body.overflowed ||
			request->body.length > WEBHOOK_MOST;
	}
}
