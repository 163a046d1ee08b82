# Something that listens where PgBouncer should, and answers as it is told to:
# a console of any version, one that hangs, lies, or sends without end.

package FakeConsole;

use strict;
use warnings;

use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(usleep);

# FakeConsole->new(sub { my ($client) = @_; ... }) runs the code in a process of
# its own for each connection.  Or with answers:
# FakeConsole->new({ 'SHOW POOLS' => [[columns], [row], ...], ... }).
sub new
{
	my ($class, $behaviour) = @_;
	my $socket = IO::Socket::INET->new(
		LocalAddr => '127.0.0.1',
		Proto => 'tcp',
		Listen => 10,
		ReuseAddr => 1) or die "cannot listen: $!";
	my $pid = fork // die "fork: $!";

	if ($pid == 0)
	{
		$SIG{$_} = 'DEFAULT' foreach qw(TERM INT ALRM __DIE__ __WARN__);
		$SIG{PIPE} = 'IGNORE';
		$SIG{CHLD} = 'IGNORE';
		setpgrp;
		while (my $client = $socket->accept)
		{
			if (fork)
			{
				close $client;
				next;
			}
			close $socket;
			binmode $client;
			my $self = bless { client => $client, input => '' }, $class;
			eval { ref $behaviour eq 'CODE' ? $behaviour->($self) : $self->serve($behaviour) };
			POSIX::_exit(0);
		}
		POSIX::_exit(0);
	}
	my $port = $socket->sockport;
	close $socket;
	return bless { pid => $pid, port => $port }, $class;
}

sub conninfo
{
	my ($self, $more) = @_;
	return "host=127.0.0.1 port=$self->{port} user=stats sslmode=disable " . ($more // '');
}

sub stop
{
	my ($self) = @_;
	local $?;

	return unless $self->{pid};
	# its connections, too: they are the rest of its process group
	kill 'KILL', -$self->{pid}, $self->{pid};
	waitpid $self->{pid}, 0;
	delete $self->{pid};
	return;
}

sub DESTROY
{
	my ($self) = @_;
	$self->stop if $self->{pid};
	return;
}

#
# For the behaviour, in the process of its own.
#

sub receive
{
	my ($self, $bytes) = @_;

	while (length $self->{input} < $bytes)
	{
		sysread $self->{client}, $self->{input}, 65536, length $self->{input}
		  or die 'the client is gone';
	}
	return substr $self->{input}, 0, $bytes, '';
}

sub transmit
{
	my ($self, $bytes) = @_;

	while (length $bytes)
	{
		my $written = syswrite $self->{client}, $bytes;
		die 'the client is gone' unless $written;
		substr $bytes, 0, $written, '';
	}
	return;
}

sub message { return $_[0] . pack('N', 4 + length $_[1]) . $_[1]; }

sub error
{
	my ($self, $severity, $state, $text) = @_;
	return $self->transmit(message('E', "S$severity\0C$state\0M$text\0\0"));
}

# Reads the start-up packet, and answers "no" to a request for encryption.
sub startup
{
	my ($self) = @_;

	for (;;)
	{
		my $length = unpack 'N', $self->receive(4);
		my $packet = $self->receive($length - 4);
		my $code = unpack 'N', $packet;
		return $packet if $code == 196608 || $code > 196608 && $code < 262144;
		$self->transmit('N');
	}
	return;
}

sub welcome
{
	my ($self) = @_;

	$self->startup;
	return $self->transmit(message('R', pack 'N', 0)
		  . message('S', "server_version\0001.24.0/bouncer\0")
		  . message('S', "client_encoding\0UTF8\0")
		  . message('Z', 'I'));
}

# The next query; dies when there is none.
sub query
{
	my ($self) = @_;

	for (;;)
	{
		my ($type, $length) = unpack 'a N', $self->receive(5);
		my $body = $self->receive($length - 4);
		die 'terminated' if $type eq 'X';
		# the console refuses any but the simple protocol, and disconnects
		if ($type ne 'Q')
		{
			$self->error('FATAL', '08P01', 'extended query protocol not supported by admin console');
			die 'extended protocol';
		}
		return substr $body, 0, -1;
	}
	return;
}

sub columns
{
	return message('T', pack('n', scalar @_)
		  . join '', map { "$_\0" . pack 'NnNnNn', 0, 0, 25, 0xffff, 0xffffffff, 0 } @_);
}

sub row
{
	return message('D', pack('n', scalar @_)
		  . join '', map { defined $_ ? pack('N', length $_) . $_ : pack 'N', 0xffffffff } @_);
}

sub done { return message('C', "$_[0]\0") . message('Z', 'I'); }

# Answers one query from a table of answers; "SHOW VERSION" has one by itself.
sub answer
{
	my ($self, $query, $answers) = @_;
	my $answer = $answers->{$query};

	$answer //= [ ['version'], ['PgBouncer 1.24.0'] ] if $query eq 'SHOW VERSION';
	if (ref $answer eq 'CODE')
	{
		$answer->($self);
	}
	elsif ($answer)
	{
		my ($names, @rows) = @$answer;
		$self->transmit(columns(@$names) . join('', map { row(@$_) } @rows) . done('SHOW'));
	}
	else
	{
		$self->error('ERROR', '08P01', "invalid command '$query', use SHOW HELP;");
		$self->transmit(message('Z', 'I'));
	}
	return;
}

sub serve
{
	my ($self, $answers) = @_;

	$self->welcome;
	$self->answer($self->query, $answers) while 1;
	return;
}

1;
