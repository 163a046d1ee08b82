/*-------------------------------------------------------------------------
 *
 * compat.h
 *		Every difference between the supported server versions.
 *
 * No other file tests PG_VERSION_NUM.  Shims have the shape of the newest
 * interface and name what changed and when, so that they can be deleted when
 * the oldest supported version moves on.
 *
 * src/compat.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_COMPAT_H
#define DBMAINT_COMPAT_H

#include "postgres.h"

#include "access/attmap.h"
#include "catalog/pg_class.h"
#include "catalog/pg_publication.h"
#include "common/relpath.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/sinvaladt.h"
#include "utils/acl.h"
#include "utils/backend_status.h"
#include "utils/wait_event.h"	/* 19: no longer included by pgstat.h */

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 200000
#error "dbmaint supports PostgreSQL 15 to 19"
#endif

/* 19: get_database_name moved to utils/lsyscache.h. */
#if PG_VERSION_NUM < 190000
#include "commands/dbcommands.h"
#endif

/* 19: signal handlers take two arguments, and SIG_IGN needs a cast. */
#ifndef PG_SIG_IGN
#define PG_SIG_IGN SIG_IGN
#endif

/* 18: PG_MODULE_MAGIC_EXT names the module and its version. */
#if PG_VERSION_NUM >= 180000
#define DBMAINT_MODULE_MAGIC PG_MODULE_MAGIC_EXT(.name = "dbmaint", .version = DBMAINT_VERSION)
#else
#define DBMAINT_MODULE_MAGIC PG_MODULE_MAGIC
#endif

/* 18: ExecutorRun lost execute_once. */
#if PG_VERSION_NUM >= 180000
#define EXECUTOR_RUN_ARGS \
	QueryDesc *queryDesc, ScanDirection direction, uint64 count
#define EXECUTOR_RUN_PASS queryDesc, direction, count
#else
#define EXECUTOR_RUN_ARGS \
	QueryDesc *queryDesc, ScanDirection direction, uint64 count, \
	bool execute_once
#define EXECUTOR_RUN_PASS queryDesc, direction, count, execute_once
#endif

/* ProcessUtility's arguments: the same in 15 to 19, and many. */
#define PROCESS_UTILITY_ARGS \
	PlannedStmt *pstmt, const char *queryString, bool readOnlyTree, \
	ProcessUtilityContext context, ParamListInfo params, \
	QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc
#define PROCESS_UTILITY_PASS \
	pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc

/* 18: pg_noreturn stands before a function, where an attribute stood after it. */
#ifndef pg_noreturn
#define pg_noreturn __attribute__((noreturn))
#endif

/* 19: log_min_messages is one a type of process. */
#if PG_VERSION_NUM >= 190000
#define LOG_MIN_MESSAGES log_min_messages[MyBackendType]
#else
#define LOG_MIN_MESSAGES log_min_messages
#endif

/* 18: PortalRun lost run_once. */
#if PG_VERSION_NUM >= 180000
#define PORTAL_RUN_ALL(portal, receiver, completion) \
	PortalRun(portal, FETCH_ALL, true, receiver, receiver, completion)
#else
#define PORTAL_RUN_ALL(portal, receiver, completion) \
	PortalRun(portal, FETCH_ALL, true, true, receiver, receiver, completion)
#endif

/* 19: the postmaster itself ends a worker that stands in the way of DDL. */
#if PG_VERSION_NUM >= 190000
#define WORKER_INTERRUPTIBLE BGWORKER_INTERRUPTIBLE
#else
#define WORKER_INTERRUPTIBLE 0
#endif

/* 17: extensions name their own wait events. */
static inline uint32
wait_event_named(const char *name)
{
#if PG_VERSION_NUM >= 170000
	return WaitEventExtensionNew(name);
#else
	(void) name;
	return PG_WAIT_EXTENSION;
#endif
}

/* 17: transaction_timeout, and the need to pin it. */
#if PG_VERSION_NUM >= 170000
#define HAVE_TRANSACTION_TIMEOUT 1
#else
#define HAVE_TRANSACTION_TIMEOUT 0
#endif

/*
 * 17: backends are counted by ProcNumber, which is no longer called
 * BackendId, and PGPROC lost pgprocno.
 */
