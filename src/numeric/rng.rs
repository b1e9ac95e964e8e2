//! A random generator whose stream never changes: replay lines depend on it.

/// SplitMix64 as a counter: value number n depends on the key and n alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rng {
    key: u64,
    counter: u64,
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64's finaliser: a bijection in which every input bit moves every output bit.
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// The stream of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { key: mix(seed ^ 0x726f_7065_6368_6563), counter: 0 }
    }

    /// An independent stream, chosen by `label` and by this stream's seed, not by how much of this stream was used.
    #[must_use]
    pub const fn fork(&self, label: u64) -> Self {
        Self { key: mix(self.key ^ mix(label.wrapping_add(GOLDEN))), counter: 0 }
    }

    /// 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(GOLDEN);
        mix(self.key.wrapping_add(self.counter))
    }

    /// A number in 0..bound, each as likely; 0 for bound 0.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        loop {
            let wide = u128::from(self.next_u64()) * u128::from(bound);
            // Lemire: reject the few low parts that some results would have once more than others.
            if wide as u64 >= bound.wrapping_neg() % bound {
                return (wide >> 64) as u64;
            }
        }
    }

    /// A number in low..=high, each as likely; `low` if the range is empty.
    #[inline]
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        if high <= low {
            return low;
        }
        let span = (high as u64).wrapping_sub(low as u64).wrapping_add(1);
        let offset = if span == 0 { self.next_u64() } else { self.below(span) };
        (low as u64).wrapping_add(offset) as i64
    }

    /// A multiple of 2^-53 in [0, 1).
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// True once in `n` times on average; never for 0.
    #[inline]
    pub fn one_in(&mut self, n: u64) -> bool {
        n != 0 && self.below(n) == 0
    }

    /// A reference to one of `items`, or `None` if there is none.
    pub fn choose<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len() as u64) as usize)
    }

    /// Puts `items` into random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_never_changes() {
        let mut rng = Rng::new(1);
        assert_eq!([rng.next_u64(), rng.next_u64(), rng.next_u64()], STREAM_OF_ONE);
        assert_eq!(Rng::new(1).fork(7), rng.fork(7), "a fork does not depend on what was drawn");
        let mut fork = rng.fork(7);
        assert_eq!([fork.next_u64(), fork.next_u64()], STREAM_OF_FORK_SEVEN);
        assert_ne!(rng.fork(7).next_u64(), rng.fork(8).next_u64());
    }

    /// Computed apart, in Python.
    const STREAM_OF_ONE: [u64; 3] = [2_524_196_557_923_833_994, 15_075_057_467_594_707_549, 1_297_038_556_329_946_983];
    const STREAM_OF_FORK_SEVEN: [u64; 2] = [9_829_334_434_673_617_376, 17_639_236_584_064_340_655];

    #[test]
    fn ranges_are_inclusive_and_even() {
        let mut rng = Rng::new(2);
        let mut seen = [0u32; 7];
        for _ in 0..70_000 {
            seen[(rng.between(-3, 3) + 3) as usize] += 1;
        }
        // Ten thousand each, standard deviation 93; six of them.
        assert!(seen.iter().all(|n| n.abs_diff(10_000) < 560), "{seen:?}");
        assert_eq!(rng.between(5, 4), 5);
        assert!((0..100).any(|_| rng.between(i64::MIN, i64::MAX) < 0));
        assert!((0..1000).all(|_| (0.0..1.0).contains(&rng.unit())));
        assert_eq!(rng.choose::<u8>(&[]), None);
        // 2500 on average, standard deviation 43; six of them.
        let ones = (0..10_000).filter(|_| rng.one_in(4)).count();
        assert!(ones.abs_diff(2500) < 260, "{ones}");
        assert!((0..100).all(|_| rng.one_in(1) && !rng.one_in(0)));
    }
}
