# A program with a bad habit, which the environment variable HABIT names: examples/perl/rope.pl otherwise.
use strict;
use warnings;

my $habit = $ENV{HABIT} // '';
my ($folder) = __FILE__ =~ m{^(.*)/tests/kernels/};
$| = 1;

if ($habit eq 'no-hello') { sleep 1000 }
if ($habit eq 'garbage-hello') { print "Loading model...\n"; sleep 1000 }
if ($habit eq 'million-lines') { print STDERR "line $_\n" for 1 .. 1_000_000 }

our $calls = 0;
our $say = sub {
    my ($line) = @_;
    if ($line =~ /^\{"hello"/) {
        $line =~ s/"protocol":\[1\]/"protocol":[2]/ if $habit eq 'other-protocol';
        $line .= qq({"answer":{"id":1,"status":"ok"}}\n) if $habit eq 'answers-before-asked';
        return $line;
    }
    $calls++;
    return "done!\n" if $habit eq 'garbage';
    if ($habit eq 'half-line') { print substr($line, 0, 10); sleep 1000 }
    $line =~ s/"id":(\d+)/'"id":' . ($1 + 1)/e if $habit eq 'wrong-number';
    if ($habit eq 'closes-output') { close STDOUT; sleep 1000 }
    exit 0 if $habit eq 'exits';
    kill 'KILL', $$ if $habit eq 'dies';
    if ($habit eq 'daemon') { if (fork) { exit 0 } require POSIX; POSIX::setsid(); sleep 1000 }
    return 'x' x 6_000_000 if $habit eq 'long-line';
    return $line;
};

open(my $file, '<', "$folder/examples/perl/rope.pl") or die "rope.pl: $!";
my $source = do { local $/; <$file> };
$source =~ s/sub say_line \{.*?\}\n/sub say_line { print \$main::say->(\$json->encode(\$_[0]) . "\\n") }\n/ or die "rope.pl has changed";
$source =~ s/JSON::PP->new/JSON::PP->new->canonical/;
$source =~ s/sub say_line/sub say_line/;
eval $source . "\n1" or die $@;
