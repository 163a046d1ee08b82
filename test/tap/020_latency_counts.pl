# Every top-level statement is counted exactly once, whatever runs inside it,
# in the simple protocol, in the extended protocol and in pipelines.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use LatencyProbe;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RawClient;
use Test::More;

my $node = LatencyProbe::start_server('counts');
my $probe = LatencyProbe->new($node);

$node->safe_psql(
	'app', q{
CREATE TABLE t (id int PRIMARY KEY, v int DEFAULT 0);
CREATE TABLE plain (v int);
CREATE TABLE log (v int);
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int REFERENCES parent ON DELETE CASCADE DEFERRABLE);
CREATE TABLE fired (id int);
CREATE TABLE late (id int);
CREATE TABLE ruled (v int);
CREATE TABLE turned (v int);
CREATE TABLE noisy (v int);
CREATE TABLE big AS SELECT g AS id, g % 10 AS v FROM generate_series(1, 20000) g;
ANALYZE big;
INSERT INTO t SELECT g FROM generate_series(1, 100) g;
INSERT INTO parent SELECT g FROM generate_series(1, 100) g;

CREATE FUNCTION busy(n int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	s int := 0;
BEGIN
	FOR i IN 1 .. n LOOP
		s := s + (SELECT count(*) FROM t WHERE id = i);
		INSERT INTO log VALUES (i);
	END LOOP;
	RETURN s;
END $$;
CREATE FUNCTION sql_busy(n int) RETURNS bigint LANGUAGE sql AS $$
	DELETE FROM log WHERE v < n;
	SELECT count(*) FROM t;
$$;
CREATE FUNCTION rows(n int) RETURNS SETOF int LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. n LOOP
		RETURN NEXT (SELECT count(*) FROM plain);
	END LOOP;
END $$;
-- the planner calls this one, to estimate or to fold
CREATE FUNCTION folded() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	RETURN (SELECT count(*) FROM t WHERE id < 5);
END $$;
CREATE FUNCTION caught(n int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	s int := 0;
BEGIN
	FOR i IN 1 .. n LOOP
		BEGIN
			INSERT INTO t VALUES (1);
		EXCEPTION WHEN unique_violation THEN
			s := s + 1;
		END;
	END LOOP;
	RETURN s;
END $$;
CREATE PROCEDURE commits(n int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. n LOOP
		INSERT INTO log VALUES (i);
		IF i % 2 = 0 THEN COMMIT; ELSE ROLLBACK; END IF;
	END LOOP;
END $$;
CREATE FUNCTION trigger_busy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM busy(3);
	RETURN NEW;
END $$;
CREATE TRIGGER b BEFORE INSERT ON fired FOR EACH ROW EXECUTE FUNCTION trigger_busy();
CREATE TRIGGER a AFTER INSERT ON fired FOR EACH ROW EXECUTE FUNCTION trigger_busy();
CREATE TRIGGER s AFTER INSERT ON fired EXECUTE FUNCTION trigger_busy();
CREATE CONSTRAINT TRIGGER d AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION trigger_busy();
CREATE RULE also AS ON INSERT TO ruled DO ALSO
	(INSERT INTO log VALUES (NEW.v); INSERT INTO log VALUES (NEW.v + 1));
CREATE RULE also_update AS ON UPDATE TO ruled DO ALSO INSERT INTO log VALUES (OLD.v);
CREATE RULE instead AS ON DELETE TO turned DO INSTEAD UPDATE plain SET v = v;
CREATE RULE same AS ON INSERT TO turned DO INSTEAD INSERT INTO plain VALUES (NEW.v);
CREATE RULE loud AS ON INSERT TO noisy DO ALSO NOTIFY noise;
});

# name => [messages], each the list of its statements; all of them are counted
my @cases = (
	[ 'SELECT', ['SELECT 1'] ],
	[ 'SELECT with a trailing comment', ['SELECT 1 -- done'] ],
	[ 'DML', ['INSERT INTO plain VALUES (1), (2)'], ['UPDATE plain SET v = 2'],
		['DELETE FROM plain'] ],
	[ 'RETURNING', ['INSERT INTO plain VALUES (1) RETURNING v'],
		['DELETE FROM plain RETURNING v'] ],
	[ 'a data-modifying CTE',
		['WITH x AS (INSERT INTO plain VALUES (1) RETURNING v) SELECT * FROM x'],
		['WITH x AS (DELETE FROM plain RETURNING v) INSERT INTO log SELECT v FROM x'] ],
	[ 'MERGE', ['MERGE INTO t USING (VALUES (1)) s (id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = 1'] ],
	[ 'three statements in a message', [ 'SELECT 1', 'INSERT INTO plain VALUES (1)', 'SELECT 2' ] ],
	[ 'utility statements', ['SET work_mem = 8192'], ['SHOW work_mem'], ['RESET work_mem'],
		['CREATE TABLE made (a int)'], ['ALTER TABLE made ADD b int'],
		['CREATE INDEX ON made (a)'], ['COMMENT ON TABLE made IS $$x$$'],
		['TRUNCATE made'], ['DROP TABLE made'],
		['LISTEN x'], ['NOTIFY x'], ['UNLISTEN x'], ['DISCARD PLANS'], ['CHECKPOINT'] ],
	[ 'utilities that commit by themselves', ['VACUUM plain'], ['VACUUM FULL plain'],
		['ANALYZE plain'], ['CREATE INDEX CONCURRENTLY i ON plain (v)'],
		['REINDEX INDEX CONCURRENTLY i'], ['DROP INDEX CONCURRENTLY i'] ],
	[ 'a script of utilities and queries', [ 'CREATE TEMP TABLE x (a int)', 'INSERT INTO x VALUES (1)',
		'SELECT * FROM x', 'DROP TABLE x' ] ],
	[ 'CREATE TABLE AS and SELECT INTO', ['CREATE TABLE c1 AS SELECT * FROM t'],
		['SELECT * INTO c2 FROM t'], ['CREATE MATERIALIZED VIEW m AS SELECT * FROM t'],
		['REFRESH MATERIALIZED VIEW m'], ['DROP TABLE c1, c2 CASCADE'], ['DROP MATERIALIZED VIEW m'] ],
	[ 'EXPLAIN', ['EXPLAIN SELECT * FROM t'], ['EXPLAIN ANALYZE SELECT busy(5)'],
		['EXPLAIN (ANALYZE) INSERT INTO fired VALUES (1)'] ],
	[ 'a function that runs many statements', ['SELECT busy(200)'] ],
	[ 'a function in SQL', ['SELECT sql_busy(100)'] ],
	[ 'a set-returning function', ['SELECT * FROM rows(50)'], ['SELECT rows(50)'] ],
	[ 'a function called by the planner', ['SELECT folded()'],
		['SELECT * FROM t WHERE id < folded()'] ],
	[ 'planner calls in a message of many', [ 'SELECT folded()', 'SELECT folded()', 'SELECT 1' ] ],
	[ '10000 exceptions caught', ['SELECT caught(10000)'], ['SELECT 1'] ],
	[ 'DO', ['DO $$ BEGIN PERFORM busy(20); PERFORM busy(2); END $$'] ],
	[ 'DO with transaction control', ['DO $$ BEGIN PERFORM 1; COMMIT; PERFORM 2; ROLLBACK; END $$'], ['SELECT 1'] ],
	[ 'a procedure that commits and rolls back', ['CALL commits(7)'], ['SELECT 1'] ],
	[ 'triggers', ['INSERT INTO fired VALUES (1), (2)'] ],
	[ 'deferred triggers', ['INSERT INTO late VALUES (1), (2)'], ['SELECT 1'] ],
	[ 'deferred triggers in a block', ['BEGIN'], ['INSERT INTO late VALUES (1), (2)'],
		['SELECT 1'], ['COMMIT'], ['SELECT 1'] ],
	[ 'SET CONSTRAINTS', ['BEGIN'], ['INSERT INTO late VALUES (1)'],
		['SET CONSTRAINTS ALL IMMEDIATE'], ['COMMIT'] ],
	[ 'foreign keys', ['INSERT INTO parent VALUES (-1)'],
		['INSERT INTO child VALUES (-1), (-1)'], ['DELETE FROM parent WHERE id < 0'] ],
	[ 'DO ALSO rules', ['INSERT INTO ruled VALUES (1)'], ['UPDATE ruled SET v = 2'] ],
	[ 'DO ALSO rules in a message of many',
		[ 'SELECT 1', 'INSERT INTO ruled VALUES (1)', 'UPDATE ruled SET v = 2', 'SELECT 1' ] ],
	[ 'DO INSTEAD rules', ['DELETE FROM turned'], ['INSERT INTO turned VALUES (1)'] ],
	[ 'DO INSTEAD rules in a message of many',
		[ 'SELECT 1', 'DELETE FROM turned', 'DELETE FROM turned', 'INSERT INTO turned VALUES (1)', 'DELETE FROM turned' ] ],
	[ 'a rule with a utility', ['INSERT INTO noisy VALUES (1)'] ],
	[ 'a transaction', ['BEGIN'], ['SELECT 1'], ['INSERT INTO plain VALUES (1)'],
		['SELECT 2'], ['COMMIT'] ],
	[ 'a transaction rolled back', ['BEGIN'], ['INSERT INTO plain VALUES (1)'], ['ROLLBACK'], ['SELECT 1'] ],
	[ 'a transaction in one message', [ 'BEGIN', 'SELECT 1', 'INSERT INTO plain VALUES (1)', 'COMMIT' ] ],
	[ 'a block opened in the middle of a message',
		[ 'INSERT INTO plain VALUES (1)', 'BEGIN', 'SELECT 1' ], ['SELECT 2'], ['COMMIT'] ],
	[ 'COMMIT AND CHAIN', ['BEGIN'], ['SELECT 1'], ['COMMIT AND CHAIN'], ['SELECT 1'],
		['ROLLBACK AND CHAIN'], ['SELECT 1'], ['ROLLBACK'], ['SELECT 1'] ],
	[ 'COMMIT and ROLLBACK outside a block', ['COMMIT'], ['ROLLBACK'] ],
	[ 'BEGIN twice', ['BEGIN'], ['BEGIN'], ['COMMIT'] ],
	[ 'savepoints', ['BEGIN'], ['SAVEPOINT a'], ['INSERT INTO plain VALUES (1)'],
		['SAVEPOINT b'], ['SELECT 1'], ['ROLLBACK TO a'], ['RELEASE a'], ['COMMIT'] ],
	[ 'two-phase commit', ['BEGIN'], ['INSERT INTO plain VALUES (1)'],
		[q(PREPARE TRANSACTION 'x')], [q(COMMIT PREPARED 'x')], ['SELECT 1'] ],
	[ 'cursors', ['BEGIN'], ['DECLARE c CURSOR FOR SELECT busy(id) FROM t WHERE id < 10'],
		['FETCH 3 FROM c'], ['MOVE 1 IN c'], ['FETCH ALL FROM c'], ['CLOSE c'], ['COMMIT'] ],
	[ 'a cursor WITH HOLD', ['DECLARE h CURSOR WITH HOLD FOR SELECT rows(10)'],
		['FETCH 3 FROM h'], ['FETCH ALL FROM h'], ['CLOSE h'] ],
	[ 'a cursor WITH HOLD kept by COMMIT', ['BEGIN'],
		['DECLARE h CURSOR WITH HOLD FOR SELECT rows(10)'], ['FETCH 3 FROM h'],
		['COMMIT'], ['FETCH 3 FROM h'], ['CLOSE h'] ],
	[ 'PREPARE and EXECUTE', ['PREPARE p AS SELECT busy(3)'], ['EXECUTE p'], ['EXECUTE p'],
		['CREATE TEMP TABLE e AS EXECUTE p'], ['DROP TABLE e'], ['DEALLOCATE p'] ],
);

sub run_cases
{
	my ($how, $run) = @_;

	for my $case (@cases)
	{
		my ($name, @messages) = @$case;
		my $statements = 0;
		$statements += @$_ for @messages;
		my $client = RawClient->new($node, 'app');

		$probe->counts(
			sub {
				my $errors = RawClient::errors($run->($client, @messages));
				is($errors, '', "$how: no error in $name") if $errors;
			},
			$statements, 0, "$how: $name");
		$client->disconnect;
	}
	return;
}

run_cases('simple',
	sub { my $client = shift; map { $client->query(join '; ', @$_) } @_; });
run_cases('extended',
	sub { my $client = shift; map { $client->extended($_) } map { @$_ } @_; });

# One Sync a message of the case: a pipeline, where there is more than one.
run_cases('pipeline', sub {
	my $client = shift;
	return map {
		my @statements = @$_;
		$client->parse($_)->bind->describe->execute for @statements;
		$client->sync;
	} @_;
});

# The same without one hook of ours being told which session is which: psql.
$probe->counts(
	sub {
		$node->safe_psql('app', "SELECT 1;\nSELECT 2 \\; SELECT 3;\nSELECT busy(10);\nCOPY t TO stdout;");
	},
	5, 0, 'psql: its statements, and nothing else');

# Parallel workers run the same plan, and count nothing.
my $parallel = $node->safe_psql('app', q{
	SELECT name FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query')});
my $settings = "SET $parallel = on; SET parallel_setup_cost = 0; "
  . 'SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; '
  . 'SET max_parallel_workers_per_gather = 2';
my $client = RawClient->new($node, 'app');
$client->query($settings);
my @plan = map { $_->[0] } $client->rows('EXPLAIN (ANALYZE) SELECT sum(v) FROM big');
like("@plan", qr/Workers Launched: [12]/, 'parallel workers do run');
$probe->counts(
	sub {
		$client->query('SELECT sum(v) FROM big') for 1 .. 5;
		$client->extended('SELECT sum(v) FROM big') for 1 .. 5;
		$client->query('CREATE TABLE p AS SELECT v, count(*) FROM big GROUP BY v');
	},
	11, 0, 'parallel queries');
$client->disconnect;

# A session that is not measured, and one that stops being so.
$client = RawClient->new($node, 'app', options => '-c dbmaint.track_latency=off');
$probe->counts(sub { $client->query('SELECT 1') for 1 .. 5; $client->query('SELECT 1/0'); },
	0, 0, 'dbmaint.track_latency = off counts nothing');
$client->query('SET dbmaint.track_latency = on');
$probe->counts(sub { $client->query('SELECT 1') for 1 .. 5; $client->query('SELECT 1/0'); },
	5, 1, 'and on counts again');

# Statements of another database are that one's.
$probe->counts(
	sub { $node->safe_psql('postgres', 'SELECT 1'); $client->query('SELECT 1'); },
	1, 0, 'another database is not ours');

$node->stop;
done_testing();
