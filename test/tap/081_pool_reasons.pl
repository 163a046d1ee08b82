# Why PgBouncer cannot be read: each reason has its name, and no secret is shown
# anywhere.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/lib";
use Bouncer;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Samplers;
use Test::More;

plan skip_all => 'there is no pgbouncer' unless Bouncer::program();

my $password = 'geheim42wort';
my $me = getpwuid $<;
my $files = PostgreSQL::Test::Utils::tempdir_short();

# A name server that does not answer, and what it would have said.
my $resolver = "$files/resolver";
Bouncer::write_file("$resolver.c", <<'C');
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
	if (node && strcmp(node, "hangs.example") == 0)
		sleep(30);
	if (node && strcmp(node, "missing.example") == 0)
		return EAI_NONAME;
	if (node && strcmp(node, "bouncer.example") == 0)
		node = "127.0.0.1";
	return real(node, service, hints, res);
}
C
system_or_bail('gcc', '-shared', '-fPIC', '-o', "$resolver.so", "$resolver.c", '-ldl');
$ENV{PGSERVICEFILE} = "$files/services";

my $node = new_server('primary', conf => "dbmaint.pool_interval = 1s\nlog_statement = none\ninclude_if_exists = '$files/conninfo'\n", stopped => 1);
{
	local $ENV{LD_PRELOAD} = "$resolver.so";
	$node->start;
}
$node->safe_psql('postgres', 'CREATE DATABASE app');
$node->safe_psql('postgres', 'CREATE EXTENSION dbmaint; CREATE ROLE monitor LOGIN IN ROLE pg_monitor');
my $bouncer = Bouncer->new($node,
	users => { stats => $password, other => $password },
	auth_type => 'md5')->start;

sub sql
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

# In the file, not by ALTER SYSTEM, which would itself be a statement with it.
sub configure
{
	my ($conninfo) = @_;

	$conninfo =~ s/'/''/g;
	Bouncer::write_file("$files/conninfo", "dbmaint.pgbouncer_conninfo = '$conninfo'\n");
	$node->reload;
	return;
}

sub state_is
{
	my ($conninfo, $state, $message, $name) = @_;

	configure($conninfo);
	my $now = sql('SELECT clock_timestamp()');
	ok( $node->poll_query_until('postgres',
			"SELECT state = '$state' AND tried_at > '$now' FROM dbmaint_pool_status()"),
		"$state: $name") or diag sql('SELECT * FROM dbmaint_pool_status()');
	like(sql('SELECT message FROM dbmaint_pool_status()'), $message, '... with its message') if $message;
	is(sql(q{SELECT advice <> '' FROM dbmaint_pool_status()}), 't', '... and what to do') unless $state eq 'ok';
	return;
}

#
# The password.
#
state_is($bouncer->console, 'authentication failed', qr/password/, 'no password');
state_is($bouncer->console(password => 'wrong'), 'authentication failed', qr/auth|password/i, 'a wrong one');
state_is($bouncer->console(user => 'stranger', password => $password), 'authentication failed', qr/./, 'no such user');
state_is($bouncer->console(password => $password), 'ok', undef, 'the right one, by md5');
Bouncer::write_file("$files/pass", "127.0.0.1:$bouncer->{port}:pgbouncer:stats:$password\n");
chmod 0600, "$files/pass";
state_is($bouncer->console(passfile => "$files/pass"), 'ok', undef, 'from a passfile');
Bouncer::write_file("$files/services", "[pooler]\nhost=127.0.0.1\nport=$bouncer->{port}\nuser=stats\npassword=$password\n");
state_is('service=pooler', 'ok', undef, 'from a service file');
state_is("postgresql://stats:$password\@127.0.0.1:$bouncer->{port}/", 'ok', undef, 'as a URI');
state_is('service=none', 'bad connection string', qr/service/, 'no such service');
state_is("password=$password host", 'bad connection string', qr/not a valid/, 'no connection string');
unlike(sql('SELECT message FROM dbmaint_pool_status()'), qr/$password/, 'the message does not quote it');
state_is("host=a,b hostaddr=127.0.0.1 password=$password", 'bad connection string', qr/do not match/, 'lists of different length');

