# Receivers of notifications on loopback (receiver.py), and what a notifying
# server needs in a test.
package Receiver;

use strict;
use warnings;

use Exporter 'import';
use FindBin;
use IPC::Run;
use JSON::PP ();
use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

our @EXPORT = qw(new_notifying_server sql literal wait_for state_of
  test_message make_certificates notifier_pid queue kill_9 wait_until_up);

my @receivers;

# Receiver->new('http'|'smtp', more words for receiver.py)
sub new
{
	my ($class, $kind, @words) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir;
	my $self = bless { dir => $dir, out => '', err => '' }, $class;

	$self->{handle} = IPC::Run::start(
		[ 'python3', "$FindBin::Bin/lib/receiver.py", $kind, $dir, @words ],
		'<', \undef, '>', \$self->{out}, '2>', \$self->{err},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	$self->{handle}->pump until $self->{out} =~ /^(\d+)\n/ || $self->{err} =~ /\n/;
	die "the receiver does not start: $self->{err}" unless $self->{out} =~ /^(\d+)\n/;
	$self->{port} = $1;
	push @receivers, $self;
	return $self;
}

sub port { return $_[0]{port}; }
sub url { return "http://127.0.0.1:$_[0]{port}/$_[1]"; }

# What /by/NAME answers from now on; for SMTP the name is "smtp".
sub behave
{
	my ($self, $name, $mode) = @_;

	PostgreSQL::Test::Utils::append_to_file("$self->{dir}/$name.new", $mode);
	rename "$self->{dir}/$name.new", "$self->{dir}/$name" or die $!;
	return;
}

# Everything that came, parsed; with a path, what came to that.
sub requests
{
	my ($self, $path) = @_;

	my @none;
	return @none unless -e "$self->{dir}/requests";
	my @all = map { JSON::PP->new->decode($_) } grep { /\}$/ } split /\n/,
	  slurp_file("$self->{dir}/requests");
	return @all unless defined $path;
	return grep { defined $_->{path} && $_->{path} eq $path } @all;
}

# The requests to the path, once there are that many.
sub await
{
	my ($self, $path, $count) = @_;
	my @found;

	for my $try (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		@found = $self->requests($path);
		last if @found >= $count;
		usleep 100_000;
	}
	return @found;
}

# A request's body as JSON, its bytes, one of its headers.
sub body { return JSON::PP->new->utf8->decode(decode_base64($_[0]{body64})); }
sub bytes { return decode_base64($_[0]{body64}); }

sub header
{
	my ($request, $name) = @_;
	my @found = map { $_->[1] } grep { lc $_->[0] eq lc $name } @{ $request->{headers} };
	return wantarray ? @found : $found[0];
}

sub stop
{
	my ($self) = @_;

	$self->{handle}->kill_kill(grace => 1) if $self->{handle};
	delete $self->{handle};
	return;
}

END
{
	my $status = $?;
	$_->stop foreach @receivers;
	$? = $status;
}

