# Sessions are looked at without a transaction, counted, recorded, and stored.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Samplers;
use Test::More;

my $node = new_server(
	'primary',
	init => { allows_streaming => 1 },
	conf => q{
dbmaint.activity_interval = 100ms
dbmaint.activity_history_interval = 1s
compute_query_id = on
max_prepared_transactions = 2
restart_after_crash = on
});
$node->safe_psql('postgres', 'CREATE EXTENSION dbmaint; CREATE TABLE t (id int); CREATE TABLE u (id int);');

sub set
{
	my (%settings) = @_;
	$node->safe_psql('postgres', "ALTER SYSTEM SET dbmaint.$_ = '$settings{$_}'") foreach keys %settings;
	$node->reload;
	return;
}

# A session that has sent a statement which does not end.
sub busy
{
	my ($sql) = @_;
	my $session = session($node, 'postgres', 'SELECT 1');
	$session->{in} .= "$sql;\n";
	$session->{handle}->pump_nb;
	$node->poll_query_until('postgres',
		"SELECT state = 'active' AND wait_event_type IS NOT NULL FROM pg_stat_activity WHERE pid = $session->{pid}");
	return $session;
}

# Waits for that many rows of history that began after now.
sub stored_again
{
	my ($count) = @_;
	my $now = $node->safe_psql('postgres', 'SELECT clock_timestamp()');
	return $node->poll_query_until('postgres',
		"SELECT count(*) >= $count FROM dbmaint_activity_history WHERE from_at > '$now' AND samples > 1") ? $now : undef;
}

my $ticking = q{SELECT max(at) > clock_timestamp() - interval '1 s' FROM dbmaint_recorder('1 hour')};
my $resting = q{SELECT max(at) < clock_timestamp() - interval '1 s' FROM dbmaint_recorder('1 hour')};

# one that sleeps, one that keeps a lock, one that wants it, one that wants what nobody keeps
my $sleeper = busy('SELECT pg_sleep(3600)');
my $holder = session($node, 'postgres', 'BEGIN; LOCK TABLE t');
my $waiter = busy('SELECT * FROM t');
$node->safe_psql('postgres', "BEGIN; LOCK TABLE u; PREPARE TRANSACTION 'kept'");
my $orphan = busy('SELECT * FROM u');
my $idle = session($node, 'postgres', 'SELECT 1');

my $since = stored_again(3);
ok($since, 'what they do is stored');
my $profile = "FROM dbmaint_wait_profile('$since', 'infinity'";
is( $node->safe_psql('postgres', "SELECT average_sessions $profile) WHERE wait_event = 'PgSleep' AND wait_event_type = 'Timeout'"),
	'1', 'one session sleeps all the time');
is( $node->safe_psql('postgres', "SELECT average_sessions $profile) WHERE wait_event_type = 'Lock' AND wait_event = 'relation'"),
	'2', 'two wait for a lock all the time');
cmp_ok($node->safe_psql('postgres', "SELECT abs(sum(share_ratio) - 1) $profile)"), '<', 1e-9, 'all shares are the whole');
my $query_id = $node->safe_psql('postgres', "SELECT query_id FROM pg_stat_activity WHERE pid = $sleeper->{pid}");
is( $node->safe_psql('postgres', "SELECT wait_event, average_sessions, share_ratio $profile, $query_id)"),
	'PgSleep|1|1', 'of one statement');
is( $node->safe_psql('postgres', "SELECT database, average_sessions, cpu_sessions, lock_sessions, other_sessions, top_wait FROM dbmaint_activity('$since', 'infinity') WHERE query_id = $query_id"),
	'postgres|1|0|0|1|Timeout: PgSleep', 'by statement');
is( $node->safe_psql('postgres', "SELECT sum(lock_sessions) FROM dbmaint_activity('$since', 'infinity') WHERE top_wait = 'Lock: relation'"),
	'2', 'who is blocked');
is( $node->safe_psql('postgres', "SELECT database, average_sessions, cpu_sessions IS NULL FROM dbmaint_activity('$since', 'infinity') WHERE state = 'idle in transaction'"),
	'postgres|1|t', 'who keeps a transaction open');
cmp_ok($node->safe_psql('postgres', "SELECT average_sessions FROM dbmaint_activity('$since', 'infinity') WHERE state = 'idle' AND query_id IS NULL"),
	'>=', 1, 'who is idle');
