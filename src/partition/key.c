/*-------------------------------------------------------------------------
 *
 * key.c
 *		The keys by which tables are partitioned, as numbers of a grid.
 *
 * src/partition/key.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "partition/key.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* seconds from 1970 to 2000 */
#define UNIX_OF_2000 \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY)

bool
key_of_type(Oid type, Key *key)
{
	memset(key, 0, sizeof(*key));
	key->type = getBaseType(type);
	switch (key->type)
	{
		case TIMESTAMPTZOID:
			key->kind = KEY_TIMESTAMPTZ;
			return true;
		case TIMESTAMPOID:
			key->kind = KEY_TIMESTAMP;
			return true;
		case DATEOID:
			key->kind = KEY_DATE;
			return true;
		case INT2OID:
		case INT4OID:
		case INT8OID:
			key->kind = KEY_INTEGER;
			return true;
		case UUIDOID:
			key->kind = KEY_UUID7;
			return true;
		default:
			return false;
	}
}

bool
key_is_calendar(const Key *key)
{
	return key->kind != KEY_INTEGER;
}

bool
key_is_instant(const Key *key)
{
	return key_is_calendar(key) && key->kind != KEY_TIMESTAMP && key->kind != KEY_DATE;
}

static int64
saturated(int64 of)
{
	return of < 0 ? RANGE_MINVALUE : RANGE_MAXVALUE;
}

/* Units since 1970, so many of them a second, as microseconds since 2000. */
static int64
from_unix(int64 number, int64 units)
{
	int64		value;

	if (pg_sub_s64_overflow(number, UNIX_OF_2000 * units, &value) ||
		pg_mul_s64_overflow(value, USECS_PER_SEC / units, &value))
		return saturated(number);
	return value;
}

static int64
to_unix(int64 value, int64 units)
{
	return value / (USECS_PER_SEC / units) + UNIX_OF_2000 * units;
}

static int64
integer_of(Oid type, Datum datum)
{
	switch (type)
	{
		case INT2OID:
			return DatumGetInt16(datum);
		case INT4OID:
			return DatumGetInt32(datum);
		default:
			return DatumGetInt64(datum);
	}
}

int64
key_value(const Key *key, Datum datum)
{
	switch (key->kind)
	{
		case KEY_TIMESTAMPTZ:
		case KEY_TIMESTAMP:

			/*
			 * infinity is the greatest number already, and -infinity the
			 * least
			 */
			return DatumGetTimestamp(datum);
		case KEY_DATE:
			{
				DateADT		date = DatumGetDateADT(datum);
				int64		value;

				if (DATE_NOT_FINITE(date) ||
					pg_mul_s64_overflow(date, USECS_A_DAY, &value))
					return saturated(date);
				return value;
			}
		case KEY_INTEGER:
			return integer_of(key->type, datum);
		case KEY_SECONDS:
			return from_unix(integer_of(key->type, datum), 1);
		case KEY_MILLISECONDS:
			return from_unix(integer_of(key->type, datum), 1000);
		case KEY_UUID7:
			{
				const pg_uuid_t *uuid = DatumGetUUIDP(datum);
				int64		ms = 0;

				for (int i = 0; i < UUID_TIME_BYTES; i++)
					ms = ms << 8 | uuid->data[i];
				return from_unix(ms, 1000);
			}
	}
	return 0;
}

int64
key_number(const Key *key, int64 value)
{
	switch (key->kind)
	{
		case KEY_SECONDS:
			return to_unix(value, 1);
		case KEY_MILLISECONDS:
		case KEY_UUID7:
			return to_unix(value, 1000);
		default:
			return value;
	}
}

bool
key_can_have(const Key *key, int64 value)
{
	int64		number;

	switch (key->kind)
	{
		case KEY_TIMESTAMPTZ:
		case KEY_TIMESTAMP:
			return IS_VALID_TIMESTAMP(value);
		case KEY_DATE:
			return value % USECS_A_DAY == 0;
		case KEY_UUID7:
			number = key_number(key, value);
			return value % 1000 == 0 && number >= 0 && number < INT64CONST(1) << 48;
		case KEY_SECONDS:
			if (value % USECS_PER_SEC != 0)
				return false;
			break;
		case KEY_MILLISECONDS:
			if (value % 1000 != 0)
				return false;
			break;
		case KEY_INTEGER:
			break;
	}
	number = key_number(key, value);
	if (key->type == INT2OID)
		return number >= PG_INT16_MIN && number <= PG_INT16_MAX;
	if (key->type == INT4OID)
		return number >= PG_INT32_MIN && number <= PG_INT32_MAX;
	return true;
}

