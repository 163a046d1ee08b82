# Where runners run, and how many: beside samplers and never instead of them,
# where worker slots are short, on a standby, and after its promotion.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Jobs;
use Samplers;
use Test::More;

my @databases = map { "d$_" } 1 .. 5;

sub with_databases
{
	my ($node, @named) = @_;
	foreach my $database (@named)
	{
		$node->safe_psql('postgres', "CREATE DATABASE $database");
		$node->safe_psql($database, 'CREATE EXTENSION dbmaint; CREATE TABLE kept (id int PRIMARY KEY)');
	}
	return;
}

#
# At most dbmaint.max_runners at a time, and each gets its turn.
#
my $node = new_server('primary', conf => "dbmaint.max_runners = 2\nmax_worker_processes = 30\n", init => { allows_streaming => 1 });
with_databases($node, @databases);
sampled_again($node, $_) foreach @databases;
make_gated($node, $_) foreach @databases;
my @gates = map { close_gate($node, $_) } @databases;
my @jobs = map { enqueue($node, $_, 'reindex', 'slow_idx') } @databases;
ok($node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM pg_stat_activity WHERE backend_type = 'dbmaint runner'}), 'two runners come');
ok(sampled_again($node, $_, 2), "$_ is sampled meanwhile") foreach @databases;
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dbmaint runner'}), '2', 'and no third');
is($node->safe_psql('d1', q{SELECT count(*) FROM dbmaint_status() WHERE process = 'runner' AND state = 'waiting' AND pid IS NULL}), '3', 'the others wait, as dbmaint_status() tells');
open_gate($_) foreach @gates;
ends_as($node, $databases[$_], $jobs[$_], qr/^done$/, "$databases[$_] gets its turn") foreach 0 .. $#databases;
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'dbmaint runner'}), 'who has nothing to do leaves');

# a runner with a long queue gives way
$node->append_conf('postgresql.conf', 'dbmaint.max_runners = 1');
$node->reload;
$node->safe_psql('d1', q{
	CREATE FUNCTION public.quarter(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
		$$ BEGIN PERFORM pg_catalog.pg_sleep(0.25); RETURN i; END $$;
	CREATE TABLE many (id int); INSERT INTO many VALUES (1);
	DO $$ BEGIN FOR i IN 1 .. 12 LOOP EXECUTE format('CREATE INDEX many_%s ON many ((id + %s)) WHERE public.quarter(id) IS NOT NULL', i, i); END LOOP; END $$;
	DO $$ BEGIN FOR i IN 1 .. 12 LOOP PERFORM dbmaint_enqueue('reindex', 'many_' || i); END LOOP; END $$;
});
ok($node->poll_query_until('d1', q{SELECT count(*) > 0 FROM dbmaint_jobs WHERE state = 'running'}), 'a long queue is at work');
my $job = enqueue($node, 'd2', 'vacuum', 'kept');
ends_as($node, 'd2', $job, qr/^done$/, 'another database does not wait for its end');
cmp_ok($node->safe_psql('d1', 'SELECT count(*) FROM dbmaint_jobs'), '>', 0, 'which has not come');
$node->safe_psql('d1', 'SELECT dbmaint_cancel_job(job_id) FROM dbmaint_jobs');

#
# A standby: jobs wait, and go on where it is promoted.
#
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
my $gate = close_gate($node, 'd3');
$job = enqueue($node, 'd3', 'reindex', 'slow_idx');
ok($node->poll_query_until('d3', "SELECT progress LIKE '%building index%' FROM dbmaint_jobs WHERE job_id = $job"), 'a job runs on the primary');
my $waiting = enqueue($node, 'd3', 'vacuum', 'kept');
$node->wait_for_catchup($standby);
is($standby->safe_psql('d3', "SELECT string_agg(state, ',' ORDER BY job_id) FROM dbmaint_jobs"), 'running,pending', 'which the standby can see');
my ($status, $out, $error) = $standby->psql('d3', q{SELECT dbmaint_enqueue('vacuum', 'kept')});
like($error, qr/cannot execute dbmaint_enqueue\(\) (?:during recovery|in a read-only transaction)/, 'where nothing can be asked for');
is($standby->safe_psql('d3', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'dbmaint%'}), '0', 'nor is done');
$node->stop('immediate');
$gate->{handle}->finish;
$standby->promote;
ends_as($standby, 'd3', $job, qr/^interrupted: .*; done$/, 'after the promotion the job is done again');
ends_as($standby, 'd3', $waiting, qr/^done$/, 'and what waited is done');
is($standby->safe_psql('d3', 'SELECT count(*) FROM pg_index WHERE NOT indisvalid'), '0', 'nothing is left of the first');
$standby->stop;

#
# Worker slots are short: all get their turn, and samplers are not starved.
# One slot is the server's own, for logical replication.
#
foreach my $slots (1, 2)
{
	my $short = new_server("short$slots", conf => 'max_worker_processes = ' . ($slots + 2) . "\n");
	my @few = @databases[0 .. 2];
	with_databases($short, @few);
	ok(sampled_again($short, $_), "$slots slots: $_ is sampled") foreach @few;
	foreach my $database (@few)
	{
		enqueue($short, $database, $_, 'kept') foreach qw(vacuum analyze reindex);
	}
	foreach my $database (@few)
	{
		ok($short->poll_query_until($database, q{SELECT count(*) = 3 FROM dbmaint_job_history WHERE state = 'done'}), "$slots slots: the jobs of $database are done");
		ok(sampled_again($short, $database, 2), "$slots slots: and it is sampled");
	}
	$short->stop;
}

done_testing();
