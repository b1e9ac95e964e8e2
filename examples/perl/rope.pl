#!/usr/bin/perl
# A backend in Perl: level rotate for f32, judged by
#
#     ropecheck check --exec "perl examples/perl/rope.pl"
#
# It needs nothing but Perl: the arena is read and written as a file. docs/protocol.md says what the lines mean.
use strict;
use warnings;
use JSON::PP;

my $json = JSON::PP->new->allow_nonref;
open(my $arena, '+<:raw', $ENV{ROPECHECK_ARENA}) or die "the arena: $!";
$| = 1;

sub say_line { print $json->encode($_[0]), "\n" }

# The bytes of a view from its first to its last element.
sub bytes {
    my ($view, $size) = @_;
    my $span = 1;
    $span += ($view->{shape}[$_] - 1) * $view->{strides}[$_] for 0 .. $#{ $view->{shape} };
    sysseek($arena, $view->{offset}, 0);
    sysread($arena, my $bytes, $span * $size) == $span * $size or die "the arena is too short";
    return $bytes;
}

sub element { my ($view, @at) = @_; my $n = 0; $n += $at[$_] * $view->{strides}[$_] for 0 .. $#at; return $n }

sub rotate {
    my ($call) = @_;
    my ($plan, $dims) = @$call{qw(plan dims)};
    my ($width, $pairs) = ($plan->{rotary_dim}, int($plan->{rotary_dim} / 2));
    return 'an odd rotary_dim' if $width % 2;
    return 'the rotary part is no whole head' if $width != $plan->{head_dim} || $plan->{rotary_offset};
    my @axis = unpack 'C*', bytes($plan->{axis_of_pair}, 1);
    my @frequency = unpack 'd<*', bytes($plan->{inv_freq}, 8);
    my $axes = @{ $call->{scheme}{axes} };
    return 'an axis that the call does not have' if grep { $_ >= $axes && $_ != 255 } @axis[0 .. $pairs - 1];
    return 'q is no f32' if $call->{q}{dtype} ne 'f32';
    my @position = unpack 'q<*', bytes($call->{positions}, 8);
    for my $name (qw(q k)) {
        my ($in, $out) = ($call->{$name}, $call->{"${name}_out"});
        next unless $in;
        my ($batch, $tokens, $heads) = @{ $in->{shape} };
        my @x = unpack 'f<*', bytes($in, 4);
        for my $b (0 .. $batch - 1) { for my $t (0 .. $tokens - 1) { for my $h (0 .. $heads - 1) {
            my @row = @x[element($in, $b, $t, $h, 0) .. element($in, $b, $t, $h, $width - 1)];
            my @y = @row;
            for my $i (0 .. $pairs - 1) {
                next if $axis[$i] == 255;
                my $angle = $position[element($call->{positions}, $axis[$i], $b, $t)] * $frequency[$i];
                my ($cos, $sin) = (cos($angle), sin($angle));
                $y[$i] = $row[$i] * $cos - $row[$i + $pairs] * $sin;
                $y[$i + $pairs] = $row[$i + $pairs] * $cos + $row[$i] * $sin;
            }
            sysseek($arena, $out->{offset} + 4 * element($out, $b, $t, $h, 0), 0);
            syswrite($arena, pack 'f<*', @y);
        } } }
    }
    return undef;
}

say_line({ hello => { protocol => [1], manifest => {
    name => 'rope.pl', version => '1',
    levels => { rotate => { consumes => [qw(positions axis_of_pair inv_freq)], schemes => ['*'],
                            contract => { class => 'fused', frequencies => 'table' } } },
    dtypes => ['f32'], head_dims => { min => 2, max => 128, multiple => 2 },
    q_heads => { min => 1, max => 4 }, k_heads => { min => 0, max => 4 },
    max_tokens => 64, max_position => 1048576,
} } });
while (my $line = <STDIN>) {
    my $request = $json->decode($line);
    last unless $request->{call};
    my $refused = rotate($request->{call}{call});
    my $answer = { id => $request->{call}{id}, status => defined $refused ? 'bad-argument' : 'ok' };
    $answer->{message} = $refused if defined $refused;
    say_line({ answer => $answer });
}
