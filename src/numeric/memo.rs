//! Results that were computed before, in one process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most results that one memo keeps.
const MOST: usize = 1 << 16;

/// Remembers what a function gave. The function must give the same every time: then nobody can tell, except by the clock.
pub(super) struct Memo<K, V>(Mutex<BTreeMap<K, V>>);

impl<K: Ord, V: Clone> Memo<K, V> {
    /// One that knows nothing.
    pub(super) const fn new() -> Self {
        Memo(Mutex::new(BTreeMap::new()))
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<K, V>> {
        // Every change is one call, so what a panicking thread left is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The result for `key`, computed if it is not known. Errors are not kept.
    pub(super) fn get<E>(&self, key: K, compute: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        if let Some(known) = self.known().get(&key) {
            return Ok(known.clone());
        }
        // Not under the lock: two threads may compute the same, which is no harm.
        let value = compute()?;
        let mut known = self.known();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(key, value.clone());
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_computed_once_and_an_error_every_time() {
        let memo: Memo<u32, u32> = Memo::new();
        let mut calls = 0;
        for _ in 0..3 {
            assert_eq!(
                memo.get(7, || -> Result<u32, ()> {
                    calls += 1;
                    Ok(49)
                }),
                Ok(49)
            );
        }
        assert_eq!(calls, 1);
        assert_eq!(memo.get(8, || Err("no")), Err("no"));
        assert_eq!(memo.get(8, || Ok::<_, ()>(64)), Ok(64));
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let memo: Memo<usize, usize> = Memo::new();
        for n in 0..3 * MOST {
            assert_eq!(memo.get(n, || Ok::<_, ()>(n)), Ok(n));
        }
        assert!(memo.known().len() <= MOST);
    }
}