#if PG_VERSION_NUM >= 170000
#define MY_PROC_NUMBER ((uint32) MyProcNumber)
#else
#define MY_PROC_NUMBER ((uint32) MyProc->pgprocno)
#endif

/*
 * 17: the server's array of backends has one entry a ProcNumber; before, one a
 * BackendId, from 1 on.  The array itself is not exported, our own entry is.
 */
static inline PgBackendStatus *
backend_status_array(void)
{
#if PG_VERSION_NUM >= 170000
	return MyBEEntry - MyProcNumber;
#else
	return MyBEEntry - (MyBackendId - 1);
#endif
}

/* The process of an entry of the array, or NULL; may have ended since. */
static inline PGPROC *
backend_status_proc(int entry)
{
#if PG_VERSION_NUM >= 170000
	return GetPGProcByNumber(entry);
#else
	return BackendIdGetProc(entry + 1);
#endif
}

/*
 * 17: a transaction's process is named by its ProcNumber, no longer BackendId.
 * NULL: it has none, since it was prepared.
 */
static inline PgBackendStatus *
virtual_transaction_status(const VirtualTransactionId *transaction)
{
#if PG_VERSION_NUM >= 170000
	return transaction->procNumber == INVALID_PROC_NUMBER ? NULL :
		backend_status_array() + transaction->procNumber;
#else
	return transaction->backendId == InvalidBackendId ? NULL :
		backend_status_array() + (transaction->backendId - 1);
#endif
}

/* 16: whether columns may be missing became an argument. */
static inline AttrMap *
attribute_map(TupleDesc in, TupleDesc out)
{
#if PG_VERSION_NUM >= 160000
	return build_attrmap_by_name(in, out, false);
#else
	return build_attrmap_by_name(in, out);
#endif
}

/* 16: object_ownercheck() took the place of one function a kind of object. */
#if PG_VERSION_NUM < 160000
static inline bool
object_ownercheck(Oid classid, Oid objectid, Oid role)
{
	Assert(classid == RelationRelationId || classid == PublicationRelationId);
	return classid == RelationRelationId ?
		pg_class_ownercheck(objectid, role) :
		pg_publication_ownercheck(objectid, role);
}
#endif

static inline bool
relation_owned_by(Oid relation, Oid role)
{
	return object_ownercheck(RelationRelationId, relation, role);
}

static inline bool
publication_owned_by(Oid publication, Oid role)
{
	return object_ownercheck(PublicationRelationId, publication, role);
}

/* 19: publications can leave tables out, and the function's name says so. */
static inline List *
relation_publications(Oid relation)
{
#if PG_VERSION_NUM >= 190000
	return GetRelationIncludedPublications(relation);
#else
	return GetRelationPublications(relation);
#endif
}

/* 18: a primary key may be deferrable, and then not be meant. */
static inline Oid
relation_primary_key(Relation relation)
{
#if PG_VERSION_NUM >= 180000
	return RelationGetPrimaryKeyIndex(relation, false);
#else
	return RelationGetPrimaryKeyIndex(relation);
#endif
}

/* 17: the variable IsBackgroundWorker became a macro like its siblings. */
#if PG_VERSION_NUM < 170000
#define AmBackgroundWorkerProcess() IsBackgroundWorker
#endif

/*
 * 18: GetRelationPath() gives a struct.  The first file of what is not a
 * temporary relation, palloc'd; -1 is nobody's BackendId, or since 17 nobody's
 * ProcNumber.
 */
static inline char *
relation_file_path(Oid database, Oid tablespace, Oid file)
{
#if PG_VERSION_NUM >= 180000
	return pstrdup(GetRelationPath(database, tablespace, file, -1, MAIN_FORKNUM).str);
#else
	return GetRelationPath(database, tablespace, file, -1, MAIN_FORKNUM);
#endif
}

/* 16: object_ownercheck() took the place of one function a catalog. */
#if PG_VERSION_NUM >= 160000
#define OWNS_RELATION(relation, role) \
	object_ownercheck(RelationRelationId, relation, role)
#else
#define OWNS_RELATION(relation, role) pg_class_ownercheck(relation, role)
#endif

