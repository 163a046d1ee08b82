# The live sampler rolls up what it finds, whatever the database's settings,
# before retention deletes the samples; a copy of a database keeps its own.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Samplers;
use Test::More;

my $node = new_server('primary', conf => "dbmaint.enabled = off\ndbmaint.retention = '1h'\n");
$node->safe_psql('postgres', 'CREATE DATABASE shop');
$node->safe_psql('shop', q{
	CREATE SCHEMA "Our own";
	CREATE EXTENSION dbmaint SCHEMA "Our own";
	ALTER DATABASE shop SET search_path = "Our own", pg_catalog;
	ALTER DATABASE shop SET TimeZone = 'Asia/Kolkata';
	ALTER DATABASE shop SET DateStyle = 'SQL, DMY';
	ALTER DATABASE shop SET IntervalStyle = 'sql_standard';
	ALTER DATABASE shop SET default_transaction_read_only = on;});

# Four days, a sample every ten minutes, as a server leaves them that was shut
# down two days ago.
my $fill = q{
	SET default_transaction_read_only = off;
	INSERT INTO performance_metrics ("timestamp", database_oid, sample_interval_ms, query_count, response_time_ms, latency_histogram)
	SELECT date_trunc('day', now(), 'UTC') - interval '6 days' + n * interval '10 minutes', d.oid, 600000, 2, 5, '1|4096:1,8192:1'
	  FROM pg_database AS d, generate_series(0, 4 * 144 - 1) AS n
	 WHERE d.datname = current_database();};
$node->safe_psql('shop', $fill);
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE shop');
$node->safe_psql('copy', 'ALTER DATABASE copy SET search_path = "Our own", pg_catalog');

$node->append_conf('postgresql.conf', "dbmaint.enabled = on\n");
$node->reload;

foreach my $database (qw(shop copy))
{
	ok($node->poll_query_until($database, q{
SELECT min("timestamp") > now() - interval '2 hours' FROM performance_metrics}),
		"$database: old samples expire");
}
is($node->safe_psql('shop', q{SELECT count(*), sum(sample_count), sum(query_count) FROM dbmaint_metrics_by('hour', to_at => now() - interval '1 day')}),
	'96|576|1152', 'their hours were rolled up before');
is($node->safe_psql('shop', 'SELECT count(*), sum(dbmaint_packed_count(hours)) FROM dbmaint_packed_hours'),
	'4|96', 'and packed, since their samples have expired');
is($node->safe_psql('shop', q{
SELECT count(*), sum(sample_count), bool_and(day = date_trunc('day', day, 'UTC')) FROM dbmaint_daily_metrics}),
	'4|576|t', 'and their days, which are those of UTC');
is($node->safe_psql('shop', q{
SELECT query_count, p50_ms < p95_ms FROM dbmaint_response_time(now() - interval '30 days', date_trunc('day', now(), 'UTC') - interval '1 day')}),
	'1152|t', 'and answer for them');
is($node->safe_psql('copy', 'SELECT (SELECT count(*) FROM dbmaint_hourly_metrics) + (SELECT count(*) FROM dbmaint_packed_hours)'),
	'0', 'a copy rolls up none of the samples that it inherited');
is($node->safe_psql('shop', q{SELECT coalesce(max(last_error), '') FROM dbmaint_status() WHERE errors > 0}),
	'', 'no step failed');

$node->stop;
done_testing();
