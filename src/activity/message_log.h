/*-------------------------------------------------------------------------
 *
 * message_log.h
 *		Counts the messages of the server's log, by SQLSTATE and severity.
 *
 * No log file is read: emit_log_hook sees each message that is about to be
 * written, in every process, the postmaster included.  It counts by database,
 * SQLSTATE and severity, in a table of a fixed size in shared memory whose
 * entries are taken by compare-and-swap: it takes no lock, allocates nothing
 * and raises nothing.  Messages without room are counted together.
 *
 * The counters only grow; what was stored of them stands beside them, with and
 * without what was stored last: a reader takes that which fits his snapshot of
 * the history, and a transaction that is rolled back has stored nothing.
 *
 * src/activity/message_log.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_MESSAGE_LOG_H
#define DBMAINT_MESSAGE_LOG_H

#include "collect/collect.h"

/* Installs the hook; from _PG_init only. */
extern void message_log_install(void);

/* Shared memory: asking for it, and attaching to it (makes it if need be). */
extern void message_log_shared_request(void);
extern void message_log_shared_attach(void);

/* Frees the counters of databases that are no more: of all but those given. */
extern void message_log_forget_others(const Oid *existing, int count);

/* The collector's callback: stores what was counted since the last time. */
extern void collect_log(Collection *collection);

#endif							/* DBMAINT_MESSAGE_LOG_H */
