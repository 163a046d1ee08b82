# What needs a database for itself gets it at once from its sampler.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Samplers;
use Test::More;

my $node = new_server('primary', conf => "allow_in_place_tablespaces = on\nmax_worker_processes = 30\n");
$node->safe_psql('postgres', "CREATE TABLESPACE elsewhere LOCATION ''");
$node->safe_psql('postgres', 'CREATE ROLE owner CREATEDB; CREATE ROLE passer_by CREATEDB LOGIN;');
$node->safe_psql('postgres', 'CREATE EXTENSION dbmaint');
$node->safe_psql('postgres', 'CREATE DATABASE d');
$node->safe_psql('d', 'CREATE EXTENSION dbmaint');
$node->safe_psql('d', q{CREATE VIEW mine AS SELECT * FROM dbmaint_samples});

# A statement as the server's superuser, while a sampler is surely connected.
sub works
{
	my ($sampled, $sql) = @_;
	process_of($node, $sampled);
	my ($status, $out, $error) = $node->psql('postgres', $sql);
	is($status, 0, $sql) or diag $error;
	return;
}

foreach my $i (1 .. 2)
{
	works('d', 'ALTER DATABASE d RENAME TO e');
	ok(process_of($node, 'e'), 'a sampler comes back under the new name');
	works('e', 'ALTER DATABASE e RENAME TO d');
	works('d', 'ALTER DATABASE d SET TABLESPACE elsewhere');
	works('d', 'ALTER DATABASE d SET TABLESPACE pg_default');
	works('d', 'CREATE DATABASE clone TEMPLATE d');
	works('clone', 'DROP DATABASE clone');
	works('d', 'CREATE DATABASE clone TEMPLATE d STRATEGY file_copy OWNER owner');
	works('clone', 'SET ROLE owner; ALTER DATABASE clone RENAME TO copy; DROP DATABASE copy;');
	works('d', 'CREATE DATABASE clone TEMPLATE d');
	works('clone', 'DROP DATABASE clone WITH (FORCE)');
	ok(sampled_again($node, 'd'), 'and the database is still sampled');
}
$node->safe_psql('postgres', 'CREATE DATABASE t TEMPLATE d');
foreach my $i (1 .. 5)
{
	works('d', "CREATE DATABASE t$i TEMPLATE d");
}
works("t$_", "DROP DATABASE t$_") foreach (1 .. 5);
works('t', 'DROP DATABASE t');

# from functions, transactions, and what fails
works('d', 'BEGIN; ALTER DATABASE d RENAME TO e; ROLLBACK;');
ok(sampled_again($node, 'd'), 'RENAME that is rolled back: sampled again');
works('d', q{DO $$ BEGIN EXECUTE 'ALTER DATABASE d RENAME TO e'; END $$});
works('e', 'BEGIN; ALTER DATABASE e RENAME TO f; ALTER DATABASE f RENAME TO d; COMMIT;');
ok(sampled_again($node, 'd'), 'RENAME in a function, and there and back in a transaction');
isnt($node->psql('postgres', 'BEGIN; DROP DATABASE d;'), 0, 'DROP DATABASE in a transaction is refused');
isnt($node->psql('postgres', 'DROP DATABASE nosuch'), 0, 'so is one of a database that is not there');
isnt($node->psql('postgres', 'ALTER DATABASE d RENAME TO postgres'), 0, 'and a name that is taken');
my $visitor = session($node, 'd', 'SELECT 1');
isnt($node->psql('postgres', 'DROP DATABASE d'), 0, 'a client in the way is still in the way');
leave($visitor);
ok(sampled_again($node, 'd'), 'after all that it is sampled');

# those who may not do it disturb nobody
my $sampler = process_of($node, 'd');
foreach my $sql ('DROP DATABASE d', 'DROP DATABASE d WITH (FORCE)', 'ALTER DATABASE d RENAME TO e',
	'ALTER DATABASE d SET TABLESPACE elsewhere', 'CREATE DATABASE mine TEMPLATE d')
{
	isnt($node->psql('postgres', $sql, extra_params => [ '-U', 'passer_by' ]), 0, "$sql is refused to a passer-by");
}
is(process_of($node, 'd'), $sampler, 'whom the sampler does not notice');
ok(sampled_again($node, 'd', 2), 'it goes on');

# the clone's history is told apart
$node->safe_psql('postgres', 'CREATE DATABASE clone TEMPLATE d');
ok(sampled_again($node, 'clone', 2), 'a clone is sampled');
is( $node->safe_psql('clone', 'SELECT count(DISTINCT database_oid) FROM performance_metrics'), '2', 'it has the history of two databases');
is( $node->safe_psql('clone', 'SELECT count(*) FROM dbmaint_samples WHERE database_oid <> (SELECT oid FROM pg_database WHERE datname = current_database())'),
	'0', 'its own is told apart');
is( $node->safe_psql('clone', 'SELECT count(*) FROM dbmaint_samples AS s WHERE "timestamp" <= (SELECT max("timestamp") FROM performance_metrics WHERE database_oid <> s.database_oid)'),
	'0', 'and begins with the clone');
is($node->safe_psql('clone', 'SELECT sample_interval_ms IS NULL AND commits IS NULL FROM dbmaint_samples ORDER BY "timestamp" LIMIT 1'), 't', 'its first interval is not the other one\'s');
$node->safe_psql('postgres', 'DROP DATABASE clone');

# databases that have no sampler
my $position = log_position($node);
foreach my $i (1 .. 5)
{
	$node->safe_psql('postgres', 'CREATE DATABASE unrelated');
	$node->safe_psql('postgres', 'ALTER DATABASE unrelated SET TABLESPACE elsewhere');
	$node->safe_psql('postgres', 'DROP DATABASE unrelated');
}
unlike(log_since($node, $position), qr/still waiting for backend/, 'nor do samplers delay what happens to others');
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM dbmaint_status() WHERE database IS NULL AND process = 'sampler'"), 'what is dropped is forgotten');
is($node->safe_psql('postgres', "SELECT count(*) FROM dbmaint_status() WHERE process = 'sampler' AND state <> 'not installed'"), '2', 'the others are not');

my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|TRAP|terminated by signal|still waiting for backend/, 'nothing crashed or was waited for');
unlike($log, qr/FATAL:  terminating background worker "dbmaint sampler"/, 'every sampler left of its own accord')
  if $node->pg_version < 19;
unlike($log, qr/FATAL:  database .* does not exist/, 'none was started in vain');
$node->stop;
done_testing();
