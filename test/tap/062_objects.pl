# The collectors "tables" and "indexes": no lock makes them wait, nothing that is
# dropped meanwhile breaks them, and what they store adds up over resets,
# restarts and load.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Samplers;
use Test::More;
use Time::HiRes qw(time);

my $node = new_server('objects', conf => q{
dbmaint.objects_interval = 30min
dbmaint.enabled = off
max_locks_per_transaction = 1024
});
$node->safe_psql('postgres', 'CREATE EXTENSION dbmaint');

my $at = 0;

# Takes a snapshot of both, at a time of its own; returns what came of it.
sub snapshot
{
	my ($before) = @_;
	$at += 1800;
	return $node->safe_psql('postgres',
		($before // '') . "SELECT string_agg(collector || '=' || status, ' ' ORDER BY collector)
		   FROM dbmaint_run_due(timestamptz '2026-01-01 00:00+00' + $at * interval '1 s')
		  WHERE collector IN ('tables', 'indexes')");
}

my $ok = 'indexes=ok tables=ok';

# ---- a table that somebody has locked makes nothing wait
$node->safe_psql('postgres', q{
CREATE TABLE locked (id int PRIMARY KEY, v text);
INSERT INTO locked SELECT i, 'x' FROM generate_series(1, 1000) AS i;
CREATE INDEX locked_v ON locked (v);
CREATE TABLE parts (k int PRIMARY KEY) PARTITION BY RANGE (k);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
});
is(snapshot(), $ok, 'first snapshot');
my $locker = $node->background_psql('postgres');
$locker->query_safe(q{INSERT INTO locked VALUES (1001, 'y')});
$locker->query_safe('SELECT pg_stat_force_next_flush()');
$locker->query_safe('BEGIN; LOCK TABLE locked, parts IN ACCESS EXCLUSIVE MODE; REINDEX INDEX locked_v');
my $began = time;
is(snapshot('SET lock_timeout = 1;'), $ok, 'a snapshot beside ACCESS EXCLUSIVE locks');
for my $call ('dbmaint_index_health()', 'dbmaint_table_health()',
	'dbmaint_unused_indexes(0, 0)', 'dbmaint_duplicate_indexes()',
	'dbmaint_missing_indexes(0, 1)', 'dbmaint_foreign_keys_without_index()',
	'dbmaint_invalid_indexes()')
{
	my ($code, $out, $err) = $node->psql('postgres',
		"SET lock_timeout = '10ms'; SELECT count(*) FROM $call");
	is("$code$err", '0', "$call waits for no lock");
}
cmp_ok(time - $began, '<', 60, 'all of it in time');
is($node->safe_psql('postgres',
		q{SELECT sum(n_tup_ins) FROM dbmaint_table_history WHERE tablename = 'locked'}),
	'1', 'and it saw what was written to the locked table');
$locker->query_safe('ROLLBACK');
$locker->quit;

# the live sampler beside a lock: samples go on, and it waits for nothing
$node->append_conf('postgresql.conf', "dbmaint.enabled = on\ndbmaint.objects_interval = 1s");
$node->safe_psql('postgres', q{SELECT dbmaint_expire_history('2030-01-01', 100000) FROM generate_series(1, 5)});
$node->reload;
process_of($node, 'postgres');
$locker = $node->background_psql('postgres');
$locker->query_safe('BEGIN; LOCK TABLE locked IN ACCESS EXCLUSIVE MODE');
ok($node->poll_query_until('postgres',
		q{SELECT count(*) >= 4 FROM dbmaint_index_snapshots WHERE taken_at > now() - interval '10 minutes'}),
	'the sampler takes snapshots beside the lock');
is($node->safe_psql('postgres',
		q{SELECT count(*) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) WHERE a.backend_type = 'dbmaint sampler' AND NOT l.granted}),
	'0', 'and waits for no lock');
$locker->query_safe('COMMIT');
$locker->quit;

# ---- tables come and go all the time
my $churn = $node->basedir . '/churn.sql';
append_to_file($churn, q{
BEGIN;
CREATE TABLE churn_:client_id (id int PRIMARY KEY, v text);
INSERT INTO churn_:client_id SELECT i, repeat('x', 3000) FROM generate_series(1, 20) AS i;
COMMIT;
UPDATE churn_:client_id SET v = 'y' WHERE id < 10;
ALTER TABLE churn_:client_id RENAME TO renamed_:client_id;
TRUNCATE renamed_:client_id;
DROP TABLE renamed_:client_id;
});
my $errors = "SELECT coalesce(sum(errors), 0) FROM dbmaint_status() WHERE process = 'sampler'";
is($node->safe_psql('postgres', $errors), '0', 'no error so far');
my $load = IPC::Run::start(
	[ 'pgbench', '-n', '-c', '4', '-T', '8', '-f', $churn, $node->connstr('postgres') ],
	'>', \my $load_out, '2>', \my $load_err);
my $snapshots = $node->safe_psql('postgres', 'SELECT count(*) FROM dbmaint_table_snapshots');
for (1 .. 15)
{
	for my $call ('dbmaint_index_health()', 'dbmaint_table_health()',
		'dbmaint_unused_indexes(0, 0)', 'dbmaint_duplicate_indexes()',
		'dbmaint_missing_indexes(0, 1)', 'dbmaint_invalid_indexes()',
		'dbmaint_foreign_keys_without_index()')
	{
		my ($code, $out, $err) = $node->psql('postgres', "SELECT count(*) FROM $call");
		fail("$call: $err") if $code;
	}
}
ok(IPC::Run::finish($load), 'tables come and go') or diag $load_err;
ok($node->poll_query_until('postgres',
		"SELECT count(*) >= $snapshots + 3 FROM dbmaint_table_snapshots"),
	'the sampler goes on');
is($node->safe_psql('postgres', $errors), '0', 'and had no error');
is($node->safe_psql('postgres', q{
		SELECT count(*) FROM dbmaint_objects AS o
		 WHERE o.last_seen_at IS NULL AND NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = o.relation_oid)
		   AND o.first_seen_at < (SELECT max(taken_at) - interval '2 s' FROM dbmaint_table_snapshots)}),
	'0', 'what is gone is known to be');
