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
		ORDER BY 1"),
	'', 'every name is one of ours');
is(query("SELECT c.relname FROM ($relations) AS c WHERE c.relkind = 'r'
		AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype = 'p')"),
	'', 'every table has a primary key');

# What PUBLIC may call: pure functions of their arguments, and the list of
# metrics, which is in the documentation.
is( query("SELECT p.oid::regprocedure FROM ($functions) AS p
		WHERE EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a WHERE a.grantee = 0)
			AND p.provolatile <> 'i' AND p.proname <> 'dbmaint_metrics'"),
	'', 'PUBLIC may call no function that reveals anything');
is( query("SELECT c.relname FROM ($relations) AS c
		WHERE EXISTS (SELECT FROM aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS a WHERE a.grantee = 0)"),
	'', 'PUBLIC may read no table and no view');
is( query("SELECT p.oid::regprocedure::text, a.privilege_type FROM ($functions) AS p, aclexplode(p.proacl) AS a
		WHERE a.grantee <> 0 AND a.grantee <> p.proowner AND (a.is_grantable OR a.grantee <>
			CASE WHEN p.proname LIKE '%bloat' THEN 'pg_stat_scan_tables'::regrole ELSE 'pg_monitor'::regrole END)
		UNION ALL
		SELECT c.oid::regclass::text, a.privilege_type FROM ($relations) AS c, aclexplode(c.relacl) AS a
		WHERE a.grantee <> c.relowner AND (a.grantee <> 'pg_monitor'::regrole OR a.privilege_type <> 'SELECT' OR a.is_grantable)"),
	'', 'pg_monitor alone has rights, and on tables only to read; to read pages, pg_stat_scan_tables, of which it is a member');

# Writing, and what samplers call, is for the owner.
my %writes = map { $_ => 1 } qw(dbmaint_run_due
  dbmaint_expire_history dbmaint_expire_table dbmaint_expire_plans dbmaint_roll_up dbmaint_roll_up_metrics dbmaint_roll_up_totals
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
  dbmaint_note_relations dbmaint_note_schema dbmaint_note_capacity);
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
		WHERE p.prokind = 'f' AND p.pronargs - p.pronargdefaults = 0
			AND p.proname NOT IN ('dbmaint_metrics') ORDER BY 1");
push @calls, "SELECT * FROM dbmaint_run_due(now())";
foreach my $sql (@calls)
{
	my ($status, $stdout, $stderr) = $node->psql('postgres', $sql,
		extra_params => [ '-U', 'plain', '-v', 'VERBOSITY=sqlstate' ]);
	like($stderr, qr/ERROR:  42501/, "a plain user is refused: $sql");

	my ($name) = $sql =~ /FROM (\w+)/;
	($status, $stdout, $stderr) = $node->psql('postgres', $sql,
		extra_params => [ '-U', 'monitor', '-v', 'VERBOSITY=sqlstate' ]);
	if ($writes{$name})
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
my @turns = map { "SELECT status FROM target.dbmaint_run_due(now() + interval '$_') WHERE status <> 'ok'" } '-10 s', '0 s';
foreach my $sql (@turns,
	q{SELECT status FROM target.dbmaint_run_due(now() + interval '40 days') WHERE status !~ '^(ok$|expired|rolled up)'},
	q{SELECT * FROM target.dbmaint_health() WHERE detail LIKE 'The check failed%'})
{
	is(query($sql, 'trapped'), '', "nothing is captured: $sql");
}
is(query('SELECT last_error FROM target.dbmaint_status() WHERE errors > 0', 'trapped'), '', 'nothing failed');
query('CREATE TABLE public.later (i int PRIMARY KEY); ALTER DATABASE trapped SET "app.password" = 1', 'trapped');
query("SELECT FROM target.dbmaint_run_due(now() + interval '41 days')", 'trapped');
is(query('SELECT kind, attribute FROM target.dbmaint_changes ORDER BY 1', 'trapped'), "session_setting|app.password\ntable|created", 'nor was a change missed');
query('SELECT * FROM target.dbmaint_run_due(now())', 'trapped');
foreach my $call ((grep { $_ ne 'performance_metrics' } @relations),
	"dbmaint_response_time('1 hour'::interval)",
	"dbmaint_response_time(now() - interval '2 days', now())",
	"dbmaint_metrics_by('day'::text, now() - interval '2 days', now())",
	'dbmaint_roll_up(now())',
	'dbmaint_weekly_report(current_date)',
	'dbmaint_monthly_audit(current_date)',
	'dbmaint_quarterly_review(current_date)',
	"dbmaint_anomalies(now() - interval '2 days', now(), 3::float8, 12)",
	'dbmaint_top(80, 24, now())',
	'dbmaint_expire_history(now(), 10)',
	"dbmaint_forecast('commits'::text, '1 day'::interval, now(), 0.9::float8)",
	"dbmaint_forecast('commits'::text, '30 days'::interval, now() + interval '40 days', 0.9::float8)",
	"dbmaint_capacity('1 day'::interval, now() + interval '30 days')",
	map { "$_()" } grep { /^dbmaint_check_/ } @readable)
{
	($status, $stdout, $stderr) = $node->psql('trapped', "SELECT * FROM target.$call");
	is($stderr, '', "nothing is captured: $call");
}

$node->stop;
done_testing();
