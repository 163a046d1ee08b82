# Sampling for bloat beside others: it waits only as long as it may, never for
# the sake of the whole database, ends when cancelled, and takes what it finds.
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

my $node = new_server('primary',
	init => { allows_streaming => 1 },
	conf => "dbmaint.enabled = off\n");
$node->safe_psql('postgres', q{
CREATE EXTENSION dbmaint;
CREATE EXTENSION pg_buffercache;
CREATE TABLE held AS SELECT i AS id, repeat('x', 500) AS pad FROM generate_series(1, 5000) AS i;
CREATE INDEX held_id ON held (id);
CREATE TABLE free AS SELECT i AS id FROM generate_series(1, 5000) AS i;
CREATE TABLE big AS SELECT i AS id FROM generate_series(1, 2000000) AS i;
CREATE UNLOGGED TABLE unlogged AS SELECT i AS id FROM generate_series(1, 5000) AS i;
});

# The SQLSTATE of a statement that fails.
sub sqlstate
{
	my ($sql, $server) = @_;
	my ($status, $out, $error) = ($server // $node)->psql('postgres', "\\set VERBOSITY sqlstate\n$sql");
	return $error =~ /ERROR:  (\w{5})/ ? $1 : "none: $error";
}

sub bloat_status
{
	my ($relation) = @_;
	return $node->safe_psql('postgres', qq{
SET statement_timeout = '60s';
SELECT status, wasted_bytes IS NULL, sampled_pages FROM dbmaint_bloat(0, 1000)
WHERE relation = '$relation'::regclass});
}

# locks
my $locker = session($node, 'postgres', 'BEGIN; LOCK TABLE held IN ACCESS EXCLUSIVE MODE');
is(bloat_status('held'), 'locked|t|0', 'a locked table does not make dbmaint_bloat() wait');
like(bloat_status('free'), qr/^ok\|f\|/, 'and costs no other its row');
is(sqlstate("SET lock_timeout = '50ms'; SELECT dbmaint_table_bloat('held');"),
	'55P03', 'dbmaint_table_bloat() waits as long as lock_timeout says');
$locker->{in} .= "COMMIT; BEGIN; REINDEX INDEX held_id; SELECT 'rebuilt';\n";
$locker->{handle}->pump until $locker->{out} =~ /rebuilt/;
is(bloat_status('held_id'), 'locked|t|0', 'nor does a locked index');
is(sqlstate("SET lock_timeout = '50ms'; SELECT dbmaint_index_bloat('held_id');"),
	'55P03', 'and dbmaint_index_bloat() waits as long as it may');
leave($locker);
like(bloat_status('held'), qr/^ok\|f\|/, 'the lock gone, the table is sampled');

# nor does it queue behind somebody who waits
my $reader = session($node, 'postgres', 'BEGIN; SELECT FROM held LIMIT 1');
my $waiting = session($node, 'postgres', 'BEGIN');
$waiting->{in} .= "LOCK TABLE held IN ACCESS EXCLUSIVE MODE;\n";
$waiting->{handle}->pump_nb;
ok($node->poll_query_until('postgres', q{
SELECT count(*) = 1 FROM pg_locks
WHERE relation = 'held'::regclass AND mode = 'AccessExclusiveLock' AND NOT granted}),
	'one session waits for the lock of another');
is(bloat_status('held'), 'locked|t|0', 'dbmaint_bloat() does not queue behind it');
leave($reader);
leave($waiting);

# cancelling
sub seconds_of
{
	my ($sql) = @_;
	my $begin = time;
	my $state = sqlstate($sql);
	return (time - $begin, $state);
}
foreach my $call ("dbmaint_table_bloat('big', 1000000)", 'dbmaint_bloat(0, 1000000)')
{
	my ($idle) = seconds_of('SELECT 1');
	my ($whole) = seconds_of("SELECT $call");
	my ($took, $state);

	# a busy machine may delay one attempt
	foreach my $attempt (1 .. 10)
	{
		($took, $state) = seconds_of("SET statement_timeout = '2ms'; SELECT $call");
		last if $state eq '57014' && $took - $idle < ($whole - $idle) / 2;
	}
	is($state, '57014', "$call is cancelled");
	cmp_ok($took - $idle, '<', ($whole - $idle) / 2, 'long before it would end');
}

# a temporary table of another session
my $other = session($node, 'postgres', 'CREATE TEMP TABLE theirs AS SELECT i FROM generate_series(1, 1000) AS i');
my $theirs = $node->safe_psql('postgres', "SELECT oid FROM pg_class WHERE relname = 'theirs'");
my ($status, $out, $error) = $node->psql('postgres', "SELECT dbmaint_table_bloat($theirs)");
like($error, qr/cannot read temporary relation "theirs" of another session\nHINT:  Ask in the session that made it\./,
	'a temporary table of another session is refused');
is($node->safe_psql('postgres', "SELECT count(*) FROM dbmaint_bloat(0) WHERE relation::oid = $theirs"),
	'0', 'and not among all');
leave($other);

# a sample leaves the cache to others
$node->restart;
my $sampled = $node->safe_psql('postgres', q{SELECT sampled_pages FROM dbmaint_table_bloat('big')});
my $cached = $node->safe_psql('postgres', q{
SELECT count(*) FROM pg_buffercache
WHERE relfilenode = pg_relation_filenode('big') AND relforknumber = 0
	AND reldatabase = (SELECT oid FROM pg_database WHERE datname = 'postgres')});
is($sampled, '1000', 'a thousand pages are read');
cmp_ok($cached, '<', 500, 'and most of them through a ring of few buffers');

# beside writers, each with rows of its own: files that grow and shrink, tables
# that come and go
my $writes = $node->basedir . '/writes.sql';
append_to_file($writes, q{
INSERT INTO held SELECT i, repeat('y', 500) FROM generate_series(1, 1000) AS i;
DELETE FROM held WHERE id < 1000000 AND id % 10 = :client_id;
UPDATE held SET pad = pad WHERE id < 1000000 AND id % 100 = :client_id;
CREATE TABLE passing:client_id AS SELECT i AS id, repeat('z', 100) AS pad FROM generate_series(1, 2000) AS i;
CREATE INDEX ON passing:client_id (id);
DROP TABLE passing:client_id;
});
my $shrinks = $node->basedir . '/shrinks.sql';
append_to_file($shrinks, q{
INSERT INTO held SELECT 1000000 + i, repeat('w', 500) FROM generate_series(1, 1000) AS i;
DELETE FROM held WHERE id > 1000000;
VACUUM held;
REINDEX INDEX CONCURRENTLY held_id;
DELETE FROM free WHERE id > 100;
VACUUM free;
TRUNCATE free;
INSERT INTO free SELECT i AS id FROM generate_series(1, 5000) AS i;
});
my $position = log_position($node);
my @writers = map {
	IPC::Run::start(
		[ 'pgbench', '-n', '-T', '6', '-c', $_->[1], '-f', $_->[0], $node->connstr('postgres') ],
		'>', '/dev/null', '2>', '/dev/null')
} ([ $writes, 2 ], [ $shrinks, 1 ]);
my $calls = 0;
my $strange = 0;
my $end = time + 5;
while (time < $end)
{
	# an index that is replaced between its look-up and its sample is an error
	my ($failed, $odd) = $node->psql('postgres', q{
SELECT (SELECT count(*) FROM dbmaint_table_bloat('held', 50) AS b
		WHERE NOT live_ratio + dead_ratio + free_ratio BETWEEN 0 AND 1.0001
			OR NOT free_ratio BETWEEN free_ratio_low AND free_ratio_high) +
	(SELECT count(*) FROM dbmaint_table_bloat('free', 5)
		WHERE NOT live_ratio BETWEEN 0 AND 1) +
	(SELECT count(*) FROM dbmaint_index_bloat((SELECT indexrelid FROM pg_index
			WHERE indrelid = 'held'::regclass AND indisvalid ORDER BY indexrelid LIMIT 1), 20)
		WHERE NOT leaf_density_ratio BETWEEN leaf_density_low AND leaf_density_high) +
	(SELECT count(*) FROM dbmaint_bloat(0, 10000)
		WHERE NOT wasted_bytes BETWEEN wasted_bytes_low AND least(wasted_bytes_high, size_bytes)
			OR status NOT IN ('ok', 'locked', 'over budget') AND status NOT LIKE 'not read: index % is not valid')
});
	$strange += $odd || 0;
	$calls += !$failed;
}
$_->finish foreach @writers;
cmp_ok($calls, '>', 5, 'sampled beside writers, again and again');
is($strange, 0, 'and never a number that cannot be');
my @errors = grep { /ERROR/ && !/there is no relation with OID|index "held_id_cc(?:new|old)\d*" is not valid/ }
  split /\n/, log_since($node, $position);
diag($1) if log_since($node, $position) =~ /(ERROR:  deadlock.*?STATEMENT:[^\n]*)/s;
is_deeply(\@errors, [], 'and no error but of an index that was just replaced');

# a standby
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', q{SELECT live_ratio > 0.7 FROM dbmaint_table_bloat('big', 100)}),
	't', 'a standby samples its tables');
