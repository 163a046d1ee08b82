# PgBouncer's pools under load: read as they are, kept, judged; and a PgBouncer
# that hangs, restarts, or goes away delays no sample.
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
use Time::HiRes qw(time usleep);

plan skip_all => 'there is no pgbouncer' unless Bouncer::program();

my $node = new_server('primary', conf => "dbmaint.pool_interval = 1s\n");
my $me = getpwuid $<;
$node->safe_psql('postgres', 'CREATE DATABASE app');
$node->safe_psql('postgres', 'CREATE EXTENSION dbmaint');
my $bouncer = Bouncer->new($node, databases => { app => '', other => '' }, pool_mode => 'session');

sub sql
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

sub configure
{
	my ($conninfo) = @_;

	$conninfo =~ s/'/''/g;
	$node->safe_psql('postgres', "ALTER SYSTEM SET dbmaint.pgbouncer_conninfo = '$conninfo'");
	$node->reload;
	return;
}

# Waits for the state, and for a try that began later than now.
sub state_is
{
	my ($state, $name) = @_;
	my $now = sql('SELECT clock_timestamp()');

	ok( $node->poll_query_until('postgres',
			"SELECT state = '$state' AND tried_at > '$now' FROM dbmaint_pool_status()"),
		$name) or diag sql('SELECT * FROM dbmaint_pool_status()');
	return;
}

# Waits for that many readings that are later than now.
sub read_again
{
	my ($count) = @_;
	my $now = sql('SELECT clock_timestamp()');

	$node->poll_query_until('postgres',
		"SELECT count(*) >= $count FROM dbmaint_pool_snapshots WHERE taken_at > '$now'") or die 'no reading';
	return $now;
}

