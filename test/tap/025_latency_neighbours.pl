# With pg_stat_statements and auto_explain loaded before or after dbmaint, the
# counts are the same; and pg_stat_statements' own calls agree with them.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use LatencyProbe;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RawClient;
use Test::More;

my @statements = (
	'SELECT 1', 'INSERT INTO t VALUES (1)', 'UPDATE t SET v = 2', 'SELECT busy(10)',
	'INSERT INTO fired VALUES (1)', 'SELECT caught(100)',
	'SET work_mem = 4096', 'CREATE TABLE made (v int)', 'DROP TABLE made',
	'CREATE TABLE made AS SELECT busy(2)', 'EXPLAIN (ANALYZE) SELECT busy(2)', 'DROP TABLE made',
	'DO $$ BEGIN PERFORM busy(3); END $$', 'CALL commits()',
	'BEGIN', 'SELECT busy(3)', 'DECLARE c CURSOR FOR SELECT busy(v) FROM t', 'FETCH 2 FROM c', 'CLOSE c', 'COMMIT',
	'BEGIN', 'SAVEPOINT a', 'SELECT 1', 'ROLLBACK TO a', 'COMMIT', 'VACUUM t', 'SELECT busy(1)');
# Queries that the commit runs, or ends, are another call to pg_stat_statements.
my @late = ('INSERT INTO late VALUES (1)', 'SELECT 1');
my @failures = ('SELEC', 'SELECT nope', 'SELECT 1 / v FROM zero', 'INSERT INTO unique_late VALUES (1)',
	'DO $$ BEGIN PERFORM busy(3); PERFORM 1 / 0; END $$');

for my $preload ('dbmaint', 'pg_stat_statements,auto_explain,dbmaint',
	'dbmaint,auto_explain,pg_stat_statements')
{
	my $neighbours = $preload ne 'dbmaint';
	my $node = LatencyProbe::start_server('order_' . $preload =~ tr/,/_/r,
		preload => $preload,
		conf => $neighbours ? <<'CONF' : '');
auto_explain.log_min_duration = 0
auto_explain.log_analyze = on
auto_explain.log_triggers = on
auto_explain.log_nested_statements = on
pg_stat_statements.track = all
compute_query_id = on
CONF
	my $probe = LatencyProbe->new($node);

	$node->safe_psql('postgres', 'CREATE EXTENSION pg_stat_statements') if $neighbours;
	$probe->value('SET pg_stat_statements.track = none; SET auto_explain.log_min_duration = -1; SELECT 1')
	  if $neighbours;
	$node->safe_psql(
		'app', q{
CREATE TABLE t (v int);
CREATE TABLE zero AS SELECT 0 AS v;
CREATE TABLE fired (v int);
CREATE TABLE late (v int);
CREATE TABLE unique_late (v int UNIQUE DEFERRABLE INITIALLY DEFERRED);
INSERT INTO unique_late VALUES (1);
CREATE FUNCTION busy(n int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. n LOOP UPDATE zero SET v = 0; END LOOP;
	RETURN (SELECT count(*) FROM zero);
END $$;
CREATE FUNCTION caught(n int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. n LOOP
		BEGIN PERFORM 1 / v FROM zero; EXCEPTION WHEN division_by_zero THEN NULL; END;
	END LOOP;
	RETURN n;
END $$;
CREATE PROCEDURE commits() LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO t VALUES (1); COMMIT; INSERT INTO t VALUES (1); ROLLBACK; END $$;
CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM busy(2); RETURN NULL; END $$;
CREATE TRIGGER a AFTER INSERT ON fired FOR EACH ROW EXECUTE FUNCTION fire();
CREATE CONSTRAINT TRIGGER d AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION fire();
});

	for my $how ('query', 'extended')
	{
		my $client = RawClient->new($node, 'app');
		my $errors;

		$node->safe_psql('postgres', 'SELECT pg_stat_statements_reset()') if $neighbours;
		$probe->counts(
			sub { $errors = RawClient::errors(map { $client->$how($_) } @statements); },
			scalar @statements, 0, "$preload: $how");
		is($errors, '', "$preload: $how: no error");
		is($node->safe_psql('postgres', q{
				SELECT sum(calls) FROM pg_stat_statements
				WHERE toplevel AND dbid = (SELECT oid FROM pg_database WHERE datname = 'app')}),
			scalar @statements, "$preload: $how: pg_stat_statements agrees")
		  if $neighbours;
		$probe->counts(sub { $client->$how($_) for @late; },
			scalar @late, 0, "$preload: $how: deferred triggers");
		$probe->counts(
			sub { $errors = RawClient::errors(map { $client->$how($_) } @failures); },
			0, scalar @failures, "$preload: $how: failures");
		is($errors, '42601 42703 22012 23505 22012', "$preload: $how: the errors expected");
		$client->disconnect;
	}
	$node->stop;
}

done_testing();
