/*-------------------------------------------------------------------------
 *
 * kind.c
 *		The table of the kinds of channels.
 *
 * src/notify/kind.c
 *
 *-------------------------------------------------------------------------
 */
#include "notify/kind.h"

#include <stdio.h>
#include <string.h>

#include "notify/address.h"

const char *const common_options =
"escalation_level,rate_per_second,concurrency,query_texts,evidence,target_file";

#define HTTP_OPTIONS "ca_file"
#define WEBHOOK_OPTIONS \
	"method,content_type,body,headers,headers_file,signing_key," \
	"signing_key_file,signature_header," HTTP_OPTIONS

const ChannelKind channel_kinds[] =
{
	{.name = "slack",.carrier = CARRIER_HTTP,.options = HTTP_OPTIONS,
		.rate = 1,.concurrency = 1,
	.check = slack_check,.build = slack_build,.judge = slack_judge,},
	{.name = "pagerduty",.carrier = CARRIER_HTTP,
		.options = "url," HTTP_OPTIONS,
		.rate = 2,.concurrency = 2,.evidence = true,
	.check = pagerduty_check,.build = pagerduty_build,.judge = http_judge,},
	{.name = "email",.carrier = CARRIER_SMTP,
		.options = "smtp,from,username,password,password_file,insecure_plaintext,ca_file",
		.rate = 5,.concurrency = 1,
	.check = email_check,.build = email_build,.judge = email_judge,},
	/* a gateway for text messages is a webhook with a short text */
	{.name = "sms",.carrier = CARRIER_HTTP,.options = WEBHOOK_OPTIONS,
		.rate = 1,.concurrency = 2,
	.check = webhook_check,.build = webhook_build,.judge = http_judge,},
	{.name = "webhook",.carrier = CARRIER_HTTP,.options = WEBHOOK_OPTIONS,
		.rate = 50,.concurrency = 4,.evidence = true,
	.check = webhook_check,.build = webhook_build,.judge = http_judge,},
	{.name = "notify",.carrier = CARRIER_NOTIFY,.options = "",
		.rate = 1000,.concurrency = 100,
	.check = notify_check,.build = notify_build,},
	{.name = "log",.carrier = CARRIER_LOG,.options = "",
		.rate = 1000,.concurrency = 100,
	.check = log_check,.build = log_build,},
};

const int	channel_kind_count = sizeof(channel_kinds) / sizeof(channel_kinds[0]);

const ChannelKind *
channel_kind_find(const char *name)
{
	for (int i = 0; i < channel_kind_count; i++)
	{
		if (strcmp(channel_kinds[i].name, name) == 0)
			return &channel_kinds[i];
	}
	return NULL;
}

/* Is the name an item of the list? */
static bool
in_list(const char *name, const char *list)
{
	size_t		length = strlen(name);

	while (*list != '\0')
	{
		size_t		item = strcspn(list, ",");

		if (item == length && memcmp(name, list, length) == 0)
			return true;
		list += list[item] == ',' ? item + 1 : item;
	}
	return false;
}

bool
channel_kind_knows(const ChannelKind *kind, const char *option)
{
	return in_list(option, common_options) || in_list(option, kind->options);
}

bool
problem_set(Problem *problem, const char *subject, const char *wrong,
			const char *hint)
{
	snprintf(problem->message, sizeof(problem->message), "%s %s", subject,
			 wrong);
	problem->hint = hint;
	return false;
}

bool
check_url(const char *subject, const char *string, bool mail,
		  const char *networks, Problem *problem)
{
	Url			url;
	const char *wrong = url_parse(string, &url);

	if (wrong == NULL && mail != (url.scheme >= URL_SMTP))
		wrong = mail ? "does not begin with smtp:// or smtps://" :
			"does not begin with https:// or http://";
	if (wrong != NULL)
		return problem_set(problem, subject, wrong, NULL);
	wrong = url_check_host(&url, networks);
	if (wrong != NULL)
		return problem_set(problem, subject, wrong,
						   "Add its network to dbmaint.notify_allowed_networks if it is meant.");
	return true;
}

Verdict
http_judge(const Answer *answer)
{
	return verdict_http(answer->status);
}
