# kill -9 between any two steps of a partition job: nothing is lost, nothing
# is half done for good, and the next run brings it to its end.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Jobs;
use Samplers;
use Test::More;
use Time::HiRes qw(usleep);

my $node = new_server('primary', conf => "restart_after_crash = on\n");
$node->safe_psql('postgres', q{
	CREATE EXTENSION dbmaint;
	CREATE PROCEDURE make_months(name text, before int, after int) LANGUAGE plpgsql AS $$
	BEGIN
		SET LOCAL TimeZone = 'UTC';
		EXECUTE format('CREATE TABLE %I (at timestamptz NOT NULL, filler text) PARTITION BY RANGE (at)', name);
		FOR i IN -before .. after LOOP
			EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', name || to_char(date_trunc('month', now()) + i * interval '1 month', '_YYYY_MM'),
				name, date_trunc('month', now()) + i * interval '1 month', date_trunc('month', now()) + (i + 1) * interval '1 month');
		END LOOP;
	END $$;
});

sub value { return $node->safe_psql('postgres', $_[0]); }

sub partitions { return value("SELECT count(*) FROM pg_inherits WHERE inhparent = '$_[0]'::regclass"); }

sub wait_until
{
	my ($sql, $what) = @_;
	return ok($node->poll_query_until('postgres', $sql), $what);
}

# Asks for a job of a kind; waits until no such job is there any more.
sub run_job
{
	my ($kind, $table) = @_;
	my $job = enqueue($node, 'postgres', $kind, $table, '{"attempts": 1}');
	$node->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM dbmaint_jobs WHERE job_id = $job)");
	return history_of_job($node, 'postgres', $job);
}

