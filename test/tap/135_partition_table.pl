# A plain table becomes a partitioned one while it is written and read: all that
# hangs on it goes over, no row is lost or out of sight, and a try that ends
# early leaves the table as it was.
use strict;
use warnings;

use FindBin;
use IPC::Run;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Jobs;
use Samplers;
use Test::More;
use Time::HiRes qw(usleep);

my $node = new_server('primary', conf => "restart_after_crash = on\nwal_level = logical\n");
$node->safe_psql('postgres', q{
	CREATE ROLE app;
	CREATE ROLE reader;
	CREATE ROLE viewer;
	GRANT CREATE, USAGE ON SCHEMA public TO app, viewer;
	GRANT CREATE ON DATABASE postgres TO app;
	CREATE EXTENSION dbmaint;
});

sub value { return $node->safe_psql('postgres', $_[0]); }

sub wait_until
{
	my ($sql, $what) = @_;
	return ok($node->poll_query_until('postgres', $sql), $what)
	  || diag(value('SELECT kind, state, message, output FROM dbmaint_job_history'));
}

# Asks for it; waits until that job, and the one that splits, are over.
sub convert
{
	my ($arguments, $role) = @_;
	value(($role ? "SET ROLE $role; " : '') . "SELECT FROM dbmaint_partition_table($arguments)");
	$node->poll_query_until('postgres', 'SELECT NOT EXISTS (SELECT FROM dbmaint_jobs)');
	return value(q{SELECT string_agg(concat_ws(': ', kind, state, message), '; ' ORDER BY job_id, attempt)
		FROM dbmaint_job_history WHERE job_id > (SELECT coalesce(max(j.job_id), 0) - 1 FROM dbmaint_job_history AS j WHERE j.kind = 'partition_table')
		 AND kind LIKE 'partition%'});
}

#
# All that hangs on a table.
#
value(q{
	SET ROLE app;
	SET TimeZone = 'UTC';
	CREATE TABLE zones (id int PRIMARY KEY);
	INSERT INTO zones SELECT generate_series(0, 9);
	CREATE TABLE fired (what text);
	GRANT INSERT ON fired TO reader;
	CREATE TABLE events (
		id bigint GENERATED ALWAYS AS IDENTITY, number serial, at timestamptz NOT NULL, gone int,
		zone int REFERENCES zones ON DELETE CASCADE, note text CHECK (note <> 'never'), length int GENERATED ALWAYS AS (length(note)) STORED,
		PRIMARY KEY (id, at));
	ALTER TABLE events DROP COLUMN gone;
	CREATE INDEX events_zone ON events (zone);
	CREATE INDEX events_at ON events (at);
	CREATE STATISTICS events_statistics ON zone, note FROM events;
	COMMENT ON TABLE events IS 'what happened';
	COMMENT ON COLUMN events.note IS 'in words';
	ALTER TABLE events ALTER note SET STATISTICS 250;
	ALTER TABLE events SET (autovacuum_vacuum_threshold = 77);
	GRANT SELECT ON events TO reader WITH GRANT OPTION;
	GRANT UPDATE (note) ON events TO reader;
	GRANT INSERT ON events TO reader;
	CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.fired VALUES (TG_OP || ' ' || TG_LEVEL || ' ' || TG_TABLE_NAME); RETURN new; END $$;
	INSERT INTO events (at, zone, note) SELECT date_trunc('month', now()) - interval '5 months' + n * interval '35 minutes', n % 10, 'note ' || n FROM generate_series(1, 5000) AS n;
	CREATE TRIGGER after_row AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION fire();
	CREATE TRIGGER after_all AFTER INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION fire();
	CREATE TRIGGER silent AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION fire();
	ALTER TABLE events DISABLE TRIGGER silent;
	ALTER TABLE events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
	CREATE POLICY low ON events FOR SELECT TO reader USING (zone < 5);
	CREATE POLICY writes ON events FOR INSERT TO reader WITH CHECK (zone < 5);
	GRANT SELECT ON events TO viewer;
	GRANT USAGE ON SEQUENCE events_number_seq TO reader;
	GRANT SELECT ON SEQUENCE events_id_seq TO PUBLIC;
	COMMENT ON INDEX events_at IS 'by time';
	COMMENT ON CONSTRAINT events_pkey ON events IS 'both';
	COMMENT ON TRIGGER after_row ON events IS 'each';
	CREATE TABLE restarted (id int GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL);
	ALTER TABLE restarted ALTER id RESTART WITH 700;
	RESET ROLE;
	CREATE PUBLICATION theirs FOR TABLE events WITH (publish_via_partition_root);
	ALTER ROLE viewer BYPASSRLS;
	SET ROLE viewer;
	CREATE VIEW all_events WITH (security_barrier) AS SELECT e.id, e.at, e.note FROM public.events AS e;
	COMMENT ON VIEW all_events IS 'a view';
	GRANT SELECT ON all_events TO reader;
});
my ($code, $said, $refusal) = $node->psql('postgres', q{SET ROLE app; SELECT FROM dbmaint_partition_table('events', 'at', '1 month', 'UTC')});
like($refusal, qr/Publication "theirs" has it, and is neither its owner's nor the caller's/, 'a publication of somebody else keeps it from being done');
value('DROP PUBLICATION theirs; SET ROLE app; CREATE PUBLICATION feed FOR TABLE events (id, at, note) WHERE (id > 3) WITH (publish_via_partition_root)');
my $before = value('SELECT count(*), sum(hashtext(e::text)::bigint) FROM events AS e');
is(convert(q{'events', 'at', '1 month', 'UTC', drop_original => true}, 'app'), 'partition_table: done; partition_split: done', 'a table with everything');
is(value('SELECT count(*), sum(hashtext(e::text)::bigint) FROM events AS e'), $before, 'has the rows that it had, though its owner may see none of them');
is(value(q{SELECT count(*) FROM pg_inherits WHERE inhparent = 'events'::regclass}), 10, 'in partitions of a month: five of the past, two that it held as well, three more');
is(value(q{SELECT to_regclass('events_initial')}), '', 'the table that it was is dropped');
is(value('SELECT count(*) FROM dbmaint_retiring_partitions'), 0, 'and forgotten');
is(value(q{SELECT relkind, relrowsecurity, relforcerowsecurity, relowner::regrole, obj_description(oid) FROM pg_class WHERE oid = 'events'::regclass}),
	'p|t|t|app|what happened', 'its name, owner, row security and comment are the partitioned table\'s');
