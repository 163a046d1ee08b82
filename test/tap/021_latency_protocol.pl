# The extended protocol: a statement is counted once however its messages come,
# with the time that the server worked on it and none of the client's.
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

# The client's turn, in seconds; and the time that counts as without it.
my $think = 1.0;
my $short_ms = 900;

my $node = LatencyProbe::start_server('protocol');
my $probe = LatencyProbe->new($node);

$node->safe_psql(
	'app', q{
CREATE TABLE t (v int);
CREATE TABLE late (v int);
CREATE TABLE lazy (v int);
CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_sleep(0.1); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER d AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION nap();
CREATE FUNCTION folded() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
$$ BEGIN PERFORM pg_sleep(0.1); RETURN 1; END $$;
});

my $client = RawClient->new($node, 'app');

# Runs the code, checks the count, and that the statements together took from
# $from to $to ms.
sub timed
{
	my ($name, $code, $queries, $from, $to) = @_;
	my $errors = '';
	my $sample = $probe->counts(
		sub { $errors = RawClient::errors($code->()); },
		$queries, 0, $name);
	my $ms = $probe->total_ms($sample);

	is($errors, '', "$name: no error");
	cmp_ok($ms, '>=', $from, "$name: all of the server's time");
	cmp_ok($ms, '<', $to, "$name: and only that");
	return;
}

timed('rows in three Executes', sub {
	my @got = $client->query('BEGIN');
	push @got, $client->parse('SELECT g, pg_sleep(0.02) FROM generate_series(1, 10) g')
	  ->bind('p')->execute(3, 'p')->flush('s');
	sleep $think;
	push @got, $client->execute(3, 'p')->flush('s');
	sleep $think;
	push @got, $client->execute(0, 'p')->sync;
	is(scalar(grep { $_->{type} eq 'D' } @got), 10, 'all rows came');
	return (@got, $client->query('COMMIT'));
}, 3, 200, $short_ms);

timed('a portal that is never finished', sub {
	my @got = $client->parse('SELECT g, pg_sleep(0.02) FROM generate_series(1, 10) g')
	  ->bind->execute(5)->flush('s');
	sleep $think;
	return (@got, $client->sync);
}, 1, 100, $short_ms);

timed('a portal that is closed unfinished', sub {
	my @got = $client->query('BEGIN');
	for (1 .. 3)
	{
		push @got, $client->parse('SELECT g, pg_sleep(0.02) FROM generate_series(1, 10) g')
		  ->bind('p')->execute(2, 'p')->sync;
		push @got, $client->close_portal('p')->sync;
	}
	return (@got, $client->query('COMMIT'));
}, 5, 120, $short_ms);

timed('rows of two portals by turns', sub {
	my @got = $client->query('BEGIN');
	push @got, $client->parse('SELECT g, pg_sleep(0.02) FROM generate_series(1, 10) g', 's')
	  ->bind('p', 's')->bind('q', 's')->sync;
	push @got, $client->execute(2, $_)->sync for ('p', 'q') x 6;
	return (@got, $client->query('COMMIT'));
}, 4, 400, $short_ms);

timed('rows of many portals by turns', sub {
	my @portals = map { "many$_" } 1 .. 20;
	my @got = $client->query('BEGIN');
	push @got, $client->parse('SELECT generate_series(1, 5)', 'many')->sync;
	push @got, $client->bind($_, 'many')->sync for @portals;
	for (1 .. 3)
	{
		push @got, $client->execute(2, $_)->sync for @portals;
	}
	return (@got, $client->query('COMMIT'));
}, 22, 0, $short_ms);

timed('Execute of a portal at its end', sub {
	my @got = $client->parse('SELECT 1')->bind->execute->execute->execute(1)->sync;
	is(scalar(grep { $_->{type} eq 'C' } @got), 3, 'the server takes three Executes');
	return @got;
}, 1, 0, $short_ms);

