# Policies: the sampler queues what is due, the runner makes partitions and
# retires them, each set apart from the others, whatever is in the way.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Jobs;
use Samplers;
use Test::More;

my $node = new_server('primary', conf => "dbmaint.signals_interval = 1s\ndbmaint.objects_interval = 1s\n");
$node->safe_psql('postgres', q{
	CREATE ROLE app;
	GRANT ALL ON SCHEMA public TO app;
	CREATE SCHEMA attic AUTHORIZATION app;
	CREATE EXTENSION dbmaint;
});

sub value { return $node->safe_psql('postgres', $_[0]); }

# A table of months, from that many before this one to that many after it.
sub make_months
{
	my ($table, $before, $after, $rest) = @_;
	$node->safe_psql('postgres', qq{
		SET ROLE app;
		SET TimeZone = 'UTC';
		CREATE TABLE $table (at timestamptz NOT NULL, id int) PARTITION BY RANGE (at);
		DO \$\$
		BEGIN
			FOR i IN -$before .. $after LOOP
				EXECUTE format('CREATE TABLE %I PARTITION OF $table FOR VALUES FROM (%L) TO (%L)',
					'$table' || to_char(date_trunc('month', now()) + i * interval '1 month', '_YYYY_MM'),
					date_trunc('month', now()) + i * interval '1 month', date_trunc('month', now()) + (i + 1) * interval '1 month');
			END LOOP;
		END \$\$;
		@{[$rest // '']}
	});
	return;
}

sub partitions { return value("SELECT count(*) FROM pg_inherits WHERE inhparent = '$_[0]'::regclass"); }

sub wait_for_partitions
{
	my ($table, $count, $what) = @_;
	ok($node->poll_query_until('postgres', "SELECT count(*) = $count FROM pg_inherits WHERE inhparent = '$table'::regclass"), $what)
	  or diag(value("SELECT kind, state, message, output FROM dbmaint_job_history"));
	return;
}

sub set_policy
{
	my ($table, $arguments) = @_;
	$node->safe_psql('postgres', "SET ROLE app; SELECT dbmaint_set_partition_policy('$table', $arguments)");
	return;
}

sub wait_until
{
	my ($sql, $what) = @_;
	return ok($node->poll_query_until('postgres', $sql), $what);
}

my $log = log_position($node);

#
# One set that cannot be helped, before all others; and one for each way.
#
make_months('aaa', 0, 0, 'CREATE TABLE aaa_default PARTITION OF aaa DEFAULT;');
$node->safe_psql('postgres', q{INSERT INTO aaa VALUES (date_trunc('month', now()) + interval '1 month 1 day', 1)});
set_policy('aaa', "2");
make_months('plain', 4, 0);
set_policy('plain', "3, interval '2 months'");
make_months('beside', 4, 0, 'CREATE TABLE beside_default PARTITION OF beside DEFAULT;');
set_policy('beside', "3, interval '2 months', default_rows => 'move'");
$node->safe_psql('postgres', q{INSERT INTO beside VALUES (now() + interval '40 days', 1), (now() + interval '45 days', 2), ('infinity', 3)});
make_months('moved', 4, 3);
set_policy('moved', "3, interval '2 months', move_to_schema => 'attic'");
make_months('kept', 4, 3);
set_policy('kept', "3, interval '2 months', detach_only => true");
make_months('idle', 1, 3);
set_policy('idle', '3');
make_months('off', 4, 0);
set_policy('off', "3, interval '2 months', enabled => false");

wait_for_partitions('plain', 6, 'what is missing is made, what is old is dropped');
is(value("SELECT count(*) FROM pg_class WHERE relname ~ '^plain_' AND relkind = 'r'"), 6, 'and gone for good');
wait_for_partitions('beside', 7, 'beside a default partition, too');
is(value('SELECT count(*), count(*) FILTER (WHERE tableoid = \'beside_default\'::regclass) FROM beside'), '3|1',
	'with the rows that it held, each in its place');
wait_for_partitions('moved', 6, 'old partitions are detached');
is(value("SELECT count(*) FROM pg_class WHERE relnamespace = 'attic'::regnamespace"), 2, 'and moved');
wait_for_partitions('kept', 6, 'or only detached');
is(value("SELECT count(*) FROM pg_class WHERE relname ~ '^kept_' AND relkind = 'r'"), 8, 'and kept');
wait_until(q{SELECT count(*) = 0 FROM dbmaint_retiring_partitions}, 'no note is left');
is(partitions('off'), 5, 'a disabled policy does nothing');
is(value(q{SELECT count(*) FROM dbmaint_job_history WHERE target = 'public.idle'}), 0, 'where nothing is to be done nothing is queued');
is(value(q{SELECT string_agg(DISTINCT pg_get_userbyid(relowner)::text, ',') FROM pg_class WHERE relname ~ '^(plain|beside)_'}), 'app',
	'all of it is the owner\'s');
is(value(q{SELECT string_agg(DISTINCT requested_by, ',') FROM dbmaint_job_history}), 'app', 'in whose name the jobs ran');
is( value(q{
		SELECT count(*) FROM dbmaint_job_history AS d WHERE d.kind = 'partition_drop' AND EXISTS
			(SELECT FROM dbmaint_job_history AS c WHERE c.kind = 'partition_create' AND c.target = d.target AND c.ended_at > d.started_at)}),
	0, 'creation comes first');
like(log_since($node, $log), qr/dbmaint: partition "public\.plain_\d+_\d+" of "public\.plain", from \S.* to \S.*, \d+ bytes: dropped/,
	'the log says what was dropped');

# the set that cannot be helped says why, and is not tried all the time
wait_until(q{SELECT last_error LIKE 'partition "aaa_____\___" was skipped: default partition "aaa_default" holds 1 rows%' FROM dbmaint_partition_health() WHERE parent_table = 'public.aaa'},
	'the error of a set is known');
like(value(q{SELECT status || ': ' || detail FROM dbmaint_partition_health() WHERE parent_table = 'public.aaa'}),
	qr/^critical: The next period has no partition\. .*The last job failed: partition/, 'and judged');
is(value(q{SELECT premade || ' ' || missing || ' ' || status FROM dbmaint_partition_health() WHERE parent_table = 'public.plain'}), '3 0 ok',
	'where all is well, too');
is(value(q{SELECT premade_for > interval '80 days' FROM dbmaint_partition_health() WHERE parent_table = 'public.plain'}), 't',
	'for how long is known');
is(value(q{SELECT count(*) FROM dbmaint_job_history WHERE target = 'public.aaa'}), 1, 'one attempt is enough for now');
is(partitions('aaa'), 3, 'the others of the set are there');
wait_until(q{SELECT severity IN ('warning', 'critical') FROM dbmaint_alerts() WHERE metric = 'premade_partitions' AND instance ~ 'off'},
	'the alert on too few partitions fires, where a policy is disabled');
is(value(q{SELECT count(*) FROM dbmaint_alerts() WHERE metric = 'premade_partitions' AND instance ~ '(plain|beside)'}), 0, 'and not where they are made');
like(value(q{SELECT status || ': ' || detail FROM dbmaint_health() WHERE check_name = 'partitions'}), qr/^critical: public\.aaa: The next period has no partition/,
	'and so does the health check');

#
# A large default partition is scanned where nobody waits for it: one stray row
# keeps its own partition from coming, and costs the others nothing.
#
make_months('stray', 0, 0, q{
	CREATE TABLE stray_default PARTITION OF stray DEFAULT;
	INSERT INTO stray SELECT '2000-01-01', 1 FROM generate_series(1, 50000);
	INSERT INTO stray VALUES (date_trunc('month', now()) + interval '2 months 1 day', 2);
	CREATE INDEX ON stray (at);
	ANALYZE stray_default;
});
my $scans = value(q{SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'stray_default'});
set_policy('stray', "4, default_rows => 'skip'");
wait_for_partitions('stray', 5, 'partitions are made beside one that has rows in the default partition');
wait_until(q{SELECT count(*) = 0 FROM dbmaint_jobs WHERE target = 'public.stray'}, 'the job is done');
is(value(q{SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'stray_default'}) - $scans, 1, 'by one scan, which is that of VALIDATE');
is(value(q{SELECT count(*) FROM pg_constraint WHERE conrelid = 'stray_default'::regclass AND contype = 'c'}), 0, 'no CHECK is left');

# one by one, as rows are moved
make_months('one_by_one', 0, 0, q{
	CREATE TABLE one_by_one_default PARTITION OF one_by_one DEFAULT;
	INSERT INTO one_by_one SELECT '2000-01-01', 1 FROM generate_series(1, 50000);
	INSERT INTO one_by_one VALUES (date_trunc('month', now()) + interval '2 months 1 day', 2);
	CREATE INDEX ON one_by_one (at);
	ANALYZE one_by_one_default;
});
$scans = value(q{SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'one_by_one_default'});
set_policy('one_by_one', "4, default_rows => 'move'");
wait_for_partitions('one_by_one', 6, 'all are made where its rows are moved');
wait_until(q{SELECT count(*) = 0 FROM dbmaint_jobs WHERE target = 'public.one_by_one'}, 'the job is done');
is(value(q{SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'one_by_one_default'}) - $scans, 2, 'by one scan more, for the partition whose rows are moved');
is(value(q{SELECT count(*) FROM pg_constraint WHERE conrelid = 'one_by_one_default'::regclass AND contype = 'c'}), 0, 'no CHECK is left');
is(value(q{SELECT count(*) FROM one_by_one WHERE tableoid = 'one_by_one_default'::regclass}), 50000, 'the row is moved');

# Rows of now are never refused: the present is not made by a long scan.
$node->append_conf('postgresql.conf', "dbmaint.max_lock_wait = 10ms\n");
$node->reload;
make_months('late', 1, 0, q{
	CREATE TABLE late_default PARTITION OF late DEFAULT;
	INSERT INTO late SELECT '2000-01-01', 1 FROM generate_series(1, 200000);
	CREATE INDEX ON late (at);
	ANALYZE late_default;
});
$node->safe_psql('postgres', q{
	DO $$ BEGIN EXECUTE format('DROP TABLE late%s', to_char(now() AT TIME ZONE 'UTC', '_YYYY_MM')); END $$;
	CREATE TABLE checks_seen (definition text);
	GRANT INSERT ON checks_seen TO app;
	CREATE FUNCTION see() RETURNS event_trigger LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO public.checks_seen SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = to_regclass('public.late_default') AND conname ~ '^dbmaint_excluded';
	END $$;
	CREATE EVENT TRIGGER see ON ddl_command_end EXECUTE FUNCTION see();
});
set_policy('late', '3');
wait_until(q{SELECT last_error ~ 'was skipped: default partition "late_default" of \d+ MB would be scanned under a lock' FROM dbmaint_partition_health() WHERE parent_table = 'public.late'},
	'the present is left out beside a default partition that is long to scan');
is(partitions('late'), 5, 'and those after it are there');
is($node->safe_psql('postgres', q{
		DROP EVENT TRIGGER see;
		DO $$
		DECLARE
			condition text;
			met boolean;
		BEGIN
			FOR condition IN SELECT regexp_replace(substr(definition, 6), ' NOT VALID$', '') FROM checks_seen LOOP
				EXECUTE 'SELECT ' || condition || ' FROM (SELECT now() AS at) AS r' INTO met;
				IF NOT met THEN RAISE EXCEPTION 'refused: %', condition; END IF;
			END LOOP;
		END $$;
		SELECT count(*) > 1 FROM checks_seen;
	}), 't', 'the CHECK did not refuse rows of now at any time');
is(value(q{SET ROLE app; SELECT count(*) FROM create_future_partitions('late', 3) WHERE status = 'created'}), 1, 'who calls the function has the present, too');

# where rows are to be moved, and cannot be left to a split, the scan is what was asked for
make_months('heavy', 0, 0, q{
	CREATE TABLE heavy_default PARTITION OF heavy DEFAULT;
	INSERT INTO heavy SELECT '2000-01-01', 1 FROM generate_series(1, 200000);
	INSERT INTO heavy VALUES (date_trunc('month', now()) + interval '1 month 1 day', 2);
	CREATE INDEX ON heavy (at);
	ANALYZE heavy_default;
});
set_policy('heavy', "3, default_rows => 'move'");
wait_for_partitions('heavy', 5, 'rows of a default partition that is long to scan are moved where a policy says so');
is(value(q{SELECT count(*) FROM heavy_default}), 200000, 'each of them');
$node->append_conf('postgresql.conf', "dbmaint.max_lock_wait = 200ms\n");
$node->reload;

# Rows that are published are not moved.
make_months('aired', 0, 0, q{
	CREATE TABLE aired_default PARTITION OF aired DEFAULT;
	INSERT INTO aired VALUES (date_trunc('month', now()) + interval '1 month 1 day', 1);
});
$node->safe_psql('postgres', 'SET client_min_messages = error; CREATE PUBLICATION aired FOR TABLE aired WITH (publish_via_partition_root)');
set_policy('aired', "3, default_rows => 'move'");
wait_until(q{SELECT last_error ~ 'was skipped: default partition "aired_default" holds 1 rows' FROM dbmaint_partition_health() WHERE parent_table = 'public.aired'},
	'published rows are not moved');
is(partitions('aired'), 4, 'and the other partitions are there');
is(value('SELECT count(*) FROM aired_default'), 1, 'with the row where it was');
$node->safe_psql('postgres', 'DROP PUBLICATION aired');

#
# A transaction that goes on: nobody waits behind a detach, and it comes to
# its end with the transaction.
#
make_months('busy', 4, 3);
my $reader = session($node, 'postgres', 'BEGIN; SELECT count(*) FROM busy');
set_policy('busy', "3, interval '2 months'");
wait_until(q{SELECT count(*) = 1 FROM dbmaint_jobs WHERE target = 'public.busy' AND state = 'running'}, 'a detach waits for a reader');
wait_until(q{SELECT detach_pending ~ 'public.busy_\d+_\d+' FROM dbmaint_partition_health() WHERE parent_table = 'public.busy'}, 'and is pending');
is(value(q{SET statement_timeout = '2s'; INSERT INTO busy VALUES (now(), 1); SELECT count(*) FROM busy}), 1, 'others write and read');
$reader->{in} .= "COMMIT;\n";
leave($reader);
wait_for_partitions('busy', 6, 'it is finalized when the reader is gone');
wait_until(q{SELECT count(*) = 0 FROM dbmaint_retiring_partitions}, 'and dropped');

#
# What a foreign key refers to stays, and says so.
#
make_months('bills', 4, 3, q{
	ALTER TABLE bills ADD PRIMARY KEY (id, at);
	INSERT INTO bills VALUES (date_trunc('month', now()) - interval '100 days', 1);
	CREATE TABLE lines (id int, at timestamptz, FOREIGN KEY (id, at) REFERENCES bills);
	INSERT INTO lines SELECT id, at FROM bills;
});
set_policy('bills', "3, interval '2 months'");
wait_until(q{SELECT last_error ~ 'foreign key' FROM dbmaint_partition_health() WHERE parent_table = 'public.bills'}, 'rows that are referred to stay');
is(value('SELECT count(*) FROM bills'), 1, 'all of them');

#
# What cannot go, or where it is to go, is not detached first; the others go.
#
make_months('seen', 4, 3);
my $seen = value(q{SELECT min(partition_name) FROM dbmaint_partitions('seen')});
value("SET ROLE app; CREATE VIEW on_seen AS SELECT * FROM $seen");
set_policy('seen', "3, interval '2 months'");
wait_for_partitions('seen', 7, 'a partition that a view is on stays, the next one goes');
wait_until(qq{SELECT last_error LIKE 'cannot drop partition "seen%' AND last_error LIKE '%iew public.on_seen depends on it%' FROM dbmaint_partition_health() WHERE parent_table = 'public.seen'},
	'which is told');
is(value(qq{SELECT relispartition FROM pg_class WHERE oid = '$seen'::regclass}), 't', 'its rows are where they were');
$node->safe_psql('postgres', 'CREATE SCHEMA closed');
make_months('shut', 4, 3);
set_policy('shut', "3, interval '2 months', move_to_schema => 'closed'");
wait_until(q{SELECT last_error LIKE 'cannot move partition "shut%" to schema "closed"%' FROM dbmaint_partition_health() WHERE parent_table = 'public.shut'},
	'nor is one moved where its owner may not put it');
is(partitions('shut'), 8, 'all of them stay');
make_months('strays', 4, 0, 'CREATE TABLE strays_default PARTITION OF strays DEFAULT;');
$node->safe_psql('postgres', q{INSERT INTO strays VALUES (date_trunc('month', now()) + interval '1 month 1 day', 1)});
set_policy('strays', "1, interval '2 months', default_rows => 'skip'");
wait_for_partitions('strays', 4, 'what cannot be made does not keep the old ones');

#
# Locks of other tables are asked for as politely, and sets do not meet in the
# notes of them.
#
my $writer = session($node, 'postgres', 'BEGIN; DELETE FROM lines WHERE id = -1');
my (undef, undef, $waited) = $node->psql('postgres', q{SET ROLE app; SELECT drop_old_partitions('bills', 1, detach_only => true, lock_window => '600ms')});
like($waited, qr/could not lock what is needed to retire partitions of "bills" within 600 ms/, 'the lock of a table that refers to it is tried for the window');
leave($writer);
make_months('brief', 1, 3);
set_policy('brief', '3');
value('SET ROLE app; DROP TABLE brief');
my $other = session($node, 'postgres', q{SET ROLE app; BEGIN; SELECT dbmaint_set_partition_policy('kept', 3, interval '2 months', detach_only => true)});
is(value(q{SET ROLE app; SET lock_timeout = '2s'; SELECT dbmaint_set_partition_policy('moved', 3, interval '2 months', move_to_schema => 'attic')}), '',
	'the notes of tables that are gone are in nobody\'s way');
leave($other);

#
# Somebody else's pending detach is reported, and left alone.
#
make_months('theirs', 1, 3);
$reader = session($node, 'postgres', 'BEGIN; SELECT count(*) FROM theirs');
my $oldest = value(q{SELECT min(partition_name) FROM dbmaint_partitions('theirs')});
my (undef, undef, $stderr) = $node->psql('postgres', "SET lock_timeout = '100ms'; ALTER TABLE theirs DETACH PARTITION $oldest CONCURRENTLY");
like($stderr, qr/lock timeout/, 'somebody else gives a detach up');
leave($reader);
set_policy('theirs', '4');
wait_for_partitions('theirs', 6, 'a set with a pending detach gets its partitions');
is(value(q{SELECT status || ' ' || detach_pending FROM dbmaint_partition_health() WHERE parent_table = 'public.theirs'}), "critical $oldest",
	'and its state is told');

#
# Who may ask for a job: the owner, with a policy.
#
my ($status, $stdout);
$node->safe_psql('postgres', 'CREATE ROLE other');
($status, $stdout, $stderr) = $node->psql('postgres', q{SET ROLE other; SELECT dbmaint_enqueue('partition_drop', 'plain')}, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
like($stderr, qr/42501/, 'nobody but the owner asks for partition_drop');
($status, $stdout, $stderr) = $node->psql('postgres', q{SELECT dbmaint_enqueue('partition_create', 'lines')}, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
like($stderr, qr/42809.*is not a partitioned table/, 'a plain table is none');
my $job = enqueue($node, 'postgres', 'partition_create', 'off', '{}', 'app');
ends_as($node, 'postgres', $job, qr/^done$/, 'without a policy nothing is done');
is(partitions('off'), 5, 'indeed');
$job = enqueue($node, 'postgres', 'partition_drop', 'idle', '{}', 'app');
ends_as($node, 'postgres', $job, qr/^done$/, 'nor where none is too old');
is(partitions('idle'), 5, 'indeed');

$node->stop;
done_testing();
