# The history of statements adds up to what ran, through resets, evictions,
# restarts and concurrent load, and never to more.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Samplers;
use Test::More;

my $seed = $ENV{DBMAINT_SEED} // int(rand(1_000_000_000));
diag("seed $seed (set DBMAINT_SEED to repeat)");
srand($seed);

my $node = new_server(
	'primary',
	init => { extra => [ '--encoding=UTF8', '--no-locale' ] },
	conf => q{
shared_preload_libraries = 'pg_stat_statements,dbmaint'
dbmaint.enabled = off
pg_stat_statements.max = 100
});
$node->safe_psql('postgres',
	'CREATE EXTENSION pg_stat_statements; CREATE EXTENSION dbmaint; CREATE TABLE numbers AS SELECT generate_series(1, 3) AS id;');

# Statement number n; each has a query id of its own, and no constant.
sub statement
{
	my ($n) = @_;
	return 'SELECT ' . join(' ', 'id', map { ($n >> $_) & 1 ? '+ id' : '- id' } 0 .. 7)
	  . ' FROM numbers';
}

# Takes a snapshot; returns whether it is incomplete, and the calls in it.
sub snapshot
{
	my $taken = $node->safe_psql('postgres',
		'SELECT incomplete FROM dbmaint_take_snapshot()');
	my %calls;

	foreach my $line (split /\n/, $node->safe_psql('postgres', q{
		SELECT k.query, h.calls, h."rows" FROM dbmaint_statement_history AS h
		  JOIN dbmaint_statements AS k USING (statement_id)
		 WHERE k.query LIKE 'SELECT id %'
		   AND h.taken_at = (SELECT max(taken_at) FROM dbmaint_statement_snapshots)}))
	{
		my ($query, $calls, $rows) = split /\|/, $line;
		$calls{$query} = $calls;
		is($rows, 3 * $calls, 'the counters of a statement belong together')
		  if $rows != 3 * $calls;
	}
	return ($taken eq 't', \%calls);
}

# Random sequences: what ran is known, so is what must be counted.
my %ran;
my $kinds = 40;
my ($wrong, $inflated, $complete, $incomplete, $counted) = (0, 0, 0, 0, 0);
# before 17 nobody can tell the reset of one statement that ran more since
my $told = $node->safe_psql('postgres', 'SHOW server_version_num') >= 170000;
my $doubtful = 0;

# What the last snapshot saw.  Of a statement that began after it, and is reset
# before the next one, nobody can tell that it was there.
my %read;

sub run_some
{
	my ($from, $number) = @_;
	my @batch = map { statement($from + int(rand($kinds))) } 1 .. $number;
	$ran{$_}++ foreach @batch;
	$node->safe_psql('postgres', join(";\n", @batch));
	return;
}

sub check_snapshot
{
	my ($lost, $calls) = snapshot();
	foreach my $query (sort keys %{ { %ran, %$calls } })
	{
		my $got = $calls->{$query} // 0;
		my $did = $ran{$query} // 0;

		$counted += $got;
		$inflated++ if $got > $did || $got < 0;
		next if $lost || $doubtful || $got == $did;
		$wrong++;
		diag("counted $got of $did: $query") if $wrong < 5;
	}
	$lost ? $incomplete++ : $complete++;
	%read = map { $_ => 1 } split /\n/,
	  $node->safe_psql('postgres', q{SELECT query FROM pg_stat_statements WHERE query LIKE 'SELECT id %'});
	%ran = ();
	$doubtful = 0;
	return $lost;
}

my %action = (
	run => sub { run_some(0, 1 + int(rand(30))); },
	snapshot => sub { check_snapshot(); },
	reset => sub { $node->safe_psql('postgres', 'SELECT pg_stat_statements_reset()'); },
	reset_one => sub {
		my $query = $node->safe_psql('postgres', q{
			SELECT query || left(pg_stat_statements_reset(userid, dbid, queryid)::text, 0)
			  FROM (SELECT * FROM pg_stat_statements WHERE query LIKE 'SELECT id %' ORDER BY random() LIMIT 1) AS one});
		$doubtful ||= !$told || !$read{$query};
	},
	reset_and_run => sub {
		$node->safe_psql('postgres', 'SELECT pg_stat_statements_reset()');
		run_some(0, 60);
	},
	evict => sub { run_some($_ * $kinds, 60) foreach 0 .. 5; },
	restart => sub { $node->restart; %ran = (); },
	crash => sub { $node->stop('immediate'); $node->start; %ran = (); },
);
my @dice = (('run') x 12, ('snapshot') x 10, 'reset', 'reset_one', 'reset_one', 'reset_and_run', 'evict');