$bouncer->configure(auth_type => 'scram-sha-256');
$bouncer->signal('HUP');
state_is($bouncer->console(password => 'wrong'), 'authentication failed', qr/./, 'SCRAM, a wrong password');
state_is($bouncer->console(passfile => "$files/pass"), 'ok', undef, 'SCRAM, from a passfile');

#
# The console is not for everybody.
#
state_is($bouncer->console(user => 'other', password => $password), 'console access denied', qr/not allowed/, 'neither admin nor stats user');
$bouncer->stop;
$bouncer->configure(auth_type => 'trust');

#
# TLS.
#
system_or_bail('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=bouncer.example',
	'-keyout', "$files/key.pem", '-out', "$files/cert.pem");
$bouncer->start;
state_is($bouncer->console(sslmode => 'require'), 'TLS failed', qr/SSL/, 'wanted and not had');
$bouncer->stop;
# from 1.25 on it loads the system's certificates where it has none of its own, and there may be none
$bouncer->configure(client_tls_sslmode => 'require', client_tls_key_file => "$files/key.pem", client_tls_cert_file => "$files/cert.pem",
	client_tls_ca_file => "$files/cert.pem", server_tls_ca_file => "$files/cert.pem");
$bouncer->start;
state_is($bouncer->console(sslmode => 'disable'), 'TLS failed', qr/SSL required/, 'had and not wanted');
state_is($bouncer->console(sslmode => 'require'), 'ok', undef, 'with it');
state_is($bouncer->console(sslmode => 'verify-full', sslrootcert => "$files/none.pem"), 'TLS failed', qr/certificate/, 'no root certificate');
Bouncer::write_file("$files/ca.pem", '');
system_or_bail('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=somebody',
	'-keyout', "$files/other.pem", '-out', "$files/ca.pem");
state_is($bouncer->console(sslmode => 'verify-ca', sslrootcert => "$files/ca.pem"), 'TLS failed', qr/certificate verify failed/, 'a certificate that nobody trusts');
state_is($bouncer->console(sslmode => 'verify-full', sslrootcert => "$files/cert.pem"), 'TLS failed', qr/does not match/, 'another host\'s certificate');
state_is($bouncer->console(host => 'bouncer.example', sslmode => 'verify-full', sslrootcert => "$files/cert.pem"), 'ok', undef,
	'verified, with the name that was looked up');
$bouncer->stop;
$bouncer->configure(client_tls_sslmode => 'disable');

#
# Names, and what is not PgBouncer.
#
state_is($bouncer->console(host => 'missing.example'), 'host not found', qr/could not find the address/, 'a name that nobody knows');
state_is($bouncer->console(host => "$files/nowhere"), 'unreachable', qr/No such file/, 'no socket there');
state_is($bouncer->console, 'unreachable', qr/refused/, 'nobody listens');
my $since = sql('SELECT clock_timestamp()');
state_is($bouncer->console(host => 'hangs.example'), 'no answer', qr/address was not found in time/, 'a name server that does not answer');
sampled_again($node, 'postgres', 3);
no_sample_waits($node, $since);
sql('CREATE DATABASE gone');
sql('DROP DATABASE gone');
my ($first) = split /\n/, slurp_file('/proc/' . process_of($node, 'postgres') . '/status') =~ s/.*^Threads:\s*//smr;
cmp_ok($first, '<=', 6, "threads that wait for it are bounded: $first");
$bouncer->start;
state_is($bouncer->console(host => "hangs.example,127.0.0.1", hostaddr => '127.0.0.1,'), 'ok', undef, 'an address needs no name server');
state_is($bouncer->console(host => 'bouncer.example'), 'ok', undef, 'a name that is known');
state_is($bouncer->console(host => "$files/nowhere,missing.example,127.0.0.1"), 'ok', undef, 'the first of several that works');
state_is($bouncer->console(host => $bouncer->{dir}, user => 'stats'), 'ok', undef, 'by its Unix socket');
state_is('host=' . $node->host . ' port=' . $node->port . " user=$me", 'not a PgBouncer', qr/does not exist/, 'a PostgreSQL');
sql('CREATE DATABASE pgbouncer');
state_is(' host=' . $node->host . ' port=' . $node->port . " user=$me", 'not a PgBouncer', qr/unrecognized configuration parameter/,
	'a PostgreSQL with a database of that name');
