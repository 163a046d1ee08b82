/*-------------------------------------------------------------------------
 *
 * notify_payload_test.c
 *	  What is sent is well-formed whatever objects are called; prints TAP.
 *	  Needs no server:
 *
 *	  cc -g -fsanitize=address,undefined -Isrc test/unit/notify_payload_test.c \
 *		 src/notify/text.c src/notify/message.c src/notify/template.c \
 *		 src/notify/kind.c src/notify/kind_slack.c src/notify/kind_pagerduty.c \
 *		 src/notify/kind_email.c src/notify/kind_webhook.c \
 *		 src/notify/kind_server.c src/notify/address.c src/notify/url.c \
 *		 src/notify/retry.c -o payload_test && ./payload_test
 *
 *	  Random data comes from a fixed seed, or from the one given as argument.
 *
 *-------------------------------------------------------------------------
 */
#include "notify/kind.h"
#include "check.h"

static char body[BODY_MOST];

/* A reader of JSON of a dozen lines, strict: returns what follows, or NULL. */
static const char *
json_value(const char *s, int depth)
{
	if (s == NULL || depth > 60)
		return NULL;
	s += strspn(s, " \t\r\n");
	if (*s == '"')
	{
		for (s++; *s != '"'; s++)
		{
			if ((unsigned char) *s < 0x20)
				return NULL;
			if (*s != '\\')
				continue;
			s++;
			if (*s == 'u')
			{
				if (strspn(s + 1, "0123456789abcdefABCDEF") < 4)
					return NULL;
				s += 4;
			}
			else if (*s == '\0' || strchr("\"\\/bfnrt", *s) == NULL)
				return NULL;
		}
		return s + 1;
	}
	if (*s == '{' || *s == '[')
	{
		char		end = *s == '{' ? '}' : ']';
		bool		first = true;

		for (s++;; first = false)
		{
			s += strspn(s, " \t\r\n");
			if (*s == end)
				return s + 1;
			if (!first && *s++ != ',')
				return NULL;
			if (end == '}')
			{
				s += strspn(s, " \t\r\n");
				if (*s != '"' || (s = json_value(s, depth + 1)) == NULL)
					return NULL;
				s += strspn(s, " \t\r\n");
				if (*s++ != ':')
					return NULL;
			}
			s = json_value(s, depth + 1);
			if (s == NULL)
				return NULL;
		}
	}
	if (strncmp(s, "true", 4) == 0 || strncmp(s, "null", 4) == 0)
		return s + 4;
	if (strncmp(s, "false", 5) == 0)
		return s + 5;
	if (*s == '-' || (*s >= '0' && *s <= '9'))
		return s + 1 + strspn(s + 1, "0123456789.eE+-");
	return NULL;
}

static bool
is_json(const char *s)
{
	const char *end = json_value(s, 0);

	return end != NULL && *end == '\0';
}

static bool
is_utf8(const char *s)
{
	const char *end = s + strlen(s);

	while (s < end)
	{
		int			length = text_character_length(s, end);

		if (length == 0)
			return false;
		s += length;
	}
	return true;
}

static Request
build(const Channel *channel, const Message *message)
{
	Request		request = {0};

	text_begin(&request.body, body, sizeof(body));
	channel->kind->build(channel, message, &request);
	return request;
}

static Channel
channel_of(const char *kind)
{
	Channel		channel = {.name = "c",.kind = channel_kind_find(kind),.target = "t"};

	if (strcmp(kind, "email") == 0)
	{
		channel.target = "a@b.example,c@d.example";
		channel.from = "from@db.example";
		channel.smtp = "smtp://mail.example";
	}
	return channel;
}

/* Random bytes of those that hurt. */
static char *
hostile(size_t most)
{
	static const char *const pieces[] = {
		"\"", "\\", "\n", "\r\n", "\r\nBcc: x@y", "\x01", "\x7f", "\x1b[31m", "<!channel>", "&amp;",
		"=?UTF-8?B?eA==?=", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x94\xa5", "\xff", "\xc3", "\xed\xa0\x80",
		"\xe2\x80\xae", "\xc2\x85", "{{summary}}", "}}", "'", "x", "orders", " ", "   ", ".\r\n", "\r\n.\r\n",
		"\xe2\x80\xa8", "\x00"
	};
	size_t		wanted = next_random() % most;
	char	   *out = malloc(most + 64);

	out[0] = '\0';
	while (strlen(out) < wanted)
		strcat(out, pieces[next_random() % (sizeof(pieces) / sizeof(pieces[0]))]);
	return out;
}

