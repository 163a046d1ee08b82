# dbmaint_health(): each real condition changes the status of its check and of no other.
use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(allows_streaming => 1, extra => ['--data-checksums']);
$node->append_conf(
	'postgresql.conf', q{
shared_preload_libraries = 'pg_stat_statements,dbmaint'
dbmaint.enabled = off
dbmaint.sample_interval = 1s
autovacuum = off
max_connections = 20
superuser_reserved_connections = 0
max_prepared_transactions = 5
archive_mode = on
archive_command = 'true'
});
$node->start;
$node->safe_psql('postgres',
	'CREATE EXTENSION dbmaint; CREATE SCHEMA stats; CREATE EXTENSION pg_stat_statements SCHEMA stats;');

# name => status of every check
sub statuses
{
	my ($server) = @_;
	my $rows = $server->safe_psql('postgres',
		q{SELECT check_name || '=' || status FROM dbmaint_health()});
	return { map { split /=/, $_, 2 } split /\n/, $rows };
}

# "name: before>after" of every check whose status is another one now, but
# for the disk's free space, which others on the machine change, too
sub changes
{
	my ($before, $after) = @_;
	return join ', ', map { "$_: $before->{$_}>$after->{$_}" }
	  grep { $_ ne 'disk_space' && $before->{$_} ne $after->{$_} } sort keys %$before;
}

sub detail
{
	my ($server, $check) = @_;
	return $server->safe_psql('postgres',
		"SELECT detail FROM dbmaint_health() WHERE check_name = '$check'");
}

sub poll_status
{
	my ($server, $check, $status) = @_;
	return $server->poll_query_until('postgres',
		"SELECT status = '$status' FROM dbmaint_check_$check()");
}