check_snapshot();
# on, where the dice gave too few to judge by
for (my $turn = 1; $turn <= 120 || ($turn <= 600 && ($complete < 10 || $incomplete < 3)); $turn++)
{
	my $what = $turn == 40 ? 'restart' : $turn == 80 ? 'crash' : $dice[ int(rand(@dice)) ];
	$action{$what}->();

	# what ran before the first snapshot after a start belongs to no interval
	if ($what eq 'restart' || $what eq 'crash')
	{
		run_some(0, 5);
		ok(check_snapshot(), "the first snapshot after a $what is incomplete");
		is($node->safe_psql('postgres',
			'SELECT statements, previous_at IS NULL FROM dbmaint_statement_snapshots ORDER BY taken_at DESC LIMIT 1'),
			'0|t', 'and counts nothing');
	}
}
check_snapshot();
is($inflated, 0, "nothing was counted that did not run (seed $seed)");
is($wrong, 0, "and all of it in $complete complete snapshots");
ok($complete >= 10 && $counted >= 100, "which were enough ($counted calls)");
ok($incomplete >= 3, "others ($incomplete) say that they are incomplete");
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM dbmaint_statement_history AS h
	 WHERE least(calls, total_exec_time_ms, "rows", shared_blks_hit, wal_bytes, stddev_exec_time_ms, min_exec_time_ms, max_exec_time_ms) < 0
	    OR calls = 0 AND plans = 0 OR min_exec_time_ms > max_exec_time_ms OR previous_at >= taken_at}),
	'0', 'no number is negative or makes no sense') or diag($node->safe_psql('postgres', q{SELECT taken_at, previous_at, incomplete, calls, plans, total_exec_time_ms, min_exec_time_ms, max_exec_time_ms, stddev_exec_time_ms FROM dbmaint_statement_history WHERE calls = 0 AND plans = 0 OR min_exec_time_ms > max_exec_time_ms OR previous_at >= taken_at OR least(calls, total_exec_time_ms, "rows", shared_blks_hit, wal_bytes, stddev_exec_time_ms, min_exec_time_ms, max_exec_time_ms) < 0 LIMIT 5}));

# more statements than there is room for, all the time: losses are said
$action{evict}->();
ok((snapshot())[0], 'an interval with evictions is incomplete');
ok($node->safe_psql('postgres', 'SELECT evictions > 0 AND vanished > 0 FROM dbmaint_statement_snapshots ORDER BY taken_at DESC LIMIT 1') eq 't',
	'and says how many');

# concurrent load: the increases add up to what the source says, to the last
# block and microsecond
$node->safe_psql('postgres', "ALTER SYSTEM SET pg_stat_statements.max = 5000; ALTER SYSTEM SET pg_stat_statements.track_planning = on; ALTER SYSTEM SET track_io_timing = on");
$node->restart;
$node->safe_psql('postgres', 'SELECT pg_stat_statements_reset(); SELECT FROM dbmaint_take_snapshot();');
$node->run_log([ 'pgbench', '-i', '-q', '-s', '1', $node->connstr('postgres') ]);
my $started = $node->safe_psql('postgres', 'SELECT max(taken_at) FROM dbmaint_statement_snapshots');
my $load = IPC::Run::start(
	[ 'pgbench', '-n', '-c', '4', '-T', '5', $node->connstr('postgres') ],
	'>', \my $out, '2>', \my $err);
my $snapshots = 0;
while ($load->pumpable)
{
	$node->safe_psql('postgres', 'SELECT FROM dbmaint_take_snapshot()');
	$snapshots++;
	$load->pump_nb;
}
$load->finish;
ok($snapshots > 5, "$snapshots snapshots under load");
# what pgbench ran no longer changes
$node->safe_psql('postgres', 'SELECT FROM dbmaint_take_snapshot()');
is($node->safe_psql('postgres', qq{SELECT count(*) FROM dbmaint_statement_snapshots WHERE taken_at > '$started' AND incomplete}), '0', 'all complete');
my $compare = q{
	SELECT count(*), %s FROM pg_stat_statements AS p
	  JOIN dbmaint_statements AS k ON (k.query_id, k.user_oid, k.database_oid, k.toplevel) = (p.queryid, p.userid, p.dbid, p.toplevel)
	  JOIN dbmaint_total_statements('} . $started . q{', 'infinity') AS t USING (statement_id)
	 WHERE p.query LIKE '%%pgbench%%'};
