# What others do to a job's relation, to its row and to its runner meanwhile
# costs no other job anything.
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
	CREATE EXTENSION dbmaint;
	CREATE TABLE kept (id int PRIMARY KEY);
	CREATE TABLE other (id int PRIMARY KEY);
});
make_gated($node, 'postgres');

sub value { return $node->safe_psql('postgres', $_[0]); }

sub enqueue_here { return enqueue($node, 'postgres', @_); }

sub ends { return ends_as($node, 'postgres', @_); }

my $invalid = q{SELECT string_agg(indexrelid::regclass::text, ',' ORDER BY indexrelid::regclass::text COLLATE "C") FROM pg_index WHERE NOT indisvalid};

#
# REINDEX CONCURRENTLY makes a new relation of an index: who asked for the old
# one while it was at work means the new one.
#
my $gate = close_gate($node, 'postgres');
my $job = enqueue_here('reindex', 'slow_idx');
ok(wait_for_state($node, 'postgres', $job, 'running'), 'an index is rebuilt');
my $again = enqueue_here('reindex', 'slow_idx');
isnt($again, $job, 'and asked for once more');
my $index = value(q{SELECT 'slow_idx'::regclass::oid});
open_gate($gate);
ends($job, qr/^done$/, 'the first is done');
ends($again, qr/^done$/, 'and so is the second');
isnt(value(q{SELECT 'slow_idx'::regclass::oid}), $index, 'which found another relation by that name');

# the same after a crash when all but the old one's end was done
my $reader = session($node, 'postgres', 'BEGIN; SELECT count(*) FROM slow');
$job = enqueue_here('reindex', 'slow_idx');
ok($node->poll_query_until('postgres', "SELECT progress LIKE '%waiting for readers before marking dead%' FROM dbmaint_jobs WHERE job_id = $job"),
	'the new index has its name');
is(value($invalid), 'slow_idx_ccold', 'and the old one another');
$node->stop('immediate');
$reader->{handle}->finish;
$node->start;
ends($job, qr/^interrupted: .*; done$/, 'a crash then: the job is done again, on the new one');
is(value($invalid), '', 'and the old one is gone');
like(value("SELECT output FROM dbmaint_job_history WHERE job_id = $job AND attempt = 1"), qr/Dropped the invalid index public.slow_idx_ccold/, 'as the job tells');
$job = enqueue_here('reindex', 'slow_idx');
value('DROP INDEX slow_wide_idx; ALTER TABLE slow RENAME TO slower; ALTER INDEX slow_idx RENAME TO slower_idx');
ends($job, qr/^done$/, 'a new name of index or table is no other index');
value('ALTER TABLE slower RENAME TO slow; ALTER INDEX slower_idx RENAME TO slow_idx');

#
# A session that asks for what runs, and does not commit, stops nobody.
#
my $lock = session($node, 'postgres', 'BEGIN; LOCK TABLE kept IN SHARE UPDATE EXCLUSIVE MODE');
$job = enqueue_here('vacuum', 'kept', '{"attempts": 100, "retry_after": "100ms"}');
my $idler;
foreach my $try (1 .. 20)
{
	wait_for_state($node, 'postgres', $job, 'running');
	$idler = session($node, 'postgres',
		q{BEGIN; SELECT 'asked ' || dbmaint_enqueue('vacuum', 'kept', '{"attempts": 100, "retry_after": "100ms"}')});
	# between two attempts it is the same job
	last if $idler->{out} =~ /asked (\d+)/ && $1 != $job;
	leave($idler);
}
like($idler->{out}, qr/asked (?!$job\b)/, 'the same is asked for while it runs, by a session that stays in its transaction');
ok($node->poll_query_until('postgres', "SELECT attempts > 2 FROM dbmaint_jobs WHERE job_id = $job"), 'the job that fails is tried again nevertheless');
ends(enqueue_here('analyze', 'other'), qr/^done$/, 'and others are done');
leave($idler);
leave($lock);
ends($job, qr/; done$/, 'at last it is done');
is(value(q{SELECT count(*) FROM dbmaint_jobs}), '0', 'and nothing is left');

# Nor one that has locked a row of the queue which an earlier runner left.
$gate = close_gate($node, 'postgres');
$job = enqueue_here('reindex', 'slow_idx');
ok($node->poll_query_until('postgres', "SELECT progress LIKE '%building index%' FROM dbmaint_jobs WHERE job_id = $job"), 'a job runs');
my $locker = session($node, 'postgres', "BEGIN; SELECT job_id FROM dbmaint_job_queue WHERE job_id = $job FOR UPDATE");
my $runner = runner_of($node, 'postgres');
value("SELECT pg_terminate_backend($runner)");
open_gate($gate);
ok(runner_of($node, 'postgres', $runner), 'it is interrupted while somebody has its row locked');
ends(enqueue_here('analyze', 'other'), qr/^done$/, 'another job is done');
is(job_state($node, 'postgres', $job), 'running', 'that one waits');
leave($locker);
ends($job, qr/^interrupted: .*; done$/, 'and is done when the row is free');
is(value($invalid), '', 'without a rest');

