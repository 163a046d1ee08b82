# Signals and settings: reload, cancel, terminate, and the server's shutdown.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Samplers;
use Test::More;
use Time::HiRes qw(time usleep);

my $node = new_server('primary', conf => "max_prepared_transactions = 5\n");
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql($_, 'CREATE EXTENSION dbmaint') foreach qw(postgres other);
sampled_again($node, $_) foreach qw(postgres other);

sub configure
{
	$node->append_conf('postgresql.conf', $_[0]);
	$node->reload;
	return;
}

sub databases_sampled
{
	my ($wanted) = @_;
	return $node->poll_query_until('postgres',
		"SELECT string_agg(datname, ',' ORDER BY datname) IS NOT DISTINCT FROM nullif('$wanted', '') FROM pg_stat_activity WHERE backend_type = 'dbmaint sampler'");
}

# reload
configure("dbmaint.databases = 'other'");
ok(databases_sampled('other'), 'dbmaint.databases stops what it does not name');
configure("dbmaint.databases = 'nosuch, postgres, \"Other\"'");
ok(databases_sampled('postgres'), 'and starts what it names');
configure("dbmaint.databases = '*'");
ok(databases_sampled('other,postgres'), '* is all');
configure('dbmaint.enabled = off');
ok(databases_sampled(''), 'dbmaint.enabled = off stops all');
like($node->safe_psql('postgres', "SELECT state FROM dbmaint_status() WHERE process = 'launcher'"), qr/^disabled$/, 'and the status says so');
configure('dbmaint.enabled = on');
ok(databases_sampled('other,postgres'), 'dbmaint.enabled = on starts them again');
ok(sampled_again($node, $_), "$_ is sampled again") foreach qw(postgres other);

my ($launcher, $sampler) = (launcher_of($node), process_of($node, 'postgres'));
foreach my $bad (
	[ 'dbmaint.sample_interval', "'soon'", '1s' ],
	[ 'dbmaint.sample_interval', "'0s'", '1s' ],
	[ 'dbmaint.enabled', 'perhaps', 'on' ],
	[ 'dbmaint.databases', q{'"open'}, '*' ])
{
	my ($name, $value, $good) = @$bad;
	my $position = log_position($node);
	configure("$name = $value");
	ok(sampled_again($node, 'postgres', 2), "$name = $value: sampling goes on");
	like(log_since($node, $position), qr/(?:invalid value for parameter "\Q$name\E"|outside the valid range for parameter "\Q$name\E"|parameter "\Q$name\E" requires a Boolean value)/, 'the value is refused');
	is($node->safe_psql('postgres', "SHOW $name"), $good, 'the one before stays');
	configure("$name = '$good'");
}
is(process_of($node, 'postgres'), $sampler, 'the sampler never ended');
is(launcher_of($node), $launcher, 'nor did the launcher');

# Signals that come at any moment of a round.
my ($reloads, $cancels) = (0, 0);
my $end = time + 4;
while (time < $end)
{
	$cancels += kill 'INT', $sampler, $launcher;
	$reloads += kill 'HUP', $sampler, $launcher if $cancels % 20 == 0;
	usleep(300);
}
cmp_ok($cancels, '>', 100, 'many cancels');
ok(sampled_again($node, 'postgres', 2), 'pg_cancel_backend costs no more than a reading');
is(process_of($node, 'postgres'), $sampler, 'and ends no sampler');
is(launcher_of($node), $launcher, 'nor the launcher');
is($node->safe_psql('postgres', "SELECT pg_cancel_backend($sampler)"), 't', 'a cancel between rounds');
ok(sampled_again($node, 'postgres', 2), 'does nothing');
is($node->safe_psql('postgres', "SELECT state FROM dbmaint_status() WHERE pid = $sampler"), 'sampling', 'the status is well');

# Samplers are restarted by the launcher.
foreach my $i (1 .. 3)
{
	is($node->safe_psql('postgres', "SELECT pg_terminate_backend($sampler, 5000)"), 't', 'a sampler ends promptly');
	my $next = process_of($node, 'postgres', $sampler);
	ok($next, 'the launcher starts another');
	ok(sampled_again($node, 'postgres', 2), 'which samples');
	$sampler = $next;
}
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dbmaint sampler'"), '2', 'there is one for each database');

# The launcher is restarted by the postmaster, 5 s after; samplers go on.
foreach my $i (1 .. 2)
{
	is($node->safe_psql('postgres', "SELECT pg_terminate_backend($launcher, 5000)"), 't', 'the launcher ends promptly');
	ok(sampled_again($node, 'postgres'), 'samplers do without it');
	my $next = launcher_of($node, $launcher);
	ok($next, 'the postmaster starts another');
	$launcher = $next;
}
is(process_of($node, 'postgres'), $sampler, 'the sampler is still the same');
is($node->safe_psql('postgres', "SELECT pg_terminate_backend($sampler, 5000)"), 't', 'a sampler of the launcher before');
$sampler = process_of($node, 'postgres', $sampler);
ok($sampler, 'is taken care of');
ok(sampled_again($node, 'postgres', 2), 'by one that samples');
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid IN ($launcher, $sampler)");
ok(launcher_of($node, $launcher), 'both at once: a launcher');
ok(process_of($node, 'postgres', $sampler), 'and a sampler come back');
ok(sampled_again($node, 'postgres', 2), 'and sample');

# Locks delay nothing, not even those that outlive the server.
$node->safe_psql('postgres', "BEGIN; LOCK TABLE performance_metrics IN ACCESS EXCLUSIVE MODE; PREPARE TRANSACTION 'lock';");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'dbmaint sampler' AND datname = 'postgres' AND wait_event_type = 'Lock'"),
	'a sampler waits for a lock on its history');
ok(sampled_again($node, 'other', 2), 'the other does not mind');
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'dbmaint sampler' AND datname = 'postgres' AND wait_event_type = 'Lock'");
my $begin = time;
$node->stop('fast');
cmp_ok(time - $begin, '<', 30, 'a fast shutdown does not wait for it');
$node->start;
ok(sampled_again($node, 'other', 2), 'after a restart the other database is sampled');
$node->safe_psql('postgres', "ROLLBACK PREPARED 'lock'");
ok(sampled_again($node, 'postgres', 2), 'and the one that was locked, once it is free');

$begin = time;
$node->stop('smart');
cmp_ok(time - $begin, '<', 30, 'a smart shutdown does not wait for us');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal|forcibly/, 'nothing crashed');
done_testing();
