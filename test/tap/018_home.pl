# What concerns the whole server is measured once, by the home database.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Samplers;
use Test::More;

my $node = new_server('primary', conf => "dbmaint.signals_interval = 1s\n");
$node->safe_psql('postgres', 'CREATE DATABASE a; CREATE DATABASE b;');
$node->safe_psql('a', 'CREATE EXTENSION dbmaint');
ok(sampled_again($node, 'a', 2), 'a is the first one sampled');
$node->safe_psql($_, 'CREATE EXTENSION dbmaint') foreach qw(postgres b);

# Waits until the newest samples of the databases show who is home.
sub home_is
{
	my ($home, @others) = @_;
	foreach my $database ($home, @others)
	{
		my $cluster = 'total_connections IS %1$s NULL AND wal_bytes IS %1$s NULL AND load_1m IS %1$s NULL AND memory_total_bytes IS %1$s NULL';
		my $test = sprintf($cluster, $database eq $home ? 'NOT' : '');
		my $since = last_sample($node, $database);
		$node->poll_query_until($database, qq{
SELECT count(*) >= 2 AND (array_agg($test AND commits IS NOT NULL AND query_count IS NOT NULL ORDER BY "timestamp" DESC))[1]
  FROM dbmaint_samples WHERE "timestamp" > '$since'})
		  or return 0;
	}
	return 1;
}

sub set_home
{
	$node->safe_psql('postgres', "ALTER SYSTEM SET dbmaint.home_database = '$_[0]'");
	$node->reload;
	return;
}

ok(home_is('a', 'b', 'postgres'), 'which makes it the home database');

# What is always beyond its threshold: one of the samples, one of the series.
sub alerts_are
{
	my ($database, $states, $name) = @_;
	return ok( $node->poll_query_until($database, qq{SELECT string_agg(concat_ws(' ', state, resolved_because), ', ' ORDER BY metric) = '$states, $states'
  FROM dbmaint_incidents WHERE metric IN ('total_connections', 'free_connections')}), $name);
}
$node->safe_psql($_, q{
SELECT dbmaint_set_rule('total_connections', 'warning', '>=', 0, '0', options => '{"resolve_after": "0"}'),
       dbmaint_set_rule('free_connections', 'warning', '>=', 0, '0', options => '{"resolve_after": "0"}')}) foreach qw(a b);
alerts_are('a', 'firing', "alerts on the server's state fire at home");
is($node->safe_psql('b', "SELECT count(*) FROM dbmaint_incidents WHERE metric IN ('total_connections', 'free_connections')"), '0', 'and nowhere else');
set_home('b');
ok(home_is('b', 'a', 'postgres'), 'dbmaint.home_database names another one');
alerts_are('b', 'firing', 'which fires them now');
alerts_are('a', 'resolved gone', 'and where home was they resolve');
is($node->safe_psql('postgres', "SELECT count(*) FROM dbmaint_status() WHERE process = 'sampler' AND state <> 'not installed' AND next_due_at < clock_timestamp() - interval '10 s'"),
	'0', 'the one before has nothing left to do that is overdue');

# A sampler that thinks so would turn without end.
my $turns = "SELECT pg_stat_get_db_xact_commit(oid) FROM pg_database WHERE datname = 'a'";
my $commits = $node->safe_psql('postgres', $turns);
ok(sampled_again($node, 'b', 4), 'some seconds pass');
cmp_ok($node->safe_psql('postgres', $turns) - $commits, '<', 200, 'in which it rests between rounds');

my $position = log_position($node);
set_home('nosuch');
ok($node->poll_query_until($_, 'SELECT total_connections IS NULL FROM dbmaint_samples ORDER BY "timestamp" DESC LIMIT 1'),
	"no such database: nobody, not $_") foreach qw(a b);
ok(sampled_again($node, 'b', 3), 'some seconds pass');
alerts_are('b', 'firing', 'where nobody reads it, what fires is not gone');
foreach (qw(a b))
{
	like($node->safe_psql($_, q{SELECT status || ' ' || detail FROM dbmaint_health() WHERE check_name = 'sampler'}),
		qr/^critical dbmaint\.home_database names "nosuch", and there is no such database: .*Name a database/, "health in $_ says so, and what to do");
}
is($node->safe_psql('a', q{SELECT DISTINCT state, detail ~ '"nosuch"' FROM dbmaint_rule_states() WHERE metric IN ('total_connections', 'free_connections')}),
	'unknown|t', 'the rules on the server are not called inactive');
