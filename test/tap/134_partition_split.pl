# A partition, or the default one, is divided while it is written: at no time is
# a row out of sight or seen twice, and at the end all are there, whatever is
# in the way.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Jobs;
use Samplers;
use Splits;
use Test::More;
use Time::HiRes qw(usleep);

my $node = new_server('primary', conf => "restart_after_crash = on\nmax_prepared_transactions = 5\nmax_locks_per_transaction = 256\nsynchronous_commit = off\n");

sub value { return $node->safe_psql('postgres', $_[0]); }

# Again, where it met a deadlock with those who write meanwhile.
sub value_again
{
	for (1 .. 20)
	{
		my ($status, undef, $stderr) = $node->psql('postgres', $_[0]);
		return if $status == 0;
		die $stderr unless $stderr =~ /deadlock detected/;
	}
	die 'nothing but deadlocks';
}

sub wait_until
{
	my ($sql, $what) = @_;
	return ok($node->poll_query_until('postgres', $sql), $what);
}

prepare_splits($node);

#
# A range, and the default partition, under changes of every kind.
#
for my $in_default (0, 1)
{
	my $table = $in_default ? 'unplanned' : 'planned';
	my $what = $in_default ? 'the default partition' : 'a range';

	make_days($table, 12000, $in_default);
	value("INSERT INTO $table (id, at, u) VALUES (-1, 'infinity', -1), (-2, '-infinity', -2)") if $in_default;
	value("INSERT INTO ${table}_shadow (id, at, u, number) SELECT id, at, u, number FROM $table WHERE id < 0") if $in_default;
	my $writers = bench("SELECT churn('$table', 12000)", 3, 400);
	my $reader = bench("SELECT look('$table')", 1, 15);
	my $job = split_partition("'${table}_big', '1 day', drop_original => " . ($in_default ? 'true' : 'false'));
	wait_for_phase($job, 'copied [1-9]');

	# what refers to nothing any more can be deleted, whatever the copy has
	value_again("DELETE FROM customers WHERE id BETWEEN 100 AND 120");
	value_again(qq{BEGIN; DELETE FROM $table WHERE agent BETWEEN 121 AND 140; DELETE FROM ${table}_shadow WHERE agent BETWEEN 121 AND 140; DELETE FROM agents WHERE id BETWEEN 121 AND 140; COMMIT});
	value_again(qq{BEGIN; SET session_replication_role = replica;
		SELECT on_both('$table', 'UPDATE %I SET v = ''by replication'' WHERE id BETWEEN \$1 AND \$1 + 100', 5000); COMMIT});
	my $program = q{seq 1 300 | awk '{printf "%d,2026-01-%02d 03:00+00,%d,copied,%d\n", 9000000 + $1, 2 + $1 % 20, 9000000 + $1, $1}'};
	$program =~ s/'/''/g;
	value(qq{BEGIN; COPY $table (id, at, u, v, number) FROM PROGRAM '$program' (FORMAT csv); COPY ${table}_shadow (id, at, u, v, number) FROM PROGRAM '$program' (FORMAT csv); COMMIT});
	value_again(qq{BEGIN; SELECT on_both('$table', 'UPDATE %I SET v = ''prepared'' WHERE id BETWEEN \$1 AND \$1 + 50', 7000); PREPARE TRANSACTION 'p'});
	usleep(300_000);
	value(q{COMMIT PREPARED 'p'});
	is(value("SELECT state FROM dbmaint_jobs WHERE job_id = $job"), 'running', "$what: all of this happens meanwhile");
	is(wait_for_end($job), 'done', "$what is split while it is written");
	like(value("SELECT output FROM dbmaint_job_history WHERE job_id = $job"), qr/^20 partitions of public\.$table, from "${table}_2026_01_02" to "${table}_2026_01_21": \d+ rows copied/, "$what: the job says so") unless $in_default;
	stop_bench($writers, "$what, writers");
	stop_bench($reader, "$what, a reader");
	is_whole($table, 22 + $in_default, $what);
	is(value("SELECT count(*) FROM ${table}_big WHERE id IN (-1, -2)"), 2, 'what has no period is in the default partition') if $in_default;
	is(value(q{SELECT string_agg(DISTINCT pg_get_userbyid(relowner)::text, ',') FROM pg_class WHERE relname ~ '^(un)?planned'}), 'app', "$what: all is the owner's");
	is(value("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND confrelid = 'customers'::regclass AND conparentid <> 0 AND convalidated AND conrelid::regclass::text ~ '^${table}_2026'"), 22, "$what: foreign keys are the parent's");
	value("DELETE FROM customers WHERE id = 200");
	is(value("SELECT count(*) FROM $table WHERE customer = 200"), 0, "$what: and in force");
	like(($node->psql('postgres', "INSERT INTO $table (id, at, u, customer) VALUES (-10, '2026-01-05', -10, -1)"))[2], qr/violates foreign key/, "$what: on both sides");
}
is(value("SELECT to_regclass('planned_big') IS NOT NULL"), 't', 'what was split stays unless it is to be dropped');
is(value("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid = 'planned_big'::regclass"), 0, 'and has no foreign key that stops anybody');
is(value("SELECT count(*) FROM pg_class WHERE relname ~ '^dbmaint_split'"), 0, 'the old default partition is dropped');

