# Jobs done by a real runner: at top level, with the rights of who asked, again
# where that is worth it; one that fails stops no other.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Jobs;
use Samplers;
use Test::More;

my $node = new_server('primary');
$node->safe_psql('postgres', q{
	CREATE ROLE app;
	GRANT ALL ON SCHEMA public TO app;
	CREATE EXTENSION dbmaint;
	SET ROLE app;
	CREATE TABLE orders (id int PRIMARY KEY, note text);
	CREATE INDEX orders_note_idx ON orders (note);
	INSERT INTO orders SELECT n, n::text FROM generate_series(1, 2000) AS n;
	DELETE FROM orders WHERE id % 2 = 0;
});

sub value { return $node->safe_psql('postgres', $_[0]); }

sub enqueue_here { return enqueue($node, 'postgres', @_); }

sub ends { return ends_as($node, 'postgres', @_); }

#
# Each kind, for the table's owner, who is nobody else.
#
my $files = q{SELECT string_agg(c.relname || c.relfilenode, ',' ORDER BY 1) FROM pg_class AS c
	JOIN pg_index AS i ON i.indexrelid = c.oid WHERE i.indrelid = 'orders'::regclass AND i.indisvalid};
my $before = value($files);
ends(enqueue_here('vacuum', 'orders', '{"verbose": true, "freeze": true, "parallel": 0, "index_cleanup": "on"}', 'app'),
	qr/^done$/, 'vacuum is done');
like(value(q{SELECT output FROM dbmaint_job_history ORDER BY ended_at DESC LIMIT 1}),
	qr/INFO:.*vacuuming.*orders/s, 'with verbose, what it said is kept');
ends(enqueue_here('analyze', 'orders', '{"columns": ["id"]}', 'app'), qr/^done$/, 'analyze is done');
is(value(q{SELECT vacuum_count || ' ' || analyze_count FROM pg_stat_user_tables WHERE relname = 'orders'}),
	'1 1', 'and the server knows of both');
is(value(q{SELECT string_agg(attname, ',') FROM pg_stats WHERE tablename = 'orders'}), 'id',
	'the column that was named has statistics');
ends(enqueue_here('reindex', 'orders', '{}', 'app'), qr/^done$/, 'reindex of a table is done');
isnt(value($files), $before, 'its indexes are new');
is(value(q{SELECT count(*) FILTER (WHERE indisvalid) || ' ' || count(*) FROM pg_index WHERE indrelid = 'orders'::regclass}),
	'2 2', 'and there is none too many');
ends(enqueue_here('reindex', 'orders_note_idx', '{}', 'app'), qr/^done$/, 'reindex of an index is done');
is(value(q{SELECT count(*) FROM dbmaint_job_history WHERE requested_by = 'app' AND duration_ms > 0 AND ended_at >= started_at AND started_at >= enqueued_at}),
	'4', 'who asked, when, and how long it took are known');

#
# A table that goes while the command waits for it: nothing was done.
#
foreach my $kind (qw(vacuum analyze))
{
	$node->safe_psql('postgres', 'CREATE TABLE going (id int)');
	my $dropper = session($node, 'postgres', 'BEGIN; LOCK TABLE going IN SHARE UPDATE EXCLUSIVE MODE');
	my $job = enqueue_here($kind, 'going', '{"retry_after": "1s"}');
	$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE relation = 'going'::regclass AND NOT granted}) or die;
	$dropper->{in} .= "DROP TABLE going; COMMIT;\n";
	leave($dropper);
	ends($job, qr/^(?:failed: [^;]*lock timeout; )*failed: .*relation public\.going does not exist any more$/, "$kind of a table that is dropped meanwhile fails");
}

