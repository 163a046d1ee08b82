# Samplers come and go with the extension and the database, at once, and show
# what they are.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Samplers;
use Test::More;

my $node = new_server('primary', conf => "max_worker_processes = 20\n");

sub samplers
{
	return $node->safe_psql('postgres',
		"SELECT coalesce(string_agg(datname, ',' ORDER BY datname), '') FROM pg_stat_activity WHERE backend_type = 'dbmaint sampler'");
}

sub no_sampler
{
	return $node->poll_query_until('postgres',
		"SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'dbmaint sampler'");
}

# With the launcher's own rescan every 30 s, only the hooks are this quick.
my $launcher = launcher_of($node);
ok($launcher, 'the launcher runs before there is any extension');
ok(no_sampler(), 'and no sampler');

$node->safe_psql('postgres', 'CREATE EXTENSION dbmaint');
ok(sampled_again($node, 'postgres', 2), 'CREATE EXTENSION starts a sampler');
my $sampler = process_of($node, 'postgres');
ok($node->poll_query_until('postgres', "SELECT extract(epoch FROM min(\"timestamp\") - (SELECT backend_start FROM pg_stat_activity WHERE pid = $sampler)) < 5 FROM performance_metrics"),
	'whose first sample is taken when it starts');

# how they show
ok( $node->poll_query_until('postgres', "SELECT application_name = 'dbmaint sampler postgres' AND state = 'idle' AND wait_event_type = 'Extension' AND datname = 'postgres' FROM pg_stat_activity WHERE pid = $sampler"),
	'a sampler says in pg_stat_activity what it is and does');
ok( $node->poll_query_until('postgres', "SELECT application_name = 'dbmaint launcher' AND state = 'idle' AND wait_event_type = 'Extension' AND datname IS NULL FROM pg_stat_activity WHERE pid = $launcher"),
	'so does the launcher, which is connected to no database');
SKIP:
{
	skip 'wait events of our own came with 17', 1
	  if $node->pg_version < 17;
	ok($node->poll_query_until('postgres', "SELECT count(DISTINCT wait_event) = 2 FROM pg_stat_activity WHERE (pid, wait_event) IN (($sampler, 'DbmaintSamplerMain'), ($launcher, 'DbmaintLauncherMain'))"),
		'with wait events of their own');
}
SKIP:
{
	skip 'no /proc', 2 unless -r "/proc/$sampler/cmdline";
	like(slurp_file("/proc/$sampler/cmdline"), qr/^postgres: .*dbmaint sampler postgres/, 'process title of a sampler');
	like(slurp_file("/proc/$launcher/cmdline"), qr/^postgres: .*dbmaint launcher/, 'process title of the launcher');
}
is($node->safe_psql('postgres', "SELECT string_agg(process || ' ' || coalesce(pid::text, '') || ' ' || coalesce(database, '') || ' ' || state, ', ' ORDER BY process) FROM dbmaint_status()"),
	"launcher $launcher  running, sampler $sampler postgres sampling", 'dbmaint_status() knows the same');

# nothing is held between rounds
$node->safe_psql('postgres', "ALTER SYSTEM SET dbmaint.sample_interval = '1h'");
$node->reload;
ok($node->poll_query_until('postgres', "SELECT next_due_at > clock_timestamp() + interval '20 minutes' FROM dbmaint_status() WHERE process = 'sampler'"),
	'a longer interval is taken over');
ok($node->poll_query_until('postgres', "SELECT count(*) = 2 FROM pg_stat_activity WHERE pid IN ($sampler, $launcher) AND state = 'idle' AND wait_event IS NOT NULL"),
	'both are idle');
is( $node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE pid IN ($sampler, $launcher) AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL OR xact_start IS NOT NULL)"),
	'0', 'without a transaction or a snapshot');
