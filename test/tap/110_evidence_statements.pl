# The cause of slow statements, on a real server: a dropped index, a changed
# setting, a statement that is new, one that runs more often, and one that has
# not ended yet.
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
jit = off
max_parallel_workers_per_gather = 0
});
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_stat_statements;
	CREATE EXTENSION dbmaint;
	CREATE TABLE orders AS SELECT i AS id, i % 1000 AS customer, repeat('x', 100) AS note FROM generate_series(1, 100000) AS i;
	CREATE INDEX orders_customer_idx ON orders (customer);
	CREATE TABLE other AS SELECT i AS id FROM generate_series(1, 1000) AS i;
	CREATE TABLE customers AS SELECT i AS id, md5(i::text) AS name FROM generate_series(1, 20000) AS i;
	VACUUM ANALYZE;
});
sampled_again($node, 'postgres', 2);

sub sql
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

# Runs statements so many times, each at top level.
sub run
{
	my ($times, @statements) = @_;
	$node->safe_psql('postgres', join(";\n", (@statements) x $times));
	return;
}

# Sends a statement to a session, and does not wait for its end.
sub start
{
	my ($session, $sql) = @_;
	$session->{out} = '';
	$session->{in} .= "\\echo sent\n$sql;\n";
	$session->{handle}->pump until $session->{out} =~ /^sent$/m;
	return;
}

# What was so far is what was before; the hour before is all there is.
sub begin
{
	sql('SELECT FROM dbmaint_take_snapshot(); SELECT dbmaint_note_changes(clock_timestamp(), true)');
	return sql('SELECT clock_timestamp()');
}

sub evidence
{
	my ($metric, $since) = @_;
	my $text = sql("SELECT dbmaint_collect_evidence('$metric', '', '$since', clock_timestamp())");
	return ($text, sql("SELECT dbmaint_likely_cause(\$e\$$text\$e\$)"), decode_json($text));
}

sub forget
{
	sql('DELETE FROM dbmaint_statement_snapshots');
	sql('DELETE FROM dbmaint_change_history');
	return;
}

my $lookup = 'SELECT count(note) FROM orders WHERE customer = 7';
my $background = 'SELECT count(*) FROM other';

# An index that is gone.
begin();
run(40, $lookup, $background);
my $since = begin();
sql('DROP INDEX orders_customer_idx');
run(40, $lookup, $background);
my ($text, $cause, $found) = evidence('response_time_ms', $since);
my $query_id = sql("SELECT query_id FROM dbmaint_statements WHERE query LIKE 'SELECT count(note) FROM orders%'");
like($cause, qr/^query $query_id on orders: [\d.]+ ms to [\d.]+ ms, \d+ % of the increase; index orders_customer_idx was dropped at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d/,
	'a dropped index: the statement, its table, its times and what was done to it');
my $top = $found->{statements}{top}[0];
is($top->{query_id}, $query_id, 'the statement is the first');
cmp_ok($top->{mean_ms_now}, '>', 5 * $top->{mean_ms_before}, 'it is much slower');
cmp_ok($top->{share_ratio}, '>', 0.5, 'it is most of the increase');
is($found->{statements}{baseline}, 'hour before', 'against the hour before, since there is no other');
is_deeply($found->{errors}, {}, 'no section failed') or diag($text);
cmp_ok(length($text), '<', 65536, 'it is small');
unlike($text, qr/count\(note\)|FROM orders/i, 'it holds no text of a statement');
my $texts = decode_json(sql("SELECT dbmaint_evidence_texts(\$e\$$text\$e\$)"));
like($texts->{$query_id}, qr/^SELECT count\(note\) FROM orders WHERE customer = \$1/, 'which is given apart, by its id');
is(sql("SELECT value FROM dbmaint_explain_evidence(\$e\$$text\$e\$) LIMIT 1"), $cause, 'the first row to read is the cause');
cmp_ok(sql("SELECT count(DISTINCT section) FROM dbmaint_explain_evidence(\$e\$$text\$e\$)"), '>=', 5, 'rows of every section follow');
is( sql("SELECT count(*) FROM dbmaint_recordings WHERE recording_id = $found->{recorder}{recording_id}"),
	1, 'what the recorder holds is kept');

# Another alert at the same time goes on with the same recording.
my (undef, undef, $second) = evidence('p95_ms', $since);
is($second->{recorder}{recording_id}, $found->{recorder}{recording_id}, 'alerts that come together share a recording');

# A setting: a subquery that is hashed while it has the memory.
forget();
$node->append_conf('postgresql.conf', "work_mem = '64MB'\n");
$node->reload;
$node->poll_query_until('postgres', "SELECT current_setting('work_mem') = '64MB'");
begin();
forget();
my $hashed = 'SELECT count(*) FROM other WHERE -id NOT IN (SELECT id FROM customers)';
begin();
run(2, $hashed);
run(40, $background);
$since = begin();
$node->append_conf('postgresql.conf', "work_mem = '64kB'\n");
$node->reload;
$node->poll_query_until('postgres', "SELECT current_setting('work_mem') = '64kB'");
run(2, $hashed);
run(40, $background);
($text, $cause, $found) = evidence('response_time_ms', $since);
like($cause, qr/^query -?\d+ on customers: .* % of the increase; setting work_mem changed from 64MB to 64kB at /, 'a setting that was changed');
($text, $cause) = evidence('temp_bytes', $since);
like($cause, qr/^query -?\d+ on customers: 0 blocks of temporary files an hour to \d+, \d+ % of the increase; setting work_mem changed/, 'temporary files: by what each wrote');

# A statement that was not there.
forget();
begin();
run(40, $background);
$since = begin();
run(40, $background);
run(5, 'SELECT count(*) FROM customers AS a JOIN customers AS b ON a.name < b.name WHERE a.id < 200');
($text, $cause) = evidence('response_time_ms', $since);
like($cause, qr/^new query -?\d+ on customers: [\d.]+ m?s, [\d.]+ calls an hour, \d+ % of the increase$/, 'a new statement');

# One that runs more often does not make the mean longer, but the load higher.
forget();
begin();
run(10, $background, $lookup);
$since = begin();
run(60, $background);
run(200, $lookup);
($text, $cause) = evidence('cpu_busy_ratio', $since);
like($cause, qr/^query $query_id on orders: [\d.]+ to [\d.]+ calls an hour, \d+ % of the increase$/, 'one that runs more often');

# One that has not ended is in no statistics, but the recorder sees it.
forget();
begin();
run(10, $background);
$since = begin();
my @busy = map { session($node, 'postgres', "SET application_name = 'report'") } 1 .. 2;
start($_, "SELECT count(*) FROM customers AS a JOIN customers AS b ON a.name < b.name JOIN customers AS c ON b.name < c.name") foreach @busy;
$node->poll_query_until('postgres', q{SELECT count(*) >= 20 FROM dbmaint_recorder('10 seconds')
	WHERE state = 'active' AND query_id IN (SELECT query_id FROM pg_stat_activity WHERE application_name = 'report')})
  or die 'not seen';
($text, $cause) = evidence('response_time_ms', $since);
like($cause, qr/^query -?\d+ on customers: [\d.]+ to [\d.]+ sessions at a time execute it, \d+ % of the increase$/, 'a statement that has not ended yet');
sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'report'");
eval { $_->{handle}->finish } foreach @busy;

# Nothing happened: no guess.
forget();
sql('SELECT pg_stat_statements_reset()');
begin();
run(30, $background);
$since = begin();
run(30, $background);
($text, $cause) = evidence('deadlocks', $since);
is($cause, 'no cause found', 'no guess');

$node->stop;
done_testing();
