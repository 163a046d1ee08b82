/*-------------------------------------------------------------------------
 *
 * retry.h
 *		What an answer means, and when to try again.
 *
 * What may pass by itself is tried again: network errors, 429 and 5xx of HTTP,
 * 4yz of SMTP.  Everything else that is no success will not get better.
 *
 * retry.c knows no server and no clock.
 *
 * src/notify/retry.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_NOTIFY_RETRY_H
#define DBMAINT_NOTIFY_RETRY_H

#include <stdbool.h>
#include <stdint.h>

typedef enum Verdict
{
	VERDICT_SENT,
	VERDICT_RETRY,
	VERDICT_REFUSED				/* for good */
} Verdict;

/* By the status of the answer; 0 where there was none. */
extern Verdict verdict_http(int status);
extern Verdict verdict_smtp(int status);

/*
 * How long to wait after that many failures in a row, in milliseconds: 1 s,
 * doubled with each, at most 5 minutes; of it between a half and the whole,
 * by fraction, from 0 to 1, so that many senders do not come back at once.
 */
extern int64_t retry_wait_ms(int failures, double fraction);

/*
 * Reads the header Retry-After, seconds or a date as HTTP writes it; now_s is
 * the time in seconds since 1970.  Returns the seconds to wait, at most a
 * day, or -1 where it says nothing that can be understood.
 */
extern int64_t retry_after_s(const char *value, int64_t now_s);

#endif							/* DBMAINT_NOTIFY_RETRY_H */