# By how much samples after the time came late, at most, in milliseconds.
# Clients of PgBouncer, in processes of psql of their own.
my @clients;
sub client
{
	my ($sql, $database) = @_;
	my $client = { in => "SELECT 'here';\n$sql\n", out => '', err => '' };

	$client->{handle} = IPC::Run::start(
		[ 'psql', '-XqAt', '-h', '127.0.0.1', '-p', $bouncer->{port}, '-U', $me, $database // 'app' ],
		'<', \$client->{in}, '>', \$client->{out}, '2>', \$client->{err},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	$client->{handle}->pump_nb;
	push @clients, $client;
	return $client;
}

sub end_clients
{
	foreach my $client (@clients)
	{
		$client->{handle}->kill_kill;
	}
	@clients = ();
	return;
}

#
# Not configured.
#
is(sql('SELECT configured, state, tried_at IS NULL, advice <> \'\' FROM dbmaint_pool_status()'),
	'f|not configured|t|t', 'without a connection string nothing is tried');
is(sql('SELECT count(*) FROM dbmaint_pools()'), 0, 'there are no pools');
is(sql('SELECT count(*) FROM dbmaint_pool_settings()'), 0, 'and no settings');
is( sql(q{SELECT check_name, status FROM dbmaint_health() WHERE check_name ~ '^pool_' AND detail ~ 'dbmaint.pgbouncer_conninfo'}),
	"pool_efficiency|unknown\npool_waiting|unknown", 'the checks say what to do');
is(sql(q{SELECT count(*) FROM dbmaint_status() WHERE process = 'pool'}), 0, 'nor does the status mention it');
ok( -s $node->basedir . '/pgdata/postmaster.pid'
	  && slurp_file('/proc/' . process_of($node, 'postgres') . '/maps') !~ /dbmaint_pool/,
	'the library with libpq is not loaded');

#
# Session mode: clients keep their server connections.
#
$bouncer->start;
configure($bouncer->console);
state_is('ok', 'PgBouncer is read');
is(sql(q{SELECT state, last_error IS NULL, rounds > 0 FROM dbmaint_status() WHERE process = 'pool'}),
	'ok|t|t', 'dbmaint_status() shows it');
like(sql('SELECT version FROM dbmaint_pool_status()'), qr/^PgBouncer 1\./, 'and what it is');
is(sql('SHOW dbmaint.pgbouncer_conninfo'), '********', 'the connection string is not shown');

client('SELECT pg_sleep(600);') foreach 1 .. 4;
$node->poll_query_until('postgres', 'SELECT sv_active = 4 FROM dbmaint_pools()', 't') or die;
client('SELECT 1;') foreach 1 .. 3;
$node->poll_query_until('postgres', 'SELECT cl_waiting = 3 FROM dbmaint_pools()', 't') or die;
my $expected = "app.$me|app|$me|session|4|3|4|0|0|0|0|4|100|1|1|t";
is( sql(q{SELECT pool_name, database, "user", pool_mode, cl_active, cl_waiting, sv_active, sv_idle, sv_used, sv_tested,
	sv_login, pool_size, pool_efficiency, server_utilization, multiplexing, exhausted FROM dbmaint_pools()}),
	$expected, 'live: four work, three wait, none is free');
cmp_ok(sql('SELECT maxwait_ms FROM dbmaint_pools()'), '>', 0, 'the first has waited for some time');
read_again(2);
is( sql(q{SELECT pool_name, database, "user", pool_mode, cl_active, cl_waiting, sv_active, sv_idle, sv_used, sv_tested,
	sv_login, pool_size, pool_efficiency, server_utilization, multiplexing, exhausted
	FROM dbmaint_pool_history ORDER BY taken_at DESC LIMIT 1}),
	$expected, 'the history has the same, computed by itself');
is( sql(q{SELECT check_name, value, status FROM dbmaint_health() WHERE check_name ~ '^pool_'}),
	"pool_efficiency|100.0 %|ok\npool_waiting|3 waiting|emergency", 'exhaustion is an emergency');
like(sql(q{SELECT detail FROM dbmaint_health() WHERE check_name = 'pool_waiting'}),
	qr/Pool app\.\S+: 3 clients wait.*'default_pool_size', '8'/, 'with the way out');

# the runbook's query, as it stands
sql(q{CREATE SCHEMA pgbouncer;
	CREATE VIEW pgbouncer.pools AS SELECT pool_name, database, cl_active, cl_waiting, nullif(sv_active, 0) AS sv_active, sv_idle FROM dbmaint_pools();});
my $runbook = q{SELECT
    pool_name,
    cl_active as active_connections,
    cl_waiting as waiting_connections,
    sv_active as server_connections,
    sv_idle as idle_connections,
    (cl_active::float / sv_active) * 100 as pool_efficiency
FROM pgbouncer.pools
WHERE database = 'app'};
is(sql($runbook), "app.$me|4|3|4|0|100", "the runbook's query runs as it stands");

# series for the alerts
is( sql(q{SELECT string_agg(s.metric, ',' ORDER BY s.metric) FROM dbmaint_series AS s WHERE s.instance LIKE 'app.%'}),
	'cl_active,cl_waiting,maxwait_ms,pool_efficiency,pool_exhausted,server_utilization', 'every series has the pool');

end_clients();
$node->poll_query_until('postgres', 'SELECT cl_waiting = 0 AND sv_active = 0 FROM dbmaint_pools()', 't') or die;
is(sql('SELECT pool_efficiency IS NULL, exhausted FROM dbmaint_pools()'), 't|f', 'a quiet pool has no efficiency');
like(sql($runbook), qr/^app\.$me\|0\|0\|\|\d+\|$/, "and the runbook's query does not divide by zero");
read_again(2);
is( sql(q{SELECT check_name, value, status FROM dbmaint_health() WHERE check_name ~ '^pool_'}),
	"pool_efficiency|no traffic|ok\npool_waiting|0 waiting|ok", 'a quiet pool is no emergency');

#
# Transaction mode, under pgbench.  PgBouncer is another one when it comes back:
# no reading fails.
#
my $errors = sql('SELECT errors FROM dbmaint_pool_status()');
$bouncer->stop;
$bouncer->configure(pool_mode => 'transaction', stats_period => 1);
$bouncer->start;
read_again(2);
is(sql('SELECT state FROM dbmaint_pool_status()'), 'ok', 'PgBouncer was restarted');
cmp_ok(sql('SELECT errors FROM dbmaint_pool_status()') - $errors, '<=', 1, 'which costs one reading at most');

$node->command_ok([ 'pgbench', '-i', '-q', '-h', $node->host, '-p', $node->port, 'app' ], 'pgbench has its tables');
my $load = IPC::Run::start(
	[ 'pgbench', '-n', '-S', '-c', 12, '-j', 2, '-T', 600, '-h', '127.0.0.1', '-p', $bouncer->{port}, '-U', $me, 'app' ],
	'>', '/dev/null', '2>', '/dev/null');
ok( $node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM dbmaint_pool_history
		WHERE pool_mode = 'transaction' AND cl_active + cl_waiting = 12 AND sv_active > 0 AND avg_queries_per_s > 0
			AND avg_query_ms > 0 AND pool_efficiency = 100.0 * cl_active / sv_active AND multiplexing > 1}),
	'twelve clients share four server connections') or diag sql('SELECT * FROM dbmaint_pool_history ORDER BY taken_at DESC LIMIT 5');
is(sql(q{SELECT max(sv_active + sv_idle + sv_used + sv_tested + sv_login) FROM dbmaint_pool_history WHERE pool_mode = 'transaction'}),
	4, 'and no more');

#
# It hangs: samples come in time, and so do commands that need the sampler.
#
my $since = sql('SELECT clock_timestamp()');
$bouncer->signal('STOP');
state_is('no answer', 'a PgBouncer that hangs is given up');
like(sql('SELECT message FROM dbmaint_pool_status()'), qr/in time$/, 'with what it was asked for');
is( sql(q{SELECT count(*) FROM dbmaint_health() WHERE check_name ~ '^pool_' AND status = 'unknown' AND detail ~ 'no answer.*It worked last at'}),
	2, 'the checks know nothing, and say why');