# A client session that has sent its statements and stays connected.
sub session
{
	my ($sql) = @_;
	my $session = { in => '', out => '' };
	$session->{handle} = IPC::Run::start(
		[ 'psql', '-XqAt', '-d', $node->connstr('postgres') ],
		'<', \$session->{in}, '>', \$session->{out}, '2>', \$session->{err},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	$session->{in} .= "SELECT pg_backend_pid();\n";
	$session->{handle}->pump until $session->{out} =~ /^(\d+)\n/;
	$session->{pid} = $1;
	$session->{in} .= "$sql\n";
	$session->{handle}->pump_nb;
	return $session;
}

sub leave
{
	foreach my $session (@_)
	{
		$node->safe_psql('postgres', "SELECT pg_terminate_backend($session->{pid}, 10000)");
		$session->{in} = '';
		$session->{handle}->finish;
	}
	return;
}

# Enough blocks read from the cache for its hit ratio to be judged, and ok.
$node->safe_psql('postgres', 'CREATE TABLE warm AS SELECT generate_series(1, 20000) AS id');
$node->safe_psql('postgres', 'VACUUM ANALYZE');
$node->safe_psql('postgres',
	'DO $$BEGIN FOR i IN 1..1000 LOOP PERFORM count(*) FROM warm; END LOOP; END$$');
$node->safe_psql('postgres', 'SELECT pg_switch_wal()');
$node->poll_query_until('postgres',
	'SELECT last_archived_time IS NOT NULL FROM pg_stat_archiver');
ok(poll_status($node, 'cache_hit_ratio', 'ok'), 'a warm cache is ok');

my $quiet = statuses($node);
my %not_ok = map { $_ => $quiet->{$_} } grep { $quiet->{$_} ne 'ok' } keys %$quiet;
delete @not_ok{qw(disk_space database_size)};	# the machine's own affair
is_deeply(\%not_ok, { (map { $_ => 'unknown' } qw(response_time sampler alerts pool_efficiency pool_waiting)) },
	'nothing but the sampler, which is off, and a PgBouncer is missing on a quiet server');
like(detail($node, 'sampler'), qr/dbmaint\.enabled/, 'the sampler says why');

# sessions
{
	my $session = session('BEGIN; SELECT 1;');
	ok(poll_status($node, 'idle_in_transaction', 'warning'), 'idle in transaction is found');
	is(changes($quiet, statuses($node)), 'idle_in_transaction: ok>warning', 'and is all that changes');
	like(detail($node, 'idle_in_transaction'), qr/pg_terminate_backend\($session->{pid}\)/, 'it names the session');
	leave($session);
	is(changes($quiet, statuses($node)), '', 'and passes');
}
{
	my $session = session('SET track_activities = off; BEGIN; SELECT 1;');
	ok(poll_status($node, 'idle_in_transaction', 'unknown'), 'one that does not say since when is not known');
	is(changes($quiet, statuses($node)), 'idle_in_transaction: ok>unknown', 'and is all that changes');
	like(detail($node, $_), qr/ track_activities is off in 1 other sessions/, "$_ says why") foreach qw(idle_in_transaction longest_running_query);
	my $known = session('BEGIN; SELECT 1;');
	ok(poll_status($node, 'idle_in_transaction', 'warning'), 'and hides none that says so');
	like(detail($node, 'idle_in_transaction'), qr/pg_terminate_backend\($known->{pid}\)/, 'which is named');
	leave($session, $known);
	is(changes($quiet, statuses($node)), '', 'both pass');
	$session = session('SET track_activities = off; SELECT pg_sleep(600);');
	ok(poll_status($node, 'longest_running_query', 'unknown'), 'nor is it known how long a statement runs there');
	is(changes($quiet, statuses($node)), 'longest_running_query: ok>unknown', 'which is all that changes');
	leave($session);
	$node->safe_psql('postgres', 'ALTER SYSTEM SET track_activities = off');
	$node->reload;
	$session = session('SELECT 1;');
	ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM dbmaint_health() WHERE check_name = 'idle_in_transaction' AND status = 'ok' AND detail ~ 'track_activities is off in'}), 'where it is off for all, that is said');
	leave($session);
	$node->safe_psql('postgres', 'ALTER SYSTEM RESET track_activities');
	$node->reload;
	$node->poll_query_until('postgres', 'SHOW track_activities', 'on');
	is(changes($quiet, statuses($node)), '', 'and not when it is on again');
}
{
	my $session = session('SELECT pg_sleep(600);');
	ok(poll_status($node, 'longest_running_query', 'warning'), 'a long query is found');
	is(changes($quiet, statuses($node)), 'longest_running_query: ok>warning', 'and is all that changes');
	like(detail($node, 'longest_running_query'), qr/pg_cancel_backend\($session->{pid}\)/, 'it names the session');
	leave($session);
}
{
	my $blocker = session('SELECT pg_advisory_lock(42);');
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND granted");
	my $blocked = session('SELECT pg_advisory_lock(42);');
	ok(poll_status($node, 'blocked_sessions', 'warning'), 'a blocked session is found');
	is(changes($quiet, statuses($node)), 'blocked_sessions: ok>warning', 'and is all that changes');
	like(detail($node, 'blocked_sessions'),
		qr/Process $blocked->{pid} .* for process $blocker->{pid}\./, 'it names both sessions');
	leave($blocker, $blocked);
}
{
	my @sessions = map { session('SELECT 1;') } (1 .. 16);
	ok(poll_status($node, 'total_connections', 'warning'), 'over 80 % of max_connections is found');
	is(changes($quiet, statuses($node)), 'total_connections: ok>warning', 'and is all that changes');
	push @sessions, session('SELECT 1;'), session('SELECT 1;');
	is(changes($quiet, statuses($node)), 'total_connections: ok>critical', 'over 90 % is critical');
	push @sessions, session('SELECT 1;');
	is(changes($quiet, statuses($node)), 'total_connections: ok>emergency', 'none left is an emergency');
	$_->{in} .= "\\q\n" foreach @sessions;
	$_->{handle}->finish foreach @sessions;
	ok(poll_status($node, 'total_connections', 'ok'), 'and passes');
}
{
	$node->safe_psql('postgres',
		"BEGIN; CREATE TABLE two_phase (id int); PREPARE TRANSACTION 'it''s';");
	ok(poll_status($node, 'prepared_transactions', 'warning'), 'a prepared transaction is found');
	is(changes($quiet, statuses($node)), 'prepared_transactions: ok>warning', 'and is all that changes');
	like(detail($node, 'prepared_transactions'), qr/ROLLBACK PREPARED 'it''s'/, 'it says how to end it');
	$node->safe_psql('postgres', "ROLLBACK PREPARED 'it''s'");
}

# tables and indexes
$node->safe_psql('postgres', 'CREATE TABLE twice (id int); INSERT INTO twice VALUES (1), (1);');
$node->psql('postgres', 'CREATE UNIQUE INDEX CONCURRENTLY twice_id ON twice (id)');
is(changes($quiet, statuses($node)), 'invalid_indexes: ok>warning', 'an invalid index changes its check alone');
$node->safe_psql('postgres', 'DROP INDEX twice_id;');

