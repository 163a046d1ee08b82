/*-------------------------------------------------------------------------
 *
 * settings.h
 *		The dbmaint.* settings: one row each in settings.c.
 *
 * Values are read where they are used; a reload takes effect at the next
 * round.  Nothing that a worker obeys can be set by a plain user or by a
 * database's owner.
 *
 * src/settings.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_SETTINGS_H
#define DBMAINT_SETTINGS_H

extern bool setting_enabled;
extern char *setting_databases;
extern char *setting_home_database;
extern int	setting_sample_interval_s;
extern int	setting_pool_interval_s;
extern const char *setting_pgbouncer_conninfo;	/* "" where there is none */
extern int	setting_statements_interval_s;
extern int	setting_objects_interval_s;
extern int	setting_activity_interval_ms;
extern int	setting_activity_history_interval_s;
extern int	setting_signals_interval_s;
extern int	setting_evidence_timeout_ms;
extern int	setting_retention_min;
extern int	setting_rollup_retention_min;
extern int	setting_max_history_size_mb;
extern int	setting_slow_query_threshold_ms;
extern char *setting_critical_indexes;
extern bool setting_track_latency;
extern int	setting_collector_timeout_ms;
extern int	setting_max_databases;
extern int	setting_max_runners;
extern int	setting_max_pending_jobs;
extern int	setting_job_timeout_s;
extern int	setting_recorder_size_kb;
extern int	setting_max_lock_wait_ms;
extern char *setting_notify_allowed_networks;
extern int	setting_notify_max_age_s;
extern int	setting_notify_max_queued;
extern int	setting_notify_timeout_ms;

/*
 * Defines all settings; called once, from _PG_init.  What needs a restart is
 * defined only while the postmaster preloads the library.
 */
extern void settings_define(bool preloading);

/*
 * True if dbmaint.databases names the database.  Allocates in the current
 * memory context.
 */
extern bool settings_database_wanted(const char *datname);

#endif							/* DBMAINT_SETTINGS_H */