static Message
hostile_message(size_t most)
{
	Message		message = {0};

	for (int i = 0; i < message_member_count; i++)
	{
		char	   *value = NULL;

		if (message_members[i].type == MEMBER_JSON)
			value = strdup(next_random() % 2 ? "{\"a\": [1, \"x\"]}" : "null");
		else if (message_members[i].type == MEMBER_NUMBER && next_random() % 3 != 0)
			value = strdup("-12.5e3");
		else if (next_random() % 10 != 0)
			value = hostile(most);
		memcpy((char *) &message + message_members[i].offset, &value, sizeof(value));
	}
	message.json = strdup("{\"all\": true}");
	message.at_s = (int64_t) (next_random() % UINT64_C(4000000000));
	return message;
}

static void
free_message(Message *message)
{
	for (int i = 0; i < message_member_count; i++)
		free((char *) message_get(message, &message_members[i]));
	free((char *) message->json);
}

/* Headers end once, have no line that is too long, and begin with a name. */
static void
check_mail(const char *mail)
{
	const char *end = strstr(mail, "\r\n\r\n");
	const char *line = mail;
	int			subjects = 0;
	int			bccs = 0;

	CHECK(end != NULL, "no end of headers");
	for (const char *c = mail; *c != '\0'; c++)
	{
		CHECK((unsigned char) *c < 0x80, "not ASCII");
		CHECK(*c != '\n' || (c > mail && c[-1] == '\r'), "a bare LF");
		CHECK(*c != '\r' || c[1] == '\n', "a bare CR");
	}
	while (end != NULL && line < end + 2)
	{
		size_t		length = strcspn(line, "\r");

		CHECK(length <= 998, "a line of %zu", length);
		CHECK(line[0] == ' ' || strcspn(line, ":") < length, "no header: %.*s", (int) length, line);
		CHECK(line[0] != ' ' || strspn(line, " ") < length, "a blank line");
		subjects += strncmp(line, "Subject:", 8) == 0;
		bccs += strncasecmp(line, "Bcc:", 4) == 0;
		line += length + 2;
	}
	CHECK(subjects == 1 && bccs == 0, "%d subjects, %d bcc", subjects, bccs);
}