{
	# until the old snapshot is gone the new index is there and not valid
	my $reader = session('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM twice;');
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE state = 'idle in transaction'");
	my $builder = session('CREATE INDEX CONCURRENTLY building_id ON twice (id);');
	$node->poll_query_until('postgres',
		"SELECT phase = 'waiting for old snapshots' FROM pg_stat_progress_create_index");
	is( $node->safe_psql('postgres',
			'SELECT (SELECT count(*) FROM pg_index WHERE NOT indisvalid), status FROM dbmaint_check_invalid_indexes()'),
		'1|ok', 'an index that is being built is not an invalid one');
	leave($builder, $reader);
	$node->safe_psql('postgres', 'DROP TABLE twice');
}
{
	# the new indexes of the table and of its TOAST table are there at once
	$node->safe_psql('postgres', 'CREATE TABLE toasted (id int PRIMARY KEY, note text)');
	my $reader = session('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM toasted;');
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE state = 'idle in transaction'");
	my $builder = session('REINDEX TABLE CONCURRENTLY toasted;');
	$node->poll_query_until('postgres',
		"SELECT phase = 'waiting for old snapshots' FROM pg_stat_progress_create_index");
	is( $node->safe_psql('postgres',
			'SELECT (SELECT count(*) FROM pg_index WHERE NOT indisvalid), status FROM dbmaint_check_invalid_indexes()'),
		'2|ok', "nor is that of a TOAST table while the table's indexes are rebuilt");
	leave($builder, $reader);
	$node->safe_psql('postgres', 'DROP TABLE toasted');
}

$node->safe_psql('postgres',
	'CREATE TABLE dead (id int); INSERT INTO dead SELECT generate_series(1, 3000); DELETE FROM dead WHERE id <= 1500;');
$node->safe_psql('postgres', 'ANALYZE dead');
is(changes($quiet, statuses($node)), 'tables_needing_vacuum: ok>warning', 'dead tuples change their check alone');
like(detail($node, 'tables_needing_vacuum'), qr/^1 with over 1000 dead tuples; most in public\.dead\./, 'it names the table');
$node->safe_psql('postgres', 'VACUUM dead');
is(changes($quiet, statuses($node)), '', 'VACUUM mends it');

$node->safe_psql('postgres', 'INSERT INTO dead SELECT 1 FROM generate_series(1, 100)');
is(changes($quiet, statuses($node)), '', 'a table that was analyzed and changed today is not stale');
$node->safe_psql('postgres', 'CREATE TABLE stale AS SELECT 1 AS id FROM generate_series(1, 100)');
ok(poll_status($node, 'stale_statistics', 'warning'), 'a table never analyzed is found');
is(changes($quiet, statuses($node)), 'stale_statistics: ok>warning', 'and is all that changes');
$node->safe_psql('postgres', 'ANALYZE stale');
is(changes($quiet, statuses($node)), '', 'ANALYZE mends it');

# slots, archiving
$node->safe_psql('postgres', "SELECT pg_create_physical_replication_slot('forgotten', true)");
is(changes($quiet, statuses($node)), 'replication_slots: ok>warning', 'an inactive slot changes its check alone');
like(detail($node, 'replication_slots'), qr/pg_drop_replication_slot\('forgotten'\)/, 'it names the slot');
$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('forgotten')");

$node->safe_psql('postgres', "ALTER SYSTEM SET archive_command = 'false'");
$node->reload;
$node->safe_psql('postgres', 'CREATE TABLE some_wal (id int); SELECT pg_switch_wal();');
ok(poll_status($node, 'archiving', 'critical'), 'failing archiving is found');
is(changes($quiet, statuses($node)), 'archiving: ok>critical', 'and is all that changes');
$node->safe_psql('postgres', "ALTER SYSTEM SET archive_command = ''");
$node->reload;
$node->poll_query_until('postgres', "SELECT current_setting('archive_command') = ''");
like(detail($node, 'archiving'), qr/Neither archive_command nor archive_library/, 'archiving without a command is found');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET archive_command');
$node->reload;
ok(poll_status($node, 'archiving', 'ok'), 'a command that works mends it');