is(scalar(() = log_since($node, $position) =~ /WARNING:.*dbmaint\.home_database names "nosuch"/g), 1, 'the log says it once');
set_home('template1');
ok($node->poll_query_until('a', q{SELECT detail ~ '^dbmaint.home_database names "template1", where the extension is not installed' FROM dbmaint_check_sampler()}),
	'nor does one that is not sampled go unnoticed');
set_home('');
ok(home_is('a', 'b', 'postgres'), 'none named: the first one again');
is($node->safe_psql('a', q{SELECT status FROM dbmaint_check_sampler()}), 'ok', 'and all is well');

# Who is late: the home says it of all, once, and of nobody for a time in which
# he was not to run.
$node->safe_psql($_, q{
SELECT dbmaint_drop_rule('sampler_late_ratio');
SELECT dbmaint_set_rule('sampler_late_ratio', 'warning', '>', 6, '0', options => '{"resolve_after": "0"}')}) foreach qw(a b);
my $late = q{SELECT string_agg(concat_ws(' ', instance, state, resolved_because), ', ' ORDER BY incident_id) FROM dbmaint_incidents WHERE metric = 'sampler_late_ratio'};
$node->safe_psql('b', 'DROP EXTENSION dbmaint');
sleep 9;
$node->safe_psql('b', 'CREATE EXTENSION dbmaint');
ok(sampled_again($node, 'b', 3), 'the extension of b goes and comes again');
$node->safe_psql('postgres', 'ALTER SYSTEM SET dbmaint.enabled = off');
$node->reload;
$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'dbmaint sampler'}) or die;
sleep 9;
$node->safe_psql('postgres', 'ALTER SYSTEM SET dbmaint.enabled = on');
$node->reload;
ok(sampled_again($node, $_, 3), "nothing is sampled for a while: $_ is again") foreach qw(a b);
is($node->safe_psql('a', $late), '', 'which makes nobody late');

my $version = $node->data_dir . '/base/' . $node->safe_psql('b', 'SELECT oid FROM pg_database WHERE datname = current_database()') . '/PG_VERSION';
rename($version, "$version.away") or die "cannot rename $version: $!";
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE backend_type = 'dbmaint sampler' AND datname = 'b'});
ok($node->poll_query_until('a', "SELECT ($late) = 'b firing'"), 'a sampler that cannot run is late');
rename("$version.away", $version) or die "cannot rename $version.away: $!";
ok($node->poll_query_until('a', "SELECT ($late) = 'b resolved well'"), 'until it runs again');
is($node->safe_psql('b', $late), '', 'which b itself does not tell as well');
is($node->safe_psql('a', 'SELECT count(*) FROM dbmaint_samples WHERE wal_bytes < 0 OR checkpoints_timed < 0'), '0', 'what was not read meanwhile makes no nonsense');

# the home goes
$node->safe_psql('a', 'DROP EXTENSION dbmaint');
ok( $node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'a' AND backend_type = 'dbmaint sampler'}), 'its extension is dropped');
my @homes;
sub another_home
{
	my ($what, @candidates) = @_;
	foreach (1 .. 10)
	{
		@homes = grep { $node->safe_psql($_, 'SELECT total_connections IS NOT NULL FROM dbmaint_samples ORDER BY "timestamp" DESC LIMIT 1') eq 't' } @candidates;
		last if @homes == 1;
		sampled_again($node, $candidates[0]);
	}
	is(scalar(@homes), 1, $what);
	return;
}
another_home('another database becomes the home', 'b', 'postgres');
set_home('b');
ok(home_is('b', 'postgres'), 'b by name');
set_home('');
$node->safe_psql('postgres', 'ALTER DATABASE b RENAME TO c');
another_home('renaming it leaves one', 'c', 'postgres');
$node->safe_psql('postgres', 'DROP DATABASE c');
ok(home_is('postgres'), 'dropping it makes the last one the home');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
