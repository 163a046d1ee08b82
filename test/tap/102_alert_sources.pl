# What the default alert rules watch of a server's state, read from a live
# server in that state: each series against the server's own view, its rule
# that fires, and that resolves when the state is over.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Samplers;
use Test::More;

# Rounds are made by hand, at times of a clock that the test moves on.
my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(
	allows_streaming => 1,
	extra => [ '--data-checksums', '--wal-segsize=1' ]);
$node->append_conf(
	'postgresql.conf', q{
shared_preload_libraries = 'dbmaint'
dbmaint.enabled = off
dbmaint.sample_interval = 1min
dbmaint.signals_interval = 1min
dbmaint.evidence_timeout = 5s
autovacuum = off
max_prepared_transactions = 2
max_wal_size = 64MB
min_wal_size = 2MB
archive_mode = on
archive_command = 'true'
});
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION dbmaint; CREATE TABLE filled (note text)');

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub until_true
{
	my ($sql, $name) = @_;
	return ok($node->poll_query_until('postgres', $sql), $name);
}

my $began;
my $minutes = 0;

sub at { return "timestamptz '$began' + interval '$minutes minutes'"; }

# Rounds a minute apart, each in its own transaction.
sub rounds
{
	my ($count) = @_;
	my $statements = '';

	for (1 .. $count)
	{
		$minutes++;
		$statements .= "SELECT collector, status FROM dbmaint_run_due(" . at() . ") WHERE status <> 'ok' AND collector <> 'roll-up';\n";
	}
	my $failed = sql($statements);
	die "a round failed: $failed" if $failed ne '';
	return;
}

# What the last round read; an empty string where that was not known.
sub reading
{
	my ($metric, $instance) = @_;
	my $of = $instance // '';

	return sql("SELECT value FROM dbmaint_series_readings WHERE taken_at = " . at() . " AND metric = '$metric' AND instance = '$of'");
}

sub state_of
{
	my ($metric, $instance) = @_;
	my $of = $instance // '';

	return sql("SELECT state || ' ' || coalesce(severity, '') FROM dbmaint_incidents WHERE metric = '$metric' AND instance = '$of' ORDER BY incident_id DESC LIMIT 1");
}

# A round's reading is what the server's own view says.
sub reads_as
{
	my ($metric, $instance, $own, $name) = @_;

	rounds(1);
	return is(reading($metric, $instance), sql("SELECT ($own)::float8"), $name);
}

# The same of what grows all the time: the view is read before it and after it.
sub reads_between
{
	my ($metric, $instance, $own, $name) = @_;
	my $before = sql("SELECT ($own)::float8");

	rounds(1);
	my $read = reading($metric, $instance);
	my $after = sql("SELECT ($own)::float8");
	# values are kept to a thousandth
	return ok($read ne '' && $before > 0 && $before <= $read + 0.001 && $read <= $after + 0.001,
		"$name ($before <= $read <= $after)");
}

