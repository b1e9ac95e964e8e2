//! What cases cost this thread, room by room: measured only between [`begin`] and [`end`].

use std::cell::Cell;
use std::ops::AddAssign;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What is done for a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// Planning the cases of a check.
    Schedule,
    /// Making a case concrete: positions, plans, tables.
    Prepare,
    /// Inputs, and memory written and read.
    Memory,
    /// The call, as far as it takes time of ropecheck's own process.
    Call,
    /// Holding outputs against their bounds.
    Judge,
}

impl Room {
    /// All of them.
    pub const ALL: [Room; 5] = [Room::Schedule, Room::Prepare, Room::Memory, Room::Call, Room::Judge];

    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Room::Schedule => "schedule",
            Room::Prepare => "prepare",
            Room::Memory => "memory",
            Room::Call => "call",
            Room::Judge => "judge",
        }
    }
}

/// Processor time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Of the thread, all of it.
    pub all: Duration,
    /// What of it was spent in each of [`Room::ALL`].
    pub rooms: [Duration; Room::ALL.len()],
    /// Of the process of the backend.
    pub backend: Duration,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Cost) {
        self.all += other.all;
        self.backend += other.backend;
        self.rooms.iter_mut().zip(other.rooms).for_each(|(room, more)| *room += more);
    }
}

thread_local! {
    /// When this thread began to measure, and what it spent since then; nothing where nobody asks.
    static MEASURED: Cell<Option<(Duration, Cost)>> = const { Cell::new(None) };
}

/// Processor time of this thread.
fn now() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Begins to measure on this thread.
pub fn begin() {
    MEASURED.set(Some((now(), Cost::default())));
}

/// Ends measuring, and says what was spent on this thread.
pub fn end() -> Cost {
    let Some((begun, cost)) = MEASURED.take() else { return Cost::default() };
    Cost { all: now().saturating_sub(begun), ..cost }
}

/// Does some work of a room. Rooms lie beside each other: of work within work the inner one is not counted twice.
pub fn spent<T>(room: Room, work: impl FnOnce() -> T) -> T {
    let Some((begun, cost)) = MEASURED.get() else { return work() };
    // What is inside is part of this room.
    MEASURED.set(None);
    let start = now();
    let result = work();
    let mut cost = cost;
    cost.rooms[room as usize] += now().saturating_sub(start);
    MEASURED.set(Some((begun, cost)));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work() -> u64 {
        (0..200_000u64).fold(1, |a, b| std::hint::black_box(a ^ b.wrapping_mul(0x9e37_79b9)))
    }

    #[test]
    fn work_is_counted_once_in_its_room_and_only_where_somebody_asks() {
        spent(Room::Call, work);
        assert_eq!(end(), Cost::default(), "nobody asked");
        begin();
        spent(Room::Judge, || spent(Room::Call, work));
        let cost = end();
        let [judge, call] = [Room::Judge, Room::Call].map(|room| cost.rooms[room as usize]);
        assert!(judge > Duration::ZERO && call == Duration::ZERO, "{cost:?}");
        assert!(cost.all >= judge, "{cost:?}");
        assert_eq!(end(), Cost::default());
    }
}