timed('thinking between Bind and Execute', sub {
	my @got = $client->parse('SELECT pg_sleep(0.1)')->bind->flush('2');
	sleep $think;
	return (@got, $client->execute->sync);
}, 1, 100, $short_ms);

timed('planning in Bind', sub {
	my @got = $client->parse('SELECT folded()')->bind->flush('2');
	sleep $think;
	return (@got, $client->execute->sync);
}, 1, 100, $short_ms);

timed('a data-modifying CTE', sub {
	my @got = $client->parse('WITH x AS (INSERT INTO t SELECT folded() RETURNING v) '
		  . 'SELECT v, pg_sleep(0.1) FROM x')->bind->flush('2');
	sleep $think;
	push @got, $client->execute->flush('C');
	sleep $think;
	return (@got, $client->sync);
}, 1, 100, $short_ms);

timed('thinking before Sync', sub {
	my @got = $client->parse('SELECT pg_sleep(0.1)')->bind->execute->flush('C');
	sleep $think;
	return (@got, $client->sync);
}, 1, 100, $short_ms);

timed('thinking before the commit in Sync', sub {
	my @got = $client->parse('INSERT INTO late VALUES (1)')->bind->execute->flush('C');
	sleep $think;
	return (@got, $client->sync);
}, 1, 100, $short_ms);

timed('thinking, another Parse, and the commit in Sync', sub {
	my @got = $client->parse('INSERT INTO late VALUES (1)')->bind->execute->flush('C');
	sleep $think;
	push @got, $client->parse('SELECT 1')->flush('1');
	sleep $think;
	return (@got, $client->sync);
}, 1, 0, $short_ms);

timed('INSERT ... RETURNING a few rows at a time', sub {
	my @got = $client->parse('INSERT INTO t SELECT 1 FROM generate_series(1, 5), pg_sleep(0.1) RETURNING v')
	  ->bind->execute(2)->flush('s');
	sleep $think;
	push @got, $client->execute(2)->flush('s');
	sleep $think;
	push @got, $client->execute(0)->flush('C');
	sleep $think;
	return (@got, $client->sync);
}, 1, 100, $short_ms);

# From 18 on, nothing commits where an empty query stands in place of Sync.
if ($node->pg_version < 18)
{
	timed('an empty query that commits', sub {
		my @got = $client->parse('INSERT INTO t VALUES (1)')->bind->execute->flush('C');
		sleep $think;
		return (@got, $client->query(';'));
	}, 1, 0, $short_ms);
}

timed('Parse, Bind and Describe alone, and nothing at all', sub {
	return ($client->parse('SELECT 1')->sync, $client->parse('SELECT 1')->bind->describe->sync,
		$client->query(''), $client->extended(''), $client->sync);
}, 0, 0, $short_ms);

timed('a prepared statement', sub {
	my @got = $client->parse('SELECT pg_sleep(0.01)', 'prepared')->sync;
	push @got, $client->bind('', 'prepared')->execute->sync for 1 .. 20;
	return @got;
}, 20, 200, $short_ms);

timed('a transaction, thinking inside it', sub {
	my @got;
	for my $sql ('BEGIN', 'INSERT INTO t VALUES (1)', 'SELECT pg_sleep(0.1)',
		'DECLARE c CURSOR FOR SELECT generate_series(1, 9)', 'FETCH 3 FROM c', 'FETCH 3 FROM c', 'COMMIT')
	{
		push @got, $client->extended($sql);
		sleep $think / 3;
	}
	return @got;
}, 7, 100, $short_ms);

timed('the same in the simple protocol', sub {
	my @got;
	for my $sql ('BEGIN', 'INSERT INTO t VALUES (1)', 'SELECT pg_sleep(0.1)',
		'DECLARE c CURSOR FOR SELECT generate_series(1, 9)', 'FETCH 3 FROM c', 'FETCH 3 FROM c', 'COMMIT')
	{
		push @got, $client->query($sql);
		sleep $think / 3;
	}
	return @got;
}, 7, 100, $short_ms);

