/*-------------------------------------------------------------------------
 *
 * job.h
 *		Work that is asked for now and done later, by the runner.
 *
 * dbmaint_enqueue() puts a job into dbmaint_job_queue; the database's runner
 * (an errand, worker/errand.h) takes one after another, at top level, where
 * VACUUM and REINDEX CONCURRENTLY can run.  A job belongs to the role that
 * asked for it: its rights are looked at when it asks, and again when the job
 * runs, and commands run as that role.
 *
 * What a job is at is in the table before it begins, so that it is known after
 * a crash what was not finished.  One job's failure costs no other.
 *
 * A new kind is one file and one row in kinds.c.
 *
 * src/job/job.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_JOB_H
#define DBMAINT_JOB_H

#include "access/htup.h"
#include "history/history.h"
#include "lib/stringinfo.h"
#include "utils/jsonb.h"

/* of what a job said, so many bytes are kept */
#define JOB_OUTPUT_BYTES 8192

typedef struct JobKind JobKind;

/* A job as it is asked for, or as the runner has it. */
typedef struct Job
{
	const JobKind *kind;		/* NULL: of another version of dbmaint */
	int64		job_id;			/* 0: not yet */
	char	   *target;			/* as it is called; quoted and qualified */
	Oid			target_oid;		/* InvalidOid: the kind has no relation */
	char		target_relkind; /* set by relation_check() */
	Jsonb	   *options;
	Oid			requester;
	char	   *requested_by;
	int			attempt;		/* 1 for the first */
	Jsonb	   *journal;		/* what the kind noted before; or NULL */
	Extension  *extension;		/* NULL when it is asked for */

	TimestampTz again_at;		/* not 0: there is more to do, then */
} Job;

typedef enum JobOptionType
{
	JOB_OPTION_BOOL,
	JOB_OPTION_INT,
	JOB_OPTION_TIME,			/* text as in settings: "10min"; in ms */
	JOB_OPTION_CHOICE,
	JOB_OPTION_NAMES,			/* an array of texts */
	JOB_OPTION_TEXT				/* that the kind itself understands */
} JobOptionType;

typedef struct JobOption
{
	const char *name;			/* NULL ends a list */
	JobOptionType type;
	int			min;			/* of INT and TIME */
	int			max;
	const char *const *choices; /* of CHOICE, NULL at the end */
} JobOption;

struct JobKind
{
	const char *name;

	/* May it run again when the server or the runner ended in the middle? */
	bool		rerun_safe;

	/*
	 * Does run() make its own transactions, or is it called in one?  Either
	 * way it must not keep one over a wait.
	 */
	bool		top_level;

	/* beside those that all kinds have: timeout, attempts, retry_after */
	const JobOption *options;

	/*
	 * Raises an error unless the target is fit and the requester may have it
	 * done; called when it is asked for, and in a transaction before it runs.
	 * Given job->target as the user wrote it and target_oid InvalidOid, it
	 * sets both; before a run it renews the name.
	 */
	void		(*check) (Job *job);

	/* In the transaction that takes the job: what clean() has to know. */
	Jsonb	   *(*journal) (Job *job);

	/*
	 * Does it; may call job_say(), job_progress() and job_again().  At top
	 * level no catalog can be read but in a transaction of its own.
	 */
	void		(*run) (Job *job);

	/* After a run that failed or never ended: clears away what it left. */
	void		(*clean) (Job *job);
};

extern const JobKind job_kinds[];
extern const int job_kind_count;

/* kinds.c: NULL if there is none; raises an error that names those there are */
extern const JobKind *job_kind_find(const char *name);
pg_noreturn extern void job_refuse_kind(const char *name);

/*
 * Options: raises an error unless they are all known to the kind and of the
 * type that they should be.  The others return the value, or what to take
 * where the option is not given (NULL, NIL).
 */
extern void job_check_options(const Job *job);
extern bool job_option_bool(const Job *job, const char *name, bool otherwise);
extern int	job_option_int(const Job *job, const char *name, int otherwise);
extern int	job_option_time_ms(const Job *job, const char *name, int otherwise);
extern char *job_option_text(const Job *job, const char *name);
extern List *job_option_names(const Job *job, const char *name);

/*
 * enqueue.c: puts it into the queue, unless the same waits there already, and
 * returns its number.  As superuser; kind, target, options and requester count.
 */
extern int64 job_add(const Extension *extension, const Job *job);

/* command.c: for run() and clean(), in the runner */

/*
 * Runs one utility command at top level, as the role, waiting that long for a
 * lock (0: as long as the job may take).
 */
extern void command_run(const char *sql, Oid role, int lock_timeout_ms);

/* The session is the superuser's again, after an error in a command. */
extern void command_reset(void);

/* Begins to gather what commands say; returns what they said since. */
extern void command_listen(void);
extern char *command_heard(void);

/* Adds a line to what the job said. */
extern void job_say(const char *format,...) pg_attribute_printf(1, 2);

/* Says how far the job is, for dbmaint_jobs. */
extern void job_progress(const char *format,...) pg_attribute_printf(1, 2);

/* There is more to do after that time; the job waits in the queue until then. */
extern void job_again(Job *job, TimestampTz at);

/* relation.c: targets that are relations */
extern void relation_check(Job *job, const char *relkinds);
extern HeapTuple relation_tuple(const Job *job);

/*
 * At top level, after a command that passes over a relation which went away
 * while it waited for it: raises an error if it did.
 */
extern void relation_require_still(const Job *job);

/* the kinds */
extern const JobOption vacuum_options[];
extern const JobOption analyze_options[];
extern const JobOption reindex_options[];
extern void vacuum_check(Job *job);
extern void vacuum_run(Job *job);
extern void analyze_check(Job *job);
extern void analyze_run(Job *job);
extern void reindex_check(Job *job);
extern Jsonb *reindex_journal(Job *job);
extern void reindex_run(Job *job);
extern void reindex_clean(Job *job);
extern const JobOption partition_options[];
extern void partition_check(Job *job);
extern void partition_create_run(Job *job);
extern void partition_create_clean(Job *job);
extern void partition_drop_run(Job *job);
extern const JobOption split_options[];
extern void split_check(Job *job);
extern void split_run(Job *job);
extern void split_clean(Job *job);
extern const JobOption convert_options[];
extern void convert_job_check(Job *job);
extern void convert_run(Job *job);
extern void convert_clean(Job *job);

/* store.c: the tables */

/* Finds the extension and locks the tables; false if it is not installed. */
extern bool job_open_tables(Extension *extension);

/*
 * Takes the job that is due next, or one that an earlier runner left; NULL if
 * there is none.  In the current memory context.
 */
extern Job *job_take(Extension *extension, TimestampTz at);
extern Job *job_take_left(Extension *extension);
extern void job_keep_journal(const Job *job);

/* What became of an attempt. */
typedef struct JobOutcome
{
	const char *state;			/* done, failed, cancelled, skipped,
								 * interrupted */
	int			sqlstate;
	char	   *message;
	char	   *output;
	TimestampTz started_at;		/* 0: unknown */
	TimestampTz ended_at;
	double		duration_ms;	/* < 0: unknown */
	TimestampTz again_at;		/* 0: not again */
} JobOutcome;

extern void job_put_back(const Job *job, const JobOutcome *outcome);

/* The runner's main. */
extern PGDLLEXPORT void runner_main(Datum arg);

#endif							/* DBMAINT_JOB_H */
