# dbmaint_missing_indexes() with the real pg_qualstats and hypopg: proposals,
# their gain, and that planning runs no function of a table's owner.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('missing');
my $libdir = $node->config_data('--pkglibdir');
plan skip_all => 'pg_qualstats and hypopg are not installed'
  unless -e "$libdir/pg_qualstats.so" && -e "$libdir/hypopg.so";

$node->init;
$node->append_conf(
	'postgresql.conf', q{
shared_preload_libraries = 'pg_stat_statements,pg_qualstats,dbmaint'
dbmaint.enabled = off
autovacuum = off
pg_qualstats.sample_rate = 1
pg_qualstats.resolve_oids = off
});
$node->start;
$node->safe_psql('postgres', q{
CREATE EXTENSION dbmaint;
CREATE SCHEMA tools;
CREATE EXTENSION hypopg SCHEMA tools;
CREATE TABLE "Big ""t""" (id int PRIMARY KEY, "kind ""k""" int, at timestamptz, note text, small int);
INSERT INTO "Big ""t""" SELECT i, i % 1000, timestamptz '2026-01-01' + i * interval '1 min', repeat('x', 200), i % 2
  FROM generate_series(1, 20000) AS i;
ANALYZE;
});

my $ask = q{SELECT columns, gain_ratio > 0.5 AS gain, cost_with < cost_without AS cheaper, index_bytes > 0 AS size, statement, reason
  FROM dbmaint_missing_indexes(1000000, 5)};

# Makes scans that an index would serve, and one that none would.
sub work
{
	for my $n (1 .. 6)
	{
		$node->safe_psql('postgres', qq{
SET max_parallel_workers_per_gather = 0;
SELECT count(*) FROM "Big ""t""" WHERE "kind ""k""" = $n AND at > '2026-01-05';
SELECT count(*) FROM "Big ""t""" WHERE note LIKE '%y%';
SELECT count(*) FROM "Big ""t""" WHERE small = 1 AND note <> 'y';
SELECT pg_stat_force_next_flush();});
	}
}

work();
like($node->safe_psql('postgres', $ask), qr/^\|\|\|\|\|.*known with the extension pg_qualstats/,
	'without pg_qualstats only the table is named');

$node->safe_psql('postgres', 'CREATE EXTENSION pg_qualstats SCHEMA tools');
work();
my @rows = split /\n/, $node->safe_psql('postgres', $ask);
cmp_ok(scalar(@rows), '>=', 1, 'proposals');
my ($best) = grep { /^"kind/ } @rows;
like($best, qr/^"kind ""k""", at\|t\|t\|t\|CREATE INDEX CONCURRENTLY ON public\."Big ""t""" \("kind ""k""", at\);\|/,
	'equality first, then the range, quoted, with its gain');
my ($useless) = grep { /^small\|/ } @rows;
like($useless, qr/^small\|f\|.*\|\|.*hardly use/, 'what gains nothing has no statement');
unlike(join("\n", @rows), qr/note/, 'and no index for what none serves');
is($node->safe_psql('postgres', 'SELECT count(*) FROM tools.hypopg()'), '0', 'no hypothetical index is left');

my ($statement) = $best =~ /(CREATE INDEX[^;]*;)/;
$node->safe_psql('postgres', $statement);
unlike($node->safe_psql('postgres', $ask), qr/"kind/, 'what was built is not proposed again');
like($node->safe_psql('postgres', qq{EXPLAIN SELECT count(*) FROM "Big ""t""" WHERE "kind ""k""" = 1 AND at > '2026-01-05'}),
	qr/Index/, 'and is used');
$node->safe_psql('postgres', q{DROP INDEX "Big ""t""_kind ""k""_at_idx"});

# somebody else's table: planning a query on it would run the owner's function
$node->safe_psql('postgres', q{
CREATE ROLE owner LOGIN;
GRANT CREATE ON SCHEMA public TO owner;
CREATE TABLE caught (by text);
GRANT INSERT ON caught TO PUBLIC;
});
$node->safe_psql('postgres', q{
SET ROLE owner;
CREATE FUNCTION trap(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS
  $$BEGIN IF current_user <> 'owner' THEN RAISE EXCEPTION 'ran as %', current_user; END IF; RETURN true; END$$;
CREATE TABLE bait (id int, v int, t text);
INSERT INTO bait SELECT i, i % 500, repeat('x', 200) FROM generate_series(1, 20000) AS i;
CREATE INDEX ON bait (id) WHERE trap(1) AND v > 0;
ANALYZE bait;
SET max_parallel_workers_per_gather = 0;
SELECT count(*) FROM bait WHERE v = 1;
SELECT count(*) FROM bait WHERE v = 2;
SELECT pg_stat_force_next_flush();
});
is($node->safe_psql('postgres', q{SELECT columns, gain_ratio IS NULL, statement FROM dbmaint_missing_indexes(1000000, 1) WHERE tablename = 'bait'}),
	'v|t|CREATE INDEX CONCURRENTLY ON public.bait (v);',
	'a proposal for a table whose owner could trap the planner has no gain');
is($node->safe_psql('postgres', q{SELECT columns, gain_ratio > 0.5 FROM dbmaint_missing_indexes(1000000, 1) WHERE tablename = 'Big "t"' AND columns LIKE '"kind%'}),
	'"kind ""k""", at|t', 'one of the own tables has');

# a locked table makes it neither wait nor fail
my $locker = $node->background_psql('postgres');
$locker->query_safe('BEGIN; LOCK TABLE "Big ""t""" IN ACCESS EXCLUSIVE MODE');
is($node->safe_psql('postgres', q{SELECT columns, gain_ratio IS NULL FROM dbmaint_missing_indexes(1000000, 1) WHERE columns LIKE '"kind%'}),
	'"kind ""k""", at|t', 'a locked table: the proposal without its gain');
$locker->query_safe('ROLLBACK');
$locker->quit;
is($node->safe_psql('postgres', 'SELECT count(*) FROM tools.hypopg()'), '0', 'nothing is left behind');

$node->stop;
done_testing();
