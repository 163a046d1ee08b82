# From a slow statement to an alert that names it: a live sampler, real
# statements, the evidence that it collects, and the minutes after it.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Samplers;
use Test::More;

my $node = new_server('primary', conf => q{
shared_preload_libraries = 'pg_stat_statements,dbmaint'
dbmaint.home_database = 'postgres'
dbmaint.activity_interval = 100ms
dbmaint.evidence_timeout = 5s
jit = off
max_parallel_workers_per_gather = 0
});
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_stat_statements;
	CREATE EXTENSION dbmaint;
	TRUNCATE dbmaint_alert_rules;
	CREATE TABLE orders AS SELECT i AS id, i % 1000 AS customer, repeat('x', 100) AS note FROM generate_series(1, 200000) AS i;
	CREATE INDEX orders_customer_idx ON orders (customer);
	VACUUM ANALYZE;
	SELECT dbmaint_add_channel('all of it', 'notify', 'alerts', 'warning', '{"query_texts": true, "evidence": true}');
	SELECT dbmaint_add_channel('lean', 'notify', 'alerts', 'warning');
});
sampled_again($node, 'postgres', 2);

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub until_true
{
	my ($sql, $name) = @_;
	return ok($node->poll_query_until('postgres', $sql), $name);
}

# An application that asks the same all the time; fast, and then not.
my $lookup = 'SELECT count(note) FROM orders WHERE customer = 7';
my $client = session($node, 'postgres', "SET application_name = 'shop'");
$client->{in} .= "$lookup \\watch 0.01\n";
$client->{handle}->pump_nb;
# what the test itself asks, in its own time, is nobody's new load
$ENV{PGOPTIONS} = '-c pg_stat_statements.track=none';
until_true("SELECT sum(calls) > 50 FROM pg_stat_statements WHERE query LIKE 'SELECT count(note) FROM orders%'", 'an application is at work');
sql('SELECT FROM dbmaint_take_snapshot(); SELECT dbmaint_note_changes(clock_timestamp(), true)');
sql("SELECT dbmaint_set_rule('max_ms', 'critical', '>', 8, '2 seconds', options => '{\"resolve_after\": \"2 seconds\", \"actions\": [\"Look\"]}')");
sampled_again($node, 'postgres', 3);
sql('DROP INDEX orders_customer_idx');

until_true("SELECT count(*) = 1 FROM dbmaint_alerts() WHERE metric = 'max_ms' AND state = 'firing'", 'an alert fires');
my $id = sql("SELECT incident_id FROM dbmaint_alerts() WHERE state = 'firing'");
my $query_id = sql("SELECT queryid FROM pg_stat_statements WHERE query LIKE 'SELECT count(note) FROM orders%'");
my $cause = qr/query $query_id on orders: [\d.]+ m?s to [\d.]+ m?s, \d+ % of the increase; index orders_customer_idx was dropped at /;
my $found = decode_json(sql("SELECT evidence FROM dbmaint_incidents WHERE incident_id = $id"));
is_deeply($found->{errors}, {}, 'no section failed');
foreach my $section (qw(statements waits blocking transactions changes host connections recorder))
{
	ok(exists $found->{$section}, "the evidence has the section $section");
}
is($found->{statements}{top}[0]{query_id}, $query_id, 'the statement is the first');
cmp_ok($found->{took_ms}, '<', 4000, "collected in its time ($found->{took_ms} ms)");
like(sql("SELECT cause FROM dbmaint_incidents WHERE incident_id = $id"), qr/^$cause/, 'the cause names it, its table, and what was done to that');
like(sql("SELECT message FROM dbmaint_alerts() WHERE incident_id = $id"), qr/^max_ms is [\d.]+ ms, above 8 ms; $cause/, 'so does the message of the alert');

# What is sent: texts for those that ask for them alone.
my $message = decode_json(sql("SELECT dbmaint_notification_message($id, 'trigger', now())"));
like($message->{summary}, qr/^CRITICAL: max_ms is [\d.]+ ms, above 8 ms for \d+ s; $cause/, 'and the first line of what is sent');
unlike($message->{summary}, qr/\n|note/, 'which is one line, without a text');
is_deeply($message->{actions}, ['Look'], 'with what to do');
unlike(JSON::PP->new->encode($message), qr/count\(note\)/, 'and no text in all of it');

