# Find ereport() calls of level ERROR or above without an errcode, and messages
# that begin with a capital or end with a full stop. Arguments: C files.
use strict;
use warnings;

my $bad = 0;

foreach my $file (@ARGV)
{
	open(my $fh, '<', $file) or die "$file: $!\n";
	my $text = do { local $/; <$fh> };
	close($fh);

	# blank comments, keep their lines
	$text =~ s{(/\*.*?\*/)}{ $1 =~ s/[^\n]/ /gr }gse;

	while ($text =~ /\bereport(?:_domain)?\s*(\()/g)
	{
		my $start = $-[1];
		my $line = 1 + (substr($text, 0, $start) =~ tr/\n//);
		my ($depth, $pos) = (0, $start);

		# the end of the call: its closing parenthesis outside of strings
		pos($text) = $start;
		while ($text =~ /\G(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|(\()|(\))|.)/gs)
		{
			$depth++ if defined $1;
			$depth-- if defined $2;
			$pos = pos($text);
			last if $depth == 0;
		}
		my $call = substr($text, $start, $pos - $start);
		pos($text) = $pos;

		# a macro that passes its caller's arguments on
		next if $call =~ /\b__VA_ARGS__\b/;

		next if $call =~ /__VA_ARGS__/;
		if ($call =~ /^\(\s*(?:ERROR|FATAL|PANIC)\b/ && $call !~ /\berrcode\w*\s*\(/)
		{
			print "$file:$line: an ereport without errcode()\n";
			$bad = 1;
		}
		if ($call =~ /\berrmsg(?:_plural|_internal)?\s*\(\s*"((?:[^"\\]|\\.)*)"\s*[,)]/)
		{
			my $message = $1;

			if ($message =~ /^[A-Z][a-z]/ || $message =~ /[^.]\.$/)
			{
				print "$file:$line: message begins with a capital or ends with a full stop: \"$message\"\n";
				$bad = 1;
			}
		}
	}
}
exit $bad;