state_is($bouncer->console, 'ok', undef, 'PgBouncer at last');

#
# The reasons do not flood the log, and nothing shows the password.
#
configure($bouncer->console(password => $password));
$node->poll_query_until('postgres', q{SELECT state = 'ok' FROM dbmaint_pool_status()}) or die;
foreach my $query (
	'SHOW dbmaint.pgbouncer_conninfo', 'SHOW ALL', 'SELECT * FROM pg_settings',
	'SELECT * FROM dbmaint_status()', 'SELECT * FROM dbmaint_pool_status()', 'SELECT * FROM dbmaint_health()',
	'SELECT * FROM pg_stat_activity', 'SELECT * FROM dbmaint_facts_of_settings()',
	q{SELECT current_setting('dbmaint.pgbouncer_conninfo')})
{
	unlike(sql($query), qr/$password/, "not even a superuser sees it: $query");
}
my ($status, $stdout, $stderr) = $node->psql('postgres', 'SHOW dbmaint.pgbouncer_conninfo', extra_params => [ '-U', 'monitor' ]);
is($stdout, '********', 'pg_monitor sees that there is one');
configure("host=127.0.0.1 port=$bouncer->{port} user=stats password=$password\tx");
ok( $node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_file_settings WHERE name = 'dbmaint.pgbouncer_conninfo' AND NOT applied}),
	'control characters are refused');
configure("password=$password" . 'x' x 5000);
sampled_again($node, 'postgres', 3);
is(sql('SELECT state FROM dbmaint_pool_status()'), 'ok', 'a value that is refused leaves the one before');

# Another process of the sampler, as where samplers take turns, knows the reason.
configure('host=127.0.0.1 port=1 user=stats');
$node->poll_query_until('postgres', 'SELECT failures_in_a_row >= 4 FROM dbmaint_pool_status()') or die;
my $reason = sql('SELECT state FROM dbmaint_pool_status()');
my $sampler = process_of($node, 'postgres');
sql("SELECT pg_terminate_backend($sampler, 10000)");
ok(process_of($node, 'postgres', $sampler) && sampled_again($node, 'postgres', 2), 'the sampler ends, and another one comes');
is(sql('SELECT state FROM dbmaint_pool_status()'), $reason, "it leaves the reason: $reason");
configure('');
ok($node->poll_query_until('postgres', q{SELECT state = 'not configured' FROM dbmaint_pool_status()}), 'turned off');
configure("host=127.0.0.1 port=$bouncer->{port} user=stats password=$password");
$node->poll_query_until('postgres', q{SELECT state = 'ok' FROM dbmaint_pool_status()}) or die;

# a parallel worker is given what the server knows of the setting
sql(q{SET debug_parallel_query = on; SELECT count(*) FROM dbmaint_pool_names})
  if $node->pg_version >= 16;
sql(q{SET force_parallel_mode = on; SELECT count(*) FROM dbmaint_pool_names})
  if $node->pg_version < 16;
is(sql('SELECT count(*) >= 0 FROM dbmaint_pools()'), 't', 'a session connects with it');

$node->stop('fast');
my $log = slurp_file($node->logfile);
unlike($log, qr/$password/, 'the log does not have it');
like($log, qr/LOG:  dbmaint: pool: could not read PgBouncer: authentication failed/, 'but why it could not be read');
like($log, qr/parameter "dbmaint\.pgbouncer_conninfo"/, 'and that a value was refused');
unlike($log, qr/TRAP|PANIC|terminated by signal/, 'nothing crashed');
$bouncer->stop;
done_testing();
