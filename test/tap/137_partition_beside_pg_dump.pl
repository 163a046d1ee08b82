# The real pg_dump beside making and retiring partitions: what needs a table for
# itself gives up or waits, nobody waits behind it, and the dump is whole.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Samplers;
use Test::More;

my $node = new_server('primary', conf => "dbmaint.enabled = off\n");
$node->safe_psql('postgres', q{
	CREATE EXTENSION dbmaint;
	CREATE TABLE t (at timestamptz NOT NULL, v int) PARTITION BY RANGE (at);
	CREATE TABLE t_2025_01 PARTITION OF t FOR VALUES FROM ('2025-01-01 00:00+00') TO ('2025-02-01 00:00+00');
	CREATE TABLE t_2025_02 PARTITION OF t FOR VALUES FROM ('2025-02-01 00:00+00') TO ('2025-03-01 00:00+00');
	CREATE TABLE t_2025_03 PARTITION OF t FOR VALUES FROM ('2025-03-01 00:00+00') TO ('2025-04-01 00:00+00');
	CREATE TABLE d (at date) PARTITION BY RANGE (at);
	CREATE TABLE d_2025_03 PARTITION OF d FOR VALUES FROM ('2025-03-01') TO ('2025-04-01');
	CREATE TABLE d_default PARTITION OF d DEFAULT;
	INSERT INTO t VALUES ('2025-01-05 00:00+00', 1), ('2025-03-05 00:00+00', 2);
	CREATE TABLE gate ();
});
my $at = q{as_of => '2025-03-15 00:00+00'};

# pg_dump locks the tables in the order of their oids, and waits at the last one
my $keeper = $node->background_psql('postgres');
$keeper->query_safe('BEGIN; LOCK TABLE gate IN ACCESS EXCLUSIVE MODE');
my $file = PostgreSQL::Test::Utils::tempdir() . '/t.sql';
my ($in, $out, $err) = ('', '', '');
my $dump = IPC::Run::start([ $node->installed_command('pg_dump'), '-t', 'public.t*', '-t', 'public.d', '-t', 'public.d_*', '-t', 'public.gate', '-f', $file, $node->connstr('postgres') ],
	'<', \$in, '>', \$out, '2>', \$err);
$node->poll_query_until('postgres', q{
	SELECT count(*) FILTER (WHERE l.granted AND l.relation IN ('t'::regclass, 't_2025_01'::regclass, 'd_default'::regclass)) = 3
	       AND bool_or(NOT l.granted AND l.relation = 'gate'::regclass)
	  FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
	 WHERE a.query LIKE 'LOCK TABLE % IN ACCESS SHARE MODE' AND l.locktype = 'relation'}) or die "pg_dump does not wait: $err";

is($node->safe_psql('postgres', "SELECT partition_name, status FROM create_future_partitions('t', 1, lock_window => '100 ms', $at)"),
	"t_2025_03|exists\nt_2025_04|created", 'beside a dump partitions are made');
for my $call ("drop_old_partitions('t', 1, lock_window => '100 ms', $at)", "create_future_partitions('d', 1, lock_window => '100 ms', $at)")
{
	my (undef, undef, $stderr) = $node->psql('postgres', "SELECT $call", extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	like($stderr, qr/ERROR:  55P03: could not lock what is needed/, 'what needs a table for itself gives up: ' . ($call =~ /^(\w+)/)[0]);
}

# one that waits, in turns: others go on
my $dropper = $node->background_psql('postgres', timeout => $PostgreSQL::Test::Utils::timeout_default);
$dropper->query_until(qr/begun/, "\\echo begun\nSELECT partition_name, status FROM drop_old_partitions('t', 1, lock_window => '10 min', $at);\n");
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'SELECT partition_name, status FROM drop_old_partitions%' AND wait_event IN ('DbmaintPoliteLock', 'Extension')})
	or die 'it does not wait';
is($node->safe_psql('postgres', q{SET statement_timeout = '10s'; INSERT INTO t VALUES ('2025-04-05 00:00+00', 3), ('2025-01-06 00:00+00', 4); SELECT count(*) FROM t}), 4,
	'others read and write');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_inherits WHERE inhparent = 't'::regclass"), 4, 'nothing is dropped yet');

$keeper->query_safe('COMMIT');
$keeper->quit;
ok($dump->finish, 'the dump goes well') or diag($err);
is($node->poll_query_until('postgres', q{SELECT to_regclass('t_2025_01') IS NULL}), 1, 'then the old partition is dropped');
$dropper->quit;

my $text = slurp_file($file);
like($text, qr/ATTACH PARTITION public\.t_2025_01/, 'the dump has the partition that is gone');
like($text, qr/^2025-01-05 00:00:00\+00\t1$/m, 'and its rows');
unlike($text, qr/t_2025_04|^2025-01-06/m, 'and nothing that came later');
is($node->safe_psql('postgres', "SELECT partition_name, status FROM create_future_partitions('d', 1, $at)"), "d_2025_03|exists\nd_2025_04|created",
	'and beside a default partition one is made');

done_testing();
