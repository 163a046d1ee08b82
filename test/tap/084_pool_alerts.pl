# The runbook's rules for pools, with the numbers of a real PgBouncer: its ladder
# to the minute, exhaustion at once, and what is not known changes nothing.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/lib";
use Bouncer;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Samplers;
use Test::More;

plan skip_all => 'there is no pgbouncer' unless Bouncer::program();

# Rounds are made at times of the test's own, a minute apart, until the end.
my $node = new_server('primary', conf => "dbmaint.enabled = off\ndbmaint.home_database = 'postgres'\nmax_connections = 60\n");
my $me = getpwuid $<;
$node->safe_psql('postgres', 'CREATE DATABASE app');
$node->safe_psql('postgres', 'CREATE EXTENSION dbmaint');

# Who logs in as somebody that PgBouncer does not know is looked up on a server
# connection of the pool, which is active without an active client.
$node->safe_psql('app', q{
	CREATE FUNCTION look_up(login text, OUT usename name, OUT passwd text) LANGUAGE plpgsql
	AS 'BEGIN PERFORM pg_sleep(600); usename := login; END'});
my $bouncer = Bouncer->new($node,
	databases => { app => 'pool_size=20', small => 'pool_size=2' },
	own_users => 1,
	pool_mode => 'transaction',
	auth_user => $me,
	auth_query => 'SELECT usename, passwd FROM look_up($1)',
	client_login_timeout => 600)->start;
my $conninfo = $bouncer->console;
$node->safe_psql('postgres', "ALTER SYSTEM SET dbmaint.pgbouncer_conninfo = '$conninfo'");
$node->reload;
$node->poll_query_until('postgres', 'SELECT configured FROM dbmaint_pool_status()') or die;

sub sql
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