#
# What else is a target.
#
$node->safe_psql('postgres', q{
	CREATE TABLE parts (id int) PARTITION BY RANGE (id);
	CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
	CREATE INDEX parts_idx ON parts (id);
	CREATE MATERIALIZED VIEW summary AS SELECT count(*) FROM orders;
	CREATE UNIQUE INDEX summary_idx ON summary (count);
	CREATE UNLOGGED TABLE "scra""tch" (id int PRIMARY KEY);
});
foreach my $job (['vacuum', 'parts'], ['analyze', 'parts'], ['reindex', 'parts'], ['reindex', 'parts_idx'],
	['vacuum', 'summary'], ['reindex', 'summary'], ['vacuum', '"scra""tch"'], ['reindex', '"scra""tch"'],
	['vacuum', 'pg_catalog.pg_statistic'], ['analyze', 'pg_authid'])
{
	ends(enqueue_here(@$job), qr/^done$/, "@$job");
}
is(value(q{SELECT vacuum_count > 0 AND analyze_count > 0 FROM pg_stat_user_tables WHERE relname = 'part_1'}), 't',
	'a partitioned table is done by its partitions');

#
# What changed between asking and doing.
#
$node->safe_psql('postgres', q{
	CREATE ROLE gone;
	GRANT ALL ON SCHEMA public TO gone;
	CREATE TABLE dropped (id int);
	CREATE TABLE renamed (id int);
	CREATE TABLE given_away (id int);
	ALTER TABLE given_away OWNER TO app;
	CREATE TABLE orphan (id int);
	ALTER TABLE orphan OWNER TO gone;
	BEGIN;
	CREATE TEMPORARY TABLE asked (what text, job_id bigint);
	GRANT ALL ON asked TO PUBLIC;
	INSERT INTO asked VALUES ('dropped', dbmaint_enqueue('vacuum', 'dropped')),
		('renamed', dbmaint_enqueue('vacuum', 'renamed'));
	SET ROLE app;
	INSERT INTO asked VALUES ('given away', dbmaint_enqueue('vacuum', 'given_away'));
	SET ROLE gone;
	INSERT INTO asked VALUES ('orphan', dbmaint_enqueue('vacuum', 'orphan'));
	RESET ROLE;
	INSERT INTO asked VALUES ('last', dbmaint_enqueue('analyze', 'orders'));
	DROP TABLE dropped;
	ALTER TABLE renamed RENAME TO "new name";
	ALTER TABLE given_away OWNER TO postgres;
	DROP OWNED BY gone; DROP ROLE gone;
	CREATE TABLE asked_for AS SELECT * FROM asked;
	COMMIT;
});
sub asked { return value("SELECT job_id FROM asked_for WHERE what = '$_[0]'"); }
ends(asked('dropped'), qr/^failed: relation public.dropped does not exist any more$/, 'a dropped table');
ends(asked('renamed'), qr/^done$/, 'a renamed one is found');
like(value(q{SELECT target || ' ' || output FROM dbmaint_job_history WHERE job_id = } . asked('renamed')),
	qr/^public."new name" public.renamed is called public."new name" now/, 'and that is told');
ends(asked('given away'), qr/^failed: permission denied for relation public.given_away/, 'a right that was lost');
ends(asked('orphan'), qr/^failed: role "gone", which asked for the job, does not exist any more$/, 'a role that was dropped');
ends(asked('last'), qr/^done$/, 'none of them stopped another');

#
# Locks: tried for a moment, again later, and given up.
#
my $lock = session($node, 'postgres', 'BEGIN; LOCK TABLE orders IN SHARE UPDATE EXCLUSIVE MODE');
my $job = enqueue_here('vacuum', 'orders', '{"attempts": 2, "retry_after": "500ms"}');
ends($job, qr/^failed: canceling statement due to lock timeout; skipped: canceling statement due to lock timeout$/,
	'a lock that is not to be had: tried twice, then skipped');
$job = enqueue_here('vacuum', 'orders', '{"attempts": 50, "retry_after": "500ms"}');
ok(wait_for_state($node, 'postgres', $job, 'retrying'), 'one that may be tried more often');
like(value("SELECT sqlstate || ' ' || message FROM dbmaint_jobs WHERE job_id = $job"), qr/^55P03 .*lock timeout/, 'says what it waits for');
ends(enqueue_here('analyze', 'part_1'), qr/^done$/, 'meanwhile others are done');
leave($lock);
ends($job, qr/; done$/, 'and it is done when it can be');

