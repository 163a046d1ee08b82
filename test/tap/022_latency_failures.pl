# Statements that fail or are cancelled are in failed_query_count and nowhere
# else; those that an aborted transaction refuses are counted nowhere.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use LatencyProbe;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RawClient;
use Test::More;

my $node = LatencyProbe::start_server('failures');
my $probe = LatencyProbe->new($node);

$node->safe_psql(
	'app', q{
CREATE ROLE nobody_much;
CREATE TABLE t (id int PRIMARY KEY, v int DEFAULT 0);
CREATE TABLE plain (v int);
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int REFERENCES parent);
CREATE TABLE child_late (id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE unique_late (id int UNIQUE DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE refused (v int);
CREATE TABLE refused_late (v int);
INSERT INTO t SELECT g, g FROM generate_series(0, 9) g;
INSERT INTO unique_late VALUES (1);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'refused'; END $$;
CREATE FUNCTION refuse_after_work() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM count(*) FROM t; RAISE EXCEPTION 'refused'; END $$;
CREATE TRIGGER r AFTER INSERT ON refused FOR EACH ROW EXECUTE FUNCTION refuse_after_work();
CREATE CONSTRAINT TRIGGER r AFTER INSERT ON refused_late DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW WHEN (NEW.v = 1) EXECUTE FUNCTION refuse();
CREATE CONSTRAINT TRIGGER rw AFTER INSERT ON refused_late DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW WHEN (NEW.v = 2) EXECUTE FUNCTION refuse_after_work();
CREATE FUNCTION uncaught() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		BEGIN
			INSERT INTO t VALUES (1);
		EXCEPTION WHEN division_by_zero THEN
			NULL;
		END;
	EXCEPTION WHEN undefined_table THEN
		NULL;
	END;
END $$;
CREATE FUNCTION deep(n int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	IF n = 0 THEN RETURN 1 / 0; END IF;
	RETURN (SELECT deep(n - 1));
END $$;
CREATE FUNCTION caught(n int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT deep(n));
EXCEPTION WHEN division_by_zero THEN
	RETURN 0;
END $$;
CREATE FUNCTION folded_error() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
$$ BEGIN RETURN (SELECT count(*) FROM t) / 0; END $$;
CREATE PROCEDURE commits_and_fails() LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO plain VALUES (1); COMMIT; INSERT INTO t VALUES (1); END $$;
});

# name, SQLSTATEs, counted, failed, statements: one message each
my @cases = (
	[ 'a syntax error', '42601', 0, 1, 'SELEC 1' ],
	[ 'an unknown column', '42703', 0, 1, 'SELECT nope' ],
	[ 'an error in planning', '22012', 0, 1, 'SELECT 1 / 0' ],
	[ 'an error in planning, in a query', '22012', 0, 1, 'SELECT folded_error()' ],
	[ 'an error in running', '22012', 0, 1, 'SELECT 1 / id FROM t' ],
	[ 'an error after some rows', '22012', 0, 1, 'SELECT 1 / (5 - id) FROM t' ],
	[ 'an error deep in functions', '22012', 0, 1, 'SELECT deep(20)' ],
	[ 'an error caught deep in functions', '', 2, 0, 'SELECT caught(20)', 'SELECT 1' ],
	[ 'an error that no handler takes', '23505', 0, 1, 'SELECT uncaught()' ],
	[ 'permission denied', '42501', 2, 1, 'SET ROLE nobody_much', 'SELECT * FROM t', 'RESET ROLE' ],
	[ 'permission to SET denied', '42501', 2, 1, 'SET ROLE nobody_much',
		'SET dbmaint.track_latency = off', 'RESET ROLE' ],
	[ 'a utility statement', '42P01', 0, 1, 'DROP TABLE nope' ],
	[ 'a duplicate key', '23505', 0, 1, 'INSERT INTO t VALUES (1)' ],
	[ 'a foreign key', '23503', 0, 1, 'INSERT INTO child VALUES (1)' ],
	[ 'a trigger', 'P0001', 0, 1, 'INSERT INTO refused VALUES (1)' ],
	[ 'a DO block', '23505', 0, 1, 'DO $$ BEGIN PERFORM 1; INSERT INTO t VALUES (1); END $$' ],
	[ 'a procedure after its COMMIT', '23505', 1, 1, 'CALL commits_and_fails()', 'SELECT 1' ],
	[ 'EXPLAIN ANALYZE', '22012', 0, 1, 'EXPLAIN ANALYZE SELECT 1 / id FROM t' ],
	[ 'EXECUTE', '22012', 2, 1, 'PREPARE p AS SELECT 1 / id FROM t', 'EXECUTE p', 'DEALLOCATE p' ],
	[ 'a deferred unique constraint', '23505', 1, 1, 'INSERT INTO unique_late VALUES (1)', 'SELECT 1' ],
	[ 'a deferred foreign key', '23503', 1, 1, 'INSERT INTO child_late VALUES (1)', 'SELECT 1' ],
	[ 'a deferred trigger', 'P0001', 1, 1, 'INSERT INTO refused_late VALUES (1)', 'SELECT 1' ],
	[ 'a deferred trigger that runs queries', 'P0001', 1, 1, 'INSERT INTO refused_late VALUES (2)', 'SELECT 1' ],
	[ 'COMMIT by a deferred unique constraint', '23505', 3, 1,
		'BEGIN', 'INSERT INTO unique_late VALUES (1)', 'COMMIT', 'SELECT 1' ],
	[ 'COMMIT by a deferred trigger', 'P0001', 4, 1,
		'BEGIN', 'INSERT INTO refused_late VALUES (1)', 'SELECT 1', 'COMMIT', 'SELECT 1' ],
	[ 'COMMIT by a deferred trigger that runs queries', 'P0001', 3, 1,
		'BEGIN', 'INSERT INTO refused_late VALUES (2)', 'COMMIT', 'SELECT 1' ],
	[ 'COMMIT AND CHAIN', 'P0001', 4, 1,
		'BEGIN', 'INSERT INTO refused_late VALUES (2)', 'COMMIT AND CHAIN', 'SELECT 1', 'SELECT 1' ],
	[ 'PREPARE TRANSACTION', '23505', 3, 1,
		'BEGIN', 'INSERT INTO unique_late VALUES (1)', q(PREPARE TRANSACTION 'x'), 'SELECT 1' ],
	[ 'COMMIT that reads a cursor WITH HOLD to its end', '22012', 4, 1,
		'BEGIN', 'DECLARE c CURSOR WITH HOLD FOR SELECT 1 / (5 - id) FROM t', 'FETCH 1 FROM c', 'COMMIT', 'SELECT 1' ],
	[ 'SET CONSTRAINTS', '23505', 3, 1,
		'BEGIN', 'INSERT INTO unique_late VALUES (1)', 'SET CONSTRAINTS ALL IMMEDIATE', 'ROLLBACK' ],
	[ 'an aborted transaction', '22012 25P02 25P02', 3, 1,
		'BEGIN', 'SELECT 1 / 0', 'SELECT 1', 'INSERT INTO plain VALUES (1)', 'COMMIT', 'SELECT 1' ],
	[ 'a syntax error in an aborted transaction', '22012 42601', 2, 1,
		'BEGIN', 'SELECT 1 / 0', 'SELEC', 'ROLLBACK' ],
	[ 'an aborted transaction, chained', '22012', 4, 1,
		'BEGIN', 'SELECT 1 / 0', 'ROLLBACK AND CHAIN', 'SELECT 1', 'COMMIT' ],
	[ 'a savepoint', '23505 25P02', 6, 1, 'BEGIN', 'SAVEPOINT a', 'INSERT INTO t VALUES (1)',
		'SELECT 1', 'ROLLBACK TO a', 'SELECT 1', 'RELEASE a', 'COMMIT' ],
	[ 'nested savepoints', '22012 42601 22012', 9, 3, 'BEGIN', 'SAVEPOINT a', 'SAVEPOINT b', 'SELECT deep(3)',
		'ROLLBACK TO b', 'SELEC', 'ROLLBACK TO b', 'SELECT 1', 'SELECT 1 / id FROM t',
		'ROLLBACK TO a', 'SELECT 1', 'COMMIT' ],
	[ 'statement_timeout', '57014', 3, 1, q(SET statement_timeout = '50ms'), 'SELECT pg_sleep(10)',
		'RESET statement_timeout', 'SELECT 1' ],
	[ 'statement_timeout in a function with a handler', '57014', 2, 1, q(SET statement_timeout = '50ms'),
		'DO $$ BEGIN PERFORM pg_sleep(10); EXCEPTION WHEN OTHERS THEN NULL; END $$', 'RESET statement_timeout' ],
	[ 'statement_timeout in a savepoint', '57014', 6, 1, 'BEGIN', q(SET LOCAL statement_timeout = '50ms'),
		'SAVEPOINT a', 'SELECT pg_sleep(10)', 'ROLLBACK TO a', 'SELECT 1', 'COMMIT' ],
);

for my $how ('query', 'extended')
{
	for my $case (@cases)
	{
		my ($name, $states, $counted, $failed, @statements) = @$case;
		my $client = RawClient->new($node, 'app');
		my $errors;

		$probe->counts(
			sub { $errors = RawClient::errors(map { $client->$how($_) } @statements); },
			$counted, $failed, "$how: $name");
		is($errors, $states, "$how: $name: the error expected");
		$client->disconnect;
	}
}

# Messages of several statements: name, SQLSTATEs, counted, failed, messages.
my @messages = (
	[ 'the second of three in running', '22012', 1, 1, 'INSERT INTO plain VALUES (1); SELECT 1 / id FROM t; SELECT 2' ],
	[ 'the second in planning', '22012', 1, 1, 'INSERT INTO plain VALUES (1); SELECT 1 / 0' ],
	[ 'the second in analysis', '42703', 1, 1, 'INSERT INTO plain VALUES (1); SELECT nope' ],
	[ 'the second for want of permission', '42501', 1, 1,
		'SET ROLE nobody_much; SELECT * FROM t' ],
	[ 'the third for want of permission', '42501', 2, 1,
		'SET ROLE nobody_much; SELECT 1; SELECT * FROM t; SELECT 2' ],
	[ 'a syntax error, of all', '42601', 0, 1, 'INSERT INTO plain VALUES (1); SELEC' ],
	[ 'the commit of the last', '23505', 1, 1, 'SELECT 1; INSERT INTO unique_late VALUES (1)' ],
	[ 'the commit, after another', '23505', 1, 1, 'INSERT INTO unique_late VALUES (1); SELECT 1' ],
	[ 'the commit of one with a semicolon', '23505', 0, 1, "INSERT INTO unique_late VALUES (1);\n ; \t" ],
	[ 'COMMIT in the middle', '23505', 2, 1, 'BEGIN; INSERT INTO unique_late VALUES (1); COMMIT; SELECT 1' ],
	[ 'a statement in a block', '22012', 3, 1, 'BEGIN; SELECT 1; SELECT 1 / 0; SELECT 2', 'ROLLBACK' ],
	[ 'after a block', '42703', 4, 1, 'BEGIN; SELECT 1; COMMIT; SELECT 2; SELECT nope; SELECT 3' ],
	[ 'a savepoint in a message', '22012', 5, 1,
		'BEGIN; SAVEPOINT a; SELECT 1 / 0; SELECT 2', 'ROLLBACK TO a; SELECT 1; COMMIT' ],
);
for my $case (@messages)
{
	my ($name, $states, $counted, $failed, @sql) = @$case;
	my $client = RawClient->new($node, 'app');
	my $errors;

	$probe->counts(sub { $errors = RawClient::errors(map { $client->query($_) } @sql); },
		$counted, $failed, "message: $name");
	is($errors, $states, "message: $name: the error expected");
	$client->disconnect;
}

# Pipelines: an error skips the rest, to Sync.
my @pipelines = (
	[ 'one that runs', '22012', 1, 1, 'INSERT INTO plain VALUES (1)', 'SELECT 1 / id FROM t', 'SELECT 2' ],
	[ 'one in Parse', '42703', 1, 1, 'INSERT INTO plain VALUES (1)', 'SELECT nope', 'SELECT 2' ],
	[ 'one in Bind', '22012', 1, 1, 'INSERT INTO plain VALUES (1)', 'SELECT 1 / 0', 'SELECT 2' ],
	[ 'one for want of permission', '42501', 1, 1, 'SET ROLE nobody_much', 'SELECT * FROM t', 'SELECT 2' ],
	[ 'the commit', '23505', 2, 1, 'SELECT 1', 'SELECT 2', 'INSERT INTO unique_late VALUES (1)' ],
	[ 'the commit, of one', 'P0001', 0, 1, 'INSERT INTO refused_late VALUES (1)' ],
	[ 'COMMIT', '23505', 2, 1, 'BEGIN', 'INSERT INTO unique_late VALUES (1)', 'COMMIT', 'SELECT 2' ],
);
for my $case (@pipelines)
{
	my ($name, $states, $counted, $failed, @statements) = @$case;
	my $client = RawClient->new($node, 'app');
	my $errors;

	$probe->counts(
		sub {
			$client->parse($_)->bind->describe->execute for @statements;
			$errors = RawClient::errors($client->sync);
		},
		$counted, $failed, "pipeline: $name");
	is($errors, $states, "pipeline: $name: the error expected");
	$client->disconnect;
}

# The time of a failed statement is in no column.
my $client = RawClient->new($node, 'app', options => '-c statement_timeout=100ms');
my $sample = $probe->counts(sub { $client->query('SELECT pg_sleep(10)'); },
	0, 1, 'a timeout');
is_deeply([ @$sample{qw(response_time_ms p50_ms p99_ms max_ms latency_histogram)} ],
	[ (undef) x 5 ], 'and no time');
$sample = $probe->counts(
	sub { $client->query('SELECT pg_sleep(10)'); $client->query('SELECT 1'); },
	1, 1, 'a timeout, and a statement');
cmp_ok($sample->{max_ms}, '<', 90, 'the time is that of the statement');
$client->disconnect;

# Cancelled and terminated by another session, while something runs.
sub signal_running
{
	my ($function, $how, $sql) = @_;
	my $session = RawClient->new($node, 'app');
	my $pid = $session->pid;
	my $errors;

	if ($how eq 'query')
	{
		$session->_add('Q', "$sql\0")->flush_out;
	}
	else
	{
		$session->parse($sql)->bind->execute->_add('S', '')->flush_out;
	}
	$node->poll_query_until('postgres',
		"SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $pid")
	  or die "backend $pid does not sleep";
	$node->safe_psql('postgres', "SELECT $function($pid)");
	$errors = RawClient::errors($session->receive('Z'));
	$session->query('SELECT 1') if $function eq 'pg_cancel_backend';
	$session->disconnect if $function eq 'pg_cancel_backend';
	$probe->wait_for_exit($pid);
	return $errors;
}

for my $how ('query', 'extended')
{
	my $in_function = 'DO $$ BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN OTHERS THEN NULL; END $$';

	for my $sql ('SELECT pg_sleep(60)', $in_function)
	{
		my $errors;
		my $what = $sql eq $in_function ? 'in a handler' : 'SELECT';

		$probe->counts(sub { $errors = signal_running('pg_cancel_backend', $how, $sql); },
			1, 1, "pg_cancel_backend, $how, $what");
		is($errors, '57014', 'it was cancelled');
		$probe->counts(sub { $errors = signal_running('pg_terminate_backend', $how, $sql); },
			0, 1, "pg_terminate_backend, $how, $what");
		is($errors, '57P01', 'it was terminated');
	}
}

# A connection that ends between statements fails none.
for my $how ('disconnect', 'pg_terminate_backend', 'timeout')
{
	$probe->counts(
		sub {
			my $session = RawClient->new($node, 'app');
			my $pid = $session->pid;

			$session->query(q(SET idle_in_transaction_session_timeout = '100ms')) if $how eq 'timeout';
			$session->query('BEGIN');
			$session->query('INSERT INTO plain VALUES (1)');
			$session->query('SAVEPOINT a');
			$session->disconnect if $how eq 'disconnect';
			$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)")
			  if $how eq 'pg_terminate_backend';
			$probe->wait_for_exit($pid);
		},
		$how eq 'timeout' ? 4 : 3, 0, "a transaction that ends by $how");
}

# A serialization failure that only the commit finds.
$probe->counts(
	sub {
		my @session = map { RawClient->new($node, 'app') } 1 .. 2;

		$_->query('BEGIN ISOLATION LEVEL SERIALIZABLE') for @session;
		$_->query('SELECT sum(v) FROM t') for @session;
		$session[$_]->query("INSERT INTO t VALUES (100 + $_, $_)") for 0 .. 1;
		is(RawClient::errors($session[0]->query('COMMIT')), '', 'one of them commits');
		is(RawClient::errors($session[1]->query('COMMIT')), '40001', 'the other cannot');
		$_->disconnect for @session;
	},
	7, 1, 'a serialization failure in COMMIT');

# COPY, through psql.
$probe->counts(
	sub { $node->psql('app', "COPY plain FROM stdin;\nx\n\\.\nSELECT 1;\n", on_error_stop => 0); },
	1, 1, 'COPY of a bad row');

$node->stop;
done_testing();
