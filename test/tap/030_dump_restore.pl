# pg_dump and pg_restore of a database with history: nothing of ours is dumped
# but CREATE EXTENSION, so a restore never collides, in any schema.
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
my $dir = PostgreSQL::Test::Utils::tempdir;

# Two turns by hand: the second one stores what grew since the first.
sub take_samples
{
	my ($database, $schema) = @_;

	# The times are the test's own, hence the same order at any speed; a copy
	# on the same server is another database, and its clock starts afresh.
	foreach my $ago (30, 10)
	{
		my $bad = $node->safe_psql($database,
			qq{SELECT * FROM $schema.dbmaint_run_due(now() - interval '$ago s') WHERE status !~ '^(ok\$|rolled up)'});
		return $bad if $bad ne '';
	}
	return 'ok';
}

sub history_rows
{
	my ($database, $schema) = @_;
	return $node->safe_psql($database, "SELECT count(*) FROM $schema.performance_metrics");
}

# What the user made of the alerts; in "here" nothing, as a first dump would be.
sub configure_alerts
{
	my ($database, $schema) = @_;

	$node->safe_psql($database, qq{
		SET search_path = $schema;
		SELECT dbmaint_set_rule('response_time_ms', 'critical', '>', 123, '5 minutes');
		UPDATE dbmaint_alert_rules SET actions = ARRAY['Call Änne'] WHERE metric = 'response_time_ms' AND severity = 'warning';
		SELECT dbmaint_disable_rule('cache_hit_ratio');
		SELECT dbmaint_drop_rule('statistics_age_days');
		DELETE FROM dbmaint_alert_rules WHERE metric = 'dead_ratio_pct';
		SELECT dbmaint_set_rule('p99_ms', 'warning', '>', 500, '1 minute');
		SELECT dbmaint_set_rule('pool_efficiency', 'warning', '<', 40, '1 minute', 'test.*');
		SELECT dbmaint_set_rule('slot_lost', 'warning', '>', 0, '1 minute');
		SELECT dbmaint_drop_rule('slot_lost', 'warning');
		SELECT dbmaint_silence('*', 'a*', now() + interval '3 days', 'test');
		SELECT dbmaint_set_maintenance_window('weekly', ARRAY['sun'], '02:00', '3 hours', 'Europe/Berlin');
	});
	return;
}

# The rules that count, the silences and the windows.
sub alert_settings
{
	my ($database, $schema) = @_;
	return $node->safe_psql($database, qq{
		SELECT to_jsonb(r) - 'seeded' FROM $schema.dbmaint_effective_rules() AS r ORDER BY r.metric, r.instance, r.severity;
		SELECT s FROM $schema.dbmaint_silences AS s ORDER BY silence_id;
		SELECT w FROM $schema.dbmaint_maintenance_windows AS w ORDER BY name});
}

# Everything that must work where the extension is.
sub check_works
{
	my ($database, $schema, $what) = @_;

	is(history_rows($database, $schema), 0, "$what: no history came along");
	is(take_samples($database, $schema), 'ok', "$what: a turn works");
	is(history_rows($database, $schema), 2, "$what: and leaves samples");
	is( $node->safe_psql($database,
			"SELECT count(*) > 0, count(*) FILTER (WHERE detail LIKE 'The check failed%') FROM $schema.dbmaint_health()"),
		't|0',
		"$what: health answers");
	is( $node->safe_psql($database, qq{
			SELECT query_count >= 0 FROM $schema.dbmaint_response_time();
			SELECT count(*) FROM $schema.dbmaint_weekly_trend;
			SELECT count(*) FROM $schema.dbmaint_monthly_summary;
			SELECT $schema.dbmaint_expire_history();
			SELECT $schema.dbmaint_pack_hours(now() + interval '90 days', 100) + $schema.dbmaint_close_days(now(), 100);
			SELECT count(*) >= 0 FROM $schema.dbmaint_index_monthly();
		}),
		"t\n1\n1\n0\n0\nt",
		"$what: the views and functions of history work");
	is( $node->safe_psql($database, qq{
			SELECT count(*) FROM pg_depend d, pg_extension e
			WHERE e.extname = 'dbmaint' AND d.refclassid = 'pg_extension'::regclass
				AND d.refobjid = e.oid AND d.deptype = 'e'}),
		$node->safe_psql('here', qq{
			SELECT count(*) FROM pg_depend d, pg_extension e
			WHERE e.extname = 'dbmaint' AND d.refclassid = 'pg_extension'::regclass
				AND d.refobjid = e.oid AND d.deptype = 'e'}),
		"$what: it has the same number of members");
	return;
}

# database => [schema as SQL writes it, what makes it]
my %sources = (
	here => [ 'public', '' ],
	other => [ 'maintenance', 'CREATE SCHEMA maintenance;' ],
	# the server itself refuses a quote or a dollar sign in this place
	quoted => [ '"Stats of Ä, 5%; select"', 'CREATE SCHEMA "Stats of Ä, 5%; select";' ]);