# a lock on our own history costs those checks their rows, and a second each
{
	my $session = session('BEGIN; LOCK TABLE performance_metrics IN ACCESS EXCLUSIVE MODE;');
	$node->poll_query_until('postgres',
		"SELECT count(*) > 0 FROM pg_locks WHERE relation = 'performance_metrics'::regclass AND mode = 'AccessExclusiveLock'");
	my $locked = $node->safe_psql('postgres',
		q{SELECT check_name FROM dbmaint_health() WHERE detail LIKE '%lock timeout%'});
	is($locked, "database_size\nresponse_time\ndeadlocks\ntemp_files", 'a locked history is unknown, not a hanging call');
	leave($session);
}

# a standby
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
my $there = statuses($standby);
foreach my $check (qw(tables_needing_vacuum response_time stale_statistics archiving prepared_transactions sampler))
{
	is($there->{$check}, 'unknown', "$check is unknown on a standby");
	like(detail($standby, $check), qr/standby.*primary/, 'and says to ask the primary');
}
is($standby->safe_psql('postgres', "SELECT count(*) FROM dbmaint_health() WHERE detail LIKE 'The check failed%'"),
	'0', 'no check fails on a standby');
ok(poll_status($standby, 'replication_lag', 'ok'), 'a standby that keeps up is ok');
like($node->safe_psql('postgres', 'SELECT detail FROM dbmaint_check_replication_lag()'),
	qr/standby.*1 connected/, 'the primary names it');
is(changes($quiet, statuses($node)), '', 'and nothing changes there');

$node->safe_psql('postgres', 'CREATE TABLE twice (id int); INSERT INTO twice VALUES (1), (1);');
$node->psql('postgres', 'CREATE UNIQUE INDEX CONCURRENTLY twice_id ON twice (id)');
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', 'SELECT status FROM dbmaint_check_invalid_indexes()'),
	'unknown', 'a standby cannot tell an invalid index from one being built');
$node->safe_psql('postgres', 'DROP TABLE twice');

# a standby that lost its primary
$node->stop;
ok(poll_status($standby, 'replication_lag', 'warning'), 'a standby that receives nothing says so');
$standby->stop;
$node->start;

# a real sampler
$node->safe_psql('postgres', 'ALTER SYSTEM SET dbmaint.enabled = on');
$node->reload;
ok(poll_status($node, 'sampler', 'ok'), 'a running sampler is ok');
like($node->safe_psql('postgres', 'SELECT detail FROM dbmaint_check_sampler()'),
	qr/^It cost [\d.]+ ms; \d+ rounds, 0 errors\./, 'and tells its cost and errors');
ok(poll_status($node, 'response_time', 'ok'), 'response times are known');
my $sampler = $node->safe_psql('postgres',
	"SELECT pid FROM dbmaint_status() WHERE process LIKE '%sampler%' AND database = 'postgres' AND pid IS NOT NULL");
my $measured = statuses($node);
kill 'STOP', $sampler;
ok(poll_status($node, 'sampler', 'critical'), 'a sampler that stands still is found');
is(changes($measured, statuses($node)), 'sampler: ok>critical', 'and is all that changes');
kill 'CONT', $sampler;
ok(poll_status($node, 'sampler', 'ok'), 'and is ok when it goes on');

# pg_stat_statements
$measured = statuses($node);
$node->safe_psql('postgres', 'DROP EXTENSION pg_stat_statements');
is(changes($measured, statuses($node)), 'pg_stat_statements: ok>unknown', 'a missing pg_stat_statements changes its check alone');
like(detail($node, 'pg_stat_statements'), qr/CREATE EXTENSION/, 'it says what to do');
$node->safe_psql('postgres', 'CREATE EXTENSION pg_stat_statements SCHEMA stats');

# nothing preloaded
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
my $bare = statuses($node);
is($bare->{sampler}, 'unknown', 'the sampler is unknown without the library');
like(detail($node, 'sampler'), qr/shared_preload_libraries/, 'it says what to do');
is($bare->{pg_stat_statements}, 'unknown', 'pg_stat_statements is unknown when it is not preloaded');
like(detail($node, 'pg_stat_statements'), qr/shared_preload_libraries/, 'it says what to do');
is($node->safe_psql('postgres', "SELECT count(*) FROM dbmaint_health() WHERE detail LIKE 'The check failed%'"),
	'0', 'no check fails without the library');

$node->stop;
done_testing();