is($node->safe_psql('postgres', q{
		SELECT count(*) FROM (SELECT relation_oid FROM dbmaint_objects WHERE last_seen_at IS NULL
		                       GROUP BY relation_oid HAVING count(*) > 1) AS d}),
	'0', 'no object has two numbers');

# ---- a restart and a crash: a fresh start, incomplete, with the same numbers
for my $how ('fast', 'immediate')
{
	my $ids = q{SELECT string_agg(object_id::text, ',' ORDER BY kind, object_id) FROM dbmaint_objects WHERE tablename = 'locked'};
	my $before = $node->safe_psql('postgres', $ids);
	$node->stop($how);
	$node->start;
	ok($node->poll_query_until('postgres',
			'SELECT count(*) >= 2 FROM dbmaint_index_snapshots WHERE taken_at > pg_postmaster_start_time()'),
		"snapshots after a stop ($how)");
	is($node->safe_psql('postgres',
			'SELECT complete, interval_ms IS NULL FROM dbmaint_index_snapshots WHERE taken_at > pg_postmaster_start_time() ORDER BY taken_at LIMIT 1'),
		'f|t', 'the first one is a fresh start');
	is($node->safe_psql('postgres', $ids), $before, 'objects keep their numbers');
	is($node->safe_psql('postgres',
			'SELECT count(*) FROM dbmaint_table_history WHERE least(seq_scan, n_tup_ins, n_tup_upd, n_tup_del, heap_blks_read, heap_blks_hit) < 0'),
		'0', 'nothing is negative');
}

# ---- any sequence of work, resets and snapshots adds up
$node->append_conf('postgresql.conf', 'dbmaint.enabled = off');
$node->reload;
$node->poll_query_until('postgres',
	q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'dbmaint sampler'});
