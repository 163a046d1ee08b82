# On a hot standby nothing runs; on promotion sampling starts.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Samplers;
use Test::More;

my $primary = new_server('primary', init => { allows_streaming => 1 });
$primary->safe_psql('postgres', 'CREATE EXTENSION dbmaint');
ok(sampled_again($primary, 'postgres', 2), 'the primary is sampled');
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

my $time = last_sample($primary, 'postgres');
ok(sampled_since($primary, 'postgres', $time, 2), 'the primary goes on');
ok($standby->poll_query_until('postgres', "SELECT count(*) >= 2 FROM performance_metrics WHERE \"timestamp\" > '$time'"), 'its history reaches the standby');
is($standby->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'dbmaint%'"), '0', 'where none of our processes runs');
is($standby->safe_psql('postgres', "SELECT string_agg(process || ' ' || state, ',') FROM dbmaint_status()"), 'launcher not running', 'which dbmaint_status() tells');
my ($status, $out, $error) = $standby->psql('postgres', 'SELECT * FROM dbmaint_run_due(now())', on_error_stop => 0);
like("$out$error", qr/read-only|recovery/, 'a turn by hand writes nothing there');
$standby->reload;
$primary->safe_psql('postgres', 'CREATE DATABASE later; CREATE DATABASE gone;');
$primary->safe_psql($_, 'CREATE EXTENSION dbmaint') foreach qw(later gone);
ok(sampled_again($primary, $_), "$_ is sampled on the primary") foreach qw(later gone);
$primary->safe_psql('postgres', 'DROP DATABASE gone');
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'dbmaint%'"), '0', 'still nothing on the standby');
$standby->restart;
is($standby->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'dbmaint%'"), '0', 'nor after a restart');
my $log = slurp_file($standby->logfile);
unlike($log, qr/dbmaint launcher started|LOG:  dbmaint:|WARNING:  dbmaint|background worker "dbmaint/, 'nothing was tried');

$primary->wait_for_catchup($standby);
$primary->stop;
my $before = $standby->safe_psql('postgres', 'SELECT max("timestamp") FROM performance_metrics');
$standby->promote;
ok(sampled_since($standby, 'postgres', $before, 2), 'on promotion sampling starts');
ok(sampled_again($standby, 'later', 2), 'of every database');
is($standby->safe_psql('postgres', "SELECT count(*) FROM dbmaint_samples WHERE \"timestamp\" > '$before' AND (commits < 0 OR query_count < 0 OR sample_interval_ms < 0)"), '0', 'with sane readings');
is($standby->safe_psql('postgres', "SELECT sum(errors) FROM dbmaint_status()"), '0', 'and no error');
$standby->safe_psql('postgres', 'DROP EXTENSION dbmaint; CREATE EXTENSION dbmaint');
ok(sampled_again($standby, 'postgres', 2), 'the hooks work there too');

$standby->stop;
unlike(slurp_file($_->logfile), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed') foreach ($primary, $standby);
done_testing();