# When it is not seen any more, the server has started anew.
sub kill_and_wait
{
	my ($pid) = @_;
	my $gone;

	kill 'KILL', $pid;
	# a psql that cannot connect may end before it was handed its query
	until (defined($gone = eval { $node->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)") }))
	{
		die $@ unless $@ =~ /Broken pipe/;
	}
	return $gone;
}

sub kill_runner
{
	return ok(kill_and_wait(runner_of($node, 'postgres')), 'the runner is killed, the server comes back');
}

#
# While a detach waits for a reader.
#
value(q{CALL make_months('waits', 4, 3); SELECT dbmaint_set_partition_policy('waits', 3, interval '2 months')});
my $reader = session($node, 'postgres', 'BEGIN; SELECT count(*) FROM waits');
enqueue($node, 'postgres', 'partition_drop', 'waits');
wait_until('SELECT count(*) = 1 FROM pg_inherits WHERE inhdetachpending', 'a detach is pending');
kill_runner();
$reader->{handle}->finish;
wait_until(q{SELECT count(*) = 6 FROM pg_inherits WHERE inhparent = 'waits'::regclass AND NOT inhdetachpending}, 'the next run finalizes it and goes on');
wait_until('SELECT NOT EXISTS (SELECT FROM dbmaint_jobs)', 'and ends');
is(value("SELECT count(*) FROM pg_class WHERE relname ~ '^waits_' AND relkind = 'r'"), 6, 'what was detached is dropped');
is(value('SELECT count(*) FROM dbmaint_retiring_partitions'), 0, 'no note is left');

#
# Between detach and drop: somebody keeps what is detached from being dropped.
#
value(q{CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not today'; END $$});
my $refuse = q{CREATE EVENT TRIGGER refuses ON ddl_command_start WHEN TAG IN ('DROP TABLE') EXECUTE FUNCTION refuse()};
value(q{CALL make_months('refused', 4, 3); SELECT dbmaint_set_partition_policy('refused', 3, interval '2 months')});
my $oldest = value(q{SELECT min(partition_name) FROM dbmaint_partitions('refused')});
value($refuse);
like(run_job('partition_drop', 'refused'), qr/^failed: not today/, 'a drop is refused');
is(partitions('refused'), 7, 'of what is detached');
is(value('SELECT partition_name FROM dbmaint_retiring_partitions'), $oldest, 'that is noted');
$node->stop('immediate');
$node->start;
value('DROP EVENT TRIGGER refuses');
is(run_job('partition_drop', 'refused'), 'done', 'the next run');
is(partitions('refused'), 6, 'goes on');
is(value("SELECT to_regclass('$oldest') IS NULL"), 't', 'where the first one ended');

# what somebody renames after the detach is his
value("CALL make_months('named', 4, 3); SELECT dbmaint_set_partition_policy('named', 3, interval '2 months')");
$oldest = value(q{SELECT min(partition_name) FROM dbmaint_partitions('named')});
value($refuse);
run_job('partition_drop', 'named');
value("DROP EVENT TRIGGER refuses; ALTER TABLE $oldest RENAME TO mine");
is(run_job('partition_drop', 'named'), 'done', 'what was renamed meanwhile');
is(value("SELECT to_regclass('mine') IS NULL"), 'f', 'is left alone');
is(value('SELECT count(*) FROM dbmaint_retiring_partitions'), 0, 'and forgotten');
is(partitions('named'), 6, 'the others go');

#
# A CHECK on the default partition: between its making and its use.
#
value(q{
	CALL make_months('checked', 0, 0);
	CREATE TABLE checked_default PARTITION OF checked DEFAULT;
	INSERT INTO checked SELECT '2000-01-01', repeat('x', 900) FROM generate_series(1, 3000);
	SELECT dbmaint_set_partition_policy('checked', 3)});
my $vacuum = session($node, 'postgres', 'BEGIN; LOCK TABLE checked_default IN SHARE UPDATE EXCLUSIVE MODE');
enqueue($node, 'postgres', 'partition_create', 'checked');
# that lock lets the CHECK in for a moment only when it is gone
$vacuum->{in} .= "COMMIT;\n";
leave($vacuum);
wait_until(q{SELECT count(*) = 5 FROM pg_inherits WHERE inhparent = 'checked'::regclass}, 'partitions beside a large default partition');
is(value(q{SELECT count(*) FROM pg_constraint WHERE conname LIKE 'dbmaint_excl%'}), 0, 'no CHECK is left');
value(q{
	SELECT dbmaint_set_partition_policy('checked', 4);
	ALTER TABLE checked_default ADD CONSTRAINT dbmaint_excluded_ranges CHECK (at < '2000-01-02') NOT VALID;
	COMMENT ON CONSTRAINT dbmaint_excluded_ranges ON checked_default IS 'dbmaint excludes rows of partitions that are being made: 0 to 1'});
is(run_job('partition_create', 'checked'), 'done', 'a CHECK that a crash left');
is(value(q{SELECT count(*) FROM pg_constraint WHERE conname LIKE 'dbmaint_excl%'}), 0, 'is gone with the next run');
is(partitions('checked'), 6, 'which makes the partition');

#
# At any time: killed after a random time, again and again.
#
for my $i (1 .. 6)
{
	my $table = "random_$i";
	value(qq{
		CALL make_months('$table', 5, 0);
		CREATE TABLE ${table}_default PARTITION OF $table DEFAULT;
		INSERT INTO $table SELECT date_trunc('month', now()) + interval '32 days' + n * interval '1 hour' FROM generate_series(1, 900) AS n;
		INSERT INTO $table SELECT '2000-01-01', repeat('x', 900) FROM generate_series(1, 1500);
		SELECT dbmaint_set_partition_policy('$table', 3, interval '2 months', default_rows => 'move')});
	enqueue($node, 'postgres', 'partition_create', $table);
	enqueue($node, 'postgres', 'partition_drop', $table);
	my $runner = runner_of($node, 'postgres');
	usleep(int(rand(60_000)));
	kill_and_wait($runner);
	wait_until('SELECT NOT EXISTS (SELECT FROM dbmaint_jobs)', 'killed at any time, the jobs end');
	is(value(qq{
			SELECT (SELECT count(*) FROM pg_inherits WHERE inhparent = '$table'::regclass AND NOT inhdetachpending),
				(SELECT count(*) FROM $table), (SELECT count(*) FROM ONLY ${table}_default WHERE at > now()),
				(SELECT count(*) FROM pg_class WHERE relname ~ '^${table}_' AND relkind = 'r'),
				(SELECT count(*) FROM pg_constraint WHERE conname LIKE 'dbmaint_excl%' OR conname = 'dbmaint_range'),
				(SELECT count(*) FROM dbmaint_retiring_partitions)}),
		'7|2400|0|7|0|0', 'as if nothing had happened');
}

$node->stop;
done_testing();