/* 16: object_aclcheck() took the place of one function a catalog. */
#if PG_VERSION_NUM >= 160000
#define MAY_CREATE_IN(schema, role) \
	(object_aclcheck(NamespaceRelationId, schema, role, ACL_CREATE) == ACLCHECK_OK)
#else
#define MAY_CREATE_IN(schema, role) \
	(pg_namespace_aclcheck(schema, role, ACL_CREATE) == ACLCHECK_OK)
#endif

/* 17: the privilege MAINTAIN. */
#if PG_VERSION_NUM >= 170000
#define MAY_MAINTAIN(relation, role) \
	(pg_class_aclcheck(relation, role, ACL_MAINTAIN) == ACLCHECK_OK)
#else
#define MAY_MAINTAIN(relation, role) OWNS_RELATION(relation, role)
#endif

/* 16: palloc_object() and its kin. */
#ifndef palloc_object
#define palloc_object(type) ((type *) palloc(sizeof(type)))
#define palloc0_object(type) ((type *) palloc0(sizeof(type)))
#define palloc_array(type, count) ((type *) palloc(sizeof(type) * (count)))
#define palloc0_array(type, count) ((type *) palloc0(sizeof(type) * (count)))
#endif

/* 16: what a check hook hands over comes from allocators of their own. */
#if PG_VERSION_NUM >= 160000
#define setting_strdup(string) guc_strdup(LOG, string)
#define setting_free(pointer) guc_free(pointer)
#else
#define setting_strdup(string) strdup(string)
#define setting_free(pointer) free(pointer)
#endif

/*
 * 16: five counters of a relation were renamed, and the time of the last scan
 * came.  The old names are mapped here, so that readers use the new ones.
 */
#if PG_VERSION_NUM < 160000
#define RELATION_STATS(entry, field) RELATION_STATS_##field(entry)
#define RELATION_STATS_live_tuples(entry) ((entry)->n_live_tuples)
#define RELATION_STATS_dead_tuples(entry) ((entry)->n_dead_tuples)
#define RELATION_STATS_mod_since_analyze(entry) ((entry)->changes_since_analyze)
#define RELATION_STATS_ins_since_vacuum(entry) ((entry)->inserts_since_vacuum)
#define RELATION_STATS_autovacuum_count(entry) ((entry)->autovac_vacuum_count)
#define RELATION_STATS_autoanalyze_count(entry) ((entry)->autovac_analyze_count)
#else
#define RELATION_STATS(entry, field) ((entry)->field)
#endif

/* 19: each relation has a time since when it counts; 0 if it does not tell. */
#if PG_VERSION_NUM >= 190000
#define RELATION_STATS_RESET(entry) ((entry)->stat_reset_time)
#else
#define RELATION_STATS_RESET(entry) ((TimestampTz) 0)
#endif

/*
 * Returns the statistics of a relation of this database, NULL if it has none.
 * *may_free says whether they are the caller's, to be freed: 19 tells, before
 * it follows from stats_fetch_consistency.
 */
static inline PgStat_StatTabEntry *
relation_stats_fetch(Oid relation, bool *may_free)
{
#if PG_VERSION_NUM >= 190000
	return pgstat_fetch_stat_tabentry_ext(false, relation, may_free);
#else
	*may_free = pgstat_fetch_consistency == PGSTAT_FETCH_CONSISTENCY_NONE;
	return pgstat_fetch_stat_tabentry_ext(false, relation);
#endif
}

/* 17: a WaitEventSet belongs to a resource owner, or to none. */
#if PG_VERSION_NUM >= 170000
#define CREATE_WAIT_EVENT_SET(count) CreateWaitEventSet(NULL, count)
#else
#define CREATE_WAIT_EVENT_SET(count) CreateWaitEventSet(CurrentMemoryContext, count)
#endif

/* 17: the caller may give the parser's state, and its text is constant. */
#define json_check(json) pg_parse_json(JSON_LEXER(json), &nullSemAction)
#if PG_VERSION_NUM >= 170000
#define JSON_LEXER(json) \
	makeJsonLexContextCstringLen(NULL, json, strlen(json), PG_UTF8, false)
#else
#define JSON_LEXER(json) \
	makeJsonLexContextCstringLen(json, (int) strlen(json), PG_UTF8, false)
#endif

#endif							/* DBMAINT_COMPAT_H */
