# Commands to PgBouncer: who may send them, which, and what is noted of them.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/lib";
use Bouncer;
use FakeConsole;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Samplers;
use Test::More;
use Time::HiRes qw(time);

plan skip_all => 'there is no pgbouncer' unless Bouncer::program();

my $node = new_server('primary', conf => "dbmaint.enabled = off\nlog_statement = none\n");
my $me = getpwuid $<;
$node->safe_psql('postgres', q{CREATE DATABASE app});
$node->safe_psql('postgres', q{CREATE EXTENSION dbmaint; CREATE ROLE monitor LOGIN IN ROLE pg_monitor; CREATE ROLE boss LOGIN SUPERUSER});
my $bouncer = Bouncer->new($node, databases => { app => '', 'odd-name' => '' }, pool_mode => 'session')->start;

sub sql
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

sub configure
{
	my ($conninfo) = @_;

	$node->safe_psql('postgres', "ALTER SYSTEM SET dbmaint.pgbouncer_conninfo = '$conninfo'");
	$node->reload;
	$node->poll_query_until('postgres', q{SELECT configured FROM dbmaint_pool_status()}, $conninfo eq '' ? 'f' : 't') or die;
	return;
}

# The answer of a command that is sent.
sub command
{
	my (@arguments) = @_;
	return sql('SELECT succeeded, answer FROM dbmaint_pool_command('
		  . join(', ', map { defined $_ ? "'$_'" : 'NULL' } @arguments) . ')');
}

sub refused
{
	my ($arguments, $error, $name, @more) = @_;
	my ($status, $stdout, $stderr) = $node->psql('postgres', "SELECT * FROM dbmaint_pool_command($arguments)",
		extra_params => [ '-v', 'VERBOSITY=verbose', @more ]);
	like($stderr, $error, $name);
	return;
}

#
# Who, and what.
#
refused(q{'RELOAD'}, qr/ERROR:  55000: no PgBouncer is configured/, 'nothing is sent to nobody');
configure($bouncer->console(user => $me));
refused(q{'RELOAD'}, qr/ERROR:  42501/, 'not by pg_monitor', '-U', 'monitor');
sql('GRANT EXECUTE ON FUNCTION dbmaint_pool_command(text, text, text, interval), dbmaint_send_pool_command(text, text, text, int) TO monitor');
refused(q{'RELOAD'}, qr/ERROR:  42501: only a superuser/, 'nor where somebody granted it', '-U', 'monitor');
refused(q{'SHUTDOWN'}, qr/ERROR:  22023: no command "SHUTDOWN"/, 'no other command');
refused(q{NULL}, qr/ERROR:  22023/, 'no command at all');
refused(q{'RELOAD; SHUTDOWN'}, qr/ERROR:  22023/, 'nor two');
refused(q{'SET', 'auth_type', 'any'}, qr/ERROR:  22023: the setting "auth_type" of PgBouncer is not set from here/, 'no setting that opens a door');
refused(q{'SET', 'default_pool_size', '0'}, qr/ERROR:  22023: invalid value/, 'no value that closes all of them');
refused(q{'SET', 'default_pool_size', E'4''; SHUTDOWN; --'}, qr/ERROR:  22023: invalid value/, 'no statement in a value');
refused(q{'SET', 'default_pool_size'}, qr/ERROR:  22023: SET needs a value/, 'no value');
refused(q{'SET'}, qr/ERROR:  22023: SET needs the name of a setting/, 'no setting');
refused(q{'RELOAD', 'app'}, qr/ERROR:  22023/, 'RELOAD takes no target');
refused(q{'PAUSE', E'a\nb'}, qr/ERROR:  42602/, 'no database could have the name');
refused(q{'PAUSE', 'app', NULL, '0'}, qr/ERROR:  22023: timeout/, 'some time is needed');
is(sql('SELECT count(*) FROM dbmaint_pool_commands'), 0, 'what was refused was not noted as sent');

#
# The emergency: a larger pool.
#
is(command('SET', 'default_pool_size', 8), 't|SET default_pool_size=8', 'a setting is set');
is(sql(q{SELECT value FROM dbmaint_pool_settings() WHERE setting = 'default_pool_size'}), 8, 'PgBouncer has it');
is(sql(q{SELECT value FROM dbmaint_pool_settings() WHERE database = 'app' AND setting = 'pool_size'}), 8, 'for its databases');
is(command('RELOAD'), 't|RELOAD', 'a reload');
is(sql(q{SELECT value FROM dbmaint_pool_settings() WHERE setting = 'default_pool_size'}), 4, 'takes it back');
is( sql(q{SELECT sent_by, statement, succeeded, answer FROM dbmaint_pool_commands ORDER BY command_id}),
	"$me|SET default_pool_size = '8'|t|SET default_pool_size=8\n$me|RELOAD|t|RELOAD", 'both are noted');