# Each statement has its own time, where many come at once.
for my $how ('pipeline', 'message')
{
	my $sample = $probe->counts(
		sub {
			my @statements = map { "SELECT pg_sleep($_)" } 0.05, 0.1, 0.2;
			if ($how eq 'message')
			{
				$client->query(join ';', @statements);
			}
			else
			{
				$client->parse($_)->bind->execute for @statements;
				$client->sync;
			}
		},
		3, 0, "three statements in a $how");
	for ([ 0.3, 50 ], [ 0.5, 100 ], [ 1.0, 200 ])
	{
		my ($fraction, $ms) = @$_;
		my $got = $probe->value(
			"SELECT dbmaint_percentile('$sample->{latency_histogram}', $fraction)");
		cmp_ok($got, '>=', $ms * 0.98, "that of $ms ms in a $how took as long");
		cmp_ok($got, '<', $ms + 45, "that of $ms ms in a $how took no longer");
	}
}

timed('a long pipeline', sub {
	for (1 .. 50)
	{
		$client->parse('SELECT 1')->bind->execute;
		$client->parse('INSERT INTO t VALUES (1)')->bind->execute;
		$client->parse('SET work_mem = 4096')->bind->execute;
	}
	return $client->sync;
}, 150, 0, $short_ms);

timed('transactions in a pipeline', sub {
	for (1 .. 20)
	{
		$client->parse($_)->bind->execute
		  for 'BEGIN', 'SELECT 1', 'INSERT INTO t VALUES (1)', 'COMMIT', 'SELECT 2';
	}
	return $client->sync;
}, 100, 0, $short_ms);

# Binds before Executes: only the last Bind's time is kept, but no count lost.
timed('many Binds, then many Executes', sub {
	$client->parse('SELECT 1', 'one')->parse('INSERT INTO t VALUES (1)', 'two');
	$client->bind("p$_", 'one')->bind("q$_", 'two') for 1 .. 10;
	$client->execute(0, "p$_")->execute(0, "q$_") for 1 .. 10;
	return $client->sync;
}, 20, 0, $short_ms);

# pgbench in each of its protocols, and with libpq's pipelines.
my $script = $node->basedir . '/script.sql';
my $pipeline = $node->basedir . '/pipeline.sql';
my $body = <<'SQL';
SELECT 1;
BEGIN;
INSERT INTO t VALUES (:client_id);
SELECT count(*) FROM (SELECT 1 FROM t LIMIT 10) x;
END;
UPDATE lazy SET v = 1 RETURNING v;
SELECT 1 \; SELECT 2;
SQL
append_to_file($script, $body);
$body =~ s/SELECT 1 \\; SELECT 2;\n//;
append_to_file($pipeline, "\\startpipeline\n$body\\endpipeline\n");
for ([ 'simple', $script, 8 ], [ 'extended', $pipeline, 6 ], [ 'prepared', $pipeline, 6 ])
{
	my ($mode, $file, $statements) = @$_;

	$probe->counts(
		sub {
			$node->command_ok([ 'pgbench', '-n', '-c', '4', '-t', '100',
				'-M', $mode, '-f', $file, 'app' ], "pgbench -M $mode");
		},
		4 * 100 * $statements, 0, "pgbench -M $mode, $file" =~ s{/\S*/}{}r);
}
my $plain = $node->basedir . '/plain.sql';
$body =~ s/.*\\.*\n//;
append_to_file($plain, $body);
for my $mode ('extended', 'prepared')
{
	$probe->counts(
		sub {
			$node->command_ok([ 'pgbench', '-n', '-c', '4', '-t', '100',
				'-M', $mode, '-f', $plain, 'app' ], "pgbench -M $mode");
		},
		4 * 100 * 6, 0, "pgbench -M $mode, plain.sql");
}

$node->stop;
done_testing();
