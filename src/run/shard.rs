//! A part of a run, by checks on groups: which ones it has, and what its journal says of it.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check::Group;

/// Most parts of a run.
const MOST: u32 = 1000;

/// One of the parts that a run is cut into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Shard {
    /// Which one, from 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let parts = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
        match parts {
            Some((number, of)) if (1..=of).contains(&number) && of <= MOST => Ok(Shard { number, of }),
            _ => Err(format!("expected k/n with k from 1 to n and n up to {MOST}, such as 2/4, found {text:?}")),
        }
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl Shard {
    /// The places of its units, in their order. What costs most is what a check does, on which level and with which
    /// type; so units are dealt out in the order of these, there and back again, and every part gets as many of each.
    pub(super) fn places(self, units: &[(Group, String)]) -> Vec<usize> {
        let mut dealt: Vec<usize> = (0..units.len()).collect();
        dealt.sort_by_key(|at| {
            let (group, id) = &units[*at];
            (id, group.level, group.dtype.name(), *at)
        });
        let (of, mine) = (self.of as usize, self.number as usize - 1);
        let turn = |at: usize| if (at / of).is_multiple_of(2) { at % of } else { of - 1 - at % of };
        let mut places: Vec<usize> =
            dealt.into_iter().enumerate().filter_map(|(at, place)| (turn(at) == mine).then_some(place)).collect();
        places.sort_unstable();
        places
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::backend::Backend as _;
    use crate::backend::host::Host;
    use crate::run::{Options, groups};
    use crate::spec::Library;

    #[test]
    fn shards_are_numbers_in_their_range() {
        assert_eq!("2/4".parse(), Ok(Shard { number: 2, of: 4 }));
        assert_eq!("1000/1000".parse(), Ok(Shard { number: 1000, of: 1000 }));
        for text in ["0/4", "5/4", "1/0", "1/1001", "1", "", "/", "a/b", "-1/4", "1/4/2"] {
            assert!(text.parse::<Shard>().is_err_and(|why| why.contains("such as 2/4")), "{text}");
        }
    }

    #[test]
    fn every_unit_is_in_one_shard_and_every_shard_has_as_many_of_each_check() {
        let library = Library::embedded().expect("embedded specs load");
        let units = groups(Host::new().manifest(), &library, &Options::default()).expect("all is selected");
        for of in [1, 2, 3, 4, 7] {
            let shards: Vec<Vec<usize>> = (1..=of).map(|number| Shard { number, of }.places(&units)).collect();
            let mut all = shards.concat();
            all.sort_unstable();
            assert_eq!(all, (0..units.len()).collect::<Vec<_>>(), "{of} shards");
            let mut counts: BTreeMap<_, Vec<usize>> = BTreeMap::new();
            for (number, shard) in shards.iter().enumerate() {
                assert!(shard.is_sorted());
                for at in shard {
                    let (group, id) = &units[*at];
                    let of_kind = counts.entry((id, group.level, group.dtype.name()));
                    of_kind.or_insert_with(|| vec![0; shards.len()])[number] += 1;
                }
            }
            for (kind, counts) in counts {
                let (least, most) = (counts.iter().min(), counts.iter().max());
                // A turn there and one back at either end of a kind may be cut.
                assert!(most <= least.map(|least| least + 2).as_ref(), "{kind:?}: {counts:?}");
            }
        }
    }
}