# Another threshold of a rule that comes with the extension, all else as it is.
sub lower
{
	my ($metric, $severity, $threshold) = @_;
	return sql("SELECT dbmaint_set_rule(r.metric, r.severity, r.comparison, $threshold, r.sustained_for)
		FROM dbmaint_default_rules() AS r WHERE r.metric = '$metric' AND r.severity = '$severity'");
}

sub write_wal
{
	my ($segments) = @_;
	sql("INSERT INTO filled SELECT repeat(i::text, 100) FROM generate_series(1, 1000) AS i; SELECT pg_switch_wal();") for 1 .. $segments;
	return;
}

# A sampler finds no client in a transaction, not even itself: that is well.
lower('oldest_transaction_ms', 'critical', 100);
sql("UPDATE dbmaint_alert_rules SET resolve_after = '0' WHERE metric = 'oldest_transaction_ms';
	ALTER SYSTEM SET dbmaint.enabled = on; ALTER SYSTEM SET dbmaint.sample_interval = '1s'");
$node->reload;
{
	my $session = session($node, 'postgres', 'BEGIN; SELECT 1');
	until_true("SELECT count(*) = 1 FROM dbmaint_incidents WHERE metric = 'oldest_transaction_ms' AND state = 'firing'", 'a long transaction fires');
	leave($session);
	until_true("SELECT state = 'resolved' FROM dbmaint_incidents WHERE metric = 'oldest_transaction_ms'", 'and resolves when none is open');
}
until_true('SELECT count(*) > 0 FROM performance_metrics WHERE oldest_transaction_ms = 0 AND longest_query_ms = 0', 'which is read as 0');
{
	# one that does not say since when is no alarm, and no 0 either
	my $last = 'FROM performance_metrics WHERE "timestamp" = (SELECT max("timestamp") FROM performance_metrics)';
	my $hidden = session($node, 'postgres', 'SET track_activities = off; BEGIN; SELECT 1');
	until_true("SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $hidden->{pid} AND state = 'disabled'", 'a session hides what it does');
	until_true("SELECT oldest_transaction_ms IS NULL AND longest_query_ms = 0 AND idle_in_transaction_connections = 1 $last", 'its transaction counts, of an age that is not known');
	$hidden->{in} .= "COMMIT;\n";
	$hidden->{handle}->pump_nb;
	until_true("SELECT oldest_transaction_ms = 0 AND idle_in_transaction_connections = 0 AND idle_connections = 1 $last", 'and afterwards none is open again');
	$hidden->{in} .= "SELECT pg_sleep(600);\n";
	$hidden->{handle}->pump_nb;
	until_true("SELECT oldest_transaction_ms IS NULL AND longest_query_ms IS NULL AND active_connections = 1 $last", 'the age of its statement is not known either');
	sql("SELECT pg_terminate_backend($hidden->{pid})");
	$hidden->{handle}->finish;
	is(sql("SELECT count(*) FROM dbmaint_incidents WHERE metric = 'oldest_transaction_ms'"), '1', 'nothing fires for it');
}
sql("ALTER SYSTEM RESET dbmaint.enabled; ALTER SYSTEM RESET dbmaint.sample_interval;
	SELECT dbmaint_reset_rule('oldest_transaction_ms')");
$node->reload;
until_true("SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'dbmaint sampler'", 'the sampler leaves');

# A server on which nothing is wrong.
sql('TRUNCATE dbmaint_incidents CASCADE');
$began = sql("SELECT date_trunc('second', now()) + interval '1 minute'");
rounds(1);
is(reading($_), '0', "$_ is 0 on a quiet server")
  foreach qw(longest_lock_wait_ms idle_in_transaction_ms prepared_transaction_age_ms archive_failing archive_waiting_files);
is(reading('damaged_pages', $_), '0', "no damaged pages in $_") foreach ('postgres', '(shared catalogs)');
is(reading('backup_age_hours'), '', 'the age of the last backup is not known where there is none');
is(sql("SELECT count(*) FROM dbmaint_series WHERE metric LIKE 'slot%' OR metric LIKE 'replication%'"), 0, 'and there are no slots and standbys to read');
reads_as('free_connections', '',
	q{SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
		- coalesce(current_setting('reserved_connections', true)::int, 0) - count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'},
	'free connections are those that the server has left');

# Sessions: what a client keeps open.
{
	my $session = session($node, 'postgres', 'BEGIN; SELECT 1');
	my $mine = "FROM pg_stat_activity WHERE pid = $session->{pid}";
	until_true("SELECT state = 'idle in transaction' AND clock_timestamp() - state_change > interval '0.2 s' $mine", 'a session is idle in a transaction');
	reads_between('idle_in_transaction_ms', '', "SELECT 1000 * extract(epoch FROM clock_timestamp() - state_change) $mine", 'idle in transaction since its state changed');
	my $before = sql("SELECT 1000 * extract(epoch FROM clock_timestamp() - xact_start) $mine");
	rounds(1);
	my $read = sql('SELECT oldest_transaction_ms FROM performance_metrics WHERE "timestamp" = ' . at());
	my $after = sql("SELECT 1000 * extract(epoch FROM clock_timestamp() - xact_start) $mine");
	ok($before <= $read && $read <= $after, "the oldest transaction is as old as that one ($before <= $read <= $after)");
	is(state_of($_), '', "$_ has a limit that this is short of") foreach qw(idle_in_transaction_ms oldest_transaction_ms);
	lower($_, 'critical', 100) foreach qw(idle_in_transaction_ms oldest_transaction_ms);
	rounds(1);
	is(state_of($_), 'firing critical', "$_ fires past its limit") foreach qw(idle_in_transaction_ms oldest_transaction_ms);
	leave($session);
	until_true("SELECT count(*) = 0 $mine", 'the session ends');
	rounds(3);
	is(reading('idle_in_transaction_ms'), '0', 'none is idle in a transaction any more');
	is(state_of($_), 'resolved critical', "$_ resolves") foreach qw(idle_in_transaction_ms oldest_transaction_ms);
}
{
	my $session = session($node, 'postgres', 'BEGIN; SELECT 1');
	until_true("SELECT state = 'idle in transaction' AND clock_timestamp() - state_change > interval '0.2 s' FROM pg_stat_activity WHERE pid = $session->{pid}", 'a session is idle in a transaction');
	rounds(1);
	is(state_of('idle_in_transaction_ms'), 'firing critical', 'idle_in_transaction_ms fires again');
	my $hidden = session($node, 'postgres', 'SET track_activities = off; BEGIN; SELECT 1');
	until_true("SELECT state = 'disabled' AND wait_event = 'ClientRead' FROM pg_stat_activity WHERE pid = $hidden->{pid}", 'one that does not say since when joins it');
	rounds(1);
	cmp_ok(reading('idle_in_transaction_ms'), '>', 200, 'the one that says so is read all the same');
	leave($session);
	until_true("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $session->{pid}", 'and ends');
	rounds(3);
	is(reading('idle_in_transaction_ms'), '', 'how long the other one is idle is not known');
	is(state_of('idle_in_transaction_ms'), 'resolved critical', 'which keeps no alert open');
	is(sql("SELECT resolved_because FROM dbmaint_incidents WHERE metric = 'idle_in_transaction_ms' ORDER BY incident_id DESC LIMIT 1"), 'gone', 'nor says that all is well');
	leave($hidden);
	rounds(1);
	is(reading('idle_in_transaction_ms'), '0', 'until it is known again');
}
{
	my $holder = session($node, 'postgres', 'BEGIN; LOCK TABLE filled');
	my $waiter = session($node, 'postgres', 'SELECT 1');
	$waiter->{in} .= "SELECT count(*) FROM filled;\n";
	$waiter->{handle}->pump_nb;
	my $wait = "FROM pg_locks WHERE pid = $waiter->{pid} AND NOT granted";
	until_true("SELECT coalesce(bool_and(clock_timestamp() - waitstart > interval '0.2 s'), false) $wait", 'a session waits for a lock');
	lower('longest_lock_wait_ms', 'critical', 100);
	reads_between('longest_lock_wait_ms', '', "SELECT 1000 * extract(epoch FROM clock_timestamp() - waitstart) $wait", 'since its wait started');
	is(state_of('longest_lock_wait_ms'), 'firing critical', 'which fires');
	leave($holder);
	leave($waiter);
	rounds(3);
	is(reading('longest_lock_wait_ms'), '0', 'none waits any more');
	is(state_of('longest_lock_wait_ms'), 'resolved critical', 'which resolves');
}
{
	lower('prepared_transaction_age_ms', 'critical', 100);
	sql("BEGIN; CREATE TABLE two_phase (id int); PREPARE TRANSACTION 'it''s'");
	my $age = "SELECT 1000 * extract(epoch FROM clock_timestamp() - prepared) FROM pg_prepared_xacts";
	until_true("SELECT ($age) > 200", 'a transaction is prepared');
	reads_between('prepared_transaction_age_ms', '', $age, 'it is as old as it was prepared');
	is(state_of('prepared_transaction_age_ms'), 'firing critical', 'which fires');
	sql("ROLLBACK PREPARED 'it''s'");
	rounds(3);
	is(reading('prepared_transaction_age_ms'), '0', 'none is prepared any more');
	is(state_of('prepared_transaction_age_ms'), 'resolved critical', 'which resolves');
}

# A slot that nobody reads, and what it keeps.
my $slot = q{FROM pg_replication_slots WHERE slot_name = 'left'};
my $retained = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) $slot";
sql("SELECT pg_create_physical_replication_slot('left', true)");
write_wal(2);
lower('slot_retained_bytes', 'critical', 1000000);
reads_between('slot_retained_bytes', 'left', $retained, 'a slot keeps the WAL from its restart_lsn on');
reads_as('slot_inactive', 'left', "SELECT (NOT active)::int $slot", 'and is inactive');
is(state_of('slot_inactive', 'left'), 'pending warning', 'which is not told at once');
rounds(10);
is(state_of('slot_inactive', 'left'), 'firing warning', 'but when it lasts');
is(state_of('slot_retained_bytes', 'left'), 'firing critical', 'like the WAL that it keeps');
is(reading('slot_lost', 'left'), '0', 'which is not lost');

# pg_receivewal reads it, and replays nothing.
my $receiver = IPC::Run::start(
	[ 'pg_receivewal', '-D', PostgreSQL::Test::Utils::tempdir, '-d', $node->connstr('postgres') . ' application_name=receiver', '-S', 'left', '-s', '1', '--synchronous', '--no-loop' ],
	'>', '/dev/null', '2>', '/dev/null');
until_true("SELECT coalesce(bool_and(state = 'streaming' AND flush_lsn = pg_current_wal_lsn()), false) FROM pg_stat_replication WHERE application_name = 'receiver'",
	'a receiver takes what the slot kept');
reads_as('slot_inactive', 'left', "SELECT (NOT active)::int $slot", 'the slot is active');
is(reading($_, 'receiver'), '', "$_ of who replays nothing is not known") foreach qw(replication_lag_bytes replication_lag_ms);
rounds(3);
is(state_of($_, 'left'), 'resolved ' . ($_ eq 'slot_inactive' ? 'warning' : 'critical'), "$_ resolves") foreach qw(slot_inactive slot_retained_bytes);
$receiver->signal('INT');
$receiver->finish;
until_true("SELECT NOT active $slot", 'the receiver ends');

# The server gives it up.
sql("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'");
$node->reload;
until_true("SELECT current_setting('max_slot_wal_keep_size') = '1MB'", 'slots may keep 1 MB');
write_wal(4);
sql('CHECKPOINT');
is(sql("SELECT wal_status $slot"), 'lost', 'the slot is lost');
rounds(1);
is(reading('slot_lost', 'left'), '1', 'it is read as lost');
is(reading('slot_retained_bytes', 'left'), '0', 'and keeps nothing');
is(state_of('slot_lost', 'left'), 'firing critical', 'which fires at once');
sql("SELECT pg_drop_replication_slot('left'); ALTER SYSTEM RESET max_slot_wal_keep_size");
$node->reload;
rounds(3);
is(state_of('slot_lost', 'left'), 'resolved critical', 'a slot that is gone is no trouble');

# Archiving that fails, and then does not.
sub archive_by
{
	my ($command) = @_;
	sql("ALTER SYSTEM SET archive_command = '$command'");
	return $node->reload;
}

my $ready = q{SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'};
archive_by('false');
until_true("SELECT current_setting('archive_command') = 'false'", 'archiving is to fail');
write_wal(12);
until_true('SELECT failed_count > 0 AND last_failed_time > coalesce(last_archived_time, last_failed_time - interval \'1 s\') FROM pg_stat_archiver', 'it fails');
reads_as('archive_waiting_files', '', $ready, 'as many files wait as there are');
cmp_ok(reading('archive_waiting_files'), '>=', 12, 'which are those that were written');
is(reading('archive_failing'), '1', 'archiving is read as failing');
rounds(5);
is(state_of('archive_failing'), 'firing critical', 'which fires when it lasts');
rounds(6);
is(state_of('archive_waiting_files'), 'firing warning', 'like the files that wait');
archive_by('true');
write_wal(1);
until_true("SELECT last_archived_time > last_failed_time AND ($ready) = 0 FROM pg_stat_archiver", 'a command that works archives them');
reads_as('archive_waiting_files', '', $ready, 'none waits');
is(reading('archive_failing'), '0', 'archiving is read as well');
rounds(3);
is(state_of('archive_failing'), 'resolved critical', 'which resolves');
is(state_of('archive_waiting_files'), 'resolved warning', 'like the files');

# Backups: the trace of a base backup, made older, and one that was told of.
sub trace
{
	my ($hours) = @_;
	my ($file) = glob($node->data_dir . '/pg_wal/archive_status/*.backup.*');
	my $then = time - 3600 * $hours;
	utime($then, $then, $file) or die "cannot make $file older: $!";
	return;
}

my $age = sub {
	# as readings are rounded: of two thousandths as near, the even one
	return 'SELECT round((extract(epoch FROM ' . at() . " - max(modification)) / 3600)::float8 * 1000) / 1000 FROM pg_ls_archive_statusdir() WHERE name LIKE '%.backup.%'";
};
$node->backup('base');
rounds(1);
is(reading('backup_age_hours'), sql('SELECT (' . $age->() . ')::float8'), 'a base backup is as old as its trace');
cmp_ok(reading('backup_age_hours'), '<', 3, 'which is new');
trace(30);
rounds(1);
is(reading('backup_age_hours'), sql('SELECT (' . $age->() . ')::float8'), 'older');
is(state_of('backup_age_hours'), 'firing warning', 'it fires after a day');
trace(60);
rounds(1);
is(state_of('backup_age_hours'), 'firing critical', 'and is critical after two');
sql("SELECT dbmaint_note_backup(now() - interval '28 hours')");
rounds(1);
is(state_of('backup_age_hours'), 'firing warning', 'what dbmaint_note_backup() was told counts where it is later');
sql("SELECT dbmaint_note_backup(note => 'by hand')");
rounds(1);
is(state_of('backup_age_hours'), 'resolved warning', 'and resolves it');
cmp_ok(reading('backup_age_hours'), '<', 3, 'as new as it was told');

# A standby that keeps up, stops replaying, and catches up.
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "wal_receiver_status_interval = 1s\ndbmaint.enabled = off\n");
$standby->start;
my $of_standby = q{FROM pg_stat_replication WHERE application_name = 'standby'};
my $lag = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) $of_standby";

# Rounds until one finds all replayed and, if asked, the alerts resolved: the
# server may write some WAL just before a reading.
sub until_no_lag
{
	my ($resolved) = @_;

	for (1 .. 30)
	{
		$node->poll_query_until('postgres', "SELECT coalesce(bool_and(replay_lsn = pg_current_wal_lsn()), false) $of_standby")
		  or die 'the standby does not catch up';
		rounds(1);
		return if reading('replication_lag_bytes', 'standby') eq '0'
		  && (!$resolved || 2 == grep { state_of($_, 'standby') eq 'resolved critical' } qw(replication_lag_bytes replication_lag_ms));
	}
	return;
}

lower('replication_lag_ms', 'critical', 300);
lower('replication_lag_bytes', 'critical', 1000000);
until_no_lag(0);
is(reading($_, 'standby'), '0', "$_ of who has replayed all is 0") foreach qw(replication_lag_bytes replication_lag_ms);

$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
$standby->poll_query_until('postgres', "SELECT pg_get_wal_replay_pause_state() = 'paused'") or die 'replay goes on';
write_wal(2);
until_true("SELECT coalesce(bool_and(flush_lsn >= pg_current_wal_lsn() AND replay_lag > interval '0.5 s'), false) $of_standby", 'it receives and does not replay');
reads_between('replication_lag_bytes', 'standby', $lag, 'the WAL that it has not replayed');
reads_between('replication_lag_ms', 'standby', "SELECT 1000 * extract(epoch FROM replay_lag) $of_standby", 'and since when');
is(state_of('replication_lag_ms', 'standby'), 'firing critical', 'which fires after a minute');
rounds(5);
is(state_of('replication_lag_bytes', 'standby'), 'firing critical', 'and the bytes after five');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
until_no_lag(1);
is(reading($_, 'standby'), '0', "$_ is 0") foreach qw(replication_lag_bytes replication_lag_ms);
is(state_of($_, 'standby'), 'resolved critical', "$_ resolves") foreach qw(replication_lag_bytes replication_lag_ms);
$standby->stop;

# A page that the disk changed.
sql("CREATE TABLE damaged AS SELECT generate_series(1, 1000) AS i; CHECKPOINT");
my $path = $node->data_dir . '/' . sql("SELECT pg_relation_filepath('damaged')");
$node->stop;
open my $file, '+<:raw', $path or die "cannot open $path: $!";
seek $file, 8192 + 4000, 0 or die $!;
print $file 'not what was written' or die $!;
close $file or die $!;
$node->start;
my ($status, $out, $error) = $node->psql('postgres', 'SELECT count(*) FROM damaged');
like($error, qr/invalid page in block 1 of relation/, 'a damaged page is not read');
my $failures = q{SELECT checksum_failures FROM pg_stat_database WHERE datname = 'postgres'};
until_true("SELECT ($failures) > 0", 'the server counts it');
reads_as('damaged_pages', 'postgres', $failures, 'and so do we');
is(state_of('damaged_pages', 'postgres'), 'firing emergency', 'which is an emergency at once');
is(state_of('damaged_pages', '(shared catalogs)'), '', 'of that database alone');
sql('DROP TABLE damaged; SELECT pg_stat_reset()');
rounds(1);
is(reading('damaged_pages', 'postgres'), '0', 'none is counted since the statistics were reset');
is(state_of('damaged_pages', 'postgres'), 'resolved emergency', 'which resolves');

$node->stop;
unlike(slurp_file($_->logfile), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed') foreach ($node, $standby);
done_testing();
