# What interrupts a job costs nothing but time: it is seen, cleared up after,
# and done again.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Jobs;
use Samplers;
use Test::More;

my $node = new_server('primary', conf => "restart_after_crash = on\nmax_prepared_transactions = 2\n");
$node->safe_psql('postgres', 'CREATE EXTENSION dbmaint; CREATE DATABASE d');
$node->safe_psql('d', 'CREATE EXTENSION dbmaint');
make_gated($node, $_) foreach qw(postgres d);

sub value { return $node->safe_psql($_[1] // 'postgres', $_[0]); }

my $invalid = q{SELECT string_agg(indexrelid::regclass::text, ',' ORDER BY indexrelid::regclass::text COLLATE "C") FROM pg_index WHERE NOT indisvalid};

# An invalid index of somebody else's, named as REINDEX names what it builds.
$node->safe_psql('postgres', 'INSERT INTO slow VALUES (2, NULL), (3, NULL), (2, NULL)');
$node->psql('postgres', 'CREATE UNIQUE INDEX CONCURRENTLY dba_ccnew ON slow (id)');
is(value($invalid), 'dba_ccnew', 'there is an invalid index that is nobody\'s business');

# Brings a reindex to where it builds; returns the job and who holds it there.
sub building
{
	my ($database) = @_;
	my $gate = close_gate($node, $database);
	my $job = enqueue($node, $database, 'reindex', 'slow_idx', '{"attempts": 5}');
	ok($node->poll_query_until($database, "SELECT progress LIKE '%building index%' FROM dbmaint_jobs WHERE job_id = $job"),
		'a reindex is at work');
	return ($job, $gate);
}

my ($job, $gate) = building('postgres');
kill 'KILL', runner_of($node, 'postgres');
$gate->{handle}->finish;
ok($node->poll_query_until('postgres', 'SELECT true'), 'kill -9 of the runner: the server comes back');
ends_as($node, 'postgres', $job, qr/^interrupted: the server or the runner ended while the job ran; done$/,
	'the job is seen as interrupted, and done again');
is(value($invalid), 'dba_ccnew', 'what it left is gone, the other one is not');
like(value("SELECT output FROM dbmaint_job_history WHERE job_id = $job AND state = 'interrupted'"),
	qr/Dropped the invalid index public.slow_idx_ccnew/, 'which is told');

($job, $gate) = building('postgres');
$node->stop('immediate');
$gate->{handle}->finish;
$node->start;
ends_as($node, 'postgres', $job, qr/^interrupted: .*; done$/, 'so after an immediate stop');
is(value($invalid), 'dba_ccnew', 'without a rest');

# a session that closes the gate would end first, and open it
value(q{BEGIN; SELECT pg_advisory_xact_lock(4711); PREPARE TRANSACTION 'gate'});
$job = enqueue($node, 'postgres', 'reindex', 'slow_idx', '{"attempts": 5}');
ok($node->poll_query_until('postgres', "SELECT progress LIKE '%building index%' FROM dbmaint_jobs WHERE job_id = $job"), 'a reindex is at work');
$node->stop('fast');
$node->start;
value(q{ROLLBACK PREPARED 'gate'});
ends_as($node, 'postgres', $job, qr/^interrupted: .*; done$/, 'and after a fast one');
is(value($invalid), 'dba_ccnew', 'without a rest, too');

($job, $gate) = building('postgres');
my $runner = runner_of($node, 'postgres');
value("SELECT pg_terminate_backend($runner)");
ok(runner_of($node, 'postgres', $runner), 'a runner that was terminated comes again');
open_gate($gate);
ends_as($node, 'postgres', $job, qr/^interrupted: .*; done$/, 'and goes on');

# as often as it may, and no more
$gate = close_gate($node, 'postgres');
$job = enqueue($node, 'postgres', 'reindex', 'slow_idx', '{"attempts": 1}');
ok($node->poll_query_until('postgres', "SELECT progress LIKE '%building index%' FROM dbmaint_jobs WHERE job_id = $job"), 'one that may be tried once');
value('SELECT pg_terminate_backend(' . runner_of($node, 'postgres') . ')');
ends_as($node, 'postgres', $job, qr/^interrupted: the server or the runner ended while the job ran$/, 'is not begun again');
open_gate($gate);
is(value($invalid), 'dba_ccnew', 'but cleared up after');

# what was waiting when the server ended is done when it is back
value('ALTER SYSTEM SET dbmaint.enabled = off');
$node->reload;
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type ~ 'dbmaint (sampler|runner)'"), 'dbmaint is turned off');
$job = enqueue($node, 'postgres', 'vacuum', 'slow');
value(q{BEGIN; SELECT dbmaint_enqueue('analyze', 'slow'); PREPARE TRANSACTION 'asked'});
is(job_state($node, 'postgres', $job), 'pending', 'jobs wait');
$node->stop('immediate');
$node->start;
is(job_state($node, 'postgres', $job), 'pending', 'also after a crash');
value('ALTER SYSTEM RESET dbmaint.enabled');
$node->reload;
ends_as($node, 'postgres', $job, qr/^done$/, 'until it is turned on');
value(q{COMMIT PREPARED 'asked'});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM dbmaint_job_history WHERE kind = 'analyze' AND state = 'done'}), 'what a prepared transaction asked for is found, too');