#
# What other people's commands left is not cleared away, also when they left it
# between two attempts; what ours left is, as soon as that can be.
#
$node->safe_psql('postgres', q{
	CREATE TABLE good (yes bool);
	CREATE FUNCTION public.fails(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
	BEGIN
		IF EXISTS (SELECT FROM public.good) THEN RETURN i; END IF;
		RAISE EXCEPTION 'not today';
	END $$;
	INSERT INTO good VALUES (true);
	CREATE TABLE broken (id int, n int);
	INSERT INTO broken VALUES (1, 1), (2, 1);
	CREATE INDEX broken_idx ON broken (public.fails(id));
	DELETE FROM good;
});
$reader = session($node, 'postgres', 'BEGIN; SELECT count(*) FROM broken');
$job = enqueue_here('reindex', 'broken_idx', '{"attempts": 2, "retry_after": "4s"}');
ok(wait_for_state($node, 'postgres', $job, 'retrying'), 'an index cannot be built');
is(value($invalid), 'broken_idx_ccnew', 'and what is left of it not be dropped');
like(value("SELECT output FROM dbmaint_job_history WHERE job_id = $job"), qr/could not drop the invalid index public.broken_idx_ccnew/, 'which the job tells');
leave($reader);
$node->psql('postgres', 'CREATE UNIQUE INDEX CONCURRENTLY dba_ccnew ON broken (n)');
is(value($invalid), 'broken_idx_ccnew,dba_ccnew', 'somebody else fails, too');
value('INSERT INTO good VALUES (true)');
ends($job, qr/^failed: not today; done$/, 'the second attempt goes well');
is(value($invalid), 'dba_ccnew', 'and clears away what the first left, but nothing else');
value('DELETE FROM good');
ends(enqueue_here('reindex', 'broken_idx', '{"attempts": 1}'), qr/^failed: not today$/, 'one that fails for good');
is(value($invalid), 'dba_ccnew', 'leaves nothing of its own, and the other where it is');

#
# What a function of an index does to the runner's session ends with the job.
#
$node->safe_psql('postgres', q{
	CREATE FUNCTION public.clings(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM pg_catalog.pg_advisory_lock(815);
		PERFORM pg_catalog.set_config('search_path', 'public', false), pg_catalog.set_config('lock_timeout', '1ms', false),
			pg_catalog.set_config('default_transaction_read_only', 'on', false);
		RETURN i;
	END $$;
	CREATE TABLE sticky (id int); INSERT INTO sticky VALUES (1);
	CREATE INDEX sticky_idx ON sticky (public.clings(id));
});
$lock = session($node, 'postgres', 'BEGIN; LOCK TABLE kept IN SHARE UPDATE EXCLUSIVE MODE');
my $first = value(q{SELECT dbmaint_enqueue('reindex', 'sticky')});
ends($first, qr/^done$/, 'a function that clings to the session');
is(value(q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 815}), '0', 'keeps no lock');
leave($lock);
ends(enqueue_here('vacuum', 'kept'), qr/^done$/, 'and changes no setting');

#
# A runner that is never idle takes a new configuration, too.
#
$node->safe_psql('postgres', q{
	CREATE FUNCTION public.quarter(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
		$$ BEGIN PERFORM pg_catalog.pg_sleep(0.25); RETURN i; END $$;
	CREATE TABLE many (id int); INSERT INTO many VALUES (1);
	DO $$ BEGIN FOR i IN 1 .. 6 LOOP EXECUTE format('CREATE INDEX many_%s ON many ((id + %s)) WHERE public.quarter(id) IS NOT NULL', i, i); END LOOP; END $$;
});
$gate = close_gate($node, 'postgres');
$job = value(q{
	SELECT dbmaint_enqueue('reindex', 'many_' || i) FROM generate_series(1, 6) AS i;
	SELECT dbmaint_enqueue('reindex', 'slow_idx')}) =~ s/.*\n//sr;
ok($node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM dbmaint_jobs WHERE state = 'running'}), 'a queue is at work');
value(q{ALTER SYSTEM SET dbmaint.job_timeout = '1s'});
$node->reload;
ends($job, qr/^failed: the attempt took longer than its limit of 1000 ms$/, 'a limit that was set meanwhile holds for the last of it');
value(q{ALTER SYSTEM RESET dbmaint.job_timeout});
$node->reload;
open_gate($gate);

is(value(q{SELECT count(*) FROM dbmaint_jobs}), '0', 'nothing waits at the end');
unlike(slurp_file($node->logfile), qr/TRAP|PANIC|signal 11|signal 6/, 'nothing broke');
$node->stop;
done_testing();
