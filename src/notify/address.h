/*-------------------------------------------------------------------------
 *
 * address.h
 *		Where requests may go: addresses, networks and URLs.
 *
 * A URL of a channel must not make the server talk to itself, to its private
 * network or to the metadata service of a cloud, unless the administrator
 * allows it (dbmaint.notify_allowed_networks).  It is checked when it is
 * entered, and the address that its name resolves to when a connection is
 * made: a name may mean another address each time it is asked for.
 *
 * URLs are taken by a narrower grammar than any that a library has, so that no
 * two readers can understand one differently.
 *
 * address.c and url.c know no server.
 *
 * src/notify/address.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_NOTIFY_ADDRESS_H
#define DBMAINT_NOTIFY_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define URL_MOST 2048
#define HOST_MOST 253

/* An IPv6 address; one of IPv4 is ::ffff:a.b.c.d. */
typedef struct Address
{
	uint8_t		bytes[16];
} Address;

typedef enum UrlScheme
{
	URL_HTTP,
	URL_HTTPS,
	URL_SMTP,
	URL_SMTPS
} UrlScheme;

typedef struct Url
{
	UrlScheme	scheme;
	char		host[HOST_MOST + 1];	/* without brackets, in lower case */
	bool		literal;		/* the host is an address */
	Address		address;		/* if so */
	int			port;			/* the scheme's if it names none */
} Url;

extern Address address_from_ipv4(const uint8_t bytes[4]);
extern Address address_from_ipv6(const uint8_t bytes[16]);

/* Reads a.b.c.d or an IPv6 address without brackets or zone; false if none. */
extern bool address_parse(const char *string, Address *address);

/*
 * Is the address one of the Internet's, that anybody may talk to?  Addresses
 * that carry an IPv4 address (mapped, NAT64, 6to4) are judged by that one.
 */
extern bool address_is_public(const Address *address);

/*
 * Is the address in one of the networks, a list such as "10.0.0.0/8, ::1"?
 */
extern bool address_in_networks(const Address *address, const char *networks);

/* Is every item of the list a network?  An empty list is valid. */
extern bool networks_valid(const char *networks);

/* May we connect to it?  It is public, or in the networks. */
extern bool address_allowed(const Address *address, const char *networks);

/*
 * Reads a URL.  Returns NULL, or what is wrong with it, in words that do not
 * repeat any of it.
 */
extern const char *url_parse(const char *string, Url *url);

/*
 * What is wrong with the host of the URL as it stands, before it is resolved;
 * NULL if nothing is.
 */
extern const char *url_check_host(const Url *url, const char *networks);

/* Is it an address for mail, "local@domain", of plain characters? */
extern bool mail_address_valid(const char *string, size_t length);

#endif							/* DBMAINT_NOTIFY_ADDRESS_H */
