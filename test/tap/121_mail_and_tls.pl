# Mail by SMTP with STARTTLS and AUTH, and what certificates are taken.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Receiver;
use Test::More;

my $certs = make_certificates();
my $node = new_notifying_server('primary');

sub mail_channel
{
	my ($name, $smtp, %options) = @_;
	my $json = JSON::PP->new->canonical->encode({ smtp => $smtp, from => 'db1@company.com', ca_file => "$certs/ca.crt", %options });
	return sql($node, sprintf "SELECT dbmaint_add_channel('%s', 'email', 'dba-team\@company.com, second\@company.com', 'warning', %s)", $name, literal($json));
}

sub mails { return grep { defined $_->{data} } $_[0]->requests; }

sub await_state
{
	my ($channel, $state, $what) = @_;
	return ok(wait_for($node, "state = '$state' AND EXISTS (SELECT FROM dbmaint_notification_attempts AS a WHERE a.message_id = o.message_id) FROM dbmaint_outbox AS o WHERE channel = '$channel' ORDER BY message_id DESC LIMIT 1"), $what)
	  || diag(state_of($node, $channel));
}

my %login = (username => 'dba', password => 's3cr3t-pass');
my $smtp = Receiver->new('smtp', "$certs/good.crt", "$certs/good.key", 'auth');
mail_channel('mail', 'smtp://127.0.0.1:' . $smtp->port, %login);
queue($node, 'mail', 1, 'trigger', summary => "EMERGENCY: \x{e4}\x{20ac} on t\r\nBcc: evil\@example.com", instance => "t\r\n.\r\nQUIT\r\n");
await_state('mail', 'sent', 'STARTTLS and AUTH: sent');
my ($mail) = mails($smtp);
ok($mail->{tls}, 'it was encrypted');
is_deeply($mail->{user}, [ 'dba', 's3cr3t-pass' ], 'logged in');
like($mail->{mail_from}, qr/<db1\@company\.com>/, 'sender');
is(join(' ', @{ $mail->{rcpt} }), 'RCPT TO:<dba-team@company.com> RCPT TO:<second@company.com>', 'recipients');
my ($head, $text) = split /\r\n\r\n/, $mail->{data}, 2;
my %head = map { /^([\w-]+): (.*)$/s ? ($1 => $2) : () } split /\r\n(?! )/, $head;
is($head{From}, 'dbmaint <db1@company.com>', 'From');
is($head{To}, "<dba-team\@company.com>,\r\n <second\@company.com>", 'To');
like($head{Subject}, qr/^=\?UTF-8\?B\?/, 'Subject in encoded words');
my $subject = join '', map { decode_base64($_) } $head{Subject} =~ /=\?UTF-8\?B\?([^?]*)\?=/g;
utf8::decode($subject);
is($subject, "EMERGENCY: \x{e4}\x{20ac} on t  Bcc: evil\@example.com", 'which say what was said, in one line');
is(scalar(grep { length > 78 } split(qr{\r\n}, $head)), 0, 'no line of a header is long');
like($head{Date}, qr/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000$/, 'Date');
like($head{'Message-ID'}, qr/^<[0-9a-f-]{36}\@company\.com>$/, 'Message-ID');
like($head{References}, qr/^<dbmaint\.[0-9a-f]{16}\.1\@company\.com>$/, 'References');
is($head{'MIME-Version'}, '1.0', 'MIME-Version');
is($head{'Content-Type'}, 'text/plain; charset=utf-8', 'Content-Type');
is($head{'Content-Transfer-Encoding'}, 'base64', 'Content-Transfer-Encoding');
ok(!exists $head{Bcc}, 'no header was smuggled in');
my $plain = decode_base64($text);
utf8::decode($plain);
like($plain, qr/^EMERGENCY: .*\r\n\r\nSeverity: critical\r\n/, 'the body');
like($plain, qr/Likely cause: query -42 on orders/, 'with the cause');
unlike($plain, qr/secret_text/, 'without query texts');
is(scalar mails($smtp), 1, 'and that is one mail');

