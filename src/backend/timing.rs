//! How calls are timed: warmed up, in batches long enough for a clock, next to a copy of as many bytes.

use std::ops::Range;
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// How a call is to be timed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Most samples of the call, and of the copy.
    pub samples: u32,
    /// Seconds after which no further sample is taken, of the call and of the copy each.
    pub seconds: f64,
    /// Byte range of the arena that the copy reads.
    pub from: Range<usize>,
    /// First byte that it writes; behind what it reads.
    pub to: usize,
}

impl Timing {
    /// Whether the copy stays inside an arena of `bytes` bytes, and does not overlap itself.
    #[must_use]
    pub fn fits(&self, bytes: usize) -> bool {
        let end = self.to.checked_add(self.from.len());
        self.from.start <= self.from.end && self.from.end <= self.to && end.is_some_and(|end| end <= bytes)
    }
}

/// What was measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Timed {
    /// Seconds of one call, a sample each.
    pub calls: Vec<f64>,
    /// Seconds of one copy, a sample each; empty where the device has no way to be asked.
    pub copies: Vec<f64>,
    /// Whether the device's own clock was used, and not that of the host around a wait.
    pub device_clock: bool,
}

/// A batch takes at least this long, so that the clock's grain and the reading of it do not matter.
const BATCH_SECONDS: f64 = 1e-3;
/// Most calls in a batch.
const MOST_CALLS: f64 = 10_000.0;
/// Fewest samples, however long they take.
const LEAST_SAMPLES: usize = 3;

impl Timing {
    /// Samples of `run`, which makes a number of calls and says how many seconds they took together.
    ///
    /// # Errors
    /// Those of `run`.
    pub fn sample<E>(&self, mut run: impl FnMut(u32) -> Result<f64, E>) -> Result<Vec<f64>, E> {
        // The first call finds cold caches, pages and clocks.
        run(1)?;
        let once = run(1)?.max(1e-9);
        let calls = (BATCH_SECONDS / once).ceil().clamp(1.0, MOST_CALLS) as u32;
        let (mut samples, mut spent) = (Vec::new(), 0.0);
        while samples.len() < LEAST_SAMPLES || samples.len() < self.samples as usize && spent < self.seconds {
            let seconds = run(calls)?;
            spent += seconds;
            samples.push(seconds / f64::from(calls));
        }
        Ok(samples)
    }

    /// Samples of a copy in host memory, by one core and by all of them: whichever is faster.
    #[must_use]
    pub fn sample_copy(&self, from: &[u8], to: &mut [u8]) -> Vec<f64> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut by = |threads: usize| {
            let run = |calls: u32| {
                let start = Instant::now();
                for _ in 0..calls {
                    copy(from, to, threads);
                    std::hint::black_box(&mut *to);
                }
                Ok::<_, std::convert::Infallible>(start.elapsed().as_secs_f64())
            };
            self.sample(run).unwrap_or_default()
        };
        let (one, all) = (by(1), by(cores));
        if median(&all) < median(&one) { all } else { one }
    }
}

fn copy(from: &[u8], to: &mut [u8], threads: usize) {
    if threads <= 1 {
        to.copy_from_slice(from);
        return;
    }
    let part = from.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        for (from, to) in from.chunks(part).zip(to.chunks_mut(part)) {
            scope.spawn(move || to.copy_from_slice(from));
        }
    });
}

/// The middle sample; of an even number the upper one, infinity of none.
#[must_use]
pub fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(samples: u32, seconds: f64) -> Timing {
        Timing { samples, seconds, from: 0..8, to: 8 }
    }

    #[test]
    fn quick_calls_come_in_batches_and_slow_ones_end_with_the_budget() {
        let mut batches = Vec::new();
        let quick = timing(5, 1.0).sample(|n| {
            batches.push(n);
            Ok::<_, ()>(f64::from(n) / 1_048_576.0)
        });
        // 1 ms by 2^-20 s is 1048.6.
        assert_eq!(batches, [1, 1, 1049, 1049, 1049, 1049, 1049]);
        assert!(quick.unwrap().iter().all(|s| *s == 1.0 / 1_048_576.0));
        let mut runs = 0;
        let slow = timing(100, 1.0).sample(|n| {
            runs += 1;
            Ok::<_, ()>(f64::from(n) * 10.0)
        });
        assert_eq!((slow.unwrap(), runs), (vec![10.0; 3], 5));
        assert_eq!(timing(9, 1.0).sample(|_| Err::<f64, _>("no")), Err("no"));
    }

    #[test]
    fn the_median_is_not_moved_by_one_slow_sample() {
        assert!(median(&[1.0, 1.1, 90.0]) < 1.2);
        assert!(median(&[]).is_infinite());
    }

    #[test]
    fn copies_copy_whatever_the_threads() {
        let from: Vec<u8> = (0..=255).collect();
        for threads in [1, 2, 3, 300] {
            let mut to = vec![0; from.len()];
            copy(&from, &mut to, threads);
            assert_eq!(from, to);
        }
        assert!(timing(1, 1.0).fits(16) && !timing(1, 1.0).fits(15));
        assert!(!Timing { to: 7, ..timing(1, 1.0) }.fits(16), "a copy onto itself");
    }
}