my @exact = qw(calls plans rows shared_blks_hit shared_blks_read shared_blks_dirtied shared_blks_written local_blks_hit temp_blks_read temp_blks_written wal_records wal_fpi wal_bytes jit_functions);
my @times = qw(total_exec_time total_plan_time min_exec_time max_exec_time min_plan_time temp_blk_read_time);
my $result = $node->safe_psql('postgres', sprintf($compare,
	join(', ', (map { "bool_and(p.\"$_\" = t.\"$_\")" } @exact),
		(map { "bool_and(abs(p.$_ - coalesce(t.${_}_ms, 0)) <= 0.001)" } @times),
		'bool_and(abs(p.stddev_exec_time - t.stddev_exec_time_ms) <= 0.001 + 0.001 * p.stddev_exec_time)')));
like($result, qr/^(?:[1-9]\d)(?:\|t){21}$/, 'all counters add up: ' . join(' ', 'count', @exact, @times, 'stddev'));

# a restart in which pg_stat_statements keeps its numbers
$node->restart;
is($node->safe_psql('postgres', 'SELECT statements, incomplete FROM dbmaint_take_snapshot()'), '0|t', 'old numbers do not count again');
$node->safe_psql('postgres', statement(1)) foreach 1 .. 3;
my ($lost, $calls) = snapshot();
is($calls->{ statement(1) }, 3, 'new ones do');
ok(!$lost, 'completely');

