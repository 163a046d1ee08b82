/*-------------------------------------------------------------------------
 *
 * notify_address_test.c
 *	  Which URLs and addresses notifications may go to; prints TAP.  Needs no
 *	  server:
 *
 *	  cc -g -fsanitize=address,undefined -Isrc test/unit/notify_address_test.c \
 *		 src/notify/address.c src/notify/url.c -o address_test && ./address_test
 *
 *	  Random data comes from a fixed seed, or from the one given as argument.
 *
 *-------------------------------------------------------------------------
 */
#include "notify/address.h"
#include "check.h"

static bool
allowed(const char *string, const char *networks)
{
	Address		address;

	return address_parse(string, &address) && address_allowed(&address, networks);
}

static void
test_public(void)
{
	static const char *const good[] = {
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255",
		"100.128.0.0", "126.255.255.255", "128.0.0.1", "169.253.255.255",
		"169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255",
		"192.169.0.0", "223.255.255.255", "2606:4700::1111", "2a00::1",
		"::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1",
	};
	static const char *const bad[] = {
		"0.0.0.0", "10.0.0.1", "10.255.255.255", "100.64.0.1", "127.0.0.1",
		"127.255.255.255", "169.254.169.254", "172.16.0.1", "172.31.255.255",
		"192.0.0.170", "192.168.1.1", "198.18.0.1", "198.19.255.255",
		"203.0.113.7", "224.0.0.1", "239.1.2.3", "240.0.0.1",
		"255.255.255.255", "::", "::1", "fe80::1", "fec0::1", "fc00::1",
		"fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1",
		"::ffff:169.254.169.254", "64:ff9b::169.254.169.254",
		"64:ff9b::10.0.0.1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
		"2001::1", "2001:db8::1", "3fff::1", "::8.8.8.8", "4000::1", "100::1",
		"::ffff:0:127.0.0.1",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		CHECK(allowed(good[i], ""), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(!allowed(bad[i], ""), "%s", bad[i]);
}

static void
test_networks(void)
{
	CHECK(allowed("10.1.2.3", "10.0.0.0/8"), "in it");
	CHECK(!allowed("192.168.1.1", "10.0.0.0/8"), "not in it");
	CHECK(allowed("192.168.1.1", "10.0.0.0/8, 192.168.1.1"), "by itself");
	CHECK(!allowed("192.168.1.2", "10.0.0.0/8, 192.168.1.1"), "its neighbour");
	CHECK(allowed("192.168.1.131", "192.168.1.128/25"), "odd bits");
	CHECK(!allowed("192.168.1.127", "192.168.1.128/25"), "odd bits, outside");
	CHECK(allowed("fd12::1", "fd00::/8"), "IPv6");
	CHECK(!allowed("fe80::1", "fd00::/8"), "IPv6, outside");
	CHECK(allowed("::ffff:127.0.0.1", "127.0.0.1"), "mapped");
	CHECK(allowed("64:ff9b::127.0.0.1", "127.0.0.1"), "carried");
	CHECK(!allowed("127.0.0.1", "::1"), "another loopback");
	CHECK(allowed("127.0.0.1", "0.0.0.0/0"), "all");
	CHECK(!allowed("::1", "0.0.0.0/0"), "all of IPv4 only");
	CHECK(networks_valid(""), "empty");
	CHECK(networks_valid("  "), "blank");
	CHECK(networks_valid("10.0.0.0/8,::1 , fd00::/8"), "three");
	CHECK(!networks_valid("10.0.0.0/33"), "too many bits");
	CHECK(!networks_valid("::/129"), "too many bits of IPv6");
	CHECK(!networks_valid("10.0.0.0/"), "no bits");
	CHECK(!networks_valid("10.0.0.0/-1"), "negative");
	CHECK(!networks_valid("10.0.0.0/8 x"), "more after it");
	CHECK(!networks_valid("10.0.0"), "three numbers");
	CHECK(!networks_valid("a.example"), "a name");
	CHECK(!networks_valid("10.0.0.0/8,,::1"), "an empty item");
	CHECK(!networks_valid("10.0.0.0/8,"), "an empty last item");
}

static bool
url_good(const char *string, const char *host, int port)
{
	Url			url;
	const char *wrong = url_parse(string, &url);

	if (wrong != NULL)
	{
		printf("# %s: %s\n", string, wrong);
		return false;
	}
	return strcmp(url.host, host) == 0 && url.port == port;
}

static void
test_urls(void)
{
	static const char *const bad[] = {
		"", "x", "http:/a", "http://", "https:///x", "ftp://a/", "file:///etc/passwd",
		"gopher://a:70/_x", "dict://a", "ldap://a", "HTTPS://a.example/",
		"http://a b/", "http://a/\r\nHost: b", "http://a/\n", "http://a/\t",
		"http://user@a/", "http://user:pw@a/", "http://a@b@c/", "http://a\\b/",
		"http://a#b", "http://a/#b", "http://a/<x>", "http://a/\"", "http://a:0/",
		"http://a:65536/", "http://a:/", "http://a:x/", "http://a:80:81/",
		"http://[::1", "http://::1/", "http://[a]/", "http://[127.0.0.1]/",
		"http://127.1/", "http://0x7f.1/", "http://0x7f000001/", "http://2130706433/",
		"http://017700000001/", "http://127.0.0.01/", "http://1.2.3.256/", "http://a..b/",
		"http://.a/", "http://a./", "http://-a/", "http://a-/", "http://a-.b/",
		"http://\xc3\xa4/", "http://a/\xc3\xa4", "http://[fe80::1%25eth0]/",
		"smtp://a/x", "smtp://a?x", "http://a.b.0x10/",
	};
	Url			url;
	char		longest[3000];

	CHECK(url_good("https://hooks.slack.com/services/T/B/x", "hooks.slack.com", 443), "Slack");
	CHECK(url_good("http://A.Example:8080", "a.example", 8080), "lower case");
	CHECK(url_good("http://a?x=y", "a", 80), "a query alone");
	CHECK(url_good("http://[2606:4700::1]:81/x", "2606:4700::1", 81), "IPv6");
	CHECK(url_good("https://[2606:4700::1]", "2606:4700::1", 443), "IPv6 without port");
	CHECK(url_good("smtp://mail", "mail", 587), "mail");
	CHECK(url_good("smtps://mail:466", "mail", 466), "mail with TLS");
	CHECK(url_good("http://a/b@c:d", "a", 80), "@ in the path");
	CHECK(url_good("http://8.8.8.8/", "8.8.8.8", 80), "an address");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(url_parse(bad[i], &url) != NULL, "%s", bad[i]);

	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "http://a/", 9);
	longest[2048] = '\0';
	CHECK(url_parse(longest, &url) == NULL, "2048 bytes");
	longest[2048] = 'a';
	longest[2049] = '\0';
	CHECK(url_parse(longest, &url) != NULL, "2049 bytes");
}

static bool
host_good(const char *string, const char *networks)
{
	Url			url;

	return url_parse(string, &url) == NULL && url_check_host(&url, networks) == NULL;
}

static void
test_hosts(void)
{
	CHECK(host_good("http://a.example/", ""), "a name");
	CHECK(!host_good("http://localhost/", ""), "localhost");
	CHECK(!host_good("http://LOCALHOST/", ""), "in capitals");
	CHECK(!host_good("http://a.localhost/", ""), "below it");
	CHECK(host_good("http://notlocalhost/", ""), "another name");
	CHECK(host_good("http://localhost/", "127.0.0.0/8"), "allowed");
	CHECK(!host_good("http://127.0.0.1/", ""), "loopback");
	CHECK(!host_good("http://[::1]/", ""), "loopback, IPv6");
	CHECK(!host_good("http://[::ffff:169.254.169.254]/", ""), "metadata, mapped");
	CHECK(!host_good("http://169.254.169.254/latest", ""), "metadata");
	CHECK(!host_good("http://169.254.169.254/latest", "10.0.0.0/8"), "not by another network");
	CHECK(host_good("http://10.1.1.1/", "10.0.0.0/8"), "a network");
}

static bool
mail_good(const char *string)
{
	return mail_address_valid(string, strlen(string));
}

static void
test_mail(void)
{
	static const char *const bad[] = {
		"", "@", "a", "a@", "@b", "a@b@c", "a b@c", "a@b c", "a\r\n@b", "a@b\r\nBcc: x@y",
		"a@b>", "<a@b>", "\"a\"@b", "a,b@c", ".a@b", "a.@b", "a..b@c", "a@-b", "a@b..c",
		"a@[1.2.3.4]", "\xc3\xa4@b", "a@\xc3\xa4", "a;b@c", "a:b@c",
	};

	CHECK(mail_good("dba-team@company.com"), "the runbook's");
	CHECK(mail_good("a.b+c@d-e.example"), "plus");
	CHECK(mail_good("a@b"), "short");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(!mail_good(bad[i]), "%s", bad[i]);
	CHECK(!mail_address_valid("a\0b@c", 5), "a zero byte");
	CHECK(!mail_address_valid("a@b\0c", 5), "a zero byte in the domain");
}

/* Whatever comes: no read beyond, and what is accepted has no surprises. */
static void
test_fuzz(void)
{
	static const char alphabet[] = "htps:/[]@.-_0123456789abcdef%?#xX \r\n\\\xff";

	for (int round = 0; round < 400000; round++)
	{
		char		out[64];
		size_t		length = next_random() % sizeof(out);
		char	   *copy;
		Url			url;
		Address		address;

		for (size_t i = 0; i < length; i++)
			out[i] = alphabet[next_random() % (sizeof(alphabet) - 1)];
		if (length > 8 && next_random() % 4 != 0)
			memcpy(out, "http://", 7);
		copy = malloc(length + 1);
		memcpy(copy, out, length);
		copy[length] = '\0';
		if (url_parse(copy, &url) == NULL)
		{
			CHECK(strpbrk(copy, " \r\n\\#") == NULL, "%s", copy);
			CHECK(strlen(url.host) > 0 && url.port > 0 && url.port < 65536, "%s", copy);
			CHECK(strpbrk(url.host, "/@%?[] ") == NULL, "%s", copy);
			(void) url_check_host(&url, "10.0.0.0/8");
		}
		(void) address_parse(copy, &address);
		(void) networks_valid(copy);
		(void) mail_address_valid(copy, length);
		free(copy);
	}
}

int
main(int argc, char **argv)
{
	check_begin(argc, argv);
	run(test_public, "addresses that are the Internet's, and those that are not");
	run(test_networks, "networks that are allowed");
	run(test_urls, "URLs");
	run(test_hosts, "hosts of URLs");
	run(test_mail, "addresses for mail");
	run(test_fuzz, "anything");
	return check_end();
}