is(value(q{SELECT string_agg(c.relname || ' ' || c.relkind::text || ' ' || i.indisvalid, ', ' ORDER BY c.relname) FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid WHERE indrelid = 'events'::regclass}),
	'events_at I true, events_pkey I true, events_zone I true', 'so are the names of its indexes');
is(value(q{SELECT string_agg(conname || ' ' || contype::text, ', ' ORDER BY conname) FROM pg_constraint WHERE conrelid = 'events'::regclass AND contype <> 'n'}),
	'events_note_check c, events_pkey p, events_zone_fkey f', 'and of its constraints');
is(value(q{SELECT count(*) FROM pg_constraint WHERE conname = 'dbmaint_range' OR conname LIKE 'dbmaint\_split\_%'}), 0, 'no CHECK of ours is left');
is(value(q{SELECT count(*) FROM pg_class WHERE relname ~ '^dbmaint_(split|changed|changes)_\d'}), 0, 'and no table');
is(value(q{SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'dbmaint_capture%'}), 0, 'and no trigger');
is(value(q{SELECT string_agg(grantee || ' ' || privilege_type || ' ' || is_grantable, ', ' ORDER BY grantee, privilege_type) FROM information_schema.table_privileges WHERE table_name = 'events' AND grantee <> 'app'}),
	'reader INSERT NO, reader SELECT YES, viewer SELECT NO', 'privileges are');
is(value(q{SELECT string_agg(polname || ' ' || polcmd::text, ', ' ORDER BY polname) FROM pg_policy WHERE polrelid = 'events'::regclass}), 'low r, writes a', 'policies');
is(value(q{SELECT attname || ' ' || col_description(attrelid, attnum) || ' ' || attstattarget || ' ' || attacl::text FROM pg_attribute WHERE attrelid = 'events'::regclass AND attname = 'note'}),
	'note in words 250 {reader=w/app}', 'what is said of its columns');
is(value(q{SELECT reloptions::text, relrowsecurity FROM pg_class WHERE relname = 'events_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')}), '{autovacuum_vacuum_threshold=77}|t', 'and partitions have what it had');
is(value(q{SELECT tablename, attnames::text, rowfilter FROM pg_publication_tables WHERE pubname = 'feed'}), 'events|{id,at,note}|(id > 3)', 'it is published under its name');
is(value('SELECT count(*) FROM all_events'), 5000, 'views show its rows');
is(value(q{SELECT reloptions::text, obj_description(oid), relowner::regrole FROM pg_class WHERE relname = 'all_events'}), '{security_barrier=true}|a view|viewer', 'and are what they were');
is(value('SET ROLE reader; SELECT count(*) FROM events'), 2500, 'policies hold');
is(value(q{SET ROLE reader; INSERT INTO events (at, zone, note) VALUES (now(), 1, 'new') RETURNING id, number, length}), '5001|5001|3', 'identity and sequence go on');
is(value(q{SELECT string_agg(regexp_replace(what, '\d', 'N', 'g'), ', ' ORDER BY what DESC) FROM fired}), 'INSERT STATEMENT events, INSERT ROW events_NNNN_NN', 'triggers fire once, and those that were disabled do not');
is(value(q{SELECT count(*) FROM pg_stats WHERE tablename = 'events'}) > 0 ? 1 : 0, 1, 'the planner has statistics of the whole');
is(value(q{DELETE FROM zones WHERE id = 9; SELECT count(*) FROM events WHERE zone = 9}), 0, 'foreign keys cascade');
isnt($node->psql('postgres', q{INSERT INTO events (at, zone) VALUES (now(), 99)}), 0, 'and are enforced');
isnt($node->psql('postgres', q{INSERT INTO events (at, note) VALUES (now(), 'never')}), 0, 'so are CHECKs');
is(value(q{SELECT missing, gaps, error IS NULL FROM dbmaint_partition_facts('events'::regclass, 3, NULL, NULL, false, now())}), '0|0|t', 'and its partitions are found to be in order');
is(value(q{SELECT string_agg(status, ',') FROM create_future_partitions('events', 3)}), 'exists,exists,exists,exists', 'for the functions that make the next ones');

