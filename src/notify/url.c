/*-------------------------------------------------------------------------
 *
 * url.c
 *		Reads URLs, and addresses for mail.
 *
 * src/notify/url.c
 *
 *-------------------------------------------------------------------------
 */
#include "notify/address.h"

#include <stdlib.h>
#include <string.h>

static const struct
{
	const char *name;
	UrlScheme	scheme;
	int			port;
}			schemes[] =

{
	{"http://", URL_HTTP, 80},
	{"https://", URL_HTTPS, 443},
	{"smtp://", URL_SMTP, 587},
	{"smtps://", URL_SMTPS, 465},
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Labels of letters, digits and hyphens, with dots between them. */
static bool
host_name_valid(const char *host)
{
	size_t		label = 0;

	for (const char *c = host; *c != '\0'; c++)
	{
		if (*c == '.')
		{
			if (label == 0 || c[-1] == '-')
				return false;
			label = 0;
			continue;
		}
		if (!is_letter(*c) && !is_digit(*c) && *c != '_' &&
			!(*c == '-' && label > 0))
			return false;
		if (++label > 63)
			return false;
	}
	return label > 0 && host[strlen(host) - 1] != '-';
}

/*
 * Would somebody take the name for an address?  127.1, 0x7f.1 and 2130706433
 * are ways to write 127.0.0.1; no name of a host ends like them.
 */
static bool
looks_like_address(const char *host)
{
	const char *last = strrchr(host, '.');

	last = last != NULL ? last + 1 : host;
	if (strspn(last, "0123456789") == strlen(last))
		return true;
	return last[0] == '0' && (last[1] == 'x' || last[1] == 'X');
}

/* Reads the host, from `begin` to `end`. */
static const char *
parse_host(const char *begin, const char *end, Url *url)
{
	bool		brackets = begin < end && *begin == '[';

	if (brackets)
	{
		begin++;
		if (end <= begin || end[-1] != ']')
			return "has an address whose bracket does not end";
		end--;
	}
	if (begin >= end)
		return "names no host";
	if (end - begin > HOST_MOST)
		return "has a host name that is too long";
	for (const char *c = begin; c < end; c++)
		url->host[c - begin] = *c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c;
	url->host[end - begin] = '\0';

	url->literal = address_parse(url->host, &url->address);
	if (brackets)
		return url->literal && strchr(url->host, ':') != NULL ? NULL :
			"has brackets around what is no IPv6 address";
	if (url->literal)
		return strchr(url->host, ':') == NULL ? NULL :
			"has an IPv6 address without brackets";
	if (!host_name_valid(url->host))
		return "has a host name with characters that no host name has";
	if (looks_like_address(url->host))
		return "has an address that is not written as four decimal numbers";
	return NULL;
}

/* Reads ":port", from `begin` to `end`. */
static const char *
parse_port(const char *begin, const char *end, Url *url)
{
	if (begin == end)
		return NULL;
	begin++;
	if (end - begin < 1 || end - begin > 5)
		return "has a port that is not from 1 to 65535";
	for (const char *c = begin; c < end; c++)
	{
		if (!is_digit(*c))
			return "has a port that is not from 1 to 65535";
	}
	url->port = atoi(begin);
	if (url->port < 1 || url->port > 65535)
		return "has a port that is not from 1 to 65535";
	return NULL;
}

/* Are the characters such as a URL may have, each of them? */
static bool
characters_valid(const char *string)
{
	for (const char *c = string; *c != '\0'; c++)
	{
		if (!is_letter(*c) && !is_digit(*c) &&
			strchr("-._~:/?[]@!$&'()*+,;=%", *c) == NULL)
			return false;
	}
	return true;
}

const char *
url_parse(const char *string, Url *url)
{
	const char *authority = NULL;
	const char *end;
	const char *port;
	const char *wrong;

	memset(url, 0, sizeof(*url));
	if (strlen(string) > URL_MOST)
		return "is longer than 2048 bytes";
	if (!characters_valid(string))
		return "has characters that a URL may not have, such as a blank, a line break or a fragment";

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
	{
		size_t		length = strlen(schemes[i].name);

		if (strncmp(string, schemes[i].name, length) == 0)
		{
			url->scheme = schemes[i].scheme;
			url->port = schemes[i].port;
			authority = string + length;
		}
	}
	if (authority == NULL)
		return "does not begin with https://, http://, smtps:// or smtp://";

	end = authority + strcspn(authority, "/?");
	if (memchr(authority, '@', (size_t) (end - authority)) != NULL)
		return "has a user or a password in it";
	port = end;
	for (const char *c = end - 1; c >= authority && *c != ']'; c--)
	{
		if (*c == ':')
			port = c;
	}
	wrong = parse_host(authority, port, url);
	if (wrong == NULL)
		wrong = parse_port(port, end, url);
	if (wrong == NULL && url->scheme >= URL_SMTP && *end != '\0')
		wrong = "has a path, which a mail server has not";
	return wrong;
}

/* Does the string end with the suffix? */
static bool
ends_with(const char *string, const char *suffix)
{
	size_t		length = strlen(string);
	size_t		end = strlen(suffix);

	return length >= end && strcmp(string + length - end, suffix) == 0;
}

const char *
url_check_host(const Url *url, const char *networks)
{
	static const uint8_t loopback[4] = {127, 0, 0, 1};
	Address		here = address_from_ipv4(loopback);

	if (url->literal && !address_allowed(&url->address, networks))
		return "leads to an address that is loopback, private, link-local or reserved";
	if (!url->literal &&
		(strcmp(url->host, "localhost") == 0 ||
		 ends_with(url->host, ".localhost")) &&
		!address_allowed(&here, networks))
		return "leads to this host";
	return NULL;
}

bool
mail_address_valid(const char *string, size_t length)
{
	const char *at = memchr(string, '@', length);
	char		domain[HOST_MOST + 1];
	size_t		domain_length;

	if (at == NULL || at == string || at - string > 64 || length > 254)
		return false;
	for (const char *c = string; c < at; c++)
	{
		if (!is_letter(*c) && !is_digit(*c) &&
			(*c == '\0' || strchr("!#$%&'*+-/=?^_`{|}~.", *c) == NULL))
			return false;
		if (*c == '.' && (c == string || c[1] == '.' || c[1] == '@'))
			return false;
	}
	domain_length = length - (size_t) (at + 1 - string);
	if (domain_length == 0 || domain_length > HOST_MOST)
		return false;
	memcpy(domain, at + 1, domain_length);
	domain[domain_length] = '\0';
	return strlen(domain) == domain_length && host_name_valid(domain);
}
