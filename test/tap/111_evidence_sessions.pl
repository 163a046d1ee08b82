# The cause when sessions are it, on a real server: a pile-up behind an idle
# transaction, a storm of connections, dead rows that an old transaction holds,
# a disk that a table fills; and evidence that waits for nobody.
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
max_prepared_transactions = 5
wal_level = replica
});
my $weird = qq{acc"ount's\nof r\x{fc}ben};
utf8::encode($weird);
(my $quoted = $weird) =~ s/"/""/g;
$node->safe_psql('postgres', qq{
	CREATE EXTENSION pg_stat_statements;
	CREATE EXTENSION dbmaint;
	CREATE TABLE accounts AS SELECT i AS id, 0 AS amount FROM generate_series(1, 1000) AS i;
	CREATE TABLE "$quoted" AS TABLE accounts;
	CREATE TABLE events (id int, payload text);
});
sampled_again($node, 'postgres', 2);

sub sql
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

sub cause_of
{
	my ($text) = @_;
	return sql("SELECT dbmaint_likely_cause(\$e\$$text\$e\$)");
}

sub evidence
{
	my ($metric, $instance, $since) = @_;
	my $text = sql("SELECT dbmaint_collect_evidence('$metric', '$instance', "
		. (defined $since ? "'$since'" : "clock_timestamp() - interval '1 minute'") . ', clock_timestamp())');
	my $found = decode_json($text);
	is_deeply($found->{errors}, {}, "$metric: no section failed");
	return ($text, cause_of($text), $found);
}

# Sends statements to a session that does not wait for their end.
sub start
{
	my ($session, $sql) = @_;
	$session->{out} = '';
	$session->{in} .= "\\echo sent\n$sql;\n";
	$session->{handle}->pump until $session->{out} =~ /^sent$/m;
	return;
}

sub waiting
{
	my ($count) = @_;
	return $node->poll_query_until('postgres', "SELECT count(*) = $count FROM pg_locks WHERE NOT granted AND waitstart < clock_timestamp() - interval '600 ms'");
}

# Everybody waits for one who went to lunch.
foreach my $table ([ 'accounts', 'accounts' ], [ qq{"$quoted"}, '"acc""ount\'s?of rüben"' ])
{
	my $begun = sql('SELECT clock_timestamp()');
	my $idle = session($node, 'postgres', "SET application_name = 'lunch'; BEGIN; UPDATE $table->[0] SET amount = 1 WHERE id = 1");
	my @waiting = map { session($node, 'postgres', "SET application_name = 'till'") } 1 .. 4;
	start($_, "UPDATE $table->[0] SET amount = 2 WHERE id = 1") foreach @waiting;
	ok(waiting(4), 'four sessions wait');
	foreach my $metric ('blocked_sessions', 'response_time_ms')
	{
		my ($text, $cause, $found) = evidence($metric, '');
		like($cause, qr/^blocked by pid $idle->{pid} \(idle in transaction for [\d.]+ m?s\) on \Q$table->[1]\E: 4 sessions wait$/, "$metric: who blocks, what it does, and where");
		my $root = $found->{blocking}{roots}[0];
		is($root->{application}, 'lunch', 'its application');
		is(scalar(@{ $found->{blocking}{tree} }), 4, 'all that wait are in the tree');
		is($found->{blocking}{tree}[0]{blocked_by}[0], $idle->{pid}, 'the first waits for it');
		ok(defined $found->{blocking}{tree}[0]{query_id}, 'by query id');
		unlike($text, qr/UPDATE|amount/, 'no text of a statement');
	}
	# over, but recorded
	start($idle, 'COMMIT');
	leave($_) foreach $idle, @waiting;
	my ($text, $cause, $found) = evidence('blocked_sessions', '', $begun);
	like($cause, qr/^blocked by pid $idle->{pid} \(idle in transaction.*from .* to /, 'afterwards, the recorder knows');
	cmp_ok($found->{recorder}{observations}, '>', 0, 'what it holds is kept');
}

# A prepared transaction has no process.
sql("BEGIN; UPDATE accounts SET amount = 3 WHERE id = 7; PREPARE TRANSACTION 'left behind'");
my $victim = session($node, 'postgres', 'SELECT 1');
start($victim, 'UPDATE accounts SET amount = 4 WHERE id = 7');
ok(waiting(1), 'one waits');
my ($text, $cause, $found) = evidence('longest_lock_wait_ms', '');
is($cause, 'blocked by a prepared transaction on accounts: 1 session waits', 'a prepared transaction');
($text, $cause, $found) = evidence('prepared_transaction_age_ms', '');
like($cause, qr/^a prepared transaction 'left behind' since /, 'and by name');
sql("ROLLBACK PREPARED 'left behind'");
leave($victim);

# Connections of one application, against what was there before.
sql(q{DELETE FROM dbmaint_connection_history;
	SELECT dbmaint_store_connections(clock_timestamp() - interval '2 hours')});
my @storm = map { session($node, 'postgres', "SET application_name = 'storm ''o'") } 1 .. 15;
($text, $cause, $found) = evidence('total_connections', '');
like($cause, qr/^application 'storm ''o' \(user \w+\): 0 to 15 connections, 100 % of the increase, 15 of them idle$/, 'a storm of connections');
is($found->{connections}{baseline}, 'last count before', 'against the last count');
leave($_) foreach @storm;

# Dead rows that vacuum may not remove.
my $old = session($node, 'postgres', "SET application_name = 'report'; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM events");
sql('UPDATE accounts SET amount = amount + 1');
sql('UPDATE accounts SET amount = amount + 1');
sql('VACUUM accounts');
$node->poll_query_until('postgres', q{SELECT pg_stat_get_dead_tuples('accounts'::regclass) > 0 AND pg_stat_get_last_vacuum_time('accounts'::regclass) IS NOT NULL})
  or die 'no dead rows';
($text, $cause, $found) = evidence('dead_ratio_pct', 'public.accounts');
like($cause, qr/^dead rows of accounts are held by pid $old->{pid} \(idle in transaction for /, 'dead rows: who holds them');
is($found->{subject}{tables}[0]{relation}, 'accounts', 'of which table');
leave($old);
sql('VACUUM accounts');
$node->poll_query_until('postgres', q{SELECT pg_stat_get_dead_tuples('accounts'::regclass) = 0});
($text, $cause) = evidence('dead_ratio_pct', 'public.accounts');
is($cause, 'autovacuum is off for the server', 'and if nobody does: the tests turn autovacuum off');

# A table that fills the disk: what grew since the last snapshot.
sql('SELECT dbmaint_evidence_snapshot_objects(clock_timestamp())');
my $since = sql('SELECT clock_timestamp()');
sql("INSERT INTO events SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 20000) AS i");
$node->poll_query_until('postgres', q{SELECT pg_stat_get_tuples_inserted('events'::regclass) >= 20000});
($text, $cause, $found) = evidence('disk_free_ratio', '', $since);
# who else writes to this disk meanwhile may take more of it
ok(delete $found->{subject}{free_bytes_before} && $found->{subject}{free_bytes_now}, 'what the disk has lost');
like(cause_of(encode_json($found)), qr/^table events grew by \d+ MB, \d+ % of what grew or is kept$/, 'a table that grew');
$found->{subject}{free_bytes_before} = $found->{subject}{free_bytes_now} + 1000 * 1024 * 1024;
is(cause_of(encode_json($found)), 'no cause found', 'but not where the disk lost a gigabyte');
sql("SELECT pg_create_physical_replication_slot('forgotten', true)");
sql("INSERT INTO events SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 40000) AS i; SELECT pg_switch_wal(); SELECT pg_switch_wal()");
($text, $cause, $found) = evidence('slot_retained_bytes', 'forgotten');
like($cause, qr/^replication slot forgotten is inactive and keeps \d+ [kMG]B of WAL$/, 'a slot that nobody reads');
sql("SELECT pg_drop_replication_slot('forgotten')");

# Locks on everything that evidence reads: it does not wait, nor fail.
my $locker = session($node, 'postgres', q{BEGIN; LOCK TABLE accounts, events, dbmaint_statement_snapshots, dbmaint_recordings, dbmaint_change_history, performance_metrics IN ACCESS EXCLUSIVE MODE});
$text = sql("SELECT dbmaint_collect_evidence('response_time_ms', '', clock_timestamp() - interval '1 minute', clock_timestamp())");
$found = decode_json($text);
cmp_ok($found->{took_ms}, '<', 4000, 'with everything locked it takes no longer');
ok(exists $found->{blocking}{roots} && exists $found->{transactions}{oldest}, 'what can be seen is there');
like($found->{errors}{statements}, qr/lock timeout/, 'what cannot says so');
leave($locker);

# An incident: completed after five minutes, explained.
my $incident = sql(q{INSERT INTO dbmaint_incidents (database_oid, metric, instance, state, resolved_at, severity, worst_severity, comparison, threshold, value,
		since_at, fired_at, updated_at, actions, breaching_from, well_from, holding, flaps, ended_at, evidence, evidence_at, cause)
	SELECT d.oid, 'idle_in_transaction_ms', '', 'resolved', s.at, 'critical', 'critical', '>', 95, 123.4, s.at - interval '1 minute', s.at, s.at, '{Look,Think}', '{}', '{}', '{}', '{}', '{}',
		dbmaint_collect_evidence('idle_in_transaction_ms', '', s.at - interval '1 minute', s.at), s.at, 'no cause found'
	FROM pg_database AS d, (SELECT clock_timestamp() - interval '2 seconds' AS at) AS s WHERE d.datname = current_database() RETURNING incident_id});
my $later = session($node, 'postgres', 'BEGIN');
$node->poll_query_until('postgres', "SELECT count(*) > 5 FROM dbmaint_recorder('1 minute') WHERE pid = $later->{pid}");
sql("SELECT dbmaint_note_change(clock_timestamp(), NULL, 'setting', 'idle_in_transaction_session_timeout', 'value', '1min', '0')");
sql('SELECT dbmaint_complete_evidence(' . $incident . ', clock_timestamp())');
is( sql(qq{SELECT (i.evidence #>> '{recorder,to_at}')::timestamptz > i.evidence_at, i.evidence #> '{recorder,complete}', i.evidence_completed_at IS NOT NULL,
		r.observations = (SELECT count(*) FROM dbmaint_recorded_activity AS a WHERE a.recording_id = r.recording_id),
		EXISTS (SELECT FROM dbmaint_recorded_activity AS a WHERE a.recording_id = r.recording_id AND a.pid = $later->{pid})
	FROM dbmaint_incidents AS i JOIN dbmaint_recordings AS r ON r.recording_id = (i.evidence #>> '{recorder,recording_id}')::bigint
	WHERE i.incident_id = $incident}),
	't|true|t|t|t', 'five minutes later the recording goes on, and the evidence is complete');
like(sql("SELECT cause FROM dbmaint_incidents WHERE incident_id = $incident"), qr/^setting idle_in_transaction_session_timeout changed from 1min to 0 at /, 'what was seen meanwhile may be the cause');
my $complete = sql("SELECT evidence FROM dbmaint_incidents WHERE incident_id = $incident");
sql("SELECT dbmaint_complete_evidence($incident, clock_timestamp()); SELECT dbmaint_complete_evidence(-1, now())");
is(sql("SELECT evidence FROM dbmaint_incidents WHERE incident_id = $incident"), $complete, 'once');
like(sql('SELECT string_agg(concat_ws(\'|\', x.section, x.item, x.value, x.detail), E\'\n\') FROM dbmaint_explain_alert(' . $incident . ') AS x'),
	qr/^alert\|metric\|idle_in_transaction_ms\nalert\|state\|resolved\|critical\nalert\|value\|123.4\|> 95\n.*^action\|1\.\|Look\naction\|2\.\|Think\ncause\|1\.\|setting idle_in.*^recorder\|complete\|true$/ms,
	'an alert as rows');
my ($status, $stdout, $stderr) = $node->psql('postgres', 'SELECT * FROM dbmaint_explain_alert(-1)');
like($stderr, qr/there is no alert -1/, 'one that is not there');
leave($later);

# Who may only read gets all but what is written.
sql('CREATE ROLE monitor LOGIN IN ROLE pg_monitor');
my $recordings = sql('SELECT count(*) FROM dbmaint_recordings');
my $seen = decode_json($node->safe_psql('postgres',
		"SELECT dbmaint_collect_evidence('disk_free_bytes', '', now() - interval '1 minute', now())", extra_params => [ '-U', 'monitor' ]));
is_deeply($seen->{errors}, {}, 'a member of pg_monitor may collect');
ok(exists $seen->{subject}{wal_bytes}, 'all there is');
is(sql('SELECT count(*) FROM dbmaint_recordings'), $recordings, 'and nothing is written');

$node->stop;
done_testing();