#
# What happens in the middle ends the attempt; nothing is left of it, and the
# next one goes well.
#
value('CREATE SCHEMA elsewhere AUTHORIZATION app; CREATE ROLE heir; GRANT ALL ON SCHEMA public TO heir');
my $number = 0;

sub split_disturbed
{
	my ($what, $statements, $message, $in_default) = @_;
	my $table = 'disturbed_' . ++$number;
	make_days($table, 1500, $in_default);
	my $gate = close_gate($node, 'postgres');
	my $job = enqueue($node, 'postgres', 'partition_split', "${table}_big", '{"attempts": 1, "period": "1 day"}', 'app');
	wait_for_phase($job, 'waits for a lock');
	(my $sql = $statements) =~ s/TABLE_/$table/g;
	$node->safe_psql('postgres', $_) for split /;/, $sql;
	open_gate($gate);
	like(wait_for_end($job), $message, "$what in the middle");
	is(leftovers(), '', "$what: nothing is left over");
	return $table;
}

sub split_after
{
	my ($table, $what) = @_;
	my $job = enqueue($node, 'postgres', 'partition_split', "${table}_big", '{"attempts": 1, "period": "1 day"}', 'app');
	is(wait_for_end($job), 'done', "$what: the next one goes well");
	is_whole($table, 22, $what);
	value("DROP TABLE $table, ${table}_shadow");
	return;
}