sub reminders
{
	return map { /^(.*?)\|(.*)$/ } grep { /\|/ } split /\n/, sql("BEGIN; SELECT dbmaint_queue_notifications($id, 'reminder', now());
	SELECT channel, message FROM dbmaint_outbox WHERE incident_id = $id AND kind = 'reminder'; ROLLBACK");
}

my %sent = reminders();
is(decode_json($sent{'all of it'})->{texts}{$query_id}, 'SELECT count(note) FROM orders WHERE customer = $1', 'the text goes to who may have it');
like($sent{'all of it'}, qr/count\(note\).*"statements"|"statements".*count\(note\)/s, 'a channel that asks for texts gets them');
like($sent{lean}, qr/query $query_id on orders/, 'one that does not gets the cause');
unlike($sent{lean}, qr/count\(note\)/, 'and no text');
my $lock = session($node, 'postgres', 'BEGIN; LOCK TABLE dbmaint_statements IN ACCESS EXCLUSIVE MODE');
%sent = reminders();
is_deeply(decode_json($sent{'all of it'})->{texts}, {}, 'texts that are locked cost nothing but themselves');
leave($lock);

# To read.
my $explained = sql("SELECT string_agg(concat_ws('|', x.section, x.item, x.value, x.detail), E'\\n') FROM dbmaint_explain_alert($id) AS x");
like($explained, qr/^alert\|metric\|max_ms\nalert\|state\|firing\|critical\nalert\|value\|[\d.]+\|> 8\n.*^action\|1\.\|Look\n.*^cause\|1\.\|$cause/ms, 'an alert is explained in rows: what, what to do, why');
like($explained, qr/^statements\|.*$query_id/m, 'with the statement');
like($explained, qr/^changes\|.*orders_customer_idx/m, 'and what changed');
unlike($explained, qr/count\(note\)/, 'without a text');

# Five minutes later, by a round of that time.
is(sql("SELECT evidence_due_at - evidence_at FROM dbmaint_incidents WHERE incident_id = $id"), '00:05:00', 'the rest is due in five minutes');
my $kept = sql("SELECT to_at FROM dbmaint_recordings WHERE recording_id = $found->{recorder}{recording_id}");
sampled_again($node, 'postgres', 3);
$node->safe_psql('postgres', 'ALTER SYSTEM SET dbmaint.enabled = off');
$node->reload;
until_true("SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'dbmaint sampler'", 'the sampler leaves');
is(sql("SELECT status FROM dbmaint_run_due((SELECT evidence_due_at - interval '20 seconds' FROM dbmaint_incidents WHERE incident_id = $id)) WHERE status <> 'ok' AND collector <> 'roll-up'"), '', 'a round before that');
is(sql("SELECT evidence_completed_at FROM dbmaint_incidents WHERE incident_id = $id"), '', 'completes nothing');
is(sql("SELECT status FROM dbmaint_run_due((SELECT evidence_due_at FROM dbmaint_incidents WHERE incident_id = $id)) WHERE status <> 'ok' AND collector <> 'roll-up'"), '', 'a round when it is due');
is(sql("SELECT evidence_completed_at = evidence_at + interval '5 minutes' AND evidence_due_at IS NULL AND evidence #> '{recorder,complete}' = 'true' FROM dbmaint_incidents WHERE incident_id = $id"),
	't', 'completes the evidence');
is(sql("SELECT to_at > '$kept' FROM dbmaint_recordings WHERE recording_id = $found->{recorder}{recording_id}"), 't', 'with what the recorder has seen since')
  or diag(sql("SELECT jsonb_pretty(evidence -> 'recorder') FROM dbmaint_incidents WHERE incident_id = $id"));
cmp_ok(sql("SELECT count(*) FROM dbmaint_recorded_activity WHERE recording_id = $found->{recorder}{recording_id} AND at > '$kept'"), '>', 0, 'row by row');
like(sql("SELECT cause FROM dbmaint_incidents WHERE incident_id = $id"), qr/^$cause/, 'the cause stays');
$node->safe_psql('postgres', 'DELETE FROM performance_metrics WHERE "timestamp" > clock_timestamp(); DELETE FROM dbmaint_series_samples WHERE taken_at > clock_timestamp()');

# Without time for evidence the alert fires all the same.
sql('SELECT pg_terminate_backend(' . $client->{pid} . ')');
eval { $client->{handle}->finish };
$node->safe_psql('postgres', 'ALTER SYSTEM RESET dbmaint.enabled');
$node->safe_psql('postgres', q{ALTER SYSTEM SET dbmaint.evidence_timeout = '1ms'});
$node->reload;
sql("SELECT dbmaint_set_rule(m, 'warning', '>=', 0, '0') FROM unnest('{total_connections,load_1m,active_connections,idle_connections}'::text[]) AS m");
until_true("SELECT count(*) = 4 FROM dbmaint_alerts() WHERE metric <> 'max_ms' AND state = 'firing'", 'four alerts fire at once without time for evidence');
until_true("SELECT count(*) >= 4 FROM dbmaint_outbox AS o JOIN dbmaint_incidents AS i USING (incident_id) WHERE i.metric <> 'max_ms' AND o.channel = 'lean'", 'and are told of');
is(sql("SELECT count(*) FROM dbmaint_incidents WHERE metric <> 'max_ms' AND evidence IS NOT NULL AND NOT evidence ? 'errors'"), 0, 'what was not found says so');

$node->stop;
done_testing();