#
# DDL that wants the database for itself.
#
# No session of ours may be connected to it: the index itself takes its time,
# until the database is called otherwise.
$node->safe_psql('d', q{
	CREATE FUNCTION public.sleepy(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
	BEGIN
		IF pg_catalog.current_setting('application_name') LIKE 'dbmaint runner%' AND pg_catalog.current_database() = 'd' THEN
			PERFORM pg_catalog.pg_sleep(600);
		END IF;
		RETURN i;
	END $$;
	CREATE TABLE sleeper (id int);
	INSERT INTO sleeper VALUES (1);
	CREATE INDEX sleeper_idx ON sleeper (public.sleepy(id));
});
sub sleeping
{
	my $id = enqueue($node, 'd', 'reindex', 'sleeper', '{"attempts": 9}');
	ok($node->poll_query_until('d', "SELECT progress LIKE '%building index%' FROM dbmaint_jobs WHERE job_id = $id"), 'a job is at work');
	return $id;
}
$job = sleeping();
my ($status, $out, $error) = $node->psql('postgres', 'ALTER DATABASE d RENAME TO e');
is($status, 0, 'RENAME of the database in the middle of it') or diag $error;
ends_as($node, 'e', $job, qr/^interrupted: .*; done$/, 'and the job is done afterwards');
is(value($invalid, 'e'), '', 'without a rest');
value('ALTER DATABASE e RENAME TO d');
sleeping();
is(($node->psql('postgres', 'CREATE DATABASE copy TEMPLATE d'))[0], 0, 'CREATE DATABASE with it as template');
is(value('SELECT count(*) FROM dbmaint_jobs', 'copy'), '0', 'whose copy has no jobs');
ok($node->poll_query_until('d', "SELECT progress LIKE '%building index%' FROM dbmaint_jobs WHERE attempts = 2"), 'while the job goes on');
is(($node->psql('postgres', 'DROP DATABASE d'))[0], 0, 'DROP DATABASE, too');

#
# DROP EXTENSION while a job runs.
#
($job, $gate) = building('postgres');
is(($node->psql('postgres', 'DROP EXTENSION dbmaint'))[0], 0, 'DROP EXTENSION while a job runs');
open_gate($gate);
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'dbmaint runner'}), 'the runner leaves');
is(value($invalid), 'dba_ccnew', 'when the command is at its end');
$node->safe_psql('postgres', 'CREATE EXTENSION dbmaint');
ends_as($node, 'postgres', enqueue($node, 'postgres', 'vacuum', 'slow'), qr/^done$/, 'and the extension can come again');
my $log = slurp_file($node->logfile);
unlike($log, qr/TRAP|PANIC|signal 11|signal 6/, 'nothing broke');

$node->stop;
done_testing();