/* In the ISO style, whatever DateStyle and TimeZone say. */
static char *
timestamp_text(int64 value, pg_tz *zone)
{
	char		text[MAXDATELEN + 1];
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset = 0;

	if (timestamp2tm(value, zone ? &offset : NULL, &tm, &fsec, NULL, zone) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	EncodeDateTime(&tm, fsec, zone != NULL, offset, NULL, USE_ISO_DATES, text);
	return pstrdup(text);
}

static char *
uuid_text(const Key *key, int64 value)
{
	pg_uuid_t	uuid;
	int64		ms = key_number(key, value);

	for (int i = UUID_TIME_BYTES - 1; i >= 0; i--, ms >>= 8)
		uuid.data[i] = (uint8) (ms & 0xFF);
	memcpy(uuid.data + UUID_TIME_BYTES, key->uuid_tail, UUID_TAIL_BYTES);
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&uuid)));
}

static char *
bare_text(const Key *key, int64 value, pg_tz *zone)
{
	char	   *text;

	switch (key->kind)
	{
		case KEY_TIMESTAMPTZ:
			return timestamp_text(value, zone);
		case KEY_TIMESTAMP:
			return timestamp_text(value, NULL);
		case KEY_DATE:
			{
				char		date[MAXDATELEN + 1];
				struct pg_tm tm;

				j2date((int) (value / USECS_A_DAY) + POSTGRES_EPOCH_JDATE,
					   &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
				EncodeDateOnly(&tm, USE_ISO_DATES, date);
				return pstrdup(date);
			}
		case KEY_UUID7:
			return uuid_text(key, value);
		default:
			text = psprintf(INT64_FORMAT, key_number(key, value));
			return text;
	}
}

char *
key_text(const Key *key, int64 value, pg_tz *zone)
{
	if (value == RANGE_MINVALUE || value == RANGE_MAXVALUE)
		return NULL;
	if (key_is_calendar(key) && (value == RANGE_INFINITE_PAST || value == RANGE_INFINITE_FUTURE))
		return pstrdup(value == RANGE_INFINITE_PAST ? "-infinity" : "infinity");
	/* a bound far from all calendars, which is never one of ours */
	if (key->kind == KEY_UUID7 || key->kind == KEY_INTEGER || IS_VALID_TIMESTAMP(value))
		return bare_text(key, value, zone ? zone : pg_tzset("GMT"));
	return NULL;
}

char *
key_literal(const Key *key, int64 value)
{
	return psprintf("'%s'", bare_text(key, value, pg_tzset("GMT")));
}

static int64_t
zone_to_local(const void *zone, int64_t utc)
{
	pg_time_t	seconds = utc / USECS_PER_SEC - (utc % USECS_PER_SEC < 0) + UNIX_OF_2000;
	struct pg_tm *tm = pg_localtime(&seconds, zone);

	return tm == NULL ? utc : utc + tm->tm_gmtoff * USECS_PER_SEC;
}

static int64_t
zone_to_utc(const void *zone, int64_t local)
{
	CalendarDate date = calendar_date(local);
	struct pg_tm tm;

	memset(&tm, 0, sizeof(tm));
	tm.tm_year = (int) date.year;
	tm.tm_mon = date.month;
	tm.tm_mday = date.day;
	tm.tm_hour = (int) (date.time / USECS_PER_HOUR);
	tm.tm_min = (int) (date.time / USECS_PER_MINUTE % 60);
	tm.tm_sec = (int) (date.time / USECS_PER_SEC % 60);
	/* the server counts seconds west */
	return local + DetermineTimeZoneOffset(&tm, unconstify(pg_tz *, (const pg_tz *) zone)) * USECS_PER_SEC;
}

Calendar *
key_calendar(pg_tz *zone)
{
	Calendar   *calendar = palloc0_object(Calendar);

	if (zone != NULL)
	{
		calendar->to_local = zone_to_local;
		calendar->to_utc = zone_to_utc;
		calendar->zone = zone;
	}
	return calendar;
}