is($standby->safe_psql('postgres', q{SELECT status FROM dbmaint_bloat(10000000, 100) WHERE relation = 'big'::regclass}),
	'ok', 'and all of them');
is(sqlstate(q{SELECT dbmaint_table_bloat('unlogged')}, $standby), '0A000', 'but no unlogged table');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM dbmaint_bloat(0) WHERE relation = 'unlogged'::regclass}),
	'0', 'which is not among all');
$standby->stop;

# a damaged page costs its table the row, and no other
my $file = $node->data_dir . '/' . $node->safe_psql('postgres', q{CHECKPOINT; SELECT pg_relation_filepath('free')});
$node->stop;
open(my $handle, '+<', $file) or die "$file: $!";
binmode $handle;
seek($handle, 3 * 8192, 0);
print $handle "\xFF" x 4096;
close $handle;
$node->start;
like(bloat_status('free'), qr/^not read: invalid page in block 3 of relation .*\|t\|0$/,
	'what a damaged page says is the status of its table');
like(bloat_status('big'), qr/^ok\|f\|/, 'others are sampled');
is(sqlstate("SELECT dbmaint_table_bloat('free')"), 'XX001', 'asked by itself, it is an error');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation > 16384'),
	'0', 'no lock is left');

$node->stop;
done_testing();
