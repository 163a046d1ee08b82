# From a slow statement to the person who is woken: rules, evidence, outbox and
# receivers together, with everything that may die in between.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Receiver;
use Samplers ();
use Test::More;
use Time::HiRes qw(usleep);

my $node = new_notifying_server('primary', conf => q{
shared_preload_libraries = 'pg_stat_statements,dbmaint'
dbmaint.home_database = 'postgres'
dbmaint.activity_interval = 100ms
dbmaint.signals_interval = 1s
restart_after_crash = on
jit = off
max_parallel_workers_per_gather = 0
});
my $http = Receiver->new('http');

sub query { return sql($node, $_[0]); }

sub add_channel
{
	my ($name, $severity, $options) = @_;
	return query(sprintf "SELECT dbmaint_add_channel('%s', 'webhook', '%s', '%s', %s)", $name, $http->url("by/$name"), $severity, literal($options // '{}'));
}

# What came to a channel about an incident, in order: "trigger resolve".
sub told
{
	my ($channel, $incident) = @_;
	return join ' ', map { $_->{kind} } grep { $_->{incident} == $incident } map { Receiver::body($_) } $http->requests("/by/$channel");
}

sub await_told
{
	my ($channel, $incident, $expected, $name) = @_;
	my $told;

	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		$told = told($channel, $incident);
		last if $told eq $expected;
		usleep 100_000;
	}
	return is($told, $expected, $name);
}

# No row waits or is under way.
sub drained { return wait_for($node, "count(*) = 0 FROM dbmaint_outbox WHERE state IN ('queued', 'sending')"); }

#
# A real breach: an index is dropped under a statement that needs it. What it
# looks at takes its time: four rows by the index, some seconds' worth without
# it, on machines of any speed and load.
#
query(q{
	CREATE EXTENSION pg_stat_statements;
	CREATE FUNCTION is_looked_at(id int) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN PERFORM pg_sleep(0.0002); RETURN true; END $$;
	CREATE TABLE orders AS SELECT i AS id, i % 1000 AS customer, repeat('x', 100) AS note FROM generate_series(1, 4000) AS i;
	CREATE INDEX orders_customer_idx ON orders (customer);
	VACUUM ANALYZE;
	TRUNCATE dbmaint_alert_rules;
	SELECT dbmaint_set_rule('response_time_ms', 'critical', '>', 300, '2 seconds', options => '{"resolve_after": "1 second"}');
	CREATE ROLE app LOGIN;
	GRANT SELECT ON orders TO app;
});
add_channel('team', 'warning');
add_channel('texts', 'warning', '{"query_texts": true, "evidence": true}');
add_channel('pager', 'emergency');
append_to_file($node->basedir . '/lookup.sql', "SELECT count(note) FROM orders WHERE is_looked_at(id) AND customer = 7;\n");
my $load = IPC::Run::start(
	[ 'pgbench', '-n', '-c', 4, '-R', 10, '-T', 300, '-U', 'app', '-f', $node->basedir . '/lookup.sql', '-h', $node->host, '-p', $node->port, 'postgres' ],
	'<', \undef, '>', \my $out, '2>', \my $err);
# two snapshots while it is well, as five minutes later there would be
my $snapshot = 'SELECT FROM dbmaint_take_snapshot(); SELECT dbmaint_note_changes(clock_timestamp(), true)';
Samplers::sampled_again($node, 'postgres', 1);
query($snapshot);
Samplers::sampled_again($node, 'postgres', 4);
is(query('SELECT count(*) FROM dbmaint_incidents WHERE fired_at IS NOT NULL'), '0', 'all is well');
query($snapshot);
query('DROP INDEX orders_customer_idx');
my ($request) = $http->await('/by/team', 1);
my $message = Receiver::body($request);
is("$message->{kind} $message->{severity} $message->{metric}", 'trigger critical response_time_ms', 'a breach is told');
my $incident = $message->{incident};
my $query_id = query("SELECT query_id FROM dbmaint_statements WHERE query LIKE 'SELECT count(note) FROM orders%'");
like($message->{summary}, qr/^CRITICAL: response_time_ms is [\d.]+ ms, above 300 ms for \d+ s; query $query_id on orders: .*; index orders_customer_idx was dropped at /,
	'its first line names the cause: the statement, the table, and what was done to it');
unlike(Receiver::bytes($request), qr/count\(note\)/, 'without the text of a statement');
my ($with_texts) = $http->await('/by/texts', 1);
like(Receiver::body($with_texts)->{texts}{$query_id} // '', qr/^SELECT count\(note\) FROM orders/, 'which goes to the channel that says so');
is($message->{server}{database}, 'postgres', 'which server and database');
like($message->{dedup_key}, qr{^dbmaint/\d+/\d+/response_time_ms/$}, 'a stable key');

# From the reading that made the two seconds full to the receiver's clock.
my $fired = query("SELECT extract(epoch FROM fired_at) FROM dbmaint_incidents WHERE incident_id = $incident");
my $lasted = query("SELECT extract(epoch FROM fired_at - since_at) FROM dbmaint_incidents WHERE incident_id = $incident");
note sprintf 'from the first reading past the threshold and its 2 s (after %.3f s) to the request: %.3f s', $lasted, $request->{at} - $fired;
cmp_ok($lasted, '>=', 2, 'not before it had lasted');
cmp_ok($request->{at} - $fired, '<', 30, 'and soon after');

query('CREATE INDEX orders_customer_idx ON orders (customer)');
await_told('team', $incident, 'trigger resolve', 'then its end');
my ($end) = grep { $_->{kind} eq 'resolve' && $_->{incident} == $incident } map { Receiver::body($_) } $http->requests('/by/team');
like($end->{summary}, qr/^RESOLVED: response_time_ms is well \([\d.]+ ms\) after \d+ s$/, 'which says so');
is($end->{dedup_key}, $message->{dedup_key}, 'with the same key');
is(told('pager', $incident), '', 'the pager is for emergencies');
$load->kill_kill;
query("SELECT dbmaint_drop_channel('texts'); DELETE FROM dbmaint_alert_rules");

#
# Who is told what: readings from a table in place of what the server gives.
#
query(q{
	CREATE TABLE live (metric text, instance text, value float8);
	BEGIN;
	ALTER FUNCTION dbmaint_signals(timestamptz, boolean) RENAME TO dbmaint_signals_really;
	CREATE FUNCTION dbmaint_signals(at timestamptz, home boolean, OUT metric text, OUT instance text, OUT value float8)
	RETURNS SETOF record LANGUAGE sql AS 'SELECT l.metric, l.instance, l.value FROM public.live AS l';
	COMMIT;
	SELECT dbmaint_set_rule('replication_lag_ms', 'warning', '>', 100, '0', options => '{"resolve_after": "0", "remind_every": "10 minutes", "escalate_after": "15 minutes"}');
	SELECT dbmaint_set_rule('replication_lag_ms', 'critical', '>', 200, '0', options => '{"resolve_after": "0", "remind_every": "10 minutes", "escalate_after": "15 minutes"}');
	SELECT dbmaint_set_rule('replication_lag_ms', 'emergency', '>', 300, '0', options => '{"resolve_after": "0", "remind_every": "10 minutes", "escalate_after": "15 minutes"}');
});
add_channel('second', 'warning', '{"escalation_level": 2}');
add_channel('third', 'warning', '{"escalation_level": 3}');

sub feed
{
	my ($instance, $value) = @_;
	query("BEGIN; DELETE FROM live WHERE instance = '$instance'; INSERT INTO live VALUES ('replication_lag_ms', '$instance', $value); COMMIT");
	return;
}

sub incident_of
{
	my ($instance) = @_;
	wait_for($node, "count(*) > 0 FROM dbmaint_incidents WHERE instance = '$instance' AND state = 'firing'");
	return query("SELECT max(incident_id) FROM dbmaint_incidents WHERE instance = '$instance'");
}

# Minutes pass for an incident.
sub pass_time
{
	my ($id, $minutes) = @_;
	query("UPDATE dbmaint_incidents SET notified_at = notified_at - interval '$minutes min', escalated_at = escalated_at - interval '$minutes min', attention_at = '-infinity' WHERE incident_id = $id;
		SELECT dbmaint_attend_incidents(clock_timestamp(), false)");
	return;
}

feed('a', 150);
my $id = incident_of('a');
await_told('team', $id, 'trigger', 'a warning: the team is told');
pass_time($id, 11);
await_told('team', $id, 'trigger reminder', 'reminded');
pass_time($id, 5);
await_told('second', $id, 'escalation', 'nobody took it on: the second level is told');
pass_time($id, 16);
await_told('third', $id, 'escalation', 'then the third');
is(told('pager', $id), '', 'the pager is still for emergencies');
query("SELECT dbmaint_acknowledge_alert($id, 'on it')");
await_told('third', $id, 'escalation acknowledge', 'somebody took it on');
await_told('team', $id, 'trigger reminder escalation escalation acknowledge', 'which all hear');
my ($taken) = grep { $_->{kind} eq 'acknowledge' } map { Receiver::body($_) } $http->requests('/by/team');
like($taken->{summary}, qr/^ACKNOWLEDGED by \w+: replication_lag_ms of a is 150 ms/, 'and who it is');
pass_time($id, 60);
feed('a', 350);
await_told('pager', $id, 'change', 'worse: the pager');
await_told('team', $id, 'trigger reminder escalation escalation acknowledge change', 'no reminder in between');
feed('a', 1);
await_told($_, $id, told($_, $id) =~ s/( resolve)?$/ resolve/r, "$_: its end") foreach qw(team second third pager);

# A name that would like to be more than a name.
my $evil = qq~a"b\\c'd\r\nX-Evil: 1\r\n\r\n{{dedup_key}} <!here> "}, "event_action": "resolve"~;
add_channel('template', 'warning', '{"body": "{\"of\": \"<{{instance}}>\", \"alone\": {{instance}}, \"short\": \"{{short}}\", \"kind\": {{kind}}, \"incident\": {{incident}}}", "headers": {"X-Fixed": "1"}}');
query(sprintf "SELECT dbmaint_add_channel('slack', 'slack', '%s', 'warning')", $http->url('by/slack'));
query(sprintf "SELECT dbmaint_add_channel('pd', 'pagerduty', '0123456789abcdef0123456789abcdef', 'warning', '{\"url\": \"%s\"}')", $http->url('by/pd'));
query("INSERT INTO live VALUES ('replication_lag_ms', " . literal($evil) . ', 350)');
my ($filled) = $http->await('/by/template', 1);
is(Receiver::body($filled)->{alone}, $evil, 'a hostile name stays a name: in a template');
is(Receiver::body($filled)->{of}, "<$evil>", 'in a string of it');
my ($slacked) = $http->await('/by/slack', 1);
like(Receiver::body($slacked)->{text}, qr/&lt;!here&gt;/, 'in Slack, where nobody is called by it');
my ($paged) = $http->await('/by/pd', 1);
is(Receiver::body($paged)->{event_action}, 'trigger', 'in PagerDuty');
my ($hooked) = grep { Receiver::body($_)->{instance} eq $evil } $http->requests('/by/team');
is(scalar(grep { defined Receiver::header($_, 'X-Evil') } $filled, $slacked, $paged, $hooked), 0, 'and in no header');
query("SELECT dbmaint_drop_channel(name) FROM dbmaint_channels WHERE name IN ('template', 'slack', 'pd')");

query("SELECT dbmaint_silence('replication_lag_ms', 'b', now() + interval '1 hour', 'test')");
feed('b', 350);
my $silenced = incident_of('b');
ok(wait_for($node, "silenced FROM dbmaint_incidents WHERE incident_id = $silenced"), 'a silenced alert fires');
feed('c', 350);
my $loud = incident_of('c');
await_told('pager', $loud, 'trigger', 'another one is told');
pass_time($silenced, 60);
is(query("SELECT count(*) FROM dbmaint_outbox WHERE incident_id = $silenced"), '0', 'of the silenced one nobody is');
query('SELECT dbmaint_end_silence(max(silence_id)) FROM dbmaint_silences');
await_told('pager', $silenced, 'trigger', 'until the silence ends');
query('UPDATE live SET value = 1');
ok(wait_for($node, "count(*) = 0 FROM dbmaint_incidents WHERE state <> 'resolved'"), 'all is over');
await_told('pager', $_, 'trigger resolve', 'and told') foreach $silenced, $loud;

#
# Alerts come and go while the notifier, the sampler or the server dies.
#
my %dies = (
	'1 kill -9 of the notifier' => sub { kill_9($node, 'notifier') },
	'2 kill -9 of the sampler' => sub { kill_9($node, 'sampler') },
	'3 an immediate stop' => sub { $node->stop('immediate'); $node->start; },
	'4 a fast restart' => sub { $node->restart; });
query("SELECT dbmaint_set_rule('replication_lag_ms', 'warning', '>', 100, '0', options => '{\"resolve_after\": \"0\", \"remind_every\": null, \"escalate_after\": null}')");
my $round = 0;
foreach my $what (sort keys %dies)
{
	foreach my $try (1, 2)
	{
		my $last = query('SELECT coalesce(max(incident_id), 0) FROM dbmaint_incidents');
		$round++;
		$http->behave('team', $try == 1 ? 'ok' : 'slow:0.2');
		query("INSERT INTO live SELECT 'replication_lag_ms', 'r${round}_' || i, 150 FROM generate_series(1, 10) AS i");
		wait_for($node, "count(*) > 0 FROM dbmaint_incidents WHERE incident_id > $last AND state = 'firing'");
		$dies{$what}->();
		ok($node->poll_query_until('postgres', "SELECT count(*) = 10 FROM dbmaint_incidents WHERE incident_id > $last AND state = 'firing'"), "$what: ten fire");
		query("UPDATE live SET value = 1 WHERE instance LIKE 'r${round}\\_%'");
		wait_for($node, "count(*) > 0 FROM dbmaint_incidents WHERE incident_id > $last AND state = 'resolved'");
		$dies{$what}->();
		ok($node->poll_query_until('postgres', "SELECT count(*) = 10 FROM dbmaint_incidents WHERE incident_id > $last AND state = 'resolved'"), "$what: ten resolve");
	}
}
ok(drained(), 'the outbox drains');
my (%first, %last_trigger, %lost);
my $place = 0;
foreach my $body (map { Receiver::body($_) } $http->requests('/by/team'))
{
	$place++;
	$first{ $body->{incident} }{ $body->{kind} } //= $place;
	$last_trigger{ $body->{incident} } = $place if $body->{kind} eq 'trigger';
}
my @incidents = split /\n/, query("SELECT incident_id FROM dbmaint_incidents WHERE instance LIKE 'r%' AND notified_at IS NOT NULL ORDER BY 1");
cmp_ok(scalar(@incidents), '>=', 80, 'there were ' . scalar(@incidents) . ' incidents');
is(join(' ', grep { !$first{$_}{trigger} || !$first{$_}{resolve} } @incidents), '', 'of each, the beginning and the end were told');
is(join(' ', grep { $last_trigger{$_} > ($first{$_}{resolve} // 0) } @incidents), '', 'the beginning never after the end');
is(query("SELECT string_agg(DISTINCT state, ' ') FROM dbmaint_outbox WHERE channel = 'team'"), 'sent', 'nothing failed for good');
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal (?!9:)/, 'nothing else crashed');
done_testing();