is( $node->safe_psql('postgres', "SELECT count(*) FROM dbmaint_activity_history WHERE from_at > '$since' AND (dropped <> 0 OR samples > 10)"),
	'0', 'nothing is dropped, or counted twice');

# the recorder
my $seen = "FROM dbmaint_recorder() WHERE wait_event_type = 'Lock' AND pid =";
is( $node->safe_psql('postgres', "SELECT count(*) > 10, bool_and(blocked_by = $holder->{pid}), bool_and(wait_event = 'relation' AND state = 'active' AND database = 'postgres' AND username = current_user) $seen $waiter->{pid}"),
	't|t|t', 'it names who blocks');
is($node->safe_psql('postgres', "SELECT bool_and(blocked_by = 0) $seen $orphan->{pid}"), 't', 'or that a prepared transaction does');
is( $node->safe_psql('postgres', "SELECT bool_and(r.backend_start = a.backend_start AND r.xact_start = a.xact_start AND r.query_id = a.query_id AND r.blocked_by IS NULL) FROM dbmaint_recorder('2 s') AS r JOIN pg_stat_activity AS a USING (pid) WHERE pid = $sleeper->{pid}"),
	't', 'and has what pg_stat_activity has');
is( $node->safe_psql('postgres', "SELECT count(*) FROM dbmaint_recorder() WHERE pid = $idle->{pid} AND state = 'idle'"),
	'0', 'idle sessions take no room');
my $recording = $node->safe_psql('postgres', q{SELECT dbmaint_recorder_freeze('it''s blocked')});
is( $node->safe_psql('postgres', "SELECT reason, observations > 0, observations = (SELECT count(*) FROM dbmaint_recorded_activity WHERE recording_id = $recording), from_at < to_at FROM dbmaint_recordings WHERE recording_id = $recording"),
	"it's blocked|t|t|t", 'it can be kept');
is( $node->safe_psql('postgres', "SELECT bool_and(blocked_by = $holder->{pid}) FROM dbmaint_recorded_activity WHERE recording_id = $recording AND pid = $waiter->{pid} AND wait_event_type = 'Lock'"),
	't', 'with all it had');

# connection leaks, now
is( $node->safe_psql('postgres', q{SELECT idle_in_transaction_sessions, client_addresses, status FROM dbmaint_connection_leaks('0 s', '0 s') WHERE idle_in_transaction_sessions > 0}),
	'1|{local}|warning', 'a transaction that is kept open looks like a leak');
is( $node->safe_psql('postgres', 'SELECT count(*) FROM dbmaint_connection_leaks()'), '0', 'a young one does not');

# locks, now
is( $node->safe_psql('postgres', "SELECT blocked_pid, waiting_ms > 0, lock_mode, relation, blocking_pid, blocking_state FROM dbmaint_blocked() ORDER BY blocking_pid DESC"),
	"$waiter->{pid}|t|AccessShareLock|public.t|$holder->{pid}|idle in transaction\n$orphan->{pid}|t|AccessShareLock|public.u|0|prepared transaction",
	'who waits for whom');
is( $node->safe_psql('postgres', q{SELECT lock_mode, granted, waiting, longest_wait_ms > 0, array_length(pids, 1) FROM dbmaint_locks() WHERE relation = 'public.t'}),
	"AccessShareLock|0|1|t|1\nAccessExclusiveLock|1|0||1", 'which locks there are');
is( $node->safe_psql('postgres', q{SELECT state, bool_and(database = 'postgres' AND username = current_user), sum(connections) > 0, bool_and(oldest_transaction_ms > 0) FROM dbmaint_connections() WHERE state LIKE 'idle%' GROUP BY 1 ORDER BY 1}),
	"idle|t|t|\nidle in transaction|t|t|t", 'who is connected');

# sessions that come and go
my $sampler = process_of($node, 'postgres');
$node->safe_psql('postgres', 'SELECT 1') foreach (1 .. 20);
ok(stored_again(1), 'many short connections do it no harm');
is(process_of($node, 'postgres'), $sampler, 'and the sampler is still the same');