my $begun = time;
my ($status, $stdout, $stderr) = $node->psql('postgres', 'SELECT * FROM dbmaint_pools()');
like($stderr, qr/ERROR:  could not read PgBouncer: no answer/, 'nor does it answer a session');
cmp_ok(time - $begun, '<', 10, 'which waits for two seconds');
sampled_again($node, 'postgres', 5);
no_sample_waits($node, $since);
$begun = time;
sql('CREATE DATABASE gone');
sql('DROP DATABASE gone');
$node->safe_psql('template1', 'CREATE DATABASE copied TEMPLATE postgres');
cmp_ok(time - $begun, '<', 20, 'databases are made, copied and dropped');
sql('DROP DATABASE copied');
$bouncer->signal('CONT');
state_is('ok', 'it is read again when it goes on');

#
# It goes away, and comes back.
#
$bouncer->stop;
state_is('unreachable', 'nobody listens');
is(sql(q{SELECT state, last_error ~ 'refused' FROM dbmaint_status() WHERE process = 'pool'}),
	'unreachable|t', 'dbmaint_status() says so');
$bouncer->start;
state_is('ok', 'it is back');
$load->kill_kill;

#
# What was read stays: days, the review, the settings.
#
sql(q{UPDATE dbmaint_pool_snapshots SET taken_at = taken_at - interval '1 day'});
cmp_ok(sql(q{SELECT max(max_cl_waiting) FROM dbmaint_pool_daily(now() - interval '3 days', now()) WHERE exhausted_samples > 0}),
	'>=', 3, 'a day of it');
my $review = q{FROM dbmaint_weekly_report((now() AT TIME ZONE 'UTC')::date) WHERE section = 'pools'};
is(sql("SELECT value, detail ~ '^Pool app\\.' $review AND item = 'peak_pool_fill_ratio'"), '1|t', 'the review: the pool was full');
cmp_ok(sql("SELECT value $review AND item = 'exhausted_ratio' AND status = 'warning'"), '>', 0, 'and exhausted');
sql(q{UPDATE dbmaint_pool_setting_history SET changed_at = changed_at - interval '2 days'});
is(sql("SELECT value $review AND item = 'default_pool_size'"), 4, 'and how large it is');
foreach my $longer ('dbmaint_monthly_audit', 'dbmaint_quarterly_review')
{
	is( sql(qq{SELECT max(value) FILTER (WHERE item = 'peak_pool_fill_ratio'), max(status) FILTER (WHERE item = 'exhausted_ratio'),
		count(value) FILTER (WHERE item IN ('pool_efficiency', 'server_utilization', 'peak_clients', 'longest_wait_ms', 'mean_query_ms', 'max_client_conn'))
		FROM $longer((now() AT TIME ZONE 'UTC')::date - 1) WHERE section = 'pools'}), '1|warning|6', "$longer() has them, too");
}
is( sql(q{SELECT setting, value FROM dbmaint_pool_settings() WHERE database IS NULL AND setting IN ('default_pool_size', 'max_client_conn', 'pool_mode', 'query_timeout', 'server_idle_timeout') ORDER BY 1}),
	"default_pool_size|4\nmax_client_conn|100\npool_mode|transaction\nquery_timeout|0\nserver_idle_timeout|600", 'its settings now');
is(sql(q{SELECT count(*) FROM dbmaint_pool_settings() WHERE setting ~ 'auth|file|tls|socket'}), 0, 'nothing of authentication');

# a database that is not home has no readings and asks nobody
sql('CREATE DATABASE away');
$node->safe_psql('away', 'CREATE EXTENSION dbmaint');
sampled_again($node, 'away', 2);
is($node->safe_psql('away', 'SELECT count(*) FROM dbmaint_pool_snapshots'), 0, 'only the home database reads PgBouncer');
is($node->safe_psql('away', q{SELECT status, detail ~ 'home database' FROM dbmaint_check_pool_waiting()}), 'unknown|t', 'another one says who does');
is($node->safe_psql('away', q{SELECT state FROM dbmaint_pool_status()}), 'ok', 'and knows how it went');

# when home moves, so does the connection
my $before = sql(q{SELECT max(taken_at) FROM dbmaint_pool_snapshots});
sql(q{ALTER SYSTEM SET dbmaint.home_database = 'away'});
$node->reload;
ok($node->poll_query_until('away', 'SELECT count(*) > 1 FROM dbmaint_pool_snapshots'), 'home moves, and its readings with it');

configure('');
ok($node->poll_query_until('away', q{SELECT state = 'not configured' FROM dbmaint_pool_status()}), 'it can be turned off');
my $count = $node->safe_psql('away', 'SELECT count(*) FROM dbmaint_pool_snapshots');
sampled_again($node, 'away', 3);
is($node->safe_psql('away', 'SELECT count(*) FROM dbmaint_pool_snapshots'), $count, 'nothing is read any more');

$node->stop('fast');
$bouncer->stop;
done_testing();
