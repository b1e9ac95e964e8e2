//! The order in which the units of a run are begun: wide before deep, so that what fails shows early.

use crate::case::Level;
use crate::check::{CATALOGUE, Group};

/// The first check on every group, then the next: a check that is quick and tells much is done with all schemes before
/// one begins that takes long. A run that has to stop, for its time or for what failed, was everywhere by then.
pub(super) fn check_by_check(units: &[(Group, String)]) -> Vec<usize> {
    // What a scheme states of itself is not in the catalogue, and takes little time.
    let turn = |id: &str| match CATALOGUE.iter().position(|check| check.id() == id) {
        Some(at) => (CATALOGUE[at].takes_long(), at),
        None => (false, CATALOGUE.len()),
    };
    let key = |at: &usize| {
        let (group, id) = &units[*at];
        let (long, turn) = turn(id);
        // Positions cost next to nothing, and a kernel that crashes when it rotates has shown them by then.
        (long, group.level != Level::Positions, turn, id.as_str())
    };
    let mut order: Vec<usize> = (0..units.len()).collect();
    // Stable: the groups stay in their order.
    order.sort_by_cached_key(key);
    order
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::backend::Backend as _;
    use crate::backend::host::Host;
    use crate::run::{Options, groups};
    use crate::spec::Library;

    fn units() -> Vec<(Group, String)> {
        let library = Library::embedded().expect("embedded specs load");
        groups(Host::new().manifest(), &library, &Options::default()).expect("all is selected")
    }

    #[test]
    fn a_check_is_done_with_all_groups_before_the_next_and_long_ones_come_last() {
        let units = units();
        let order = check_by_check(&units);
        assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), units.len());
        // Level positions is judged before all others.
        let positions = units.iter().filter(|unit| unit.0.level == Level::Positions).count();
        let (positions, order) = order.split_at(positions);
        assert!(positions.iter().all(|at| units[*at].0.level == Level::Positions));
        let mut checks: Vec<&str> = order.iter().map(|at| units[*at].1.as_str()).collect();
        checks.dedup();
        assert_eq!(checks.iter().collect::<BTreeSet<_>>().len(), checks.len(), "one after the other: {checks:?}");
        let long = |id: &&str| CATALOGUE.iter().any(|check| check.id() == *id && check.takes_long());
        let first = checks.iter().position(long).expect("some take long");
        assert!(first > 30 && checks[first..].iter().all(long), "{checks:?}");
        // Of a check the groups come as they are reported.
        let of = |id: &str| order.iter().copied().filter(|at| units[*at].1 == id).collect::<Vec<_>>();
        assert!(of("guards").is_sorted() && of("guards").len() > 20);
    }
}