# ticks between rounds: no round, no transaction, no snapshot
set(sample_interval => '1h', activity_history_interval => '1h');
ok( $node->poll_query_until('postgres', q{SELECT next_due_at > now() + interval '50 min' FROM dbmaint_status() WHERE process = 'sampler' AND database = 'postgres'}),
	'rounds are an hour apart');
my $before = $node->safe_psql('postgres', q{SELECT rounds FROM dbmaint_status() WHERE process = 'sampler' AND database = 'postgres'});
my ($looks, $held) = (0, 0);
while ($looks < 20)
{
	$held += $node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE pid = $sampler AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL OR xact_start IS NOT NULL)");
	$looks++;
}
is($held, 0, 'ticks hold no transaction');
ok($node->poll_query_until('postgres', $ticking), 'they go on');
is( $node->safe_psql('postgres', q{SELECT rounds FROM dbmaint_status() WHERE process = 'sampler' AND database = 'postgres'}),
	$before, 'and run no rounds early');

# the interval is a setting
set(activity_interval => 0);
ok($node->poll_query_until('postgres', $resting), '0 switches it off');
set(activity_interval => '20ms');
ok($node->poll_query_until('postgres', $ticking), 'it goes on when switched on');
ok( $node->poll_query_until('postgres', "SELECT count(*) > 25 FROM dbmaint_recorder('1 s') WHERE pid = $sleeper->{pid}"),
	'more often, if told so');
SKIP:
{
	skip 'no /proc', 1 unless -r "/proc/$sampler/status";
	my ($memory) = slurp_file("/proc/$sampler/status") =~ /^VmData:\s+(\d+)/m;
	my $ticks = "SELECT count(*) FROM dbmaint_recorder('1 hour') WHERE pid = $sleeper->{pid}";
	my $enough = $node->safe_psql('postgres', $ticks) + 200;
	$node->poll_query_until('postgres', "SELECT ($ticks) >= $enough");
	my ($more) = slurp_file("/proc/$sampler/status") =~ /^VmData:\s+(\d+)/m;
	cmp_ok($more - $memory, '<', 512, 'hundreds of ticks that ask who blocks need no more memory (kB)');
}
set(activity_interval => '100ms', sample_interval => '1s', activity_history_interval => '1s');
ok(stored_again(2), 'and is stored again');

# a crash keeps what was stored
my $stored = $node->safe_psql('postgres', 'SELECT count(*), max(from_at) FROM dbmaint_activity_history');
my ($rows, $last) = split /\|/, $stored;
foreach ($sleeper, $holder, $waiter, $orphan, $idle)
{
	$_->{in} = '';
	$_->{handle}->pump_nb;
}
kill 'KILL', $sampler;
ok( $node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'dbmaint sampler' AND pid <> $sampler"),
	'the server recovers from a killed sampler');
is( $node->safe_psql('postgres', "SELECT count(*) FROM dbmaint_activity_history WHERE from_at <= '$last'"),
	$rows, 'what was stored is there');
ok(stored_again(1), 'and more is stored');
$_->{handle}->finish foreach ($sleeper, $holder, $waiter, $orphan, $idle);
$node->safe_psql('postgres', "ROLLBACK PREPARED 'kept'");

# a standby reads, and looks at nothing by itself
$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
cmp_ok($standby->safe_psql('postgres', 'SELECT count(*) FROM dbmaint_activity()'), '>', 0, 'a standby answers from what is stored');
is($standby->safe_psql('postgres', q{SELECT (SELECT count(*) FROM dbmaint_recorder()), (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dbmaint sampler')}),
	'0|0', 'and records nothing itself');
$standby->stop;

# without the extension nothing ticks
$sampler = process_of($node, 'postgres');
$node->safe_psql('postgres', 'DROP EXTENSION dbmaint');
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $sampler"), 'the sampler goes with the extension');
$node->safe_psql('postgres', 'CREATE EXTENSION dbmaint');
ok(stored_again(1), 'and comes with it');
$node->append_conf('postgresql.conf', 'dbmaint.recorder_size = 0');
$node->restart;
ok(stored_again(1), 'without a recorder the history goes on');
is($node->safe_psql('postgres', q{SELECT count(*), dbmaint_recorder_freeze('nothing') > 0 FROM dbmaint_recorder()}), '0|t', 'and the recorder is empty');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|signal 11|signal 6|ERROR:.*dbmaint/, 'nothing crashed');
done_testing();
