# Who may do what, and what nobody can smuggle in: every member of the
# extension looked at in the catalogs, read by a plain user and by a member of
# pg_monitor, and installed and run in a schema full of traps.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init;
$node->append_conf(
	'postgresql.conf', q{
shared_preload_libraries = 'pg_stat_statements,dbmaint'
dbmaint.enabled = off
});
$node->start;
$node->safe_psql('postgres', q{
	CREATE ROLE plain LOGIN;
	CREATE ROLE monitor LOGIN IN ROLE pg_monitor;
	CREATE EXTENSION dbmaint;
	CREATE EXTENSION pg_stat_statements;
});

sub query
{
	my ($sql, $database) = @_;
	return $node->safe_psql($database // 'postgres', $sql);
}

# The members, with the objects that come with them left out.
my $members = q{
	SELECT d.classid, d.objid, pg_describe_object(d.classid, d.objid, 0) AS object
	FROM pg_depend AS d
	JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'dbmaint'
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
};
my $functions = "SELECT p.* FROM pg_proc AS p JOIN ($members) AS m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid";
my $relations = "SELECT c.* FROM pg_class AS c JOIN ($members) AS m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid";

#
# The catalogs.
#
cmp_ok(query("SELECT count(*) FROM ($members) AS m"), '>', 50, 'there are members');

# row and array types come with what they are of
is( query("SELECT object FROM ($members) AS m
		LEFT JOIN pg_type AS t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid
		WHERE obj_description(m.objid, (SELECT relname FROM pg_class WHERE oid = m.classid)) IS NULL
			AND coalesce(t.typrelid, 0) = 0 AND coalesce(t.typelem, 0) = 0
		ORDER BY 1"),
	'', 'every member has a comment');
is( query("SELECT c.relname, a.attname FROM ($relations) AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
		WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND col_description(c.oid, a.attnum) IS NULL"),
	'', 'and so has every column of a table');
is(query("SELECT p.oid::regprocedure FROM ($functions) AS p WHERE p.prosecdef"),
	'', 'no function is SECURITY DEFINER');
is( query("SELECT p.oid::regprocedure FROM ($functions) AS p
		JOIN pg_language AS l ON l.oid = p.prolang AND l.lanname IN ('sql', 'plpgsql')
		WHERE NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false)"),
	'', 'the search_path of every SQL and PL/pgSQL function is pinned');
is( query("SELECT p.oid::regprocedure FROM ($functions) AS p WHERE p.prosqlbody IS NOT NULL"),
	'', 'no function has a parsed body, which would tie it to columns of the server\'s views');
is( query("SELECT object FROM ($members) AS m
		LEFT JOIN pg_class AS c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
		LEFT JOIN pg_proc AS p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
		LEFT JOIN pg_type AS t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid
		WHERE coalesce(p.proname, c.relname, t.typname) !~ '^_?dbmaint_'
			AND coalesce(p.proname, c.relname, t.typname) !~ '^_?performance_metrics'
			AND coalesce(p.proname, c.relname, t.typname) NOT IN ('create_future_partitions', 'drop_old_partitions')
		ORDER BY 1"),
	'', 'every name is one of ours');
is(query("SELECT c.relname FROM ($relations) AS c WHERE c.relkind = 'r'
		AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype = 'p')"),
	'', 'every table has a primary key');

# What PUBLIC may call: pure functions of their arguments, the list of metrics,
# which is in the documentation, and what asks for jobs on the caller's own
# tables (070 to 073 have more of that) or makes and drops their partitions.
is( query("SELECT p.oid::regprocedure FROM ($functions) AS p
		WHERE EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a WHERE a.grantee = 0)
			AND p.provolatile <> 'i' AND p.proname NOT IN ('dbmaint_metrics', 'dbmaint_enqueue', 'dbmaint_cancel_job', 'dbmaint_job_progress',
				'create_future_partitions', 'drop_old_partitions', 'dbmaint_set_partition_policy', 'dbmaint_drop_partition_policy',
				-- for owners, who are asked for in C; what the last two tell is in catalogs that everybody reads
				'dbmaint_split_plan', 'dbmaint_split_partition', 'dbmaint_capture_row', 'dbmaint_refuse_write', 'dbmaint_conversion_plan', 'dbmaint_partition_table',
				'dbmaint_conversion_obstacle', 'dbmaint_conversion_statements')"),
	'', 'PUBLIC may call no function that reveals anything');
is( query("SELECT c.relname FROM ($relations) AS c
		WHERE EXISTS (SELECT FROM aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS a WHERE a.grantee = 0)
			AND c.relname NOT IN ('dbmaint_jobs', 'dbmaint_job_history')"),
	'', 'PUBLIC may read no table, and no view but those of its jobs');
is( query("SELECT p.oid::regprocedure::text, a.privilege_type FROM ($functions) AS p, aclexplode(p.proacl) AS a
		WHERE a.grantee <> 0 AND a.grantee <> p.proowner AND (a.is_grantable OR a.grantee <>
			CASE WHEN p.proname LIKE '%bloat' THEN 'pg_stat_scan_tables'::regrole ELSE 'pg_monitor'::regrole END)
		UNION ALL
		SELECT c.oid::regclass::text, a.privilege_type FROM ($relations) AS c, aclexplode(c.relacl) AS a
		WHERE a.grantee NOT IN (c.relowner, 0) AND (a.grantee <> 'pg_monitor'::regrole OR a.privilege_type <> 'SELECT' OR a.is_grantable)"),
	'', 'pg_monitor alone has rights, and on tables only to read; to read pages, pg_stat_scan_tables, of which it is a member');

# Writing, and what samplers call, is for the owner.
my %writes = map { $_ => 1 } qw(dbmaint_run_due
  dbmaint_expire_history dbmaint_expire_table dbmaint_expire_plans dbmaint_roll_up dbmaint_roll_up_metrics dbmaint_roll_up_totals
  dbmaint_pack_hours dbmaint_close_days dbmaint_close_day
  dbmaint_read_activity dbmaint_read_database dbmaint_read_database_size dbmaint_read_server
  dbmaint_known_objects dbmaint_name_objects dbmaint_bury_objects
  dbmaint_find_statements dbmaint_store_statements dbmaint_statements_without_text
  dbmaint_take_snapshot dbmaint_set_baseline
  dbmaint_recorder_freeze dbmaint_require_untriggered dbmaint_sample_activity
  dbmaint_store_activity dbmaint_store_connections dbmaint_store_log
  dbmaint_definitions dbmaint_relation_fingerprints dbmaint_describe_relations dbmaint_definition_text
  dbmaint_setting_is_secret dbmaint_setting_text dbmaint_cut_value dbmaint_hide dbmaint_configured_settings
  dbmaint_facts_of_settings dbmaint_facts_of_hba dbmaint_facts_of_extensions dbmaint_facts_of_session_settings
  dbmaint_note_change dbmaint_note_changes dbmaint_note_facts dbmaint_note_settings
  dbmaint_evidence_look_statements dbmaint_evidence_look_changes dbmaint_evidence_look_objects
  dbmaint_evidence_snapshot_objects dbmaint_extend_recording dbmaint_keep_recording dbmaint_complete_evidence
    dbmaint_note_relations dbmaint_note_schema dbmaint_note_capacity
  dbmaint_find_series dbmaint_note_backup dbmaint_do_note_backup dbmaint_set_rule dbmaint_drop_rule dbmaint_enable_rule dbmaint_disable_rule dbmaint_reset_rule
  dbmaint_require_own_silences dbmaint_do_silence dbmaint_do_end_silence dbmaint_do_acknowledge_alert
  dbmaint_silence dbmaint_end_silence dbmaint_set_maintenance_window dbmaint_drop_maintenance_window dbmaint_acknowledge_alert
  dbmaint_note_transition dbmaint_note_incident_event dbmaint_tell dbmaint_tell_transition dbmaint_look_for_evidence
  dbmaint_attend_incident dbmaint_attend_incidents dbmaint_complete_due_evidence
  dbmaint_rules_changed dbmaint_enter_rule dbmaint_remember_dropped_rule dbmaint_replace_seeded_rule dbmaint_drop_all_rules
  dbmaint_add_job dbmaint_take_job dbmaint_take_left_job dbmaint_keep_job_journal dbmaint_put_back_job dbmaint_cut_job_history
  dbmaint_find_job dbmaint_drop_pending_job dbmaint_progress_of_job
  dbmaint_record_partition_set dbmaint_record_partition_policy dbmaint_forget_partition_policy dbmaint_queue_partition_jobs dbmaint_queue_partition_split
  dbmaint_retirement_state dbmaint_note_retiring dbmaint_forget_retiring dbmaint_left_retiring
  dbmaint_store_pools dbmaint_store_pool_settings dbmaint_pool_command dbmaint_send_pool_command
  dbmaint_concurrent_leftovers dbmaint_reindex_journal dbmaint_reindex_leftovers
  dbmaint_add_channel dbmaint_change_channel dbmaint_enable_channel dbmaint_drop_channel dbmaint_test_channel
  dbmaint_validate_channel dbmaint_write_channel dbmaint_want_notifier
  dbmaint_queue_notifications dbmaint_put_notification dbmaint_tend_outbox dbmaint_test_message
  dbmaint_outbox_due dbmaint_pause_of dbmaint_due_channels dbmaint_claim_notifications dbmaint_finish_notifications
  dbmaint_release_notifications dbmaint_note_channel dbmaint_render_notification dbmaint_preview_notification);
# Tables with secrets, and with what is behind a view for everybody else.
my %hidden = map { $_ => 1 } qw(dbmaint_channel_secrets dbmaint_channel_settings dbmaint_outbox);
my @readable = split /\n/,
  query("SELECT p.proname FROM ($functions) AS p
		WHERE p.prokind = 'f' AND NOT (p.proargtypes::oid[] && ARRAY['internal'::regtype::oid, 'cstring'::regtype::oid])
		ORDER BY 1");
foreach my $name (@readable)
{
	is( query("SELECT bool_and(has_function_privilege('monitor', p.oid, 'EXECUTE')) FROM ($functions) AS p WHERE p.proname = '$name'"),
		$writes{$name} ? 'f' : 't',
		$writes{$name} ? "pg_monitor may not call $name" : "pg_monitor may call $name");
}

# No view of ours names a column of the server's statistics views, which differ.
is( query("SELECT DISTINCT c.relname, x.relname FROM ($relations) AS c
		JOIN pg_rewrite AS r ON r.ev_class = c.oid
		JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
		JOIN pg_class AS x ON x.oid = d.refobjid AND x.relkind = 'v'
		WHERE x.relnamespace = 'pg_catalog'::regnamespace"),
	'', 'no view depends on a view of the server');

#
# A plain user, and a member of pg_monitor.
#
my @relations = split /\n/,
  query("SELECT c.relname FROM ($relations) AS c WHERE c.relkind IN ('r', 'v') ORDER BY 1");
cmp_ok(scalar(@relations), '>=', 4, 'there are tables and views');
my @calls = map { "SELECT * FROM $_" } @relations;
push @calls, map { "SELECT * FROM $_()" } split /\n/,
  query("SELECT p.proname FROM ($functions) AS p
		WHERE p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype AND p.pronargs - p.pronargdefaults = 0
			AND p.proname NOT IN ('dbmaint_metrics') ORDER BY 1");
push @calls, "SELECT * FROM dbmaint_run_due(now())";
query('SELECT dbmaint_enqueue(\'vacuum\', \'pg_class\')');
foreach my $sql (@calls)
{
	my ($name) = $sql =~ /FROM (\w+)/;
	my ($status, $stdout, $stderr) = $node->psql('postgres', $sql,
		extra_params => [ '-U', 'plain', '-v', 'VERBOSITY=sqlstate' ]);
	if ($name =~ /^dbmaint_jobs$|^dbmaint_job_history$/)
	{
		is("$stdout$stderr", '', "a plain user sees nothing of others: $sql");
	}
	else
	{
		like($stderr, qr/ERROR:  42501/, "a plain user is refused: $sql");
	}

	($status, $stdout, $stderr) = $node->psql('postgres', $sql,
		extra_params => [ '-U', 'monitor', '-v', 'VERBOSITY=sqlstate' ]);
	if ($writes{$name} || $hidden{$name})
	{
		like($stderr, qr/ERROR:  42501/, "so is pg_monitor: $sql");
	}
	else
	{
		is($stderr, '', "pg_monitor reads: $sql");
	}
}
foreach my $sql (
	'DELETE FROM performance_metrics',
	'UPDATE dbmaint_alert_rules SET enabled = false',
	q{INSERT INTO dbmaint_silences (metric, instance, from_at, until_at, reason, created_by) VALUES ('*', '*', now(), now(), 'x', 'x')},
	'DELETE FROM dbmaint_incidents',
	q{SELECT dbmaint_set_rule('p95_ms', 'warning', '>', 1, '0')},
	'INSERT INTO performance_metrics ("timestamp", database_oid) VALUES (now(), 1)',
	'TRUNCATE performance_metrics',
	'DROP EXTENSION dbmaint',
	'ALTER EXTENSION dbmaint UPDATE',
	'SET dbmaint.track_latency = off',
	q{ALTER SYSTEM SET dbmaint.databases = ''},
	q{LOAD 'dbmaint'})
{
	my ($status, $stdout, $stderr) = $node->psql('postgres', $sql,
		extra_params => [ '-U', 'monitor', '-v', 'VERBOSITY=sqlstate' ]);
	like($stderr, qr/ERROR:  42501/, "pg_monitor is refused: $sql");
}
is( $node->safe_psql('postgres',
		q{SELECT count(*) > 0, count(*) FILTER (WHERE detail LIKE 'The check failed%') FROM dbmaint_health()},
		extra_params => [ '-U', 'monitor' ]),
	't|0', 'every health check works for pg_monitor');

query('CREATE DATABASE of_plain OWNER plain');
my ($status, $stdout, $stderr) = $node->psql('of_plain', 'CREATE EXTENSION dbmaint',
	extra_params => [ '-U', 'plain', '-v', 'VERBOSITY=sqlstate' ]);
like($stderr, qr/ERROR:  42501/, 'the owner of a database, who is no superuser, may not create the extension');

#
# Planted objects: what has one of our names makes CREATE EXTENSION fail.
#
query('CREATE DATABASE planted');
my %planted = (
	'a table' => 'CREATE TABLE performance_metrics ("timestamp" timestamptz, database_oid oid)',
	'a view' => 'CREATE VIEW dbmaint_weekly_trend AS SELECT 1 AS x',
	'a type' => 'CREATE TYPE dbmaint_histogram AS (x int)',
	'a domain' => 'CREATE DOMAIN dbmaint_histogram AS text',
	'a function' => q{CREATE FUNCTION dbmaint_health(OUT check_name text, OUT value text, OUT status text, OUT target text, OUT detail text)
		RETURNS SETOF record LANGUAGE sql AS 'SELECT 1, 2, 3, 4, 5'},
	'a function that the script calls' => q{CREATE FUNCTION dbmaint_expire_history(timestamptz, int) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'},
	'a check' => q{CREATE FUNCTION dbmaint_check_disk_space() RETURNS void LANGUAGE sql AS ''},
	'an index' => 'CREATE TABLE x (y int); CREATE INDEX performance_metrics_timestamp_idx ON x (y)',
	'a sequence' => 'CREATE SEQUENCE performance_metrics');
foreach my $what (sort keys %planted)
{
	query(qq{
		CREATE SCHEMA target AUTHORIZATION plain;
		SET SESSION AUTHORIZATION plain;
		SET search_path = target;
		$planted{$what};
	}, 'planted');
	($status, $stdout, $stderr) = $node->psql('planted', 'CREATE EXTENSION dbmaint SCHEMA target',
		extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
	like($stderr, qr/ERROR:  42(?:P07|723|710)/, "$what of our name makes CREATE EXTENSION fail");
	is(query('SELECT count(*) FROM pg_extension WHERE extname = \'dbmaint\'', 'planted'),
		0, "$what: nothing was created");
	query('DROP SCHEMA target CASCADE', 'planted');
}

#
# Traps: functions and operators that fit our calls better than what is meant,
# planted before the extension is created and after it.
#
my $traps = q{
DO $do$
DECLARE
	types CONSTANT regtype[] := ARRAY['boolean', 'smallint', 'integer', 'bigint', 'numeric', 'real',
		'double precision', 'text', 'name', 'timestamptz', 'interval', 'oid', 'regclass', 'regtype'];
	l regtype;
	r regtype;
	o text;
BEGIN
	FOREACH l IN ARRAY types LOOP
		FOREACH r IN ARRAY types LOOP
			EXECUTE format('CREATE FUNCTION trap(%s, %s) RETURNS boolean LANGUAGE plpgsql AS %L', l, r,
				'BEGIN RAISE EXCEPTION ''captured by an operator''; END');
			FOREACH o IN ARRAY ARRAY['=', '<>', '<', '>', '<=', '>=', '+', '-', '*', '/', '||', '~~', '^', '%'] LOOP
				EXECUTE format('CREATE OPERATOR %s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = trap)', o, l, r);
			END LOOP;
		END LOOP;
	END LOOP;
	-- functions of the server, with every single argument
	FOR o IN SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
		AND proname IN ('now', 'sum', 'min', 'max', 'count', 'avg', 'stddev', 'coalesce', 'date_trunc', 'lag',
			'round', 'format', 'current_database', 'current_setting', 'extract', 'to_jsonb', 'concat_ws', 'pg_size_pretty')
	LOOP
		FOREACH l IN ARRAY types LOOP
			EXECUTE format('CREATE FUNCTION %I(%s) RETURNS %s LANGUAGE plpgsql AS %L', o, l, l,
				'BEGIN RAISE EXCEPTION ''captured by a function''; END');
		END LOOP;
	END LOOP;
END $do$;
};
query('CREATE DATABASE trapped');
query(q{
	CREATE SCHEMA target AUTHORIZATION plain;
	SET SESSION AUTHORIZATION plain;
	SET search_path = target;
} . $traps, 'trapped');
query('CREATE EXTENSION dbmaint SCHEMA target', 'trapped');

# Every dependency of a view, of a default or of a constraint: on the server's
# own objects, or on members.
is( query(qq{
		SELECT DISTINCT pg_describe_object(d.classid, d.objid, 0), pg_describe_object(d.refclassid, d.refobjid, 0)
		FROM pg_depend AS d
		WHERE d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)
			AND (d.classid = 'pg_rewrite'::regclass AND d.objid IN
					(SELECT r.oid FROM pg_rewrite AS r WHERE r.ev_class IN (SELECT c.oid FROM ($relations) AS c))
				OR d.classid = 'pg_proc'::regclass AND d.objid IN (SELECT p.oid FROM ($functions) AS p)
				OR d.classid = 'pg_attrdef'::regclass)
			AND (d.refclassid, d.refobjid) NOT IN (SELECT m.classid, m.objid FROM ($members) AS m)},
		'trapped'),
	'', 'no member uses a planted object');

# Now the ones that fit our own functions better: each argument in turn, and
# all of them, of every other type; and every argument left out.
query(q{
	CREATE TEMP TABLE ours AS
		SELECT p.proname, string_to_array(p.proargtypes::text, ' ')::oid[]::regtype[] AS types, p.pronargs
		FROM pg_proc AS p
		WHERE p.pronamespace = 'target'::regnamespace AND p.pronargs > 0
			AND p.proname ~ '^dbmaint_' AND p.prokind = 'f'
			AND NOT p.proargtypes::oid[] && ARRAY['internal'::regtype::oid, 'cstring'::regtype::oid];
	GRANT SELECT ON ours TO plain;
	SET SESSION AUTHORIZATION plain;
	SET search_path = target;
	DO $do$
	DECLARE
		ours record;
		other regtype;
		changed regtype[];
	BEGIN
		FOR ours IN SELECT * FROM pg_temp.ours LOOP
			FOREACH other IN ARRAY ARRAY['boolean', 'smallint', 'integer', 'bigint', 'numeric', 'real',
				'double precision', 'text', 'name', 'timestamptz', 'interval', 'oid', 'anyelement']::regtype[]
			LOOP
				FOR i IN -1 .. ours.pronargs LOOP
					-- -1: the last one left out; 0: all of them are other ones
					changed := ours.types;
					IF i = -1 THEN
						changed := changed[1:ours.pronargs - 1];
					ELSIF i = 0 THEN
						changed := array_fill(other, ARRAY[ours.pronargs]);
					ELSE
						changed[i] := other;
					END IF;
					BEGIN
						EXECUTE format('CREATE FUNCTION %I(%s) RETURNS text LANGUAGE plpgsql AS %L', ours.proname,
							(SELECT string_agg(t::text, ', ' ORDER BY n) FROM unnest(changed) WITH ORDINALITY AS u (t, n)),
							'BEGIN RAISE EXCEPTION ''captured by an overloaded function''; END');
					EXCEPTION WHEN duplicate_function THEN
						NULL;
					END;
				END LOOP;
			END LOOP;
		END LOOP;
	END $do$;
}, 'trapped');
cmp_ok(query(q{SELECT count(*) FROM pg_proc WHERE pronamespace = 'target'::regnamespace AND proname ~ '^dbmaint_' AND proowner = 'plain'::regrole},
		'trapped'), '>', 100, 'traps are set');

# Run everything, as the superuser; what is due at a far time, too.
my @turns = map { "SELECT status FROM target.dbmaint_run_due(now() + interval '$_') WHERE status !~ '^(ok\$|rolled up)'" } '-10 s', '0 s';
foreach my $sql (@turns,
	q{SELECT status FROM target.dbmaint_run_due(now() + interval '40 days') WHERE status !~ '^(ok$|expired|rolled up)'},
	q{SELECT * FROM target.dbmaint_health() WHERE detail LIKE 'The check failed%'},
	q{SELECT * FROM target.dbmaint_daily_check() WHERE detail LIKE 'The check failed%'},
	q{SELECT m, e -> 'errors' FROM unnest('{response_time_ms,blocked_sessions,total_connections,dead_ratio_pct,disk_free_ratio,invalid_indexes,slot_inactive,wal_bytes}'::text[]) AS m,
		target.dbmaint_collect_evidence(m, 'public.x'::text, now() - interval '1 minute', clock_timestamp()) AS e WHERE e -> 'errors' <> '{}'})
{
	is(query($sql, 'trapped'), '', "nothing is captured: $sql");
}
is(query('SELECT last_error FROM target.dbmaint_status() WHERE errors > 0', 'trapped'), '', 'nothing failed');
cmp_ok(query('SELECT count(*) FROM target.dbmaint_incidents WHERE fired_at IS NOT NULL', 'trapped'), '>', 0, 'an alert fired');
query('CREATE TABLE public.later (i int PRIMARY KEY); ALTER DATABASE trapped SET "app.password" = 1', 'trapped');
query("SELECT FROM target.dbmaint_run_due(now() + interval '41 days')", 'trapped');
is(query('SELECT kind, attribute FROM target.dbmaint_changes ORDER BY 1', 'trapped'), "session_setting|app.password\ntable|created", 'nor was a change missed');
query('SELECT * FROM target.dbmaint_run_due(now())', 'trapped');
query('CREATE TABLE public.months (at timestamptz) PARTITION BY RANGE (at)', 'trapped');
foreach my $call ((grep { $_ ne 'performance_metrics' } @relations),
	"dbmaint_response_time('1 hour'::interval)",
	"dbmaint_response_time(now() - interval '2 days', now())",
	"dbmaint_metrics_by('day'::text, now() - interval '2 days', now())",
	"dbmaint_index_sums(now() - interval '40 days', now())", "dbmaint_table_sums(now() - interval '40 days', now())",
	"dbmaint_index_monthly('-infinity'::timestamptz, now())", "dbmaint_table_monthly('-infinity'::timestamptz, now())",
	"dbmaint_close_day('i'::text, date_trunc('day', now(), 'UTC'))", "dbmaint_close_day('t'::text, date_trunc('day', now(), 'UTC'))",
	"dbmaint_close_days(now() + interval '9 days', 10)", "dbmaint_pack_hours(now() + interval '90 days', 10)",
	"dbmaint_rolled_up_hours(ARRAY[date_trunc('day', now(), 'UTC')])",
	'dbmaint_roll_up(now())',
	'dbmaint_weekly_report(current_date)',
	'dbmaint_monthly_audit(current_date)',
	'dbmaint_quarterly_review(current_date)',
	"dbmaint_anomalies(now() - interval '2 days', now(), 3::float8, 12)",
	'dbmaint_top(80, 24, now())',
	'dbmaint_expire_history(now(), 10)',
	"dbmaint_enqueue('vacuum'::text, 'pg_catalog.pg_class'::text, '{}'::jsonb)",
	"dbmaint_enqueue('reindex'::text, 'public.later'::text, '{}'::jsonb)",
	'dbmaint_jobs_due(now())',
	"dbmaint_take_job(now() + '1 s'::interval)",
	'dbmaint_take_left_job()',
	'dbmaint_job_progress(1::bigint)',
	"dbmaint_keep_job_journal(1::bigint, '[]'::jsonb)",
	"dbmaint_put_back_job(1::bigint, 'done'::text, NULL::text, NULL::text, NULL::text, now(), now(), 1::float8, now(), NULL::text)",
	'dbmaint_cancel_job(2::bigint)',
	"dbmaint_reindex_journal('public.later'::regclass::oid)",
	"dbmaint_reindex_leftovers('public.later'::regclass::oid, '[]'::jsonb)",
	"create_future_partitions('public.months'::regclass, 3, '1 month'::text, 'UTC'::text, NULL::text, true, 'move'::text, false, '1 s'::interval, '2026-01-15'::timestamptz)",
	"drop_old_partitions('public.months'::regclass, 1, false, false, NULL::name, '1 s'::interval, now())",
	"drop_old_partitions('public.months'::regclass, '1 day'::interval, true, false, NULL::name, '1 s'::interval, now())",
	"dbmaint_set_partition_policy('public.months'::regclass, 3, '1 day'::interval, NULL::bigint, NULL::text, NULL::text, NULL::text, 'skip'::text, true, true, NULL::name, true)",
	'dbmaint_queue_partition_jobs(now(), true)',
	"dbmaint_queue_partition_split('public.later'::regclass::oid, 'plain'::regrole::oid, 100)",
	'dbmaint_partition_work(now())',
	'dbmaint_partitions(NULL::regclass)',
	'dbmaint_partition_health(now())',
	"dbmaint_note_retiring('public.later'::regclass::oid, 'public.months'::regclass::oid, NULL::text, NULL::text, 1::bigint)",
	"dbmaint_left_retiring('public.months'::regclass::oid)",
	"dbmaint_retirement_state('public.later'::regclass::oid, 'public.months'::regclass::oid, 'public.later'::text)",
	"dbmaint_forget_retiring('public.later'::regclass::oid)",
	"dbmaint_drop_partition_policy('public.months'::regclass)",
	"dbmaint_forecast('commits'::text, '1 day'::interval, now(), 0.9::float8)",
	"dbmaint_forecast('commits'::text, '30 days'::interval, now() + interval '40 days', 0.9::float8)",
	"dbmaint_capacity('1 day'::interval, now() + interval '30 days')",
	"dbmaint_explain_evidence(target.dbmaint_collect_evidence('p95_ms'::text, ''::text, now() - interval '1 minute', clock_timestamp()))",
	"dbmaint_evidence_texts(target.dbmaint_collect_evidence('p95_ms'::text, ''::text, now() - interval '1 minute', clock_timestamp()))",
	q{dbmaint_causes('{"family": "response", "statements": {"baseline": "x", "slower": 2, "slower_load_ratio": 1, "top": [{"query_id": "1", "relation": "t", "change": "slower", "share_ratio": 1, "load_ratio": 1, "mean_ms_now": 2, "mean_ms_before": 1}]}, "blocking": {"active": 1, "roots": [{"pid": 1, "waiting": 1, "longest_wait_ms": 9000}], "recorded": [{"pid": 2, "looks": 3, "load_ratio": 1}]}, "changes": {"list": [{"kind": "setting", "object": "work_mem", "attribute": "value", "changed_at": "2026-01-01T00:00:00Z"}]}}'::jsonb)},
	q{dbmaint_causes('{"family": "disk", "subject": {"relations": [{"relation": "t", "kind": "table", "grown_bytes": 10000000}], "slots": [{"slot": "s", "retained_bytes": 99999999}]}}'::jsonb)},
	q{dbmaint_causes('{"family": "vacuum", "metric": "dead_ratio_pct", "subject": {"tables": [{"relation": "t", "dead_tuples": 1, "autovacuum": "off for the table", "last_vacuum_at": "2026-01-01T00:00:00Z"}]}, "transactions": {"xmin_holders": [{"kind": "session", "pid": 1, "since_at": "2025-01-01T00:00:00Z", "xmin_age": 3, "transaction_ms": 400000}]}}'::jsonb)},
	"dbmaint_statement_relations('SELECT * FROM a JOIN b ON a.x = \$1'::text)",
	"dbmaint_main_relation('SELECT * FROM public.later'::text)",
	"dbmaint_complete_evidence(1::bigint, now())",
	"dbmaint_set_rule('dead_ratio_pct'::text, 'warning'::text, '>'::text, 30::float8, '0'::interval, '*'::text, '{\"actions\": [\"x\"], \"resolve_after\": \"1 s\"}'::jsonb)",
	"dbmaint_disable_rule('dead_ratio_pct'::text, 'warning'::text, '*'::text)",
	"dbmaint_drop_rule('dead_ratio_pct'::text, 'warning'::text, '*'::text)",
	"dbmaint_reset_rule('dead_ratio_pct'::text, NULL::text)",
	"dbmaint_silence('*'::text, '*'::text, now() + interval '1 day', 'x'::text, now())",
	'dbmaint_end_silence(1::bigint, now())',
	"dbmaint_set_maintenance_window('w'::text, ARRAY['daily'], '02:00'::time, '1 hour'::interval, 'UTC'::text, true, true)",
	'dbmaint_in_maintenance_window(now())',
	"dbmaint_backtest_rule('commits'::text, '>'::text, 1::float8, '0'::interval, now() - interval '2 days', now(), '*'::text, '1 s'::interval)",
	"dbmaint_backtest_rule('sampler_late_ratio'::text, '>'::text, 1::float8, '0'::interval, now() - interval '2 days', now(), '*'::text, '1 s'::interval)",
	"dbmaint_note_backup(now(), 'x'::text)",
	'dbmaint_signals(now(), true)',
	'dbmaint_signals(now(), false)',
	'dbmaint_object_signals(now(), true)',
	'dbmaint_alerts()',
	'dbmaint_rule_states()',
	"dbmaint_notification_message(1::bigint, 'trigger'::text, now())",
	"dbmaint_attend_incidents(now() + interval '60 days', true)",
	"dbmaint_acknowledge_alert((SELECT min(incident_id) FROM target.dbmaint_incidents WHERE state = 'firing'), 'x'::text, now())",
	q{dbmaint_store_pools(now() - interval '1 day', '{app}'::text[], '{u}'::text[], '{session}'::text[], '{12}'::bigint[], '{3}'::bigint[],
		'{8}'::bigint[], '{0}'::bigint[], '{0}'::bigint[], '{0}'::bigint[], '{0}'::bigint[], '{9}'::bigint[], '{8}'::bigint[], '{1}'::bigint[],
		'{1}'::bigint[], '{1}'::bigint[], '{""}'::text[], '{default_pool_size}'::text[], '{8}'::text[])},
	q{dbmaint_store_pools(now(), '{app}'::text[], '{u}'::text[], '{transaction}'::text[], '{12}'::bigint[], '{3}'::bigint[],
		'{8}'::bigint[], '{0}'::bigint[], '{0}'::bigint[], '{0}'::bigint[], '{0}'::bigint[], '{9}'::bigint[], '{8}'::bigint[], '{1}'::bigint[],
		'{1}'::bigint[], '{1}'::bigint[], '{""}'::text[], '{default_pool_size}'::text[], '{9}'::text[])},
	'dbmaint_pool_history',
	'dbmaint_pool_status()',
	"dbmaint_pool_daily(now() - interval '3 days', now())",
	"dbmaint_report_pools((now() - interval '3 days')::timestamptz, now()::timestamptz, (now() - interval '6 days')::timestamptz, 'day'::text)",
	'dbmaint_last_pools()',
	'dbmaint_daily_check()',
	"dbmaint_add_channel('hook'::text, 'webhook'::text, 'https://example.com/x'::text, 'warning'::text, '{\"signing_key\": \"0123456789abcdef\"}'::jsonb)",
	"dbmaint_change_channel('hook'::text, NULL::text, 'critical'::text, '{\"body\": \"{}\"}'::jsonb)",
	"dbmaint_enable_channel('notify'::text, false)",
	"dbmaint_test_channel('hook'::text)",
	"dbmaint_preview_notification('hook'::text, NULL::jsonb)",
	"dbmaint_queue_notifications((SELECT min(incident_id) FROM target.dbmaint_incidents WHERE fired_at IS NOT NULL), 'trigger'::text, now())",
	"dbmaint_queue_notifications((SELECT min(incident_id) FROM target.dbmaint_incidents WHERE fired_at IS NOT NULL), 'change'::text, now())",
	"dbmaint_queue_notifications((SELECT min(incident_id) FROM target.dbmaint_incidents WHERE fired_at IS NOT NULL), 'resolve'::text, now())",
	"dbmaint_tend_outbox(now())",
	"dbmaint_outbox_due(now())",
	"dbmaint_due_channels(now())",
	"dbmaint_claim_notifications('log'::text, 10, clock_timestamp())",
	"dbmaint_finish_notifications(ARRAY(SELECT min(message_id) FROM target.dbmaint_outbox WHERE state = 'sending'), '{sent}'::text[], '{200}'::int[], '{NULL}'::text[], '{1}'::float8[], '{0}'::float8[], now())",
	"dbmaint_note_channel('log'::text, 1, now(), true, 'x'::text, now())",
	"dbmaint_note_channel('log'::text, 0, NULL::timestamptz, true, NULL::text, now())",
	"dbmaint_release_notifications(now())",
	"dbmaint_drop_channel('notify'::text)",
	"dbmaint_drop_channel('hook'::text)",
	map { "$_()" } grep { /^dbmaint_check_/ && !$writes{$_} } @readable)
{
	($status, $stdout, $stderr) = $node->psql('trapped', "SELECT * FROM target.$call");
	is($stderr, '', "nothing is captured: $call");
}

# A command goes to a PgBouncer, which nobody has to answer.
$node->append_conf('postgresql.conf', "dbmaint.pgbouncer_conninfo = 'host=/nowhere'");
$node->reload;
$node->poll_query_until('trapped', 'SELECT s.configured FROM target.dbmaint_pool_status() AS s') or die;
($status, $stdout, $stderr) = $node->psql('trapped',
	q{SELECT c.succeeded FROM target.dbmaint_pool_command('RELOAD'::text, NULL::text, NULL::text, '10 s'::interval) AS c});
is("$stdout$stderr", 'f', 'nothing is captured: dbmaint_pool_command');

$node->stop;
done_testing();
