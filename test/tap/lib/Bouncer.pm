# A PgBouncer of the test's own, in front of the database "app" of a test server.

package Bouncer;

use strict;
use warnings;

use IO::Socket::INET;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

# The program; undef where this machine has none.
sub program
{
	foreach my $directory ('/usr/sbin', split(/:/, $ENV{PATH}))
	{
		return "$directory/pgbouncer" if -x "$directory/pgbouncer";
	}
	return;
}

# Bouncer->new($node, databases => {name => 'option=value ...'},
#   users => {name => password}, NAME => VALUE of any setting of PgBouncer)
# own_users: server connections have the client's user, not the test's.
sub new
{
	my ($class, $node, %options) = @_;
	my $self = bless {
		node => $node,
		port => PostgreSQL::Test::Cluster::get_free_port(),
		dir => PostgreSQL::Test::Utils::tempdir_short(),
		users => delete $options{users} // {},
		own_users => delete $options{own_users},
		settings => {},
	}, $class;
	my $me = getpwuid $<;

	$self->{users}{$me} //= '';
	$self->{databases} = delete $options{databases} // { app => '' };
	$self->{settings} = {
		listen_addr => '127.0.0.1',
		listen_port => $self->{port},
		unix_socket_dir => $self->{dir},
		auth_type => 'trust',
		auth_file => "$self->{dir}/users",
		admin_users => $me,
		stats_users => 'stats',
		default_pool_size => 4,
		logfile => "$self->{dir}/log",
		%options };
	$self->{users}{stats} //= '';
	$self->configure;
	return $self;
}

# Writes the configuration; settings given replace what was.
sub configure
{
	my ($self, %settings) = @_;
	my $node = $self->{node};

	%{ $self->{settings} } = (%{ $self->{settings} }, %settings);
	my $ini = "[databases]\n";
	my $user = $self->{own_users} ? '' : 'user=' . getpwuid $<;
	$ini .= sprintf "%s = host=%s port=%s dbname=app %s %s\n", $_, $node->host,
	  $node->port, $user, $self->{databases}{$_}
	  foreach sort keys %{ $self->{databases} };
	$ini .= "[pgbouncer]\n";
	$ini .= "$_ = $self->{settings}{$_}\n" foreach sort keys %{ $self->{settings} };
	write_file("$self->{dir}/ini", $ini);
	write_file("$self->{dir}/users",
		join '', map { qq("$_" "$self->{users}{$_}"\n) } sort keys %{ $self->{users} });
	return;
}

sub write_file
{
	my ($path, $content) = @_;

	open my $file, '>', $path or die "$path: $!";
	print $file $content;
	close $file;
	return;
}

sub start
{
	my ($self) = @_;
	my $pid = fork // die "fork: $!";

	if ($pid == 0)
	{
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', "$self->{dir}/out";
		open STDERR, '>&', \*STDOUT;
		exec program(), "$self->{dir}/ini" or POSIX::_exit(1);
	}
	$self->{pid} = $pid;
	my $until = time + $PostgreSQL::Test::Utils::timeout_default;
	until (IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}))
	{
		die "pgbouncer does not start: " . slurp_file("$self->{dir}/out")
		  if time > $until || waitpid($pid, 1) == $pid;
		usleep 20_000;
	}
	return $self;
}

sub signal
{
	my ($self, $signal) = @_;

	kill $signal, $self->{pid} or die "pgbouncer is gone";
	return;
}

sub stop
{
	my ($self) = @_;

	return unless $self->{pid};
	kill 'CONT', $self->{pid};
	kill 'QUIT', $self->{pid};
	waitpid $self->{pid}, 0;
	delete $self->{pid};
	return;
}

# The connection string of the console.
sub console
{
	my ($self, %options) = @_;

	%options = (host => '127.0.0.1', port => $self->{port}, user => 'stats', %options);
	return join ' ', map { "$_=$options{$_}" } grep { defined $options{$_} } sort keys %options;
}

sub DESTROY
{
	my ($self) = @_;
	local $?;

	$self->stop;
	return;
}

1;