is(value(q{SELECT has_sequence_privilege('reader', 'events_id_seq', 'SELECT')}), 't', 'the identity has its privileges');
is(value(q{SELECT concat_ws(',', obj_description('events_at'::regclass), (SELECT obj_description(oid, 'pg_constraint') FROM pg_constraint WHERE conrelid = 'events'::regclass AND contype = 'p'),
	(SELECT obj_description(oid, 'pg_trigger') FROM pg_trigger WHERE tgrelid = 'events'::regclass AND tgname = 'after_row'))}), 'by time,both,each', 'comments went over, too');
is(convert(q{'restarted', 'at', '1 month', split => false}, 'app'), 'partition_table: done', 'an identity that was set and not used yet');
is(value(q{INSERT INTO restarted (at) VALUES (now()) RETURNING id}), 700, 'goes on where it was set');

#
# While it is written and read by many.
#
value(q{
	SET TimeZone = 'UTC';
	CREATE TABLE busy (id bigint PRIMARY KEY, at timestamptz NOT NULL, amount int NOT NULL);
	INSERT INTO busy SELECT n, now() - n * interval '10 minutes', 0 FROM generate_series(1, 40000) AS n;
	CREATE TABLE totals (worker int PRIMARY KEY, rows bigint NOT NULL, amount bigint NOT NULL);
	INSERT INTO totals SELECT w, 0, 0 FROM generate_series(0, 3) AS w;
});
value('CREATE SEQUENCE fresh START 1000000');
my $script = $node->basedir . '/busy.sql';
append_to_file($script, q{
\set id random(1, 40000)
\set more random(0, 3)
BEGIN;
UPDATE busy SET amount = amount + 1 WHERE id = :id;
UPDATE busy SET at = at - interval '3 days' WHERE id = :id + 1;
INSERT INTO busy VALUES (nextval('fresh'), now() - :more * interval '40 days', 1);
UPDATE totals SET rows = rows + 1, amount = amount + (SELECT 1 + count(*) FROM busy WHERE id = :id) WHERE worker = :client_id;
END;
});
my $load = IPC::Run::start([ 'pgbench', '-n', '-c', 3, '-T', 600, '-f', $script, '-h', $node->host, '-p', $node->port, 'postgres' ], '>', \my $out, '2>', \my $errors);
wait_until('SELECT sum(rows) > 20 FROM totals', 'rows are written');
# in one snapshot: all that there is, and what there must be
my $sum = q{SELECT (SELECT count(*) FROM busy) - 40000 - (SELECT sum(rows) FROM totals), (SELECT sum(amount) FROM busy) - (SELECT sum(amount) FROM totals)};
value(q{SELECT FROM dbmaint_partition_table('busy', 'at', '1 month', unique_per_partition => true)});
my $looks = 0;
my %sums;
do { $sums{ value($sum) }++; $looks++; } while (value('SELECT EXISTS (SELECT FROM dbmaint_jobs)') eq 't');
$sums{ value($sum) }++;
IPC::Run::signal($load, 'INT');
IPC::Run::finish($load);
is(join(', ', keys %sums), '0|0', "no row is out of sight, lost or there twice, in $looks looks");
is(value($sum), '0|0', 'nor at the end');
is(value(q{SELECT count(*) - count(DISTINCT id) FROM busy}), 0, 'each is there once');
is(value(q{SELECT string_agg(kind || ' ' || state, ', ' ORDER BY job_id, attempt) FROM dbmaint_job_history WHERE target ~ 'busy'}), 'partition_table done, partition_split done', 'at the first try');
unlike($errors, qr/ERROR|error:/, 'nobody met an error') or diag($errors);
is(value(q{SELECT count(*) FROM busy_initial}) > 40000 ? 1 : 0, 1, 'what it was stays as a table of its own');
is(value(q{SELECT count(*) > 10 FROM pg_inherits WHERE inhparent = 'busy'::regclass}), 't', 'and has a partition for each month');

