//! Work on several threads whose results are handed over in order, so that nothing depends on the threads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// Most threads.
const MOST_THREADS: usize = 64;

/// Runs `one(worker, index)` for the indices of `order`, begun in that order, on up to `threads` threads, each with a
/// worker that `start` makes (on this thread where the system has no more of them), and hands the results to `deliver` in that order, on the calling thread. `finished` is told on the calling thread of every result as soon as it is there, in any
/// order. A worker stops early where `one` gives `None`.
///
/// # Errors
/// The error of a worker that could not be started, if no result came at all.
pub(super) fn in_order<W, T: Send, E: Send>(
    threads: usize,
    order: &[usize],
    start: impl Fn() -> Result<W, E> + Sync,
    one: impl Fn(&mut W, usize) -> Option<T> + Sync,
    mut finished: impl FnMut(&T),
    mut deliver: impl FnMut(usize, T),
) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    let (sender, results) = mpsc::channel();
    let mut failed = None;
    let mut any = false;
    let work = |sender: mpsc::Sender<Result<(usize, T), E>>| {
        let mut worker = match start() {
            Ok(worker) => worker,
            Err(error) => {
                // The receiver outlives the scope's threads.
                let _ = sender.send(Err(error));
                return;
            }
        };
        loop {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            let Some(result) = order.get(turn).and_then(|index| one(&mut worker, *index)) else { break };
            let _ = sender.send(Ok((turn, result)));
        }
    };
    let work = &work;
    std::thread::scope(|scope| {
        let wanted = threads.clamp(1, MOST_THREADS).min(order.len().max(1));
        let thread = |sender| std::thread::Builder::new().spawn_scoped(scope, move || work(sender));
        let running = (0..wanted).take_while(|_| thread(sender.clone()).is_ok()).count();
        if running == 0 {
            work(sender.clone());
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut due = 0;
        for result in results {
            match result {
                Err(error) => failed = Some(error),
                Ok((turn, result)) => {
                    any = true;
                    finished(&result);
                    waiting.insert(turn, result);
                    while let Some(result) = waiting.remove(&due) {
                        deliver(order[due], result);
                        due += 1;
                    }
                }
            }
        }
        // After an interruption an earlier one may be missing.
        for (turn, result) in waiting {
            deliver(order[turn], result);
        }
    });
    match failed {
        Some(error) if !any => Err(error),
        _ => Ok(()),
    }
}

/// Results of `one(0..count)` in order, made by several threads. `progress` gets (done, all).
pub(in crate::run) fn in_parallel<T: Send>(
    threads: usize,
    count: usize,
    progress: &dyn Fn(usize, usize),
    one: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    let (mut results, mut done) = (Vec::with_capacity(count), 0);
    let finished = |_: &T| {
        done += 1;
        progress(done, count);
    };
    let order: Vec<usize> = (0..count).collect();
    let started: Result<(), std::convert::Infallible> =
        in_order(threads, &order, || Ok(()), |(), job| Some(one(job)), finished, |_, result| results.push(result));
    match started {
        Ok(()) => results,
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use super::in_order;

    #[test]
    fn results_come_in_order_whatever_the_threads() {
        for threads in [1, 3, 200] {
            let mut all = Vec::new();
            let mut seen = 0;
            // Early indices take longest.
            let one = |_: &mut (), index: usize| {
                std::thread::sleep(std::time::Duration::from_millis(20 - index as u64));
                Some(index * index)
            };
            let start = || Ok::<(), String>(());
            let order: Vec<usize> = (0..20).map(|i| i * 7 % 20).collect();
            in_order(threads, &order, start, one, |_| seen += 1, |index, square| all.push((index, square)))
                .expect("starts");
            assert_eq!(all, order.iter().map(|i| (*i, i * i)).collect::<Vec<_>>());
            assert_eq!(seen, 20);
        }
    }

    #[test]
    fn a_worker_that_does_not_start_is_an_error_if_nothing_came_of_the_others() {
        let none = in_order(2, &[0, 1, 2, 3, 4], || Err::<(), _>("no"), |(), index| Some(index), |_| (), |_, _| ());
        assert_eq!(none, Err("no"));
        let stopped =
            in_order(1, &[0, 1, 2, 3, 4], || Ok::<(), String>(()), |(), i| (i < 2).then_some(i), |_| (), |_, _| ());
        assert_eq!(stopped, Ok(()));
    }
}