is( $node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE pid IN ($sampler, $launcher)"), '0', 'or a lock');
$node->safe_psql('postgres', 'CREATE TABLE dead AS SELECT 1 AS id; DELETE FROM dead;');
$node->safe_psql('postgres', 'VACUUM dead');
is($node->safe_psql('postgres', "SELECT pg_relation_size('dead')"), '0', 'VACUUM removes what was deleted');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET dbmaint.sample_interval');
$node->reload;
ok(sampled_again($node, 'postgres', 2), 'a shorter interval is taken over at once');
is(process_of($node, 'postgres'), $sampler, 'by the same process');

# the schedule does not drift: the grid is kept to the interval
ok( sampled_again($node, 'postgres', 3), 'some more samples');
is( $node->safe_psql('postgres', q{
SELECT count(*) FROM (SELECT "timestamp" - lag("timestamp") OVER (ORDER BY "timestamp") AS d FROM dbmaint_samples ORDER BY "timestamp" DESC LIMIT 4) AS g
 WHERE d < interval '100 ms'}), '0', 'no sample follows another at once');

# the extension goes
$node->safe_psql('postgres', 'BEGIN; DROP EXTENSION dbmaint; ROLLBACK;');
ok(sampled_again($node, 'postgres', 2), 'DROP EXTENSION that is rolled back changes nothing');
$node->safe_psql('postgres', 'DROP EXTENSION dbmaint');
ok(no_sampler(), 'DROP EXTENSION stops the sampler');

$node->safe_psql('postgres', 'BEGIN; CREATE EXTENSION dbmaint; ROLLBACK;');
is(samplers(), '', 'CREATE EXTENSION that is rolled back starts none');
$node->safe_psql('postgres', 'CREATE EXTENSION dbmaint');
ok(sampled_again($node, 'postgres'), 'it starts again where it was dropped before');
$node->safe_psql('postgres', 'BEGIN; DROP EXTENSION dbmaint; CREATE EXTENSION dbmaint; COMMIT;');
ok(sampled_again($node, 'postgres', 2), 'dropped and created in one transaction');
$node->safe_psql('postgres', 'DROP EXTENSION dbmaint');
ok(no_sampler(), 'gone');

$node->safe_psql('postgres', 'CREATE SCHEMA "Odd schema"; CREATE EXTENSION dbmaint SCHEMA "Odd schema";');
ok($node->poll_query_until('postgres', 'SELECT count(*) >= 2 FROM "Odd schema".performance_metrics'), 'in a schema of any name');
$node->safe_psql('postgres', 'ALTER SCHEMA "Odd schema" RENAME TO even');
ok($node->poll_query_until('postgres', 'SELECT count(*) >= 4 FROM even.performance_metrics'), 'that is renamed meanwhile');
$node->safe_psql('postgres', 'DROP SCHEMA even CASCADE');
ok(no_sampler(), 'DROP SCHEMA CASCADE stops the sampler');

$node->safe_psql('postgres', 'CREATE ROLE admin SUPERUSER; SET ROLE admin; CREATE EXTENSION dbmaint;');
ok(sampled_again($node, 'postgres'), "another superuser's extension");
$node->safe_psql('postgres', 'DROP OWNED BY admin; DROP ROLE admin;');
ok(no_sampler(), 'DROP OWNED stops the sampler');

# A sampler that is just finding no extension, and CREATE EXTENSION that
# commits meanwhile.
foreach my $i (1 .. 8)
{
	$node->safe_psql('postgres', "CREATE DATABASE quick$i");
	# hits the sampler's first look at the new database at various moments
	$node->safe_psql("quick$i", 'SELECT pg_sleep(' . ($i / 200) . ')');
	$node->safe_psql("quick$i", 'CREATE EXTENSION dbmaint');
}
ok(sampled_again($node, "quick$_"), "database $_ that got the extension as soon as it was made")
  foreach (1 .. 8);
foreach my $i (1 .. 30)
{
	$node->safe_psql('quick1', 'DROP EXTENSION dbmaint');
	$node->safe_psql('quick1', 'CREATE EXTENSION dbmaint');
}
ok(sampled_again($node, 'quick1'), 'dropped and created thirty times in a row');
$node->safe_psql('postgres', "DROP DATABASE quick$_") foreach (1 .. 8);

# databases that are never connected to
$node->safe_psql('postgres', 'CREATE DATABASE closed; CREATE DATABASE model; CREATE DATABASE plain;');
$node->safe_psql($_, 'CREATE EXTENSION dbmaint') foreach qw(closed model plain);
sampled_again($node, $_) foreach qw(closed model plain);
$node->safe_psql('postgres', 'ALTER DATABASE closed ALLOW_CONNECTIONS false; ALTER DATABASE model IS_TEMPLATE true;');
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'dbmaint sampler'"),
	'a database that is closed, or made a template, loses its sampler');
is(samplers(), 'plain', 'the others keep theirs');
$node->restart;
ok(sampled_again($node, 'plain', 2), 'after a restart a plain database is sampled');
is(samplers(), 'plain', 'and no other');
$node->safe_psql('postgres', 'ALTER DATABASE closed ALLOW_CONNECTIONS true; ALTER DATABASE model IS_TEMPLATE false;');
ok(sampled_again($node, $_), "$_ is sampled again once it is open") foreach qw(closed model);

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