#
# What does not go through leaves the table as it was.
#
value(q{CREATE TABLE holey (id int, at timestamptz); INSERT INTO holey VALUES (1, now()), (2, NULL)});
value(q{SELECT dbmaint_enqueue('partition_table', 'holey', '{"column": "at", "period": "1 month", "attempts": 1}')});
wait_until('SELECT NOT EXISTS (SELECT FROM dbmaint_jobs)', 'a table with rows that have no key');
like(value(q{SELECT state || ': ' || message FROM dbmaint_job_history WHERE target ~ 'holey'}), qr/^failed: check constraint "dbmaint_range" of relation "holey" is violated by some row/, 'is not partitioned');
is(value(q{SELECT c.relkind::text || count(n.oid) FROM pg_class AS c LEFT JOIN pg_constraint AS n ON n.conrelid = c.oid WHERE c.relname = 'holey' GROUP BY c.relkind}), 'r0', 'and has no CHECK afterwards');
is($node->psql('postgres', q{INSERT INTO holey VALUES (3, '2999-01-01')}), 0, 'so that rows of any time go in');

# a reader that does not end: nobody waits behind us for long, and it is tried again
value(q{CREATE TABLE read (id int, at timestamptz NOT NULL); INSERT INTO read VALUES (1, now())});
my $reader = session($node, 'postgres', 'BEGIN; SELECT count(*) FROM read');
my $job = enqueue($node, 'postgres', 'partition_table', 'read', '{"column": "at", "period": "1 month", "split": false}');
wait_until(qq{SELECT progress ~ 'waits for a lock' FROM dbmaint_jobs WHERE job_id = $job}, 'a conversion waits for a reader');
is(value(q{SET statement_timeout = '5s'; INSERT INTO read VALUES (2, now()); SELECT count(*) FROM read}), 2, 'meanwhile others write and read');
$reader->{in} .= "COMMIT;\n";
leave($reader);
ends_as($node, 'postgres', $job, qr/^done$/, 'and goes on when he is gone');
is(value(q{SELECT relkind FROM pg_class WHERE relname = 'read'}), 'p', 'to its end');

# what is cancelled
value(q{CREATE TABLE stopped (id int, at timestamptz NOT NULL); INSERT INTO stopped VALUES (1, now())});
$reader = session($node, 'postgres', 'BEGIN; LOCK TABLE stopped IN ROW EXCLUSIVE MODE');
$job = enqueue($node, 'postgres', 'partition_table', 'stopped', '{"column": "at", "period": "1 month"}');
wait_until(qq{SELECT progress ~ 'waits for a lock' FROM dbmaint_jobs WHERE job_id = $job}, 'another one waits');
is(value("SELECT dbmaint_cancel_job($job)"), 't', 'and is cancelled');
$reader->{in} .= "COMMIT;\n";
leave($reader);
ends_as($node, 'postgres', $job, qr/^cancelled/, 'which ends it');
is(value(q{SELECT c.relkind::text || count(n.oid) FROM pg_class AS c LEFT JOIN pg_constraint AS n ON n.conrelid = c.oid AND n.contype = 'c' WHERE c.relname = 'stopped' GROUP BY c.relkind}), 'r0', 'with the table as it was');

#
# kill -9 at any time.
#
for my $i (1 .. 6)
{
	my $table = "random_$i";
	value(qq{
		CREATE TABLE $table (id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL, PRIMARY KEY (id, at));
		INSERT INTO $table (at) SELECT now() - n * interval '1 hour' FROM generate_series(1, 6000) AS n;
		SELECT FROM dbmaint_partition_table('$table', 'at', '1 month', drop_original => true)});
	my $runner = runner_of($node, 'postgres');
	usleep(int(rand(300_000)));
	kill 'KILL', $runner;
	$node->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $runner)");
	wait_until('SELECT NOT EXISTS (SELECT FROM dbmaint_jobs)', 'killed at any time, the jobs end');
	is(value(qq{
		SELECT (SELECT relkind FROM pg_class WHERE relname = '$table'), (SELECT count(*) FROM $table),
			(SELECT count(*) FROM pg_inherits WHERE inhparent = '$table'::regclass) BETWEEN 12 AND 14,
			(SELECT count(*) FROM pg_class WHERE relname ~ '^dbmaint_(split|changed|changes)_[0-9]' OR relname = '${table}_initial'),
			(SELECT count(*) FROM pg_constraint WHERE conname LIKE 'dbmaint\_split\_%'),
			(SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'dbmaint_capture%')}), 'p|6000|t|0|0|0', 'as if nothing had happened');
}

$node->stop;
done_testing();
