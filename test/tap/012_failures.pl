# What fails costs as little as it can, is said once, and passes by itself.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Samplers;
use Test::More;

my $node = new_server('primary', conf => "dbmaint.collector_timeout = 300ms\n");
$node->safe_psql('postgres', 'CREATE EXTENSION dbmaint');
ok(sampled_again($node, 'postgres', 2), 'sampled');
my $sampler = process_of($node, 'postgres');

sub status_is
{
	my ($condition) = @_;
	return $node->poll_query_until('postgres',
		"SELECT $condition FROM dbmaint_status() WHERE process = 'sampler'");
}

sub errors
{
	return $node->safe_psql('postgres',
		"SELECT errors FROM dbmaint_status() WHERE process = 'sampler'");
}

sub fails_as
{
	my ($what, $body, $error) = @_;
	my $position = log_position($node);

	$node->safe_psql('postgres', "CREATE FUNCTION dbmaint_read_activity(OUT total_connections int) LANGUAGE plpgsql AS \$\$ BEGIN $body END \$\$") if $body;
	ok(status_is("last_error LIKE 'activity: $error%'"), "$what: the status tells");
	my $errors = errors();
	ok(status_is("errors >= $errors + 2"), 'it is tried at each round');
	my $time = last_sample($node, 'postgres');
	ok(sampled_since($node, 'postgres', $time, 2), 'samples come all the same');
	is( $node->safe_psql('postgres', "SELECT count(*) FROM dbmaint_samples WHERE \"timestamp\" > '$time' AND (total_connections IS NOT NULL OR commits IS NULL OR query_count IS NULL OR load_1m IS NULL)"),
		'0', 'without its readings, with all the others');
	my $lines = () = log_since($node, $position) =~ /LOG:  dbmaint: activity: /g;
	is($lines, 1, 'and one line in the log');
	$node->safe_psql('postgres', 'DROP FUNCTION dbmaint_read_activity()') if $body;
	return;
}

# one collector
$node->safe_psql('postgres', 'ALTER FUNCTION dbmaint_read_activity() RENAME TO hidden');
fails_as('a missing function', undef, 'function public.dbmaint_read_activity() does not exist');
fails_as('an exception', "RAISE EXCEPTION 'it failed';", 'it failed');
fails_as('one that takes too long', 'PERFORM pg_sleep(600);', 'canceling statement due to statement timeout');
fails_as('a division', 'total_connections := 1 / 0;', 'division by zero');
fails_as('an endless loop', 'LOOP NULL; END LOOP;', 'canceling statement due to statement timeout');
$node->safe_psql('postgres', 'ALTER FUNCTION hidden() RENAME TO dbmaint_read_activity');
ok($node->poll_query_until('postgres', 'SELECT total_connections IS NOT NULL FROM dbmaint_samples ORDER BY "timestamp" DESC LIMIT 1'),
	'its readings come back');
is(process_of($node, 'postgres'), $sampler, 'all that by the same process');
ok(status_is("state = 'sampling' AND rounds > 0"), 'which never counted as failing');

# one that hangs: it takes SIGTERM and DROP DATABASE in the middle of its work
$node->safe_psql('postgres', "ALTER SYSTEM SET dbmaint.collector_timeout = '10min'");
$node->reload;
$node->safe_psql('postgres', 'CREATE DATABASE hanging');
$node->safe_psql('hanging', 'CREATE EXTENSION dbmaint');
sampled_again($node, 'hanging');
$node->safe_psql('hanging', 'CREATE OR REPLACE FUNCTION dbmaint_read_database_size(OUT database_size_bytes bigint) LANGUAGE sql AS $$ SELECT 1 FROM pg_sleep(600) $$');
my $hanging = process_of($node, 'hanging');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($hanging, 5000)");
$node->safe_psql('postgres', "ALTER SYSTEM SET dbmaint.objects_interval = '1s'");
$node->reload;
sub hangs
{
	return $node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'dbmaint sampler' AND datname = 'hanging' AND wait_event = 'PgSleep' AND state = 'active' AND query LIKE 'SELECT * FROM public.dbmaint_read%'");
}
ok(hangs(), 'a collector hangs');
$hanging = process_of($node, 'hanging');
is($node->safe_psql('postgres', "SELECT pg_terminate_backend($hanging, 5000)"), 't', 'its sampler ends promptly');
ok(hangs(), 'another one hangs');
is($node->safe_psql('postgres', 'SELECT pg_cancel_backend(' . process_of($node, 'hanging') . ')'), 't', 'and is cancelled');
ok($node->poll_query_until('postgres', "SELECT last_error LIKE 'database_size: canceling%' FROM dbmaint_status() WHERE database = 'hanging'"), 'which costs it this reading');
ok(hangs(), 'it hangs again');
my $position = log_position($node);
$node->safe_psql('postgres', 'CREATE DATABASE unrelated');
$node->safe_psql('postgres', 'DROP DATABASE unrelated');
$node->safe_psql('postgres', 'DROP DATABASE hanging');
unlike(log_since($node, $position), qr/still waiting for backend/, 'DROP DATABASE waits for no hanging sampler');
ok(sampled_again($node, 'postgres', 2), 'the other goes on');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET ALL');
$node->reload;