my $altered = qr/^failed: partition "\w+" was altered while it was split/;
my $lost = qr/^failed: changes of table "\w+" could not be followed/;
my $on_both = q{UPDATE TABLE_ SET v = 'x' WHERE id < 300; UPDATE TABLE__shadow SET v = 'x' WHERE id < 300};
for my $case (
	[ 'VACUUM FULL', 'DELETE FROM TABLE_ WHERE id < 700; DELETE FROM TABLE__shadow WHERE id < 700; VACUUM FULL TABLE__big', $altered ],
	[ 'triggers that are disabled', "ALTER TABLE TABLE__big DISABLE TRIGGER ALL; $on_both; ALTER TABLE TABLE__big ENABLE TRIGGER ALL", $lost ],
	[ 'TRUNCATE', 'TRUNCATE TABLE__big; DELETE FROM TABLE__shadow; INSERT INTO TABLE_ (id, at, u) SELECT i, \'2026-01-02 00:00+00\'::timestamptz + i * interval \'1 day\', i FROM generate_series(0, 19) AS i; INSERT INTO TABLE__shadow (id, at, u, number) SELECT id, at, u, number FROM TABLE_', qr/$lost|$altered/ ],
	[ 'a new column', 'ALTER TABLE TABLE_ ADD COLUMN more int DEFAULT 7', $altered ],
	[ 'a new index', 'CREATE INDEX ON TABLE_ (v)', $altered ],
	[ 'another name', 'ALTER TABLE TABLE__big RENAME TO TABLE__other; ALTER TABLE TABLE__other RENAME TO TABLE__big; ALTER TABLE TABLE__big ALTER v SET NOT NULL', qr/$altered/ ],
	[ 'another CHECK', 'ALTER TABLE TABLE_ ADD CHECK (u > -10)', $altered ],
)
{
	split_after(split_disturbed(@$case), $case->[0]);
}
my $table = split_disturbed('another schema', "ALTER TABLE TABLE__big SET SCHEMA elsewhere; $on_both", $altered);
is(value("SELECT differs('$table')"), '', 'in another schema the rows are there');
$table = split_disturbed('DETACH', "ALTER TABLE TABLE_ DETACH PARTITION TABLE__big", qr/^failed: "\w+" is not a partition/);
is(value("SELECT count(*) FROM ${table}_big"), 1500, 'what was detached has its rows');
is(value("SELECT count(*) FROM pg_constraint WHERE conrelid = '${table}_big'::regclass AND contype = 'f'"), 2, 'and its foreign keys');
for my $case ([ 'a view', 'VIEW', "CREATE VIEW TABLE__seen AS SELECT * FROM TABLE__big", qr/^failed: cannot split partition "\w+_big" \(.*view public\.\w+_seen/ ],
	[ 'a publication', 'PUBLICATION', "CREATE PUBLICATION TABLE__seen FOR TABLE TABLE__big", qr/^failed: cannot split partition "\w+_big" \(Publication "\w+_seen" has it/ ])
{
	my ($what, $class, $sql, $message) = @$case;
	$table = split_disturbed($what, $sql, $message);
	value("DROP $class ${table}_seen");
	split_after($table, $what);
}
split_disturbed('DROP', "DROP TABLE TABLE__big", qr/^failed: relation public\.\w+ does not exist any more/);
split_disturbed('another owner', "ALTER TABLE TABLE_ OWNER TO heir; ALTER TABLE TABLE__big OWNER TO heir", qr/$altered|^failed: (must be owner|permission denied)/);
$table = split_disturbed('another partition', "DELETE FROM TABLE_ WHERE at >= '2026-01-05+00' AND at < '2026-01-06+00'; CREATE TABLE TABLE__x PARTITION OF TABLE_ FOR VALUES FROM ('2026-01-05+00') TO ('2026-01-06+00')", $altered, 1);

#
# Who writes to the partition by its name is told no success for what is lost.
#
like(($node->psql('postgres', $_))[2], qr/table public\.planned_big was split: its rows are in other partitions of public\.planned.*HINT: .*DROP TRIGGER dbmaint_split_closed ON public\.planned_big/s, "$_: what was split refuses it")
  for ('INSERT INTO planned_big DEFAULT VALUES', 'UPDATE planned_big SET v = NULL', 'DELETE FROM planned_big', 'TRUNCATE planned_big', 'SET session_replication_role = replica; DELETE FROM planned_big');
value(q{CREATE TABLE named (id bigint, at timestamptz NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
	CREATE TABLE named_big PARTITION OF named FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00');
	CREATE TABLE named_log (id bigint);
	ALTER TABLE named OWNER TO app; ALTER TABLE named_big OWNER TO app;
	INSERT INTO named SELECT i, '2026-01-01 00:00+00'::timestamptz + i * interval '1 day' FROM generate_series(0, 30) AS i});
my $by_name = $node->basedir . '/by_name.sql';
append_to_file($by_name, q{WITH i AS (INSERT INTO named_big VALUES (nextval('ids'), '2026-01-05 00:00+00') RETURNING id) INSERT INTO named_log SELECT id FROM i;} . "\n");
my $named = IPC::Run::start([ 'pgbench', '-n', '-c', 6, '-T', 120, '-f', $by_name, $node->connstr('postgres') ], '>', \my $said, '2>&1');
wait_until('SELECT count(*) > 20 FROM named_log', 'rows are written by the name of the partition');
my $split_named = split_partition("'named_big', '1 day', drop_original => true");
is(wait_for_end($split_named), 'done', 'which is split meanwhile');
$named->finish;
like($said, qr/was split|does not exist|could not open relation/, 'that ends with an error');
is(value('SELECT count(*) FROM named_log WHERE NOT EXISTS (SELECT FROM named WHERE named.id = named_log.id)'), 0, 'no row that was committed is lost');

#
# Rows that a damaged index does not know: what is there twice ends it, and what
# would be lost is counted.
#
value(q{
	CREATE PROCEDURE damage(name text, statement text) LANGUAGE plpgsql AS $$
	BEGIN
		UPDATE pg_index SET indisready = false WHERE indrelid = name::regclass AND indisunique;
		EXECUTE statement;
		UPDATE pg_index SET indisready = true WHERE indrelid = name::regclass AND indisunique;
	END $$;
});
for my $drop ('true', 'false')
{
	value(qq{CREATE TABLE twice_$drop (id int, at timestamptz, u int, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
		CREATE TABLE twice_${drop}_big PARTITION OF twice_$drop FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-01-05 00:00+00');
		ALTER TABLE twice_$drop OWNER TO app; ALTER TABLE twice_${drop}_big OWNER TO app;
		INSERT INTO twice_$drop SELECT i, '2026-01-01 00:00+00'::timestamptz + i * interval '1 day', i, 'x' FROM generate_series(0, 3) AS i});
	value(qq{CALL damage('twice_${drop}_big', 'INSERT INTO twice_${drop}_big SELECT * FROM twice_${drop}_big WHERE id = 1')});
	my $job = enqueue($node, 'postgres', 'partition_split', "twice_${drop}_big", qq{{"attempts": 1, "period": "1 day", "drop_original": $drop}}, 'app');
	like(wait_for_end($job), qr/^failed: duplicate key value violates unique constraint/, 'a row that is there twice is an error');
	is(value("SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off; SELECT count(*) FROM twice_$drop"), 5, 'all rows are there');
	is(leftovers(), '', 'nothing is left over');
}
value(q{CREATE TABLE uncounted (id bigint, at timestamptz, v text, CHECK (public.slowly(id)), PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
	CREATE TABLE uncounted_big PARTITION OF uncounted FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-01-05 00:00+00');
	ALTER TABLE uncounted OWNER TO app; ALTER TABLE uncounted_big OWNER TO app;
	CALL damage('uncounted_big', 'INSERT INTO uncounted_big VALUES (7, ''2026-01-01 00:00+00'')');
	INSERT INTO uncounted SELECT 1000 + i, '2026-01-01 00:00+00'::timestamptz + i % 4 * interval '1 day', repeat('x', 1000) FROM generate_series(1, 2500) AS i;
	INSERT INTO uncounted VALUES (7, '2026-01-01 00:00+00')});
my $by_page = q{SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off; SELECT};
is(value(qq{$by_page string_agg(((ctid::text::point)[0] > 256)::text, ',' ORDER BY ctid) FROM uncounted_big WHERE id = 7}), 'false,true', 'the one that the index does not know is copied before the other one');
my $pause = close_gate($node, 'postgres');
my $uncounted = enqueue($node, 'postgres', 'partition_split', 'uncounted_big', '{"attempts": 1, "period": "1 day", "drop_original": true}', 'app');
wait_for_phase($uncounted, 'waits for a lock');
value(q{DELETE FROM uncounted_big WHERE ctid = (SELECT max(ctid) FROM uncounted_big WHERE id = 7)});
open_gate($pause);
like(wait_for_end($uncounted), qr/^failed: the copy of partition "uncounted_big" has not the rows that it has/, 'so is one of which another one took the place');
like(value("SELECT message FROM dbmaint_job_history WHERE job_id = $uncounted"), qr/It has 1 rows more/, 'which is counted');
is(value(qq{$by_page count(*) FROM uncounted}) . partitions('uncounted') . leftovers(), '25011', 'all is as it was');

#
# A policy that moves rows of the default partition: many of them by a split.
#
for my $identified (1, 0)
{
	my $name = $identified ? 'policied' : 'anonymous';
	value(qq{
		SET ROLE app;
		SET TimeZone = 'UTC';
		CREATE TABLE $name (id int, at timestamptz NOT NULL@{[$identified ? ', PRIMARY KEY (id, at)' : '']}) PARTITION BY RANGE (at);
		CREATE TABLE ${name}_default PARTITION OF $name DEFAULT;
		DO \$\$ BEGIN
			EXECUTE format('CREATE TABLE %I PARTITION OF $name FOR VALUES FROM (%L) TO (%L)', '$name' || to_char(date_trunc('month', now()), '_YYYY_MM'), date_trunc('month', now()), date_trunc('month', now()) + interval '1 month');
		END \$\$;
		INSERT INTO $name SELECT i, date_trunc('month', now()) + interval '2 months' + i * interval '1 min' FROM generate_series(1, 11000) AS i;
		INSERT INTO $name SELECT i, date_trunc('month', now()) + interval '3 months' + i * interval '1 min' FROM generate_series(1, 100) AS i;
		SELECT dbmaint_set_partition_policy('$name', 4, period => '1 month', default_rows => 'move');
	});
	my $job = enqueue($node, 'postgres', 'partition_create', $name, '{}', 'app');
	is(wait_for_end($job), 'done', "$name: many rows in the default partition");
	like(value("SELECT output FROM dbmaint_job_history WHERE job_id = $job"),
		$identified ? qr/holds many rows of new partitions: job \d+ is queued to split it/ : qr/Many rows are moved under a lock: cannot split partition "anonymous_default"/, "$name: what becomes of them");
	wait_until('SELECT NOT EXISTS (SELECT FROM dbmaint_jobs)', "$name: all jobs end");
	is(partitions($name), 6, "$name: all partitions are made");
	is(value("SELECT count(*), count(*) FILTER (WHERE tableoid = '${name}_default'::regclass) FROM $name"), '11100|0', "$name: each row is in its place");
	is(value("SELECT count(*) FROM dbmaint_job_history WHERE kind = 'partition_split' AND job_id > $job AND state = 'done'"), $identified, "$name: how it was done");
	is(leftovers(), '', "$name: nothing is left over");
}
# while a split waits, or could not be done, none is added
value("INSERT INTO policied SELECT i, date_trunc('month', now()) + interval '8 months' FROM generate_series(1, 10) AS i");
my $writer = session($node, 'postgres', 'BEGIN; LOCK TABLE policied_default IN ROW EXCLUSIVE MODE');
my $queue = q{SELECT dbmaint_queue_partition_split('policied_default'::regclass, 'app'::regrole, 10)};
like(value($queue), qr/^job \d+ is queued to split it$/, 'a split is queued');
like(value($queue), qr/^job \d+ will split it$/, 'no other one is');
value('SELECT dbmaint_cancel_job(job_id) FROM dbmaint_jobs');
wait_until('SELECT NOT EXISTS (SELECT FROM dbmaint_jobs)', 'it is cancelled');
like(value($queue), qr/^job \d+ could not split it/, 'nor is one soon after');
leave($writer);

$node->stop;
done_testing();
