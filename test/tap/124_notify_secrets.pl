# Where notifications may not go, and what of a channel nobody may see.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Receiver;
use Test::More;

my $node = new_notifying_server('primary', networks => '', conf => "log_statement = none\nlog_min_error_statement = panic\n");
my $http = Receiver->new('http');
my $port = $http->port;

# Refused when entered.
foreach my $url ("http://127.0.0.1:$port/", "http://localhost:$port/", "http://[::1]:$port/", "http://[::ffff:127.0.0.1]:$port/",
	'http://169.254.169.254/latest/meta-data/', 'http://[::ffff:169.254.169.254]/', 'http://[fd00:ec2::254]/', 'http://10.0.0.1/',
	'http://172.16.0.1/', 'http://192.168.1.1/', 'http://0.0.0.0/', "http://0x7f.1:$port/", "http://2130706433:$port/", "http://127.1:$port/",
	'http://100.64.0.1/', 'file:///etc/passwd', "gopher://127.0.0.1:$port/_x")
{
	my ($status, $stdout, $stderr) = $node->psql('postgres', "SELECT dbmaint_add_channel('x', 'webhook', '$url')");
	like($stderr, qr/^.*ERROR:  the target of a webhook/, "refused: $url");
}
# A name that leads here passes then, and is refused when it is connected to:
# as with a name that is given another address later. Written past the checks.
my ($status, $hosts) = run_command([ 'getent', 'ahosts', `hostname` =~ s/\s//gr ]);
sql($node, "SELECT dbmaint_add_channel('name', 'webhook', 'http://example.com:$port/by/name')");
foreach my $host ('127.0.0.1', '[::1]', 'localhost', '[::ffff:127.0.0.1]')
{
	sql($node, "UPDATE dbmaint_channel_secrets SET target = 'http://$host:$port/by/name' WHERE name = 'name'");
	sql($node, "DELETE FROM dbmaint_channel_states; TRUNCATE dbmaint_outbox");
	queue($node, 'name', 1, 'trigger');
	ok(wait_for($node, "attempts > 0 AND state = 'queued' AND error ~ 'loopback|this host' FROM dbmaint_outbox"), "checked again when it is sent: $host")
	  or diag(state_of($node, 'name'));
}
SKIP:
{
	my $name = `hostname`;
	chomp $name;
	my (undef, $addresses) = run_command([ 'getent', 'hosts', $name ]);
	skip 'this host has no name of its own', 1
	  unless $name =~ /^[a-z][a-z0-9.-]*[a-z][a-z0-9]*$/ && ($addresses // '') =~ /^(127\.|10\.|172\.|192\.168\.|::1|fe80)/;
	sql($node, "UPDATE dbmaint_channel_secrets SET target = 'http://$name:$port/by/name' WHERE name = 'name'");
	sql($node, "DELETE FROM dbmaint_channel_states; TRUNCATE dbmaint_outbox");
	queue($node, 'name', 1, 'trigger');
	ok(wait_for($node, "attempts > 0 AND state = 'queued' AND error ~ 'loopback, private' FROM dbmaint_outbox"), 'a name that resolves to such an address is refused when it is connected to')
	  or diag(state_of($node, 'name'));
}
is(scalar($http->requests), 0, 'nothing of this arrived');
sql($node, "SELECT dbmaint_drop_channel('name')");
$node->append_conf('postgresql.conf', "dbmaint.notify_allowed_networks = '127.0.0.1'\n");
$node->reload;
# no proxy of the environment, which would be asked for any address
ok(wait_for($node, "current_setting('dbmaint.notify_allowed_networks') = '127.0.0.1'"), 'loopback is allowed now');

# Secrets in files.
my $dir = PostgreSQL::Test::Utils::tempdir;
sub secret_file
{
	my ($name, $content, $mode) = @_;
	unlink "$dir/$name";
	append_to_file("$dir/$name", $content);
	chmod $mode, "$dir/$name";
	return "$dir/$name";
}
my $target = secret_file('target', $http->url('by/file') . "\n", 0600);
my $key = secret_file('key', "k3y-of-file\n", 0400);
my $headers = secret_file('headers', "Authorization: Bearer t0ken-of-file\r\nX-More: 1\r\n", 0600);
sql($node, "SELECT dbmaint_add_channel('file', 'webhook', NULL, 'warning', '{\"target_file\": \"$target\", \"signing_key_file\": \"$key\", \"headers_file\": \"$headers\"}')");
queue($node, 'file', 2, 'trigger');
my ($request) = $http->await('/by/file', 1);
is(Receiver::header($request, 'Authorization'), 'Bearer t0ken-of-file', 'headers of a file');
is(Receiver::header($request, 'X-More'), '1', 'each line one');
like(Receiver::header($request, 'X-Dbmaint-Signature'), qr/^sha256=[0-9a-f]{64}$/, 'signed with the key of a file');
is(sql($node, "SELECT concat(target, keys) FROM dbmaint_channels WHERE name = 'file'"), '', 'and none of it is in the database');
chmod 0644, $target;
queue($node, 'file', 3, 'trigger');
ok(wait_for($node, "state = 'queued' AND error ~ 'mode 0600' FROM dbmaint_outbox WHERE incident_id = 3"), 'a file that others may read is not used');
chmod 0600, $target;
ok(wait_for($node, "state = 'sent' FROM dbmaint_outbox WHERE incident_id = 3"), 'until it is mended');
foreach my $bad ([ 'open', 'http://example.com/', 0604 ], [ 'group', 'http://example.com/', 0640 ], [ 'zero', "http://example.com/\0x", 0600 ], [ 'lines', "Host: evil\n", 0600, 'headers_file' ])
{
	my ($name, $content, $mode, $option) = @$bad;
	my $file = secret_file($name, $content, $mode);
	my $json = $option ? "{\"$option\": \"$file\"}" : "{\"target_file\": \"$file\"}";
	my ($st, $out, $err) = $node->psql('postgres', "SELECT dbmaint_add_channel('bad', 'webhook', " . ($option ? "'http://example.com/'" : 'NULL') . ", 'warning', '$json')");
	like($err, qr/ERROR:  the (file of a channel|option headers)/, "a file is refused: $name");
	unlike($err, qr/evil|example/, 'without telling what is in it');
}

# Who sees what.
sql($node, sprintf q(SELECT dbmaint_add_channel('hidden', 'webhook', '%s?token=s3cr3t-1', 'warning', '{"headers": {"X": "s3cr3t-2"}, "signing_key": "s3cr3t-3", "body": "{\"s3cr3t-4\": {{summary}}}"}')), $http->url('by/hidden'));
sql($node, q(SELECT dbmaint_add_channel('mail', 'email', 's3cr3t-5@example.com', 'warning', '{"smtp": "smtp://127.0.0.1:1", "from": "a@b.example", "username": "u", "password": "s3cr3t-6"}')));
$http->behave('hidden', '500');
queue($node, $_, 4, 'trigger') foreach qw(hidden mail);
ok(wait_for($node, "count(*) = 2 FROM dbmaint_outbox WHERE incident_id = 4 AND attempts > 0 AND error IS NOT NULL"), 'two channels fail');
sql($node, 'CREATE ROLE monitor LOGIN; GRANT pg_monitor, pg_read_all_data, pg_read_all_settings, pg_read_all_stats TO monitor');
foreach my $relation (split /\n/, sql($node, "SELECT c.relname FROM pg_class AS c JOIN pg_depend AS d ON d.objid = c.oid AND d.deptype = 'e' WHERE c.relkind IN ('r', 'v') AND c.relname LIKE 'dbmaint%'"))
{
	my ($st, $out) = $node->psql('postgres', "SELECT t::text FROM $relation AS t WHERE t::text LIKE '%s3cr3t%'", extra_params => [ '-U', 'monitor' ]);
	is($out, '', "no secret in $relation");
}
my (undef, $out) = $node->psql('postgres', "SELECT t::text FROM pg_stat_activity AS t WHERE t.query LIKE '%s3cr3t%' AND pid <> pg_backend_pid()", extra_params => [ '-U', 'monitor' ]);
is($out, '', 'nor in pg_stat_activity');
is(sql($node, "SELECT count(*) FROM pg_settings WHERE setting LIKE '%s3cr3t%'"), '0', 'nor in pg_settings');
unlike(slurp_file($node->logfile), qr/s3cr3t|t0ken-of-file|k3y-of-file/, 'nor in the log');
is(sql($node, "SELECT count(*) FROM dbmaint_channels WHERE concat(target, keys) LIKE '%s3cr3t%'"), '2', 'a superuser sees them');

# pg_dump keeps channels, not secrets; what came with the extension comes once.
sql($node, "SELECT dbmaint_drop_channel('notify'); SELECT dbmaint_change_channel('log', min_severity => 'critical')");
my ($dump) = run_command([ 'pg_dump', $node->connstr('postgres') ]);
unlike($dump, qr/s3cr3t/, 'no secret in a dump');
append_to_file("$dir/dump.sql", $dump);
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE template0');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/dump.sql", '-d', $node->connstr('copy') ], 'a dump is restored');
is(sql($node, "SELECT string_agg(concat_ws(' ', name, min_severity, target, problem IS NULL), ',' ORDER BY name) FROM dbmaint_channels", 'copy'),
	'file warning t,hidden warning f,log critical  t,mail warning f', 'with its channels: two wait for a target, one was dropped and stays so');
is(sql($node, 'SELECT count(*) FROM dbmaint_outbox', 'copy'), '0', 'and nothing to send');
($dump) = run_command([ 'pg_dump', $node->connstr('copy') ]);
append_to_file("$dir/dump2.sql", $dump);
$node->safe_psql('postgres', 'CREATE DATABASE copy2 TEMPLATE template0');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/dump2.sql", '-d', $node->connstr('copy2') ], 'and once more');
is(sql($node, 'SELECT count(*) FROM dbmaint_channels', 'copy2'), '4', 'with the same channels');
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