# the whole round: rows stop, tries become rare, the log stays short
$position = log_position($node);
$node->safe_psql('postgres', q{
CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'captured %', current_user; END $$;
CREATE TRIGGER spy BEFORE INSERT ON performance_metrics FOR EACH ROW EXECUTE FUNCTION spy();});
ok(status_is("state = 'failing' AND last_error LIKE 'performance_metrics: %has triggers or rules'"), 'a trigger on the history is refused, not run');
my $errors = errors();
my $before = last_sample($node, 'postgres');
ok(status_is("errors >= $errors + 2 AND next_due_at > last_round_at + interval '5 s'"), 'tries become rare');
is(last_sample($node, 'postgres'), $before, 'no rows are written');
my $lines = () = log_since($node, $position) =~ /dbmaint: performance_metrics/g;
is($lines, 1, 'the log has one line');
unlike(log_since($node, $position), qr/(?:ERROR|dbmaint):.*captured/, 'the trigger never ran');
is(process_of($node, 'postgres'), $sampler, 'the same process keeps trying');
$node->safe_psql('postgres', 'DROP TRIGGER spy ON performance_metrics');
ok(sampled_since($node, 'postgres', $before, 2), 'it recovers by itself');
ok(status_is("state = 'sampling'"), 'and says so');
is($node->safe_psql('postgres', "SELECT count(*) FROM dbmaint_samples WHERE \"timestamp\" > '$before' AND sample_interval_ms < 0"), '0', 'the gap is an interval');
ok($node->safe_psql('postgres', "SELECT sample_interval_ms > 3000 FROM dbmaint_samples WHERE \"timestamp\" > '$before' ORDER BY \"timestamp\" LIMIT 1") eq 't',
	'which the next sample covers');

# Two collectors that fail, each time, after one another: two lines.
$position = log_position($node);
$errors = errors();
$node->safe_psql('postgres', 'ALTER FUNCTION dbmaint_read_server() RENAME TO hidden_server; ALTER FUNCTION dbmaint_read_database() RENAME TO hidden_database');
ok(status_is("errors >= $errors + 8"), 'two collectors fail');
foreach my $name ('server', 'database')
{
	my $told = () = log_since($node, $position) =~ /dbmaint: $name: /g;
	is($told, 1, "the log has one line on \"$name\"");
}
$node->safe_psql('postgres', 'ALTER FUNCTION hidden_server() RENAME TO dbmaint_read_server; ALTER FUNCTION hidden_database() RENAME TO dbmaint_read_database');
ok(sampled_again($node, 'postgres', 2), 'which samples do without');

# Failing, with the longest back-off: what comes and goes with the extension
# does not wait for it.
sub backs_off_long
{
	$node->safe_psql('postgres', 'ALTER TABLE performance_metrics RENAME COLUMN load_1m TO hidden');
	ok(status_is("last_error LIKE 'performance_metrics: column \"load_1m\" of relation%'"), 'a column that is missing makes it fail');
	$node->safe_psql('postgres', "ALTER SYSTEM SET dbmaint.sample_interval = '1h'");
	$node->reload;
	ok(status_is("next_due_at > clock_timestamp() + interval '250 s'"), 'for long');
	return;
}
backs_off_long();
$node->safe_psql('postgres', 'DROP EXTENSION dbmaint');
ok( $node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'dbmaint sampler'"),
	'DROP EXTENSION stops a sampler that backs off');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET ALL');
$node->reload;
$node->safe_psql('postgres', 'CREATE EXTENSION dbmaint');
ok(sampled_again($node, 'postgres', 2), 'and CREATE EXTENSION starts one');
ok(status_is("state = 'sampling'"), 'that is well');
backs_off_long();
$node->safe_psql('postgres', 'BEGIN; DROP EXTENSION dbmaint; CREATE EXTENSION dbmaint; COMMIT;');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET ALL');
$node->reload;
ok(sampled_again($node, 'postgres', 2), 'an extension that was mended ends the back-off');

# Nor does a sampler that begins to back off just when the cause ends, as may
# happen to one that is woken by a commit that has not released its locks yet:
# the back-off that it takes is by the settings that it had then.
my $version = $node->safe_psql('postgres', "SELECT extversion FROM pg_extension WHERE extname = 'dbmaint'");
$node->safe_psql('postgres', "ALTER SYSTEM SET dbmaint.sample_interval = '1h'");
$node->reload;
ok(status_is("next_due_at > clock_timestamp() + interval '250 s'"), 'samples are rare');
$node->safe_psql('postgres', "UPDATE pg_extension SET extversion = '0' WHERE extname = 'dbmaint'");
$node->safe_psql('postgres', 'CREATE EXTENSION pageinspect');
ok(status_is("last_error LIKE 'extension: %does not match%' AND state = 'failing'"), 'a sampler that is woken fails');
$node->safe_psql('postgres', "UPDATE pg_extension SET extversion = '$version' WHERE extname = 'dbmaint'");
$node->safe_psql('postgres', 'ALTER SYSTEM RESET ALL');
$node->reload;
ok(sampled_again($node, 'postgres', 2), 'new settings end its back-off');

# a lock on the history: samples fail while it lasts
my $locker = session($node, 'postgres', 'BEGIN; LOCK TABLE performance_metrics IN ACCESS EXCLUSIVE MODE');
ok($node->poll_query_until('template1', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'dbmaint sampler' AND wait_event_type = 'Lock'"), 'a sampler waits for its history');
ok(status_is("last_error LIKE '%canceling statement due to % timeout'"), 'not for ever');
leave($locker);
ok(sampled_again($node, 'postgres', 2), 'and recovers');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