# other encodings, and texts that are too long
foreach my $database ([ 'latin', 'LATIN1' ], [ 'ascii', 'SQL_ASCII' ], [ 'utf', 'UTF8' ])
{
	$node->safe_psql('postgres', "CREATE DATABASE $database->[0] ENCODING '$database->[1]' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
	$node->safe_psql($database->[0], qq{SET client_encoding = '$database->[1]'; SELECT 1 AS "} . ($database->[1] eq 'UTF8' ? "\xc3\xa9\xe2\x86\x92" : "\xe9") . q{"});
}
$node->safe_psql('postgres', 'SELECT ' . join(', ', map { "id AS column_number_$_" } 1 .. 1000) . ' FROM numbers');
$node->safe_psql('postgres', 'SELECT FROM dbmaint_take_snapshot()');
is($node->safe_psql('postgres', q{
	SELECT d.datname, convert_to(substr(k.query, 14), 'UTF8') FROM dbmaint_statements AS k JOIN pg_database AS d ON d.oid = k.database_oid
	 WHERE d.datname IN ('latin', 'ascii', 'utf') AND k.query LIKE 'SELECT $1 AS %' ORDER BY 1}),
	"ascii|\\x223f22\nlatin|\\x22c3a922\nutf|\\x22c3a9e2869222", 'texts are in this encoding, or have question marks');
is($node->safe_psql('postgres', q{SELECT octet_length(query) BETWEEN 8000 AND 8192, truncated FROM dbmaint_statements WHERE query LIKE 'SELECT id AS column_number_1,%'}),
	't|t', 'long ones are cut');
$node->safe_psql('latin', 'CREATE EXTENSION pg_stat_statements; CREATE EXTENSION dbmaint; SELECT FROM dbmaint_take_snapshot()');
$node->safe_psql('utf', qq{SELECT 2 AS "\xc3\xa9\xe2\x86\x92", 3});
$node->safe_psql('latin', 'SELECT FROM dbmaint_take_snapshot()');
is($node->safe_psql('latin', q{SELECT encode(convert_to(substr(query, 14), 'LATIN1'), 'hex') FROM dbmaint_statements WHERE query LIKE 'SELECT $1 AS %'}),
	'22e93f222c202432', 'the other way, too');

# plans: of this database's queries, where the server can
my $query_id = $node->safe_psql('postgres', q{SELECT query_id FROM dbmaint_statements WHERE query = '} . statement(1) . q{'});
if ($node->safe_psql('postgres', 'SHOW server_version_num') >= 160000)
{
	like($node->safe_psql('postgres', "SELECT dbmaint_explain($query_id)"), qr/^Seq Scan on numbers/, 'a plan');
	$node->safe_psql('postgres', "SELECT dbmaint_explain($query_id)");
	$node->safe_psql('postgres', 'CREATE INDEX ON numbers (id)');
	like($node->safe_psql('postgres', "SET enable_seqscan = off; SELECT dbmaint_explain($query_id)"), qr/ numbers_id_idx/, 'another one');
	is($node->safe_psql('postgres', "SELECT count(*), count(DISTINCT plan), bool_and(noticed_by = current_user) FROM dbmaint_statement_plans WHERE query_id = $query_id"),
		'2|2|t', 'both are dated');
	my ($status, $stdout, $stderr) = $node->psql('utf', "CREATE EXTENSION dbmaint; SELECT dbmaint_explain($query_id)");
	like($stderr, qr/is not known in this database/, 'not in another database');
}
else
{
	my ($status, $stdout, $stderr) = $node->psql('postgres', "SELECT dbmaint_explain($query_id)");
	like($stderr, qr/cannot explain a statement without its parameters.*HINT:.*Upgrade/s, 'plans need a newer server');
}

# the sampler at work: at home alone, at the interval, whatever is dropped
$node->safe_psql('postgres', "ALTER SYSTEM SET dbmaint.statements_interval = '1s'; ALTER SYSTEM SET dbmaint.home_database = 'postgres'; ALTER SYSTEM SET dbmaint.enabled = on");
$node->reload;
sub snapshots_again
{
	my ($what) = @_;
	my $since = $node->safe_psql('postgres', 'SELECT clock_timestamp()');
	return ok($node->poll_query_until('postgres', "SELECT count(*) >= 2 FROM dbmaint_statement_snapshots WHERE taken_at > '$since'"), $what);
}
snapshots_again('the sampler takes snapshots');
ok(sampled_again($node, 'latin', 3), 'the other database is sampled');
is($node->safe_psql('latin', 'SELECT count(*) FROM dbmaint_statement_snapshots'), '2', 'but not for statements');
is($node->safe_psql('postgres', 'SELECT incomplete FROM dbmaint_take_snapshot()'), 'f', 'a session takes one in between');
$node->safe_psql('postgres', 'DROP EXTENSION pg_stat_statements');
ok(sampled_again($node, 'postgres', 3), 'without pg_stat_statements samples go on');
$node->safe_psql('postgres', 'CREATE SCHEMA "else where"; CREATE EXTENSION pg_stat_statements SCHEMA "else where"');
snapshots_again('it is found in another schema');
is($node->safe_psql('postgres', "SELECT count(*) FROM dbmaint_status() WHERE process = 'sampler' AND errors > 0"), '0', 'all that without an error');

# an error while texts are read costs the texts, until the next snapshot
my $text_file = $node->data_dir . '/pg_stat_tmp/pgss_query_texts.stat';
$node->safe_psql('postgres', "ALTER SYSTEM SET dbmaint.enabled = off; ALTER SYSTEM SET pg_stat_statements.track_planning = off");
$node->reload;
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'dbmaint sampler'");
$node->safe_psql('postgres', 'SELECT FROM dbmaint_take_snapshot()');
$node->safe_psql('postgres', 'SELECT 1 AS "who knows"');
my $size = -s $text_file;
truncate($text_file, 300 * 1024 * 1024) or die "truncate: $!";
$node->safe_psql('postgres', 'SELECT FROM dbmaint_take_snapshot()');
my $unknown = q{SELECT count(*) FROM dbmaint_statements WHERE query IS NULL};
isnt($node->safe_psql('postgres', $unknown), '0', 'a file of texts that is too large is left alone');
truncate($text_file, $size) or die "truncate: $!";
$node->safe_psql('postgres', 'SELECT FROM dbmaint_take_snapshot()');
is($node->safe_psql('postgres', q{SELECT count(*) FROM dbmaint_statements WHERE query = 'SELECT $1 AS "who knows"'}), '1', 'the text comes with the next snapshot');

# created, but not preloaded
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'dbmaint'\n");
$node->safe_psql('postgres', 'ALTER SYSTEM RESET ALL');
$node->restart;
my ($status, $stdout, $stderr) = $node->psql('postgres', 'SELECT FROM dbmaint_take_snapshot()');
like($stderr, qr/pg_stat_statements is not available/, 'a library that is not loaded is not called');
is($node->safe_psql('postgres', q{SELECT status FROM dbmaint_run_due(now()) WHERE collector = 'statements'}), 'ok', 'and is no error of a round');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
