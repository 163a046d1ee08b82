# More databases than worker slots: samplers take turns. No slot at all: one
# warning, and another try.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Samplers;
use Test::More;

my $databases = 20;
my $node = new_server('primary',
	conf => "max_worker_processes = 8\ndbmaint.enabled = off\n");
$node->safe_psql('template1', 'CREATE EXTENSION dbmaint');
$node->safe_psql('postgres', 'CREATE EXTENSION dbmaint');
$node->safe_psql('postgres',
	join("\n", map { "CREATE DATABASE d$_;" } (2 .. $databases)));

$node->safe_psql('postgres', 'ALTER SYSTEM SET dbmaint.enabled = on');
$node->reload;
my $samplers = "FROM dbmaint_status() WHERE process = 'sampler'";
ok($node->poll_query_until('postgres', "SELECT count(*) = $databases $samplers AND rounds >= 4"),
	"$databases databases, 8 worker processes: every one is sampled, repeatedly");
is($node->safe_psql('postgres', "SELECT state FROM dbmaint_status() WHERE process = 'launcher'"), 'rotating', 'the status says that they take turns');
is($node->safe_psql('postgres', "SELECT max(rounds) <= 2 * min(rounds) + 2 $samplers"), 't', 'none starves');
is($node->safe_psql('postgres', "SELECT count(*) $samplers AND (errors > 0 OR state NOT IN ('waiting', 'starting', 'sampling'))"), '0', 'none fails');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dbmaint launcher'"), '1', 'there is one launcher');

my ($sampled, $home) = (0, 0);
foreach my $database ('postgres', map { "d$_" } (2 .. $databases))
{
	my ($rows, $whole, $twice) = split /\|/, $node->safe_psql($database, q{
SELECT count(*), count(total_connections),
       count(*) FILTER (WHERE sample_interval_ms < 100)
  FROM dbmaint_samples});
	$sampled++ if $rows >= 4 && $twice == 0;
	$home++ if $whole > 0;
}
is($sampled, $databases, 'each has its rows');
is($home, 1, 'and one of them those of the whole server');
is($node->safe_psql('postgres', "SELECT count(*) FROM dbmaint_health() WHERE check_name = 'sampler' AND status = 'ok'"), '1', 'health is content');
unlike(slurp_file($node->logfile), qr/WARNING:  dbmaint|background worker "dbmaint/, 'nothing to warn of');

# DDL on databases that take turns
foreach my $i (2 .. 6)
{
	foreach my $sql ("ALTER DATABASE d$i RENAME TO r$i", "CREATE DATABASE c$i TEMPLATE r$i", "DROP DATABASE r$i")
	{
		my ($status, $out, $error) = $node->psql('postgres', $sql);
		is($status, 0, $sql) or diag $error;
	}
}
ok(sampled_again($node, 'c6', 2), 'the new ones have their turns');
$node->stop;

# Few enough of them, and all stay.
$node->append_conf('postgresql.conf', 'max_worker_processes = 40');
$node->start;
ok($node->poll_query_until('postgres', "SELECT count(*) = $databases FROM pg_stat_activity WHERE backend_type = 'dbmaint sampler'"),
	'with enough worker processes each has a sampler to itself');
is($node->safe_psql('postgres', "SELECT state FROM dbmaint_status() WHERE process = 'launcher'"), 'running', 'and nothing rotates');

# more than dbmaint.max_databases
my $position = log_position($node);
$node->append_conf('postgresql.conf', 'dbmaint.max_databases = 5');
$node->restart;
ok($node->poll_query_until('template1', "SELECT count(*) = 5 FROM pg_stat_activity WHERE backend_type = 'dbmaint sampler'"), 'dbmaint.max_databases bounds them');
ok($node->poll_query_until('postgres', "SELECT count(*) = 6 FROM dbmaint_status() WHERE state IN ('running', 'sampling')"), 'those have room');
my $log = log_since($node, $position);
is(scalar(() = $log =~ /WARNING:  dbmaint has no room for more than 5 databases/g), 1, 'one warning says so');
like($log, qr/HINT:  Raise dbmaint\.max_databases/, 'and what to do');
$node->stop;

# The launcher has the last slot but for one that somebody else takes.
$node->append_conf('postgresql.conf', "max_worker_processes = 2\nmax_logical_replication_workers = 0\nmax_parallel_workers = 2\ndbmaint.max_databases = 50\ndbmaint.databases = postgres\n");
$node->start;
ok(sampled_again($node, 'postgres', 2), 'one slot is enough for one database');
$node->safe_psql('postgres', 'ALTER SYSTEM SET dbmaint.enabled = off');
$node->reload;
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'dbmaint sampler'"), 'stopped');
$position = log_position($node);
my $force = $node->pg_version >= 16 ? 'debug_parallel_query' : 'force_parallel_mode';
my $session = session($node, 'postgres', "SET $force = on");
$session->{in} .= "SELECT pg_sleep(600);\n";
$session->{handle}->pump_nb;
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'parallel worker'"), 'another worker has the slot');
$node->safe_psql('postgres', 'ALTER SYSTEM SET dbmaint.enabled = on');
$node->reload;
ok($node->poll_query_until('postgres', "SELECT state = 'no worker slot' FROM dbmaint_status() WHERE process = 'launcher'"), 'the status says that there is none');
my $scans = $node->safe_psql('postgres', 'SELECT clock_timestamp()');
ok($node->poll_query_until('postgres', "SELECT clock_timestamp() > timestamptz '$scans' + interval '3 s'"), 'after some more tries');
is(scalar(() = log_since($node, $position) =~ /WARNING:  dbmaint found no free background worker slot/g), 1, 'there is one warning');
like(log_since($node, $position), qr/HINT:  Raise max_worker_processes/, 'with a hint');
is($node->safe_psql('postgres', "SELECT pg_cancel_backend($session->{pid})"), 't', 'the other one ends');
ok(sampled_again($node, 'postgres', 2), 'and sampling starts by itself');
ok($node->poll_query_until('postgres', "SELECT state IN ('running', 'rotating') FROM dbmaint_status() WHERE process = 'launcher'"), 'the status says so');
leave($session);
$node->stop;

# not even the launcher
$node->append_conf('postgresql.conf', "max_worker_processes = 1");
$node->start;
$position = log_position($node);
$node->safe_psql('postgres', 'DROP EXTENSION dbmaint; CREATE EXTENSION dbmaint');
ok($node->poll_query_until('postgres', "SELECT state = 'no worker slot' FROM dbmaint_status() WHERE process = 'launcher'"), 'room for the launcher alone: the status says so');
is($node->safe_psql('postgres', "SELECT status FROM dbmaint_health() WHERE check_name = 'sampler'"), 'unknown', 'health knows nothing');
like($node->safe_psql('postgres', "SELECT detail FROM dbmaint_health() WHERE check_name = 'sampler'"), qr/max_worker_processes/, 'and says what to do');
$node->append_conf('postgresql.conf', "max_worker_processes = 0");
$node->restart;
is($node->safe_psql('postgres', "SELECT state FROM dbmaint_status() WHERE process = 'launcher'"), 'not running', 'no room for the launcher: the status says so');
like($node->safe_psql('postgres', "SELECT status || detail FROM dbmaint_health() WHERE check_name = 'sampler'"), qr/^unknown.*max_worker_processes/, 'and health');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