static void
test_hostile(void)
{
	for (int round = 0; round < 4000; round++)
	{
		Message		message = hostile_message(round % 10 == 0 ? 5000 : 120);
		Channel		channel = channel_of("slack");
		Request		request;

		request = build(&channel, &message);
		CHECK(is_json(body) && is_utf8(body), "Slack: %.200s", body);
		CHECK(strstr(body, "<!") == NULL, "Slack would ring: %.200s", body);

		channel = channel_of("pagerduty");
		request = build(&channel, &message);
		CHECK(is_json(body) && is_utf8(body), "PagerDuty: %.200s", body);
		CHECK(request.body.length <= 512000, "PagerDuty: %zu", request.body.length);

		channel = channel_of("email");
		request = build(&channel, &message);
		CHECK(!request.body.overflowed, "mail: too long");
		check_mail(body);

		channel = channel_of("notify");
		request = build(&channel, &message);
		CHECK(!request.too_large && is_json(body) && strlen(body) < 7900, "NOTIFY: %zu", strlen(body));
		for (const char *c = body; *c != '\0'; c++)
			CHECK((unsigned char) *c < 0x80, "NOTIFY: not ASCII");

		channel = channel_of("log");
		build(&channel, &message);
		CHECK(strpbrk(body, "\r\n\x1b") == NULL && is_utf8(body), "log: %.200s", body);

		channel = channel_of("sms");
		build(&channel, &message);
		CHECK(is_json(body) && is_utf8(body), "SMS: %.200s", body);

		channel = channel_of("webhook");
		channel.body = "{\"s\": \"<{{summary}}|{{ instance }}>\", \"v\": {{value}}, \"i\": {{instance}}, \"e\": {{evidence}}, \"m\": {{message}}, \"d\": \"{{details}}\", \"q\\\"{{metric}}\": \"{{evidence}}\"}";
		build(&channel, &message);
		CHECK(is_json(body) && is_utf8(body), "template: %.300s", body);

		channel.body = "a={{summary}}&b={{instance}}&c={{value}}";
		channel.content_type = "application/x-www-form-urlencoded";
		build(&channel, &message);
		CHECK(strspn(body, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%=&") == strlen(body), "form: %.200s", body);
		{
			int			ands = 0;

			for (const char *c = body; *c != '\0'; c++)
				ands += *c == '&';
			CHECK(ands == 2, "form: %d separators", ands);
		}
		free_message(&message);
	}
}

static void
test_limits(void)
{
	Channel		channel = channel_of("pagerduty");
	Message		message = {.kind = "trigger",.severity = "emergency"};
	char	   *big = malloc(600001);
	char	   *key = malloc(401);
	char		first[300];
	const char *found;

	memset(big, 'x', 600000);
	big[600000] = '\0';
	memset(key, 'k', 400);
	key[400] = '\0';
	message.summary = big;
	message.dedup_key = key;
	build(&channel, &message);
	found = strstr(body, "\"summary\":\"");
	CHECK(found != NULL && strcspn(found + 11, "\"") == 1024, "summary of 1024");
	found = strstr(body, "\"dedup_key\":\"");
	CHECK(found != NULL && strcspn(found + 13, "\"") == 255, "key of 255");
	snprintf(first, sizeof(first), "%.255s", found + 13);
	key[399] = 'z';
	build(&channel, &message);
	found = strstr(body, "\"dedup_key\":\"");
	CHECK(strncmp(first, found + 13, 255) != 0, "another key, another hash");
	key[255] = '\0';
	build(&channel, &message);
	CHECK(strstr(body, key) != NULL, "255 stay as they are");

	/* details that are too large are left out, and the event goes */
	big[0] = '"';
	big[599999] = '"';
	message.summary = "s";
	message.evidence = big;
	build(&channel, &message);
	CHECK(is_json(body) && strstr(body, "custom_details") == NULL && strstr(body, "\"summary\":\"s\"") != NULL, "without details");
	message.evidence = NULL;
	build(&channel, &message);
	CHECK(strstr(body, "custom_details") != NULL, "with details");

	/* resolve and acknowledge are three fields */
	message.kind = "resolve";
	message.dedup_key = "k";
	build(&channel, &message);
	CHECK(strcmp(body, "{\"routing_key\":\"t\",\"event_action\":\"resolve\",\"dedup_key\":\"k\"}") == 0, "%s", body);
	message.kind = "acknowledge";
	build(&channel, &message);
	CHECK(strstr(body, "\"acknowledge\"") != NULL && strstr(body, "payload") == NULL, "%s", body);

	/* a webhook of more than 64 kB becomes its core */
	channel = channel_of("webhook");
	message.json = big;
	{
		Request		request = build(&channel, &message);

		CHECK(!request.too_large && is_json(body) && strlen(body) < 65536 && strstr(body, "\"truncated\":true") != NULL, "%.100s", body);
	}
	free(big);
	free(key);
}

static void
test_templates(void)
{
	static const char *const bad[] = {"{{", "{{summary", "{{nothing}}", "{{}}", "{{ }}", "x {{summary}} {{y}}",
	"{{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}}"};
	Message		message = {.summary = "a \"b\"",.value = "1.5",.actions = "x\ny"};
	Text		out;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		text_begin(&out, body, sizeof(body));
		CHECK(template_render(bad[i], TEMPLATE_JSON, &message, &out) != NULL, "%s", bad[i]);
	}
#define RENDERS(template, format, expected) \
	do { \
		text_begin(&out, body, sizeof(body)); \
		CHECK(template_render(template, format, &message, &out) == NULL && strcmp(body, expected) == 0, "%s gives %s", template, body); \
	} while (0)
	RENDERS("{{summary}}", TEMPLATE_JSON, "\"a \\\"b\\\"\"");
	RENDERS("\"{{summary}}\"", TEMPLATE_JSON, "\"a \\\"b\\\"\"");
	RENDERS("\"\\\"{{ summary }}\"{{value}}", TEMPLATE_JSON, "\"\\\"a \\\"b\\\"\"1.5");
	RENDERS("{{threshold}}{{cause}}", TEMPLATE_JSON, "nullnull");
	RENDERS("\"{{threshold}}\"", TEMPLATE_JSON, "\"\"");
	RENDERS("a={{summary}}", TEMPLATE_FORM, "a=a%20%22b%22");
	RENDERS("{{summary}}: {{actions}}", TEMPLATE_PLAIN, "a \"b\": x\ny");
	RENDERS("\"{{actions}}\"", TEMPLATE_JSON, "\"x\\ny\"");
	RENDERS("no placeholder { } }}", TEMPLATE_PLAIN, "no placeholder { } }}");
	message.value = "NaN";
	RENDERS("{{value}}", TEMPLATE_JSON, "null");
}

static void
test_text(void)
{
	static const char *const numbers[] = {"0", "-1", "1.5", "1e5", "1E-5", "-0.1e+2"};
	static const char *const none[] = {"", "-", "01", "1.", ".5", "1e", "NaN", "1 ", "+1", "0x1", "1e5x", "Infinity"};
	char		small[8];
	Text		out;

	text_begin(&out, small, sizeof(small));
	text_add(&out, "1234567");
	CHECK(!out.overflowed && strcmp(small, "1234567") == 0, "full");
	text_add(&out, "8");
	text_add(&out, "");
	CHECK(out.overflowed && strcmp(small, "1234567") == 0, "more");
	text_begin(&out, small, sizeof(small));
	text_add(&out, "12345678");
	text_add(&out, "9");
	CHECK(out.overflowed && small[0] == '\0', "nothing after what did not fit");
	text_begin(&out, body, sizeof(body));
	text_add_plain(&out, "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f!", 5, false);
	CHECK(strcmp(body, "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f!") == 0, "fits: %s", body);
	text_begin(&out, body, sizeof(body));
	text_add_plain(&out, "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f!?", 5, false);
	CHECK(strcmp(body, "\xc3\xa4\xc3\xb6...") == 0, "cut between characters: %s", body);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		CHECK(text_is_json_number(numbers[i]), "%s", numbers[i]);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		CHECK(!text_is_json_number(none[i]), "%s", none[i]);
	text_begin(&out, body, sizeof(body));
	text_add_mail_header(&out, "Subject", "gr\xc3\xbc\xc3\x9f dich", 100);
	CHECK(strcmp(body, "Subject: =?UTF-8?B?Z3LDvMOfIGRpY2g=?=\r\n") == 0, "%s", body);
	text_begin(&out, body, sizeof(body));
	text_add_mail_header(&out, "Subject", "a\r\nBcc: b", 100);
	CHECK(strcmp(body, "Subject: a  Bcc: b\r\n") == 0, "%s", body);

	/* no line with encoded words has more than 76 characters */
	for (size_t length = 1; length < 200; length++)
	{
		char		value[201];
		const char *line = body;

		memset(value, 'x', length);
		memcpy(value, "\xc3\xa4", length > 1 ? 2 : 0);
		value[length] = '\0';
		text_begin(&out, body, sizeof(body));
		text_add_mail_header(&out, "X-Some-Header", value, 250);
		while (*line != '\0')
		{
			size_t		end = strcspn(line, "\r");

			CHECK(length == 1 || end <= 76, "%zu: %s", length, line);
			line += end + strspn(line + end, "\r\n");
		}
	}
}

static void
test_slack_answers(void)
{
	Answer		answer = {.status = 200,.body = "ok",.body_length = 2};

	CHECK(slack_judge(&answer) == VERDICT_SENT, "200 ok");
	answer.body_length = 3;
	CHECK(slack_judge(&answer) == VERDICT_REFUSED, "200 and more than ok");
	answer.body_length = 0;
	CHECK(slack_judge(&answer) == VERDICT_REFUSED, "200 and nothing");
	answer = (Answer)
	{
		.status = 200,.body = "no",.body_length = 2
	};
	CHECK(slack_judge(&answer) == VERDICT_REFUSED, "200 and something else");
	answer = (Answer)
	{
		.status = 204
	};
	CHECK(slack_judge(&answer) == VERDICT_REFUSED, "204");
	answer = (Answer)
	{
		.status = 429
	};
	CHECK(slack_judge(&answer) == VERDICT_RETRY, "429");
	answer = (Answer)
	{
		.status = 500
	};
	CHECK(slack_judge(&answer) == VERDICT_RETRY, "500");
	answer = (Answer)
	{
		.status = 404
	};
	CHECK(slack_judge(&answer) == VERDICT_REFUSED, "404");
}

int
main(int argc, char **argv)
{
	check_begin(argc, argv);
	run(test_text, "texts");
	run(test_templates, "templates");
	run(test_limits, "limits of the receivers");
	run(test_slack_answers, "what Slack answers");
	run(test_hostile, "hostile names in every kind");
	return check_end();
}
