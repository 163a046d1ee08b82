/*-------------------------------------------------------------------------
 *
 * retry.c
 *		What an answer means, and when to try again.
 *
 * src/notify/retry.c
 *
 *-------------------------------------------------------------------------
 */
#include "notify/retry.h"

#include <stdio.h>
#include <string.h>

#define WAIT_FIRST_MS 1000
#define WAIT_MOST_MS (300 * 1000)
#define AFTER_MOST_S (24 * 60 * 60)

Verdict
verdict_http(int status)
{
	if (status >= 200 && status <= 299)
		return VERDICT_SENT;
	/* 0: nobody answered; 1xx: nobody finished the answer */
	if (status < 200 || status == 429 || status >= 500)
		return VERDICT_RETRY;
	return VERDICT_REFUSED;
}

Verdict
verdict_smtp(int status)
{
	if (status >= 200 && status <= 299)
		return VERDICT_SENT;
	if (status >= 500 && status <= 599)
		return VERDICT_REFUSED;
	return VERDICT_RETRY;
}

int64_t
retry_wait_ms(int failures, double fraction)
{
	int64_t		wait = WAIT_FIRST_MS;

	for (int i = 1; i < failures && wait < WAIT_MOST_MS; i++)
		wait *= 2;
	if (wait > WAIT_MOST_MS)
		wait = WAIT_MOST_MS;
	if (!(fraction >= 0))
		fraction = 0;
	if (fraction > 1)
		fraction = 1;
	return wait / 2 + (int64_t) (wait / 2 * fraction);
}

/* Days since 1970 of a date of the Gregorian calendar. */
static int64_t
days_of(int year, int month, int day)
{
	int64_t		y = month <= 2 ? year - 1 : year;
	int64_t		era = (y >= 0 ? y : y - 399) / 400;
	int64_t		of_era = y - era * 400;
	int64_t		of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year -
		719468;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", the one form that senders may use. */
static bool
parse_date(const char *value, int64_t *at_s)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char		weekday[4];
	char		month[4];
	char		zone[4];
	int			day,
				year,
				hour,
				minute,
				second;
	const char *found;

	if (sscanf(value, "%3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d %3s",
			   weekday, &day, month, &year, &hour, &minute, &second, zone) != 8)
		return false;
	found = strstr(months, month);
	if (strlen(month) != 3 || found == NULL || (found - months) % 3 != 0 ||
		strcmp(zone, "GMT") != 0)
		return false;
	if (day < 1 || day > 31 || year < 1970 || hour < 0 || hour > 23 ||
		minute < 0 || minute > 59 || second < 0 || second > 60)
		return false;
	*at_s = days_of(year, (int) (found - months) / 3 + 1, day) * 86400 +
		hour * 3600 + minute * 60 + second;
	return true;
}

int64_t
retry_after_s(const char *value, int64_t now_s)
{
	size_t		digits;
	int64_t		seconds = 0;
	int64_t		at_s;

	value += strspn(value, " \t");
	digits = strspn(value, "0123456789");
	if (digits > 0 && strspn(value + digits, " \t\r\n") == strlen(value + digits))
	{
		for (size_t i = 0; i < digits && seconds < AFTER_MOST_S; i++)
			seconds = seconds * 10 + (value[i] - '0');
	}
	else if (parse_date(value, &at_s))
		seconds = at_s > now_s ? at_s - now_s : 0;
	else
		return -1;
	return seconds < AFTER_MOST_S ? seconds : AFTER_MOST_S;
}
