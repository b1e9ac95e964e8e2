//! Elements made to break the bound: hard inputs, hard positions, every honest variant of a contract, library errors at the very end of
//! what is declared. An honest element that is rejected is a defect of the bound or of the emulation; a term of the bound that nothing
//! comes near is too wide.
//!
//! Results depend on the seed and the number of elements alone, not on the number of threads.

mod attain;
mod inputs;
mod sweep;
mod world;

pub use attain::{Attained, AttainedTerm, attained, terms};
pub use inputs::{Inputs, position};
pub use sweep::{AttainedTerms, Combination, Variant, combinations, judge_variant, sweep};
pub use world::{World, worlds};

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// `work(0)` to `work(count - 1)` on so many threads; the results in order.
fn in_parallel<R: Send>(count: usize, threads: usize, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, 512) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        break;
                    }
                    let result = work(index);
                    // A thread that panicked while it held the lock has put nothing half-made into the map.
                    done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(index, result);
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).into_values().collect()
}
