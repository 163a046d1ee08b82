# A statement's time holds the commit that it triggers, and only that: with a
# commit that is slow (commit_delay, and a synchronous standby that lags), the
# autocommitted statement and COMMIT take as long, those inside a block do not.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use LatencyProbe;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RawClient;
use Test::More;
use Time::HiRes qw(sleep);

# commit_delay does nothing without fsync.  Nobody else may flush the WAL: who
# finds it flushed does not wait.  So it is minimal, with no snapshots in it.
my $node = LatencyProbe::start_server('commit',
	conf => "fsync = on\ncommit_siblings = 0\nwal_writer_delay = 10s\n");
my $probe = LatencyProbe->new($node);

$node->safe_psql(
	'app', q{
CREATE TABLE t (v int);
CREATE PROCEDURE commits(n int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. n LOOP INSERT INTO t VALUES (i); COMMIT; END LOOP;
END $$;
CREATE PROCEDURE works() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES (1); END $$;
});

# commit_delay's most, in ms; the bucket under it; and a turn of the client, in
# seconds, that must not be taken for a commit.
my $delay_ms = 100;
my $threshold_ms = 98;
my $think = 1.0;
my $short_ms = 900;

# A session that has been there for ten seconds gets a signal when it has been
# idle, to report its statistics, and a signal cuts commit_delay short.  So each
# case has a new one.
my $client;
my $options = '-c commit_delay=' . $delay_ms * 1000;

# name, how many statements, how many of them take a commit, messages
my @cases = (
	[ 'INSERT', 1, 1, 'INSERT INTO t VALUES (1)' ],
	[ 'INSERT ... RETURNING', 1, 1, 'INSERT INTO t VALUES (1) RETURNING v' ],
	[ 'a data-modifying CTE', 1, 1, 'WITH x AS (INSERT INTO t VALUES (1) RETURNING v) SELECT * FROM x' ],
	[ 'DDL', 2, 2, 'CREATE TABLE made (v int)', 'DROP TABLE made' ],
	[ 'CREATE TABLE AS', 2, 2, 'CREATE TABLE made AS SELECT 1 AS v', 'DROP TABLE made' ],
	[ 'DO', 1, 1, 'DO $$ BEGIN INSERT INTO t VALUES (1); END $$' ],
	[ 'CALL', 1, 1, 'CALL works()' ],
	[ 'a SELECT, which has nothing to flush', 1, 0, 'SELECT count(*) FROM t' ],
	[ 'a transaction', 4, 1, 'BEGIN', 'INSERT INTO t VALUES (1)', 'SELECT count(*) FROM t', 'COMMIT' ],
	[ 'a transaction rolled back', 3, 0, 'BEGIN', 'INSERT INTO t VALUES (1)', 'ROLLBACK' ],
	[ 'COMMIT AND CHAIN', 5, 2, 'BEGIN', 'INSERT INTO t VALUES (1)', 'COMMIT AND CHAIN',
		'INSERT INTO t VALUES (1)', 'COMMIT' ],
	[ 'a savepoint', 5, 1, 'BEGIN', 'SAVEPOINT a', 'INSERT INTO t VALUES (1)', 'RELEASE a', 'COMMIT' ],
	[ 'two-phase commit', 4, 2, 'BEGIN', 'INSERT INTO t VALUES (1)',
		q(PREPARE TRANSACTION 'x'), q(COMMIT PREPARED 'x') ],
	[ 'a cursor', 5, 1, 'BEGIN', 'INSERT INTO t VALUES (1)',
		'DECLARE c CURSOR FOR SELECT 1', 'FETCH ALL FROM c', 'COMMIT' ],
);

sub check
{
	my ($name, $code, $statements, $slow) = @_;
	my $errors = '';
	$client->disconnect if $client;
	$client = RawClient->new($node, 'app', options => $options);
	my $sample = $probe->counts(sub { $errors = RawClient::errors($code->()); },
		$statements, 0, $name);
	my $counted = $probe->value('SELECT dbmaint_histogram_count_above('
		  . "'$sample->{latency_histogram}', $threshold_ms)");

	is($errors, '', "$name: no error");
	is($counted, $slow, "$name: $slow of $statements held a commit");
	return $sample;
}

for my $how ('query', 'extended')
{
	for my $case (@cases)
	{
		my ($name, $statements, $slow, @sql) = @$case;
		check("$how: $name", sub { map { $client->$how($_) } @sql; },
			$statements, $slow);
	}
}

check('a message of three: the last has the commit',
	sub { $client->query('INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); SELECT 1'); },
	3, 1);
check('a message with a transaction in it',
	sub { $client->query('BEGIN; INSERT INTO t VALUES (1); COMMIT; SELECT 1'); },
	4, 1);
check('a pipeline of three: the last has the commit', sub {
	$client->parse($_)->bind->execute
	  for 'INSERT INTO t VALUES (1)', 'INSERT INTO t VALUES (2)', 'SELECT 1';
	return $client->sync;
}, 3, 1);

my $sample = check('a procedure with three commits, and its own at the end',
	sub { $client->query('CALL commits(3)'); }, 1, 1);
cmp_ok($sample->{max_ms}, '>=', 3 * $threshold_ms, 'it took all of them');

# The commit is in, the client's turn is not.
for my $how ('query', 'extended')
{
	$sample = check("$how: thinking in a transaction", sub {
		return map { sleep $think / 2; $client->$how($_) }
		  'BEGIN', 'INSERT INTO t VALUES (1)', 'SELECT 1', 'COMMIT';
	}, 4, 1);
	cmp_ok($sample->{max_ms}, '<', $think / 2 * 1000,
		"$how: the client's turn is in no statement");
}
for my $more ('', 'and another Parse')
{
	$sample = check("Execute, thinking $more, Sync", sub {
		my @got = $client->parse('INSERT INTO t VALUES (1)')->bind->execute->flush('C');
		sleep $think;
		push @got, $client->parse('SELECT 1')->flush('1') if $more;
		sleep $think if $more;
		return (@got, $client->sync);
	}, 1, 1);
	cmp_ok($sample->{max_ms}, '<', $short_ms, "thinking $more: the client's turn is not in");
}

# The same by psql, whose user thinks.
$sample = $probe->counts(
	sub {
		$node->safe_psql('app', "BEGIN;\n\\! sleep $think\nINSERT INTO t VALUES (1);\n"
			  . "\\! sleep $think\nSELECT 1;\n\\! sleep $think\nCOMMIT;\n");
	},
	4, 0, 'psql, thinking in a transaction');
cmp_ok($sample->{max_ms}, '<', $short_ms, 'psql: the turn of the client is in no statement');

$client->disconnect;
$client = undef;
$node->stop;

# A standby that applies late, and a primary that waits for it.
$node = LatencyProbe::start_server('primary', streaming => 1);
$node->safe_psql('app', 'CREATE TABLE t (v int)');
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
my $lag_ms = 400;
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "recovery_min_apply_delay = '${lag_ms}ms'\n");
$standby->start;
$node->append_conf('postgresql.conf', "synchronous_standby_names = '*'\n");
$node->reload;
$node->poll_query_until('postgres',
	q(SELECT sync_state = 'sync' FROM pg_stat_replication))
  or die 'the standby is not synchronous';

# the probe commits too, and need not wait
$probe = LatencyProbe->new($node);
$probe->value('SET synchronous_commit = local; SELECT 1');
$options = '-c synchronous_commit=remote_apply';
$threshold_ms = $lag_ms * 0.95;
for my $how ('query', 'extended')
{
	check("standby, $how: INSERT", sub { $client->$how('INSERT INTO t VALUES (1)'); }, 1, 1);
	check("standby, $how: a transaction", sub {
		return map { $client->$how($_) } 'BEGIN', 'INSERT INTO t VALUES (1)', 'SELECT 1', 'COMMIT';
	}, 4, 1);
	check("standby, $how: a SELECT", sub { $client->$how('SELECT 1'); }, 1, 0);
}
$client->disconnect;

$standby->stop('immediate');
$node->stop('immediate');
done_testing();
