# What the tests of jobs share.
package Jobs;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Samplers;
use Test::More;

our @EXPORT = qw(enqueue wait_for_state ends_as history_of_job job_state
  make_gated close_gate open_gate runner_of);

# Asks for a job, as that role if one is given.
sub enqueue
{
	my ($node, $database, $kind, $target, $options, $role) = @_;
	$options //= '{}';
	return $node->safe_psql($database,
		($role ? "SET ROLE $role; " : '')
		  . "SELECT dbmaint_enqueue('$kind', '$target', '$options')");
}

# What is known of a job: its state in the queue, else that of its last attempt.
sub job_state
{
	my ($node, $database, $job) = @_;
	return $node->safe_psql($database, qq{
		SELECT coalesce((SELECT state FROM dbmaint_jobs WHERE job_id = $job),
			(SELECT state FROM dbmaint_job_history WHERE job_id = $job ORDER BY attempt DESC LIMIT 1))});
}

sub wait_for_state
{
	my ($node, $database, $job, $state) = @_;
	return $node->poll_query_until($database, qq{
		SELECT coalesce((SELECT state FROM dbmaint_jobs WHERE job_id = $job),
			(SELECT state FROM dbmaint_job_history WHERE job_id = $job ORDER BY attempt DESC LIMIT 1)) = '$state'});
}

# All attempts at a job: state and message.
sub history_of_job
{
	my ($node, $database, $job) = @_;
	return $node->safe_psql($database, qq{
		SELECT string_agg(state || coalesce(': ' || message, ''), '; ' ORDER BY attempt)
		  FROM dbmaint_job_history WHERE job_id = $job});
}

# Waits until the job has left the queue; its history is to look like that.
sub ends_as
{
	my ($node, $database, $job, $history, $what) = @_;
	$node->poll_query_until($database, "SELECT NOT EXISTS (SELECT FROM dbmaint_jobs WHERE job_id = $job)")
	  or return fail("$what: the job does not end");
	return like(history_of_job($node, $database, $job), $history, $what);
}

# A table whose index takes as long to build as the gate is closed.
sub make_gated
{
	my ($node, $database) = @_;
	$node->safe_psql($database, q{
		CREATE FUNCTION public.gated(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
		BEGIN
			PERFORM pg_catalog.pg_advisory_lock_shared(4711);
			PERFORM pg_catalog.pg_advisory_unlock_shared(4711);
			RETURN i;
		END $$;
		CREATE TABLE slow (id int, wide text);
		INSERT INTO slow VALUES (1, 'x');
		CREATE INDEX slow_idx ON slow (public.gated(id));
		CREATE INDEX slow_wide_idx ON slow (wide);
	});
	return;
}

sub close_gate
{
	my ($node, $database) = @_;
	return session($node, $database, 'SELECT pg_advisory_lock(4711)');
}

sub open_gate { return leave($_[0]); }

# Waits for the database's runner, returns its pid; never the one given.
sub runner_of
{
	my ($node, $database, $not_pid) = @_;
	my $runner = "FROM pg_stat_activity WHERE backend_type = 'dbmaint runner' AND datname = '$database' AND pid <> "
	  . ($not_pid // 0);

	$node->poll_query_until('postgres', "SELECT count(*) = 1 $runner") or return 0;
	return $node->safe_psql('postgres', "SELECT pid $runner");
}

1;