#
# Limits and cancels of a job that runs.
#
make_gated($node, 'postgres');
my $gate = close_gate($node, 'postgres');
$job = enqueue_here('reindex', 'slow', '{"timeout": "1s"}');
ends($job, qr/^failed: the attempt took longer than its limit of 1000 ms$/, 'one that takes too long is ended, and not tried again');
is(value(q{SELECT count(*) FROM pg_index WHERE NOT indisvalid}), '0', 'and leaves no invalid index');
like(value("SELECT output FROM dbmaint_job_history WHERE job_id = $job"), qr/Dropped the invalid index public.slow_idx_ccnew that REINDEX left/, 'which it tells');

$job = enqueue_here('reindex', 'slow_idx');
ok($node->poll_query_until('postgres', "SELECT progress LIKE 'reindex concurrently: building index%' FROM dbmaint_jobs WHERE job_id = $job AND pid IS NOT NULL"),
	'the server\'s progress is in dbmaint_jobs');
is(value(q{SELECT state FROM dbmaint_status() WHERE process = 'runner' AND database = 'postgres'}), 'working', 'and the runner in dbmaint_status()');
is(value(qq{SET ROLE app; SELECT (dbmaint_job_progress($job)).pid IS NULL}), 't', 'not for others');
is(value("SELECT dbmaint_cancel_job($job)"), 't', 'it can be cancelled');
ends($job, qr/^cancelled: cancelled by role "postgres"$/, 'and is, once and for all');
is(value(q{SELECT count(*) FROM pg_index WHERE NOT indisvalid}), '0', 'without a rest');
is(value("SELECT dbmaint_cancel_job($job)"), 'f', 'one that has ended cannot be cancelled');
$job = enqueue_here('reindex', 'slow_idx');
ok(wait_for_state($node, 'postgres', $job, 'running'), 'another one runs');
ok($node->poll_query_until('postgres', "SELECT progress LIKE '%building index%' FROM dbmaint_jobs WHERE job_id = $job"), 'and builds');
value('SELECT pg_cancel_backend(' . runner_of($node, 'postgres') . ')');
ends($job, qr/^cancelled: cancelled by a signal$/, 'pg_cancel_backend() cancels the job, not the runner');

# waiting for a transaction is not waiting for a lock
open_gate($gate);
my $reader = session($node, 'postgres', 'BEGIN; SELECT count(*) FROM slow');
my $old = session($node, 'postgres', 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
$job = enqueue_here('reindex', 'slow_wide_idx');
ok($node->poll_query_until('postgres', "SELECT progress LIKE '%(waits for process $old->{pid})' FROM dbmaint_jobs WHERE job_id = $job"),
	'reindex says whose snapshot it waits for');
leave($old);
# the server still counts that one as done when it waits for the next
ok($node->poll_query_until('postgres', "SELECT progress LIKE '%(waits for process $reader->{pid})' FROM dbmaint_jobs WHERE job_id = $job"),
	'and whose lock');
is(value("SELECT done_ratio FROM dbmaint_jobs WHERE job_id = $job"), '0', 'and that this one is still to come');
leave($reader);
ends($job, qr/^done$/, 'and is done when that one is');

# an error of the index itself
$node->safe_psql('postgres', q{
	CREATE FUNCTION public.fails(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN i; END $$;
	CREATE TABLE broken (id int); INSERT INTO broken VALUES (1);
	CREATE INDEX broken_idx ON broken (public.fails(id));
	CREATE OR REPLACE FUNCTION public.fails(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not today'; END $$;
});
ends(enqueue_here('reindex', 'broken', '{"attempts": 3, "retry_after": "200ms"}'),
	qr/^failed: not today; failed: not today; failed: not today$/, 'an index that cannot be built is tried three times');
is(value(q{SELECT count(*) FILTER (WHERE NOT indisvalid) || ' ' || count(*) FROM pg_index WHERE indrelid = 'broken'::regclass}), '0 1',
	'and nothing is left of it');
is(value(q{SELECT count(*) FROM dbmaint_jobs}), '0', 'nothing waits at the end');
ok(sampled_again($node, 'postgres', 2), 'and sampling went on');
is(value(q{SELECT sum(errors) FROM dbmaint_status() WHERE process <> 'runner'}), '0', 'without an error');

$node->stop;
done_testing();
