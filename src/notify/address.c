/*-------------------------------------------------------------------------
 *
 * address.c
 *		Which addresses are whose.
 *
 * src/notify/address.c
 *
 *-------------------------------------------------------------------------
 */
#include "notify/address.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define ITEM_MOST 64

/* The first bits of an address, and how many of them count. */
typedef struct Network
{
	uint8_t		bytes[16];
	int			bits;
} Network;

/* What is not the Internet's, by IANA's registries of special addresses. */
static const char *const special_ipv4[] = {
	"0.0.0.0/8",				/* this host */
	"10.0.0.0/8",				/* private */
	"100.64.0.0/10",			/* behind a carrier's NAT */
	"127.0.0.0/8",				/* loopback */
	"169.254.0.0/16",			/* link-local, and metadata services */
	"172.16.0.0/12",			/* private */
	"192.0.0.0/24",				/* protocol assignments */
	"192.0.2.0/24",				/* documentation */
	"192.88.99.0/24",			/* 6to4 relays */
	"192.168.0.0/16",			/* private */
	"198.18.0.0/15",			/* benchmarks */
	"198.51.100.0/24",			/* documentation */
	"203.0.113.0/24",			/* documentation */
	"224.0.0.0/4",				/* multicast */
	"240.0.0.0/4",				/* reserved, broadcast */
};

/* Of IPv6 only 2000::/3 is given out, and of it not these. */
static const char *const special_ipv6[] = {
	"2001::/23",				/* protocol assignments, Teredo */
	"2001:db8::/32",			/* documentation */
	"3fff::/20",				/* documentation */
};

Address
address_from_ipv4(const uint8_t bytes[4])
{
	Address		address = {{0}};

	address.bytes[10] = address.bytes[11] = 0xFF;
	memcpy(address.bytes + 12, bytes, 4);
	return address;
}

Address
address_from_ipv6(const uint8_t bytes[16])
{
	Address		address;

	memcpy(address.bytes, bytes, 16);
	return address;
}

bool
address_parse(const char *string, Address *address)
{
	uint8_t		bytes[16];

	if (inet_pton(AF_INET, string, bytes) == 1)
		*address = address_from_ipv4(bytes);
	else if (inet_pton(AF_INET6, string, bytes) == 1)
		*address = address_from_ipv6(bytes);
	else
		return false;
	return true;
}

/* Reads "address" or "address/bits". */
static bool
network_parse(const char *string, size_t length, Network *network)
{
	char		item[ITEM_MOST];
	Address		address;
	char	   *slash;
	int			most;

	if (length >= sizeof(item))
		return false;
	memcpy(item, string, length);
	item[length] = '\0';
	slash = strchr(item, '/');
	if (slash != NULL)
		*slash = '\0';
	if (!address_parse(item, &address))
		return false;

	most = strchr(item, ':') == NULL ? 32 : 128;
	network->bits = most;
	if (slash != NULL)
	{
		size_t		digits = strspn(slash + 1, "0123456789");

		if (digits == 0 || digits > 3 || slash[1 + digits] != '\0')
			return false;
		network->bits = atoi(slash + 1);
		if (network->bits > most)
			return false;
	}
	network->bits += 128 - most;
	memcpy(network->bytes, address.bytes, 16);
	return true;
}

static bool
in_network(const Address *address, const Network *network)
{
	int			whole = network->bits / 8;
	int			rest = network->bits % 8;

	if (memcmp(address->bytes, network->bytes, (size_t) whole) != 0)
		return false;
	return rest == 0 ||
		(address->bytes[whole] ^ network->bytes[whole]) >> (8 - rest) == 0;
}

static bool
in_special(const Address *address, const char *const *networks, size_t count)
{
	for (size_t i = 0; i < count; i++)
	{
		Network		network;

		if (network_parse(networks[i], strlen(networks[i]), &network) &&
			in_network(address, &network))
			return true;
	}
	return false;
}

/* Does the address begin with the bytes? */
static bool
begins_with(const Address *address, const uint8_t *bytes, size_t count)
{
	return memcmp(address->bytes, bytes, count) == 0;
}

/* The IPv4 address that the address is, or carries. */
static bool
carried_ipv4(const Address *address, Address *carried)
{
	static const uint8_t mapped[12] = {[10] = 0xFF,[11] = 0xFF};
	static const uint8_t nat64[12] = {0x00, 0x64, 0xFF, 0x9B};
	static const uint8_t six_to_four[2] = {0x20, 0x02};

	if (begins_with(address, mapped, 12) || begins_with(address, nat64, 12))
		*carried = address_from_ipv4(address->bytes + 12);
	else if (begins_with(address, six_to_four, 2))
		*carried = address_from_ipv4(address->bytes + 2);
	else
		return false;
	return true;
}

bool
address_is_public(const Address *address)
{
	Address		ipv4;

	if (carried_ipv4(address, &ipv4))
		return !in_special(&ipv4, special_ipv4,
						   sizeof(special_ipv4) / sizeof(special_ipv4[0]));
	return (address->bytes[0] & 0xE0) == 0x20 &&
		!in_special(address, special_ipv6,
					sizeof(special_ipv6) / sizeof(special_ipv6[0]));
}

/* The next item of a list, without blanks; false at the list's end. */
static bool
next_item(const char **list, const char **item, size_t *length)
{
	const char *begin = *list;
	const char *end;

	if (begin == NULL)
		return false;
	end = begin + strcspn(begin, ",");
	*list = *end == ',' ? end + 1 : NULL;
	begin += strspn(begin, " \t\n\r");
	while (end > begin && strchr(" \t\n\r", end[-1]) != NULL)
		end--;
	*item = begin;
	*length = begin < end ? (size_t) (end - begin) : 0;
	return true;
}

bool
address_in_networks(const Address *address, const char *networks)
{
	const char *item;
	size_t		length;

	while (next_item(&networks, &item, &length))
	{
		Network		network;

		if (network_parse(item, length, &network) &&
			in_network(address, &network))
			return true;
	}
	return false;
}

bool
networks_valid(const char *networks)
{
	const char *item;
	size_t		length;

	if (strspn(networks, " \t\n\r") == strlen(networks))
		return true;
	while (next_item(&networks, &item, &length))
	{
		Network		network;

		if (!network_parse(item, length, &network))
			return false;
	}
	return true;
}

bool
address_allowed(const Address *address, const char *networks)
{
	Address		ipv4;

	if (address_is_public(address) || address_in_networks(address, networks))
		return true;
	return carried_ipv4(address, &ipv4) && address_in_networks(&ipv4, networks);
}
