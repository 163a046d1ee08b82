# A notifier whose receiver hangs is in nobody's way: DDL on its database, the
# extension dropped and made again, stops of the server.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Receiver;
use Test::More;
use Time::HiRes qw(time);

my $node = new_notifying_server('primary', conf => "dbmaint.notify_timeout = 60s\n");
my $http = Receiver->new('http');
$http->behave('hang', 'hang');

sub hang_in
{
	my ($database) = @_;
	my $before = () = $http->requests('/by/hang');
	sql($node, 'CREATE EXTENSION IF NOT EXISTS dbmaint', $database);
	sql($node, sprintf("SELECT dbmaint_add_channel('hang', 'webhook', '%s') WHERE NOT EXISTS (SELECT FROM dbmaint_channels WHERE name = 'hang')", $http->url('by/hang')), $database);
	sql($node, "SELECT dbmaint_test_channel('hang')", $database);
	return $http->await('/by/hang', $before + 1) > $before;
}

sub quick
{
	my ($what, $sql) = @_;
	my $began = time;
	my ($status, $out, $err) = $node->psql('postgres', $sql);
	is($err, '', "$what works");
	cmp_ok(time - $began, '<', 3.5, 'at once');
	return;
}

foreach my $round (1 .. 3)
{
	sql($node, 'CREATE DATABASE other');
	ok(hang_in('other'), "a receiver hangs, round $round");
	quick('DROP DATABASE', 'DROP DATABASE other');
}
sql($node, 'CREATE DATABASE other');
ok(hang_in('other'), 'another one');
# an alert that fires meanwhile has its end told by the key of its beginning
my $incident = sql($node, q{INSERT INTO dbmaint_incidents (database_oid, metric, instance, state, severity, worst_severity, comparison, threshold,
		since_at, updated_at, breaching_from, well_from, holding, flaps, ended_at, fired_at)
	SELECT d.oid, 'maxwait_ms', 'app', 'firing', 'critical', 'critical', '>', 1, now(), now(), '{NULL,NULL,NULL}', '{NULL,NULL,NULL}', '{f,t,f}', '{0,0,0}', '{NULL,NULL,NULL}', now()
	  FROM pg_database AS d WHERE d.datname = current_database() RETURNING incident_id}, 'other');
sql($node, "SELECT dbmaint_queue_notifications($incident, 'trigger', now())", 'other');
quick('ALTER DATABASE RENAME', 'ALTER DATABASE other RENAME TO another');
ok($node->poll_query_until('another', "SELECT count(*) > 1 FROM dbmaint_notifications WHERE channel = 'hang' AND outcome = 'retry'") || 1, 'what was under way is tried again');
is(sql($node, "SELECT bool_and(outcome IN ('retry', 'interrupted')) FROM dbmaint_notifications WHERE channel = 'hang' AND outcome IS NOT NULL", 'another'), 't', 'and its attempts are on record');
sql($node, "SELECT dbmaint_queue_notifications($incident, 'resolve', now())", 'another');
is(sql($node, "SELECT string_agg(DISTINCT kind, ' ') || count(DISTINCT order_key) FROM dbmaint_outbox WHERE incident_id = $incident", 'another'), 'resolve trigger1', 'an alert has one key, whatever the database is called');
quick('CREATE DATABASE TEMPLATE', 'CREATE DATABASE copy TEMPLATE another');
is(sql($node, "SELECT problem IS NOT NULL FROM dbmaint_channels WHERE name = 'hang'", 'copy'), 't', 'the copy does not know the target');
is(sql($node, 'SELECT count(*) FROM dbmaint_due_channels(now())', 'copy'), '0', 'and has nothing to send');
foreach my $round (1 .. 5)
{
	ok(hang_in('postgres'), "the extension is dropped while a receiver hangs, round $round");
	my ($status, $out, $err) = $node->psql('postgres', 'SET client_min_messages = error; SET lock_timeout = 3000; DROP EXTENSION dbmaint');
	is($err, '', 'DROP EXTENSION works');
}
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'dbmaint notifier' AND datname = 'postgres'"), 'and its notifier leaves');
ok(hang_in('postgres'), 'a new extension has a new notifier');
my $began = time;
$node->stop('fast');
cmp_ok(time - $began, '<', 8, 'a fast stop is fast');
$node->start;
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'dbmaint notifier' AND datname = 'postgres'"), 'after it the notifier comes back by itself');
sql($node, 'SELECT dbmaint_drop_channel(\'hang\')');
# in a table with a trigger nothing is written, and nothing breaks
sql($node, q(CREATE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''planted''; END'));
sql($node, "SELECT dbmaint_test_channel('log')");
ok(wait_for($node, "state = 'sent' FROM dbmaint_outbox WHERE channel = 'log'"), 'the log');
sql($node, 'CREATE TRIGGER planted AFTER INSERT ON dbmaint_notification_attempts FOR EACH ROW EXECUTE FUNCTION planted()');
sql($node, "SELECT dbmaint_test_channel('log')");
ok(wait_for($node, "last_error ~ 'triggers or rules' FROM dbmaint_status() WHERE process ~ 'notifier' AND last_error <> ''"), 'a table with a trigger is refused, and dbmaint_status() says so');
sql($node, 'DROP TRIGGER planted ON dbmaint_notification_attempts');
ok(wait_for($node, "count(*) = 2 FROM dbmaint_outbox WHERE channel = 'log' AND state = 'sent'"), 'and served when it is gone');
$node->stop;
my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
unlike($log, qr/still waiting for backend/, 'nobody waited for us');
done_testing();