foreach my $database (sort keys %sources)
{
	my ($schema, $before) = @{ $sources{$database} };

	$node->safe_psql('postgres',
		"CREATE DATABASE $database TEMPLATE template0 ENCODING 'UTF8'");
	$node->safe_psql($database, qq{
		SET client_encoding = 'UTF8';
		$before
		CREATE EXTENSION dbmaint SCHEMA $schema;
		CREATE TABLE of_the_user AS SELECT generate_series(1, 100) AS id;
		-- of a dump, what refers to the extension must come after it
		CREATE TABLE measured (latency $schema.dbmaint_histogram);
		INSERT INTO measured SELECT $schema.dbmaint_histogram_agg(x) FROM generate_series(1, 100) AS x;
		CREATE VIEW medians AS SELECT $schema.dbmaint_percentile(latency, 0.5) AS median FROM measured;
		CREATE VIEW history AS SELECT * FROM $schema.performance_metrics;
		GRANT SELECT ON $schema.performance_metrics TO pg_read_all_settings;
	});
	configure_alerts($database, $schema) if $database ne 'here';
	is(take_samples($database, $schema), 'ok', "$database: sampled");
	is(history_rows($database, $schema), 2, "$database: has history");

	my $plain = "$dir/$database.sql";
	$node->command_ok([ 'pg_dump', '-f', $plain, $node->connstr($database) ],
		"$database: pg_dump");
	my $text = slurp_file($plain);
	my $indeed = () = $text =~ /CREATE EXTENSION IF NOT EXISTS dbmaint WITH SCHEMA /g;
	is($indeed, 1, "$database: the dump creates the extension");
	unlike($text, qr/^COPY .*performance_metrics/m, "$database: the dump has no history");
	unlike($text, qr/^CREATE (?:FUNCTION|TABLE|TYPE|AGGREGATE|INDEX) .*(?:dbmaint_\w+|performance_metrics)\s*[(;]/m,
		"$database: the dump has no member");
	like($text, qr/^COPY public\.of_the_user/m, "$database: the dump has the user's table");

	my $archive = "$dir/$database.dir";
	$node->command_ok(
		[ 'pg_dump', '-Fd', '-j2', '-f', $archive, $node->connstr($database) ],
		"$database: pg_dump in parallel");

	my %restore = (
		"${database}_plain" => [ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $plain, '-d' ],
		"${database}_j1" => [ 'pg_restore', '--exit-on-error', '-j1', $archive, '-d' ],
		"${database}_j4" => [ 'pg_restore', '--exit-on-error', '-j4', $archive, '-d' ]);
	foreach my $copy (sort keys %restore)
	{
		$node->safe_psql('postgres',
			"CREATE DATABASE $copy TEMPLATE template0 ENCODING 'UTF8'");
		$node->command_ok([ @{ $restore{$copy} }, $node->connstr($copy) ],
			"$copy: restored");
		is( $node->safe_psql($copy,
				'SELECT count(*) FROM of_the_user; SELECT round(median) FROM medians; SELECT count(*) FROM history'),
			"100\n50\n0",
			"$copy: the user's objects are there");
		is( $node->safe_psql($copy,
				"SELECT has_table_privilege('pg_read_all_settings', '$schema.performance_metrics', 'SELECT')"),
			't',
			"$copy: what the user granted on a member is kept");
		is(alert_settings($copy, $schema), alert_settings($database, $schema), "$copy: what was made of the alerts is kept");
		is( $node->safe_psql($copy, "SELECT count(*) FROM $schema.dbmaint_alert_rules AS r WHERE r.seeded AND EXISTS
				(SELECT FROM $schema.dbmaint_alert_rules AS e WHERE e.metric = r.metric AND e.instance = r.instance AND e.severity = r.severity AND NOT e.seeded)"),
			0, "$copy: no rule is there twice");
		is( $node->safe_psql($copy, "SELECT $schema.dbmaint_silence('*', '*', now() + interval '1 day', 'the next one')
				> (SELECT coalesce(max(silence_id), 0) FROM $schema.dbmaint_silences)"),
			't', "$copy: the next silence gets a number of its own");
		check_works($copy, $schema, $copy);
	}
}

is(alert_settings('here_j1', 'public') =~ /response_time_ms/ ? 'yes' : 'no', 'yes', 'where nothing was changed, the rules are the seeded ones');

# Restoring over an extension that is there already, and is in use.
$node->safe_psql('postgres', 'CREATE DATABASE there');
$node->safe_psql('there', 'CREATE EXTENSION dbmaint');
is(take_samples('there', 'public'), 'ok', 'there: sampled');
$node->command_ok(
	[ 'pg_restore', '--exit-on-error', '-d', $node->connstr('there'), "$dir/here.dir" ],
	'there: restored over the extension and its history');
is(history_rows('there', 'public'), 2, 'there: its own history stayed');

# The history can be copied by hand.
$node->safe_psql('here', "COPY performance_metrics TO '$dir/history.copy'");
$node->safe_psql('there', "COPY performance_metrics FROM '$dir/history.copy'");
is(history_rows('there', 'public'), 4, 'there: history of another database comes by COPY');
is($node->safe_psql('there', 'SELECT count(*) FROM dbmaint_samples'),
	2, 'there: and is told apart');

# Data alone, and a whole cluster.
my ($stdout, $stderr) = run_command([ 'pg_dump', '--data-only', $node->connstr('here') ]);
unlike($stdout, qr/performance_metrics/, 'a dump of data alone has no history');
($stdout, $stderr) = run_command([ 'pg_dumpall', '-d', $node->connstr('postgres') ]);
unlike($stdout, qr/^COPY .*performance_metrics/m, 'pg_dumpall has no history');

$node->stop;
done_testing();