# Clients of PgBouncer; a worker has a server connection for long, a stranger
# waits to be looked up.
my %clients = (worker => [], stranger => []);
sub client
{
	my ($kind, $database) = @_;
	my $client = { in => "SELECT pg_sleep(600);\n", out => '', err => '' };

	$client->{handle} = IPC::Run::start(
		[ 'psql', '-XqAtw', '-h', '127.0.0.1', '-p', $bouncer->{port}, '-U', $kind eq 'worker' ? $me : 'stranger', $database ],
		'<', \$client->{in}, '>', \$client->{out}, '2>', \$client->{err},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	$client->{handle}->pump_nb;
	push @{ $clients{$kind} }, $client;
	return;
}

# Ends all clients of a kind, and what they had the server do.
sub end_clients
{
	my ($kind) = @_;

	$_->{handle}->kill_kill foreach splice @{ $clients{$kind} };
	return;
}

# Waits until the pool is as it is wanted.
sub pool_is
{
	my ($pool, $condition) = @_;

	$node->poll_query_until('postgres', "SELECT $condition FROM dbmaint_pools() WHERE pool_name = '$pool.$me'")
	  or die "$pool: not $condition: " . slurp_file("$bouncer->{dir}/log");
	return;
}

# A round at a minute after ten; returns what alerts there are of pools.
sub minute
{
	my ($minute) = @_;

	sql("SELECT * FROM dbmaint_run_due('2026-03-02 10:00+00'::timestamptz + interval '$minute minutes')");
	return sql(q{SELECT state || ' ' || severity || ' ' || round(value::numeric, 1) FROM dbmaint_alerts() WHERE metric = 'pool_efficiency'});
}

# What the checks say of the last reading, as if it were of now.
sub checks
{
	return sql(q{
		BEGIN;
		UPDATE dbmaint_pool_snapshots SET taken_at = now() WHERE taken_at = (SELECT max(taken_at) FROM dbmaint_pool_snapshots);
		SELECT status || ' ' || value FROM dbmaint_health() WHERE check_name = 'pool_efficiency'
		UNION ALL SELECT status || ' ' || value FROM dbmaint_daily_check() WHERE check_name = 'connection_pool';
		ROLLBACK});
}

is( sql(q{SELECT severity, comparison, threshold, sustained_for, traffic_metric, min_traffic FROM dbmaint_alert_rules
	WHERE metric = 'pool_efficiency' ORDER BY threshold DESC}),
	"warning|<|70|00:05:00|cl_active|5\ncritical|<|60|00:02:00|cl_active|5\nemergency|<|50|00:00:00|cl_active|5",
	"the runbook's rules are there");

#
# The ladder.
#
client('worker', 'app') foreach 1 .. 5;
pool_is('app', 'sv_active = 5');
is(minute(0), '', 'five clients have five servers: all is well');
is(checks(), "ok 100.0 %\nok 100.0 %", '... say the checks');

client('stranger', 'app') foreach 1 .. 2;
pool_is('app', 'sv_active = 7');
is(minute(1), '', '71.4 % is no warning');
is(checks(), "ok 71.4 %\ncritical 71.4 %", '... but below the 75 % of the daily script');

client('stranger', 'app');
pool_is('app', 'sv_active = 8');
is(minute($_), 'pending warning 62.5', "62.5 % in minute $_ waits") foreach 2 .. 6;
is(checks(), "warning 62.5 %\ncritical 62.5 %", '... the check warns at once');
is(minute(7), 'firing warning 62.5', 'and fires after five minutes');

client('stranger', 'app');
pool_is('app', 'sv_active = 9');
is(minute($_), 'firing warning 55.6', "55.6 % in minute $_ waits") foreach 8 .. 9;
# the daily check rounds towards what is worse, so that nothing passes a limit by rounding
is(checks(), "critical 55.6 %\ncritical 55.5 %", '... the check is critical at once');
is(minute(10), 'firing critical 55.6', 'and is critical after two minutes');

client('stranger', 'app') foreach 1 .. 2;
pool_is('app', 'sv_active = 11');
is(minute(11), 'firing emergency 45.5', '45.5 % is an emergency at once');
is(checks(), "emergency 45.5 %\ncritical 45.4 %", '... say the checks, too');
is( sql(q{SELECT instance, actions[1] FROM dbmaint_alerts() WHERE metric = 'pool_efficiency'}),
	"app.$me|Immediate database team notification", "with the runbook's response");
is( sql(q{SELECT count(*), max(worst_severity) FROM dbmaint_incidents WHERE metric = 'pool_efficiency'}), '1|emergency', 'all of it is one incident');
like(sql(q{SELECT evidence -> 'subject' FROM dbmaint_incidents WHERE metric = 'pool_efficiency'}), qr/"app\.$me"/, 'whose evidence has the pool');

#
# What is not known neither fires nor resolves; no traffic resolves.
#
end_clients('stranger');
$node->poll_query_until('postgres', q{SELECT count(pg_cancel_backend(pid)) = 0 FROM pg_stat_activity WHERE datname = 'app' AND state = 'active'}) or die;
pool_is('app', 'cl_active = 5 AND sv_active = 0 AND pool_efficiency IS NULL');
is(minute($_), 'firing emergency 45.5', "no server is active in minute $_: it goes on") foreach 12 .. 16;
is(checks(), "ok no traffic\n", '... and the checks have nothing to judge');
end_clients('worker');
pool_is('app', 'cl_active = 0');
is(minute(17), 'firing emergency 45.5', 'no clients: well');
is(minute(18), 'firing emergency 45.5', '... for a minute');
is(minute(19), '', '... and resolved after two');
is(sql(q{SELECT state, resolved_at FROM dbmaint_incidents WHERE metric = 'pool_efficiency'}), 'resolved|2026-03-02 10:19:00+00', 'as the incident says');
is(minute($_), '', "nothing fires without an efficiency in minute $_") foreach 20 .. 21;

client('worker', 'app') foreach 1 .. 2;
client('stranger', 'app') foreach 1 .. 3;
pool_is('app', 'sv_active = 5 AND pool_efficiency = 40');
is(minute($_), '', "40 % of next to nothing in minute $_ is no alert") foreach 22 .. 24;

# with traffic it fires at once, later than what is still the same trouble; a
# PgBouncer that does not answer is a gap
client('worker', 'app') foreach 1 .. 3;
client('stranger', 'app') foreach 1 .. 6;
pool_is('app', 'cl_active = 5 AND sv_active = 14');
is(minute(100), 'firing emergency 35.7', 'it fires again');
$bouncer->signal('STOP');
is(minute($_), 'firing emergency 35.7', "no answer in minute $_ resolves nothing") foreach 101 .. 103;
$bouncer->signal('CONT');
end_clients('stranger');
$node->poll_query_until('postgres', q{SELECT count(pg_cancel_backend(pid)) = 0 FROM pg_stat_activity WHERE datname = 'app' AND query ~ 'look_up' AND state = 'active'}) or die;
pool_is('app', 'cl_active = 5 AND sv_active = 5');
is(minute($_), 'firing emergency 100.0', "100 % in minute $_") foreach 110 .. 111;
is(minute(112), '', 'resolved after two of them');
is(sql(q{SELECT count(*) FROM dbmaint_incidents WHERE metric = 'pool_efficiency'}), 2, 'which was another incident');
end_clients('worker');

#
# Exhaustion, with a sampler and the time of the clock.
#
sql(q{SELECT dbmaint_set_rule('pool_exhausted', 'emergency', '>=', 1, '0', options => '{"resolve_after": "3 seconds"}')});
$node->safe_psql('postgres', 'ALTER SYSTEM SET dbmaint.pool_interval = 1');
$node->safe_psql('postgres', 'ALTER SYSTEM SET dbmaint.enabled = on');
$node->reload;
sub exhausted
{
	my ($state, $name) = @_;

	ok( $node->poll_query_until('postgres', qq{SELECT count(*) = 1 FROM dbmaint_incidents
		WHERE metric = 'pool_exhausted' AND instance = 'small.$me' AND state = '$state' AND severity = 'emergency'}), $name)
	  or diag sql('SELECT * FROM dbmaint_pools(); SELECT * FROM dbmaint_incidents');
	return;
}
client('worker', 'small') foreach 1 .. 2;
pool_is('small', 'sv_active = 2');
my $now = sql('SELECT clock_timestamp()');
$node->poll_query_until('postgres', "SELECT count(*) >= 3 FROM dbmaint_pool_snapshots WHERE taken_at > '$now'") or die;
is(sql(q{SELECT count(*) FROM dbmaint_incidents WHERE metric = 'pool_exhausted'}), 0, 'a pool that is full is not exhausted');
client('worker', 'small') foreach 1 .. 3;
exhausted('firing', 'one in which clients wait is, at once');
is(sql(q{SELECT fired_at - since_at FROM dbmaint_incidents WHERE metric = 'pool_exhausted'}), '00:00:00', '... with the first reading');
like(sql(q{SELECT cause FROM dbmaint_incidents WHERE metric = 'pool_exhausted'}), qr/small\.$me/, '... and its pool is the cause');
is( sql(q{SELECT status, value FROM dbmaint_health() WHERE check_name = 'pool_waiting'}), 'emergency|3 waiting', '... as the check has it');
is( sql(q{SELECT succeeded FROM dbmaint_pool_command('SET', 'default_pool_size', '8')}), 'f', 'who may only look changes nothing');

$bouncer->signal('STOP');
$node->poll_query_until('postgres', q{SELECT state = 'no answer' AND failures_in_a_row > 1 FROM dbmaint_pool_status()}) or die;
exhausted('firing', 'it goes on while PgBouncer hangs');
$bouncer->signal('CONT');
end_clients('worker');
exhausted('resolved', 'and resolves when nobody waits any more');

# A pooler that is no longer to be read has no pools that could be in trouble.
client('worker', 'small') foreach 1 .. 5;
exhausted('firing', 'exhausted again');
$node->safe_psql('postgres', q{ALTER SYSTEM SET dbmaint.pgbouncer_conninfo = ''});
$node->reload;
ok( $node->poll_query_until('postgres', q{SELECT resolved_because = 'gone' FROM dbmaint_incidents
	WHERE metric = 'pool_exhausted' ORDER BY incident_id DESC LIMIT 1}), 'which is gone where PgBouncer is no longer read');

$bouncer->stop;
$node->stop('fast');
unlike(slurp_file($node->logfile), qr/TRAP|PANIC|terminated by signal/, 'nothing crashed');
done_testing();
