# A client that speaks the frontend/backend protocol message by message, for
# what psql and libpq do not let a test say: when each message is sent, and how
# many rows Execute asks for.

package RawClient;

use strict;
use warnings;

use IO::Socket::UNIX;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(time);

# RawClient->new($node, $database, %startup_parameters)
sub new
{
	my ($class, $node, $database, %parameters) = @_;
	my $path = $node->host . '/.s.PGSQL.' . $node->port;
	my $self = bless { input => '', output => '' }, $class;

	$self->{socket} = IO::Socket::UNIX->new(Peer => $path)
	  or die "cannot connect to $path: $!";
	%parameters = (
		user => scalar getpwuid($<),
		database => $database,
		%parameters);
	my $startup = pack 'N', 196608;
	$startup .= "$_\0$parameters{$_}\0" for sort keys %parameters;
	$startup .= "\0";
	$self->_write(pack('N', 4 + length $startup) . $startup);
	for my $message ($self->receive('Z'))
	{
		$self->{pid} = unpack 'N', $message->{body} if $message->{type} eq 'K';
		die "no connection: $message->{text}" if $message->{type} eq 'E';
	}
	return $self;
}

sub pid { return $_[0]{pid}; }

sub _write
{
	my ($self, $bytes) = @_;

	while (length $bytes)
	{
		my $written = syswrite $self->{socket}, $bytes;
		die "connection lost: $!" unless defined $written;
		substr $bytes, 0, $written, '';
	}
	return;
}

# One message; undef where the server closed the connection.
sub _read_message
{
	my ($self) = @_;
	my $until = time + $PostgreSQL::Test::Utils::timeout_default;

	while (length $self->{input} < 5
		|| length $self->{input} < 1 + unpack 'x N', $self->{input})
	{
		my $ready = '';
		vec($ready, fileno $self->{socket}, 1) = 1;
		my $left = $until - time;
		die 'the server does not answer'
		  if $left <= 0 || !select $ready, undef, undef, $left;
		return unless sysread $self->{socket}, $self->{input}, 65536,
		  length $self->{input};
	}
	my ($type, $length) = unpack 'a N', $self->{input};
	my $body = substr substr($self->{input}, 0, 1 + $length, ''), 5;
	my $message = { type => $type, body => $body };
	if ($type eq 'E' || $type eq 'N')
	{
		my %field = map { substr($_, 0, 1) => substr $_, 1 } split /\0/, $body;
		@$message{qw(state text)} = @field{qw(C M)};
	}
	return $message;
}

# Reads up to and with the first message of the type, or to the end of the
# connection; returns all of them.
sub receive
{
	my ($self, $type) = @_;
	my @messages;

	while (my $message = $self->_read_message)
	{
		push @messages, $message;
		last if $message->{type} eq $type;
	}
	return @messages;
}

# These only write into a buffer; flush_out, or a method that receives, sends it.
sub _add
{
	my ($self, $type, $body) = @_;

	$self->{output} .= $type . pack('N', 4 + length $body) . $body;
	return $self;
}

sub parse
{
	my ($self, $sql, $statement) = @_;
	return $self->_add('P', ($statement // '') . "\0$sql\0" . pack 'n', 0);
}

sub bind
{
	my ($self, $portal, $statement) = @_;
	return $self->_add('B',
		($portal // '') . "\0" . ($statement // '') . "\0" . pack 'nnn', 0, 0, 0);
}

sub describe { return $_[0]->_add('D', 'P' . ($_[1] // '') . "\0"); }

sub execute
{
	my ($self, $rows, $portal) = @_;
	return $self->_add('E', ($portal // '') . "\0" . pack 'N', $rows // 0);
}

sub close_portal { return $_[0]->_add('C', 'P' . ($_[1] // '') . "\0"); }

sub flush_out
{
	my ($self) = @_;

	$self->_write($self->{output});
	$self->{output} = '';
	return;
}

# Asks the server for what it has, and reads up to the given message type.
sub flush
{
	my ($self, $type) = @_;

	$self->_add('H', '');
	$self->flush_out;
	return $self->receive($type);
}

# Ends the exchange and reads to ReadyForQuery.
sub sync
{
	my ($self) = @_;

	$self->_add('S', '');
	$self->flush_out;
	return $self->receive('Z');
}

# A whole simple-protocol message.
sub query
{
	my ($self, $sql) = @_;

	$self->_add('Q', "$sql\0");
	$self->flush_out;
	return $self->receive('Z');
}

# A whole exchange in the extended protocol.
sub extended
{
	my ($self, $sql) = @_;
	return $self->parse($sql)->bind->describe->execute->sync;
}

# Runs a query and returns its rows; dies where it fails.
sub rows
{
	my ($self, $sql) = @_;
	my @rows;

	for my $message ($self->query($sql))
	{
		die "$message->{text} in: $sql" if $message->{type} eq 'E';
		next if $message->{type} ne 'D';
		my ($count, $rest) = unpack 'n a*', $message->{body};
		my @row;
		for (1 .. $count)
		{
			my $length = unpack 'l>', $rest;
			push @row, $length < 0 ? undef : substr $rest, 4, $length;
			$rest = substr $rest, 4 + ($length < 0 ? 0 : $length);
		}
		push @rows, \@row;
	}
	return @rows;
}

sub disconnect
{
	my ($self) = @_;

	$self->_add('X', '');
	$self->flush_out;
	$self->receive('');
	close $self->{socket};
	return;
}

# The SQLSTATEs of the errors among the messages.
sub errors
{
	return join ' ', map { $_->{state} } grep { $_->{type} eq 'E' } @_;
}

1;