my $seed = $ENV{DBMAINT_SEED} // int(time);
note "seed $seed (DBMAINT_SEED repeats it)";
srand($seed);
$node->safe_psql('postgres', q{
CREATE TABLE p0 (id serial PRIMARY KEY, v int); CREATE TABLE p1 (id serial PRIMARY KEY, v int);
CREATE TABLE p2 (id serial PRIMARY KEY, v int); CREATE INDEX ON p0 (v); CREATE INDEX ON p2 (v);
INSERT INTO p0 (v) SELECT generate_series(1, 100);
});
$at = 4 * 365 * 86400;
is(snapshot(), $ok, 'begin to count');
# what we did ourselves, by table
my %done = map { $_ => 0 } 0 .. 2;
my $first = $node->safe_psql('postgres', 'SELECT max(taken_at) FROM dbmaint_table_snapshots');
my $resets = 0;
for my $step (1 .. 60)
{
	my $t = int(rand(3));
	my $n = 1 + int(rand(50));
	my $what = rand;

	if ($what < 0.45)
	{
		$node->safe_psql('postgres', "INSERT INTO p$t (v) SELECT generate_series(1, $n)");
		$done{$t} += $n;
	}
	elsif ($what < 0.6)
	{
		$node->safe_psql('postgres', "UPDATE p$t SET v = v + 1 WHERE id <= $n");
	}
	elsif ($what < 0.66)
	{
		# what was counted since the last snapshot is lost, and no more
		$node->safe_psql('postgres', "SELECT pg_stat_reset_single_table_counters('p$t'::regclass)");
		$resets++;
	}
	elsif ($what < 0.7)
	{
		$node->safe_psql('postgres', 'SELECT pg_stat_reset()');
		$resets++;
	}
	elsif ($what < 0.75)
	{
		$node->safe_psql('postgres', "VACUUM (FULL, ANALYZE) p$t");
	}
	else
	{
		is(snapshot(), $ok, "snapshot at step $step");
		for my $i (0 .. 2)
		{
			my $sum = $node->safe_psql('postgres',
				"SELECT coalesce(sum(n_tup_ins), 0) FROM dbmaint_table_history WHERE tablename = 'p$i' AND taken_at > '$first'");
			cmp_ok($sum, '<=', $done{$i}, "p$i: never more than was done");
			cmp_ok($sum, '==', $done{$i}, "p$i: all that was done") unless $resets;
		}
	}
}
snapshot();
is($node->safe_psql('postgres', "SELECT count(*) FROM dbmaint_table_history WHERE taken_at > '$first' AND least(n_tup_ins, n_tup_upd, n_tup_del, seq_scan, seq_tup_read, heap_blks_read, heap_blks_hit, toast_blks_read) < 0"),
	'0', 'no increase is negative');
is($node->safe_psql('postgres', "SELECT bool_or(NOT complete)::int FROM dbmaint_table_snapshots WHERE taken_at > '$first'"),
	$resets ? '1' : '0', 'resets are marked');
# the sums of the complete stretch at the end are what the server says
is(snapshot(), $ok, 'a snapshot to count from');
$node->safe_psql('postgres', 'CREATE TABLE base AS SELECT s.*, now() AS noted FROM pg_stat_user_tables AS s');
my $from = $node->safe_psql('postgres', 'SELECT max(taken_at) FROM dbmaint_table_snapshots');
my $bench = $node->basedir . '/work.sql';
append_to_file($bench, "\\set n random(1, 100)\nINSERT INTO p0 (v) VALUES (:n);\nUPDATE p1 SET v = :n WHERE id = :n;\nSELECT count(*) FROM p2 WHERE v = :n;\nDELETE FROM p0 WHERE id = :n;\n");
$load = IPC::Run::start(
	[ 'pgbench', '-n', '-c', '3', '-t', '300', '-f', $bench, $node->connstr('postgres') ],
	'>', \$load_out, '2>', \$load_err);