# A server whose notifier may talk to loopback, without its own samples.
sub new_notifying_server
{
	my ($name, %options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	# versions differ in the encoding without a locale
	$node->init(extra => [ '--encoding', 'UTF8' ], %{ $options{init} // {} });
	$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'dbmaint'
dbmaint.sample_interval = 1s
dbmaint.statements_interval = 1h
dbmaint.objects_interval = 1h
dbmaint.activity_history_interval = 1h
dbmaint.notify_timeout = 2s
autovacuum = off
cluster_name = 'unit "test" cluster'
} . (exists $options{networks} ? $options{networks} : "dbmaint.notify_allowed_networks = '127.0.0.1'\n")
		. ($options{conf} // ''));
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION dbmaint');
	return $node;
}

sub sql
{
	my ($node, $sql, $database) = @_;
	return $node->safe_psql($database // 'postgres', $sql);
}

sub literal
{
	my ($string) = @_;
	$string =~ s/'/''/g;
	return "'$string'";
}

sub wait_for
{
	my ($node, $condition, $database) = @_;
	return $node->poll_query_until($database // 'postgres', "SELECT $condition");
}

# "state/attempts/status/error" of the newest notification of a channel.
sub state_of
{
	my ($node, $channel) = @_;
	return sql($node, qq{SELECT concat_ws('/', state, attempts, status, error) FROM dbmaint_outbox
		WHERE channel = '$channel' ORDER BY message_id DESC LIMIT 1});
}

sub notifier_pid
{
	my ($node, $database) = @_;
	return sql($node, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'dbmaint notifier' AND datname = '"
		. ($database // 'postgres') . "'");
}

# Waits until the server takes connections again.  By -c, since psql that is
# refused does not read what it is given.
sub wait_until_up
{
	my ($node) = @_;

	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		my ($out) = run_command([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-c', 'SELECT NOT pg_is_in_recovery()' ]);
		return 1 if $out eq 't';
		usleep 100_000;
	}
	return 0;
}

# kill -9 of a database's process, if it is there, and the recovery after it.
sub kill_9
{
	my ($node, $type) = @_;
	my $position = -s $node->logfile;
	my ($pid) = run_command([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-c',
		"SELECT pid FROM pg_stat_activity WHERE backend_type = 'dbmaint $type' AND datname = 'postgres'" ]);

	if ($pid =~ /^\d+$/ && kill 'KILL', $pid)
	{
		for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
		{
			last if slurp_file($node->logfile, $position) =~ /all server processes terminated; reinitializing|ready to accept connections/;
			usleep 50_000;
		}
	}
	return wait_until_up($node);
}

# A message as dbmaint_notification_message() makes it, as JSON text.
sub test_message
{
	my (%fields) = @_;
	my %message = (
		incident => 42, dedup_key => 'dbmaint/123/app/response_time_ms/', kind => 'trigger',
		state => 'firing', severity => 'critical', metric => 'response_time_ms', instance => '',
		value => 120.5, unit => 'ms', threshold => 95, comparison => '>',
		since => '2026-01-02T03:04:05+00:00', at => '2026-01-02T03:14:05+00:00',
		sustained_seconds => 300, summary => 'CRITICAL: response_time_ms is 120.5 ms (> 95 ms)',
		cause => 'query -42 on orders: 4 ms to 180 ms', actions => [ 'Look.', 'Act.' ],
		escalation_level => 1,
		server => { cluster_name => 'main', host => 'db1', port => 5432, database => 'app' },
		evidence => { statements => [ { queryid => -42, calls => 7 } ] },
		texts => { '-42' => 'SELECT secret_text FROM orders' },
		%fields);
	# the server is sent bytes, whatever psql's caller makes of characters
	return JSON::PP->new->canonical->ascii->encode(\%message);
}

# Queues a message straight into a channel's outbox; for what needs no rules.
sub queue
{
	my ($node, $channel, $incident, $kind, %fields) = @_;
	my $json = literal(test_message(incident => $incident, kind => $kind,
			dedup_key => "dbmaint/1/app/m/$incident", %fields));

	return sql($node, qq{SELECT dbmaint_put_notification('$channel', $incident, '$kind', $json, clock_timestamp());
		SELECT dbmaint_want_notifier()});
}

# Certificates for TLS: a CA, and of it or not: good, for another host, expired.
sub make_certificates
{
	my $dir = PostgreSQL::Test::Utils::tempdir;
	my $run = sub {
		my ($stdout, $stderr) = run_command([@_]);
		return;
	};

	$run->('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', '/CN=test CA',
		'-keyout', "$dir/ca.key", '-out', "$dir/ca.crt");
	# one way or the other, by the version of openssl
	my $help = join '', run_command([ 'openssl', 'x509', '-help' ]);
	my @expired = $help =~ /-not_after/ ?
	  ('-not_before', '20200101000000Z', '-not_after', '20200201000000Z') : ('-days', '-1');
	my %names = (good => 'IP:127.0.0.1,DNS:localhost', other => 'DNS:other.example.com', expired => 'IP:127.0.0.1');
	foreach my $name (sort keys %names)
	{
		PostgreSQL::Test::Utils::append_to_file("$dir/$name.ext", "subjectAltName=$names{$name}\n");
		$run->('openssl', 'req', '-newkey', 'rsa:2048', '-nodes', '-subj', "/CN=$name",
			'-keyout', "$dir/$name.key", '-out', "$dir/$name.csr");
		$run->('openssl', 'x509', '-req', '-in', "$dir/$name.csr", '-CA', "$dir/ca.crt", '-CAkey', "$dir/ca.key",
			'-CAcreateserial', '-extfile', "$dir/$name.ext", '-out', "$dir/$name.crt",
			$name eq 'expired' ? @expired : ('-days', '30'));
	}
	$run->('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', '/CN=self',
		'-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', "$dir/self.key", '-out', "$dir/self.crt");
	return $dir;
}

1;
