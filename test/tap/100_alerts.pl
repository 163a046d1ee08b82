# Alerts on a live server: how fast one fires, and that it goes on through the
# end of its sampler, of the server, and a promotion.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Samplers;
use Test::More;

my $node = new_server(
	'primary',
	init => { allows_streaming => 1 },
	conf => "dbmaint.signals_interval = 1s\nrestart_after_crash = on\nmax_wal_senders = 4\n");

# What the collector "signals" reads is what the test wrote into a table, and
# what would be queued is noted with the time at which it was.
$node->safe_psql('postgres', q{
	CREATE EXTENSION dbmaint;
	CREATE TABLE live (metric text, instance text, value float8);
	CREATE TABLE told (at timestamptz, noted_at timestamptz, incident bigint, kind text);
	BEGIN;
	ALTER FUNCTION dbmaint_signals(timestamptz, boolean) RENAME TO dbmaint_signals_really;
	CREATE FUNCTION dbmaint_signals(at timestamptz, home boolean, OUT metric text, OUT instance text, OUT value float8)
	RETURNS SETOF record LANGUAGE sql AS 'SELECT l.metric, l.instance, l.value FROM public.live AS l';
	COMMIT;
	DO $$ BEGIN
		IF to_regprocedure('dbmaint_queue_notifications(bigint, text, timestamptz)') IS NOT NULL THEN
			ALTER FUNCTION dbmaint_queue_notifications(bigint, text, timestamptz) RENAME TO dbmaint_queue_really;
		END IF;
	END $$;
	CREATE FUNCTION dbmaint_queue_notifications(incident_id bigint, kind text, at timestamptz)
	RETURNS int LANGUAGE sql AS
	'INSERT INTO public.told VALUES ($3, pg_catalog.clock_timestamp(), $1, $2) RETURNING 1';
	TRUNCATE dbmaint_alert_rules;
});

sub query { return $node->safe_psql('postgres', $_[0]); }

sub until_true
{
	my ($sql, $name) = @_;
	return ok($node->poll_query_until('postgres', $sql), $name);
}

sub feed
{
	my ($metric, $instance, $value) = @_;
	query("BEGIN; DELETE FROM live WHERE metric = '$metric' AND instance = '$instance'; INSERT INTO live VALUES ('$metric', '$instance', $value); COMMIT");
	return;
}

ok(sampled_again($node, 'postgres', 2), 'the server is sampled');

# From the first reading past a sustained threshold to the queued row.
query("SELECT dbmaint_set_rule('replication_lag_ms', 'critical', '>', 100, '3 seconds', options => '{\"resolve_after\": \"1 second\"}')");
feed('replication_lag_ms', 'app', 500);
until_true("SELECT count(*) = 1 FROM told WHERE kind = 'trigger'", 'an alert fires');
my $lasted = query("SELECT extract(epoch FROM fired_at - since_at) FROM dbmaint_incidents WHERE metric = 'replication_lag_ms'");
ok($lasted >= 3 && $lasted < 5, "after what it had to last, $lasted s");
is(query('SELECT count(*) FROM told AS t JOIN performance_metrics AS m ON m."timestamp" > t.at AND m."timestamp" < t.noted_at'), 0, 'its notification is queued in the same round: '
	. query("SELECT extract(epoch FROM max(noted_at - at)) FROM told") . ' s after it began');
my $state = query("SELECT state || ' ' || severity FROM dbmaint_alerts()");
is($state, 'firing critical', 'dbmaint_alerts() has it');
feed('replication_lag_ms', 'app', 5);
until_true("SELECT count(*) = 1 FROM told WHERE kind = 'resolve'", 'and it resolves');

# A rule that is changed by plain SQL, in the next round.
feed('slot_retained_bytes', 'app', 7);
my $rounds = query("SELECT rounds FROM dbmaint_status() WHERE process = 'sampler'");
query("INSERT INTO dbmaint_alert_rules (metric, severity, comparison, threshold) VALUES ('slot_retained_bytes', 'warning', '>', 5)");
until_true("SELECT state = 'firing' FROM dbmaint_incidents WHERE metric = 'slot_retained_bytes'", 'an inserted rule fires');
query("UPDATE dbmaint_alert_rules SET threshold = 50 WHERE metric = 'slot_retained_bytes'");
query("UPDATE dbmaint_alert_rules SET resolve_after = '0' WHERE metric = 'slot_retained_bytes'");
until_true("SELECT state = 'resolved' FROM dbmaint_incidents WHERE metric = 'slot_retained_bytes'", 'an updated one resolves');
$rounds = query("SELECT rounds FROM dbmaint_status() WHERE process = 'sampler'") - $rounds;
cmp_ok($rounds, '<', 30, "without the minute after which rules are read anyhow ($rounds rounds)");
query("DELETE FROM dbmaint_alert_rules WHERE metric = 'slot_retained_bytes'; DELETE FROM live");

