/*-------------------------------------------------------------------------
 *
 * notify_retry_test.c
 *	  What answers mean and how long to wait; prints TAP.  Needs no server:
 *
 *	  cc -g -fsanitize=address,undefined -Isrc test/unit/notify_retry_test.c \
 *		 src/notify/retry.c -o retry_test && ./retry_test
 *
 *	  Random data comes from a fixed seed, or from the one given as argument.
 *
 *-------------------------------------------------------------------------
 */
#include "notify/retry.h"
#include "check.h"

static void
test_verdicts(void)
{
	for (int status = 0; status < 700; status++)
	{
		Verdict		expected = VERDICT_REFUSED;

		if (status / 100 == 2)
			expected = VERDICT_SENT;
		else if (status < 200 || status == 429 || status >= 500)
			expected = VERDICT_RETRY;
		CHECK(verdict_http(status) == expected, "HTTP %d", status);

		expected = VERDICT_RETRY;
		if (status / 100 == 2)
			expected = VERDICT_SENT;
		else if (status / 100 == 5)
			expected = VERDICT_REFUSED;
		CHECK(verdict_smtp(status) == expected, "SMTP %d", status);
	}
}

static void
test_waits(void)
{
	int64_t		whole = 1000;

	for (int failures = 1; failures < 100; failures++)
	{
		int64_t		least = retry_wait_ms(failures, 0);
		int64_t		most = retry_wait_ms(failures, 1);

		CHECK(least == whole / 2 && most == whole, "%d: %" PRId64 " to %" PRId64, failures, least, most);
		for (int i = 0; i < 100; i++)
		{
			int64_t		wait = retry_wait_ms(failures, random_fraction());

			CHECK(wait >= least && wait <= most, "%d: %" PRId64, failures, wait);
		}
		whole = whole * 2 > 300000 ? 300000 : whole * 2;
	}
	CHECK(retry_wait_ms(0, 1) == 1000, "no failure");
	CHECK(retry_wait_ms(-5, -3) == 500, "nonsense");
	CHECK(retry_wait_ms(2147483647, 7) == 300000, "too many");
	CHECK(retry_wait_ms(1, 0.0 / 0.0) == 500, "no number");
}

static void
test_retry_after(void)
{
	int64_t		now = 784111777;	/* Sun, 06 Nov 1994 08:49:37 GMT */

	CHECK(retry_after_s("0", now) == 0, "zero");
	CHECK(retry_after_s(" 120\r\n", now) == 120, "seconds");
	CHECK(retry_after_s("86400", now) == 86400, "a day");
	CHECK(retry_after_s("99999999999999999999999999", now) == 86400, "for ever");
	CHECK(retry_after_s("Sun, 06 Nov 1994 08:49:47 GMT", now) == 10, "a date");
	CHECK(retry_after_s(" Sun, 06 Nov 1994 08:49:37 GMT\r\n", now) == 0, "now");
	CHECK(retry_after_s("Sun, 06 Nov 1994 08:49:27 GMT", now) == 0, "past");
	CHECK(retry_after_s("Tue, 29 Feb 2028 00:00:00 GMT", INT64_C(1835395190)) == 10, "a leap day");
	CHECK(retry_after_s("Fri, 31 Dec 9999 23:59:59 GMT", now) == 86400, "far away");
	CHECK(retry_after_s("", now) == -1, "nothing");
	CHECK(retry_after_s("soon", now) == -1, "a word");
	CHECK(retry_after_s("-5", now) == -1, "negative");
	CHECK(retry_after_s("5x", now) == -1, "more after it");
	CHECK(retry_after_s("Sun, 06 Foo 1994 08:49:37 GMT", now) == -1, "no month");
	CHECK(retry_after_s("Sun, 06 anF 1994 08:49:37 GMT", now) == -1, "between two months");
	CHECK(retry_after_s("Sun, 06 Nov 1994 25:49:37 GMT", now) == -1, "no hour");
	CHECK(retry_after_s("Sun, 06 Nov 1994 08:49:37 CET", now) == -1, "another zone");
}

static void
test_fuzz(void)
{
	static const char alphabet[] = "0123456789 ,:SunNovGMT-\r\n";

	for (int round = 0; round < 300000; round++)
	{
		char		out[48];
		size_t		length = next_random() % (sizeof(out) - 1);
		int64_t		seconds;

		for (size_t i = 0; i < length; i++)
			out[i] = alphabet[next_random() % (sizeof(alphabet) - 1)];
		out[length] = '\0';
		seconds = retry_after_s(out, 784111777);
		CHECK(seconds >= -1 && seconds <= 86400, "[%s]", out);
	}
}

int
main(int argc, char **argv)
{
	check_begin(argc, argv);
	run(test_verdicts, "what a status means");
	run(test_waits, "pauses grow, between a half and the whole");
	run(test_retry_after, "Retry-After");
	run(test_fuzz, "anything in Retry-After");
	return check_end();
}