# What the server says no to.
$smtp->behave('smtp', '451');
queue($node, 'mail', 2, 'trigger');
await_state('mail', 'queued', '451 is tried again');
$smtp->behave('smtp', 'ok');
await_state('mail', 'sent', 'and goes when it may');
$smtp->behave('smtp', '550');
queue($node, 'mail', 3, 'trigger');
await_state('mail', 'failed', '550 is for good');
is(sql($node, "SELECT status FROM dbmaint_outbox WHERE channel = 'mail' AND incident_id = 3"), '550', 'and shown');
$smtp->behave('smtp', 'hang');
queue($node, 'mail', 4, 'trigger');
await_state('mail', 'queued', 'a mail server that hangs is given up, and tried again');
$smtp->behave('smtp', 'cut');
ok(wait_for($node, "attempts > 2 FROM dbmaint_outbox WHERE channel = 'mail' AND incident_id = 4"), 'one that cuts the line after the mail, too');
$smtp->behave('smtp', 'ok');
await_state('mail', 'sent', 'until it is sent');
my %ids = map { $_->{data} =~ /^Message-ID: (\S+)/m ? ($1 => 1) : () } grep { $_->{data} =~ /\.4\@/ } mails($smtp);
is(scalar keys %ids, 1, 'with the same Message-ID');
sql($node, "SELECT dbmaint_change_channel('mail', target => 'nobody\@company.com, second\@company.com')");
queue($node, 'mail', 5, 'trigger');
await_state('mail', 'sent', 'one wrong address does not keep it from the others');
sql($node, q{SELECT dbmaint_change_channel('mail', options => '{"password": "wrong"}')});
queue($node, 'mail', 6, 'trigger');
await_state('mail', 'failed', 'a wrong password is for good');
is(sql($node, "SELECT status FROM dbmaint_outbox WHERE channel = 'mail' AND incident_id = 6"), '535', 'and shown');

# Without encryption there is no password, and no mail unless it is said loudly.
my $plain_smtp = Receiver->new('smtp', 'auth');
mail_channel('downgrade', 'smtp://127.0.0.1:' . $plain_smtp->port, %login);
queue($node, 'downgrade', 7, 'trigger');
await_state('downgrade', 'queued', 'a server without STARTTLS gets nothing');
is(scalar(grep { defined $_->{auth} || defined $_->{data} } $plain_smtp->requests), 0, 'least of all the password');
my $open_smtp = Receiver->new('smtp');
mail_channel('open', 'smtp://127.0.0.1:' . $open_smtp->port, insecure_plaintext => JSON::PP::true);
queue($node, 'open', 8, 'trigger');
await_state('open', 'sent', 'unless the channel says insecure_plaintext');
my $implicit = Receiver->new('smtp', "$certs/good.crt", "$certs/good.key", 'implicit', 'auth');
mail_channel('smtps', 'smtps://127.0.0.1:' . $implicit->port, %login);
queue($node, 'smtps', 9, 'trigger');
await_state('smtps', 'sent', 'smtps');

# Certificates, for mail and HTTP.
my %bad = (other => 'of another host', expired => 'expired', self => 'self-signed');
foreach my $name (sort keys %bad)
{
	my $receiver = Receiver->new('http', "$certs/$name.crt", "$certs/$name.key");
	sql($node, sprintf "SELECT dbmaint_add_channel('tls_$name', 'webhook', 'https://127.0.0.1:%d/ok', 'warning', '{\"ca_file\": \"$certs/ca.crt\"}')", $receiver->port);
	queue($node, "tls_$name", 10, 'trigger');
	await_state("tls_$name", 'queued', "a certificate that is $bad{$name} is refused");
	like(state_of($node, "tls_$name"), qr/certificate/i, 'and the error says so');
	is(scalar(grep { defined $_->{body} } $receiver->requests), 0, 'and nothing was told');

	my $mailer = Receiver->new('smtp', "$certs/$name.crt", "$certs/$name.key", 'auth');
	mail_channel("mail_$name", 'smtp://127.0.0.1:' . $mailer->port, %login);
	queue($node, "mail_$name", 11, 'trigger');
	await_state("mail_$name", 'queued', "nor is it by mail");
	is(scalar(grep { defined $_->{data} || defined $_->{auth} } $mailer->requests), 0, 'and nothing was told');
}
my $https = Receiver->new('http', "$certs/good.crt", "$certs/good.key");
sql($node, sprintf "SELECT dbmaint_add_channel('tls_good', 'webhook', 'https://127.0.0.1:%d/ok', 'warning', '{\"ca_file\": \"$certs/ca.crt\"}')", $https->port);
queue($node, 'tls_good', 12, 'trigger');
await_state('tls_good', 'sent', 'a good certificate is taken');
sql($node, sprintf "SELECT dbmaint_add_channel('tls_system', 'webhook', 'https://127.0.0.1:%d/ok')", $https->port);
queue($node, 'tls_system', 13, 'trigger');
await_state('tls_system', 'queued', 'not where only the system\'s authorities are trusted');
my $http = Receiver->new('http');
sql($node, sprintf "SELECT dbmaint_add_channel('tls_none', 'webhook', 'https://127.0.0.1:%d/ok')", $http->port);
queue($node, 'tls_none', 14, 'trigger');
await_state('tls_none', 'queued', 'a server without TLS is no server for https');
unlike(slurp_file($node->logfile), qr/(?<!statement: ).*s3cr3t-pass.*LOG/, 'no password in the log');
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