# A silence, and its end, are seen at once as well.
query("SELECT dbmaint_silence('slot_lost', '*', now() + interval '1 hour', 'test')");
query("SELECT dbmaint_set_rule('slot_lost', 'critical', '>=', 1, '0')");
feed('slot_lost', 's', 1);
until_true("SELECT silenced FROM dbmaint_incidents WHERE metric = 'slot_lost'", 'a silenced alert fires');
is(query("SELECT count(*) FROM told AS t JOIN dbmaint_incidents AS i ON i.incident_id = t.incident WHERE i.metric = 'slot_lost'"), 0, 'and tells nobody');
query("SELECT dbmaint_end_silence(max(silence_id)) FROM dbmaint_silences");
until_true("SELECT count(*) = 1 FROM told AS t JOIN dbmaint_incidents AS i ON i.incident_id = t.incident WHERE i.metric = 'slot_lost' AND kind = 'trigger'",
	'until the silence ends');

# The end of the sampler, of the server and of the primary, each while one
# alert fires and another one is pending, which must not begin anew.
my $number = 0;
sub goes_on
{
	my ($what, $crash) = @_;
	my $pending = 'p' . ++$number;

	query("DELETE FROM dbmaint_alert_rules WHERE metric = 'replication_lag_ms'");
	query("SELECT dbmaint_set_rule('replication_lag_ms', 'critical', '>', 100, '12 seconds', '$pending', '{\"resolve_after\": \"0\"}')");
	feed('replication_lag_ms', $pending, 500);
	until_true("SELECT count(*) = 1 FROM dbmaint_incidents WHERE instance = '$pending' AND state = 'pending' AND since_at < now() - interval '4 seconds'",
		"$what: one is pending, one fires");
	my $firing = query("SELECT incident_id FROM dbmaint_incidents WHERE metric = 'slot_lost' AND state = 'firing'");
	my $id = query("SELECT incident_id FROM dbmaint_incidents WHERE instance = '$pending'");

	$crash->();
	ok($node->poll_query_until('postgres', "SELECT state = 'firing' FROM dbmaint_incidents WHERE incident_id = $id"),
		"$what: the pending one fires, the same incident");
	my $took = query("SELECT extract(epoch FROM fired_at - since_at) FROM dbmaint_incidents WHERE incident_id = $id");
	# 12 s of readings, and what the gap took; anew would be 16 s and the gap
	my $gap = query(q{SELECT extract(epoch FROM max(g)) FROM (SELECT taken_at - lag(taken_at) OVER (ORDER BY taken_at) AS g
		FROM dbmaint_series_samples WHERE taken_at > now() - interval '60 s') AS s});
	cmp_ok($took, '<', 15 + $gap, "$what: without beginning anew ($took s, with a gap of $gap s)");
	is(query("SELECT state FROM dbmaint_incidents WHERE incident_id = $firing"), 'firing', "$what: the other one still fires");
	is(query("SELECT count(*) FROM told WHERE incident = $firing AND kind = 'trigger'"), 1, "$what: and was told once");
	feed('replication_lag_ms', $pending, 1);
	until_true("SELECT state = 'resolved' FROM dbmaint_incidents WHERE incident_id = $id", "$what: and it resolves");
	is(query("SELECT string_agg(kind, ',' ORDER BY noted_at) FROM told WHERE incident = $id"), 'trigger,resolve', "$what: told once each");
	return;
}

goes_on('kill -9 of the sampler', sub { kill 'KILL', process_of($node, 'postgres'); });
goes_on('a fast restart', sub { $node->restart; });
goes_on('an immediate stop', sub { $node->stop('immediate'); $node->start; });

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
goes_on('promotion', sub {
	$node->wait_for_catchup($standby);
	$node->stop('immediate');
	$standby->promote;
	$node = $standby;
});

is(query('SELECT count(*) FROM dbmaint_status() WHERE errors > 0'), 0, 'nothing failed');
$node->stop;
done_testing();