for (1 .. 5) { is(snapshot(), $ok, 'a snapshot under load'); }
ok(IPC::Run::finish($load), 'concurrent load') or diag $load_err;
is(snapshot(), $ok, 'and one after it');
is($node->safe_psql('postgres', qq{
		SELECT count(*), count(*) FILTER (WHERE
		           s.n_tup_ins - b.n_tup_ins = h.ins AND s.n_tup_upd - b.n_tup_upd = h.upd
		       AND s.n_tup_del - b.n_tup_del = h.del AND s.seq_scan - b.seq_scan = h.seq
		       AND s.n_tup_hot_upd - b.n_tup_hot_upd = h.hot)
		  FROM pg_stat_user_tables AS s JOIN base AS b USING (relid)
		  JOIN (SELECT relation_oid, sum(n_tup_ins) AS ins, sum(n_tup_upd) AS upd, sum(n_tup_del) AS del,
		               sum(seq_scan) AS seq, sum(n_tup_hot_upd) AS hot
		          FROM dbmaint_table_history WHERE taken_at > '$from' GROUP BY 1) AS h ON h.relation_oid = s.relid
		 WHERE s.relname ~ '^p[012]\$'}),
	'3|3', 'increases under load add up to what the server says');

# ---- an index that REINDEX CONCURRENTLY makes anew, seen before and after it has
# the old one's name and counters
$node->safe_psql('postgres', q{
	CREATE TABLE rebuilt (id int PRIMARY KEY, v int);
	INSERT INTO rebuilt SELECT i, i FROM generate_series(1, 2000) AS i;
	CREATE INDEX rebuilt_v ON rebuilt (v);
	ANALYZE rebuilt;
	SELECT pg_stat_force_next_flush();
});
is(snapshot(), $ok, 'an index is there');
sub scan_rebuilt
{
	my ($times) = @_;
	$node->safe_psql('postgres', 'SET enable_seqscan = off;' . 'SELECT count(id) FROM rebuilt WHERE v = 5;' x $times . 'SELECT pg_stat_force_next_flush()');
	return;
}
scan_rebuilt(30);
is(snapshot(), $ok, 'and is used');
my $writer = session($node, 'postgres', 'BEGIN; INSERT INTO rebuilt VALUES (0, 0)');
my $reader = session($node, 'postgres', 'BEGIN; SELECT count(*) FROM rebuilt');
my $rebuild = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-c', 'REINDEX INDEX CONCURRENTLY rebuilt_v' ], '>', \my $rebuild_out, '2>', \my $rebuild_err);
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_progress_create_index WHERE phase = 'waiting for writers before build'}), 'the new one is there');
scan_rebuilt(2);
is(snapshot(), $ok, 'a snapshot while it is built');
leave($writer);
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting for readers before marking dead'}), 'it has the name');
scan_rebuilt(3);
is(snapshot(), $ok, 'a snapshot beside the old one');
leave($reader);
$rebuild->finish;
scan_rebuilt(4);
is(snapshot(), $ok, 'and one after it');
is($node->safe_psql('postgres', q{SELECT string_agg(idx_scan::text, ' ' ORDER BY taken_at, idx_scan) FROM dbmaint_index_history WHERE idx_scan > 0 AND tablename = 'rebuilt' AND indexname LIKE 'rebuilt_v%'}),
	'30 2 3 4', 'each scan counts once');
is($node->safe_psql('postgres', q{SELECT sum(grown_bytes) <= pg_relation_size('rebuilt_v') FROM dbmaint_index_history WHERE tablename = 'rebuilt' AND indexname LIKE 'rebuilt_v%' AND taken_at > (SELECT min(taken_at) FROM dbmaint_index_history WHERE tablename = 'rebuilt')}),
	't', 'and its size, too');

# ---- two sessions that take a snapshot at the same time do not count twice
is($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT taken_at FROM dbmaint_table_snapshots GROUP BY 1 HAVING count(*) > 1) AS d}),
	'0', 'one snapshot a time');
$node->stop;
done_testing();