is( $node->safe_psql('postgres', q{SELECT succeeded FROM dbmaint_pool_command('reload')}, extra_params => [ '-U', 'boss' ]), 't', 'another one');
is(sql(q{SELECT sent_by FROM dbmaint_pool_commands ORDER BY command_id DESC LIMIT 1}), 'boss', 'has his name there');
like(slurp_file($node->logfile), qr/LOG:  dbmaint: sent to PgBouncer by "$me": SET default_pool_size = '8': SET default_pool_size=8/, 'the log has it, too');

#
# PAUSE and RESUME.
#
is(command('PAUSE', 'odd-name'), 't|PAUSE', 'a database whose name needs quotes');
is(command('PAUSE', 'odd "name'), 'f|unusable answer: no such database: odd "name', 'a name stays a name');
is(sql(q{SELECT value FROM dbmaint_pool_settings() WHERE database = 'odd-name' AND setting = 'paused'}), 1, 'it is paused');
is(command('RESUME', 'odd-name'), 't|RESUME', 'and goes on');
is(command('RESUME', 'odd-name'), 'f|unusable answer: database odd-name is not paused', 'once');
is(command('PAUSE'), 't|PAUSE', 'all of it');
like(command('PAUSE'), qr{^f\|unusable answer: already (?:suspended/)?paused$}, 'which is not undone by another PAUSE that is refused');
is(sql(q{SELECT value FROM dbmaint_pool_settings() WHERE setting = 'pool_mode' AND database IS NULL}), 'session', 'it can be read meanwhile');
is(command('RESUME'), 't|RESUME', 'and back');

# a client that does not let go
my $client = { in => "SELECT 'here';\nSELECT pg_sleep(600);\n", out => '', err => '' };
$client->{handle} = IPC::Run::start([ 'psql', '-XqAt', '-h', '127.0.0.1', '-p', $bouncer->{port}, '-U', $me, 'app' ],
	'<', \$client->{in}, '>', \$client->{out}, '2>', \$client->{err}, IPC::Run::timeout(180));
$client->{handle}->pump until $client->{out} =~ /here/ || $client->{err} ne '';
like(command('PAUSE', 'app', undef, '1 s'), qr/^f\|no answer: PAUSE "app" was not answered in time; sent RESUME "app": RESUME$/, 'a PAUSE that does not end is undone');
is(sql(q{SELECT value FROM dbmaint_pool_settings() WHERE database = 'app' AND setting = 'paused'}), 0, 'nothing is paused');
my $begun = time;
my ($status, $stdout, $stderr) = $node->psql('postgres', q{SET statement_timeout = '1s'; SELECT * FROM dbmaint_pool_command('PAUSE', 'app', NULL, '5 min')});
like($stderr, qr/canceling statement due to statement timeout/, 'nor one that is cancelled');
cmp_ok(time - $begun, '<', 20, '... at once');
is(sql(q{SELECT value FROM dbmaint_pool_settings() WHERE database = 'app' AND setting = 'paused'}), 0, '... is left behind');
like(slurp_file($node->logfile), qr/LOG:  dbmaint: sent to PgBouncer by "$me": PAUSE "app": no answer: .*; sent RESUME "app": RESUME/, '... as the log says');
my $pausing = session($node, 'postgres', 'SELECT 1');
$pausing->{in} .= "SELECT * FROM dbmaint_pool_command('PAUSE', 'app', NULL, '5 min');\n";
$pausing->{handle}->pump_nb;
$node->poll_query_until('postgres', q{SELECT value = '1' FROM dbmaint_pool_settings() WHERE database = 'app' AND setting = 'paused'}) or die;
sql("SELECT pg_terminate_backend($pausing->{pid})");
ok($node->poll_query_until('postgres', q{SELECT value = '0' FROM dbmaint_pool_settings() WHERE database = 'app' AND setting = 'paused'}),
	'nor one whose session is terminated');
$client->{handle}->kill_kill;
eval { $pausing->{handle}->finish };

#
# What goes wrong.
#
configure($bouncer->console);
is(command('SET', 'default_pool_size', 8), 'f|unusable answer: admin access needed', 'a user who may only look');
is(sql(q{SELECT succeeded, answer FROM dbmaint_pool_commands ORDER BY command_id DESC LIMIT 1}), 'f|unusable answer: admin access needed', 'is noted as well');
$bouncer->stop;
like(command('RELOAD'), qr/^f\|unreachable: .*refused$/, 'nobody is there');
sql('CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION \'trapped\'; END$$;
	CREATE TRIGGER trap BEFORE INSERT ON dbmaint_pool_commands FOR EACH ROW EXECUTE FUNCTION trap()');
refused(q{'RELOAD'}, qr/ERROR:  55000: table \S*dbmaint_pool_commands has triggers or rules/, 'what cannot be noted is not sent');
sql('DROP TRIGGER trap ON dbmaint_pool_commands');
my $console = FakeConsole->new({ 'RELOAD' => [ ['x'], ["\xff\n\x{1b}[31m"] ] });
configure($console->conninfo);
is(command('RELOAD'), 't|SHOW', 'an answer that is a table');

$node->stop('fast');
unlike(slurp_file($node->logfile), qr/TRAP|PANIC|terminated by signal/, 'nothing crashed');
done_testing();
