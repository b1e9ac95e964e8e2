//! Pairs whose angle was observable.

use std::collections::BTreeMap;

/// Pairs whose angle was observable, by the number of rotated pairs. In JSON: `{"64": "0-55,60"}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<usize, Vec<bool>>);

impl Coverage {
    /// Adds what a case with `seen.len()` pairs has seen.
    pub fn add(&mut self, seen: &[bool]) {
        let all = self.0.entry(seen.len()).or_insert_with(|| vec![false; seen.len()]);
        all.iter_mut().zip(seen).for_each(|(all, seen)| *all |= seen);
    }

    /// Adds all of another one.
    pub fn merge(&mut self, other: &Coverage) {
        other.0.values().for_each(|seen| self.add(seen));
    }

    /// Whether there was no case.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every pair was observed, whatever the number of pairs.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.0.values().flatten().all(|seen| *seen)
    }

    /// Numbers of pairs and the pairs observed, as ranges; `none` for none.
    pub fn ranges(&self) -> impl Iterator<Item = (usize, String)> {
        self.0.iter().map(|(pairs, seen)| (*pairs, ranges(seen)))
    }

    /// Numbers of pairs where not all were observed, with those that were.
    pub fn incomplete(&self) -> impl Iterator<Item = (usize, String)> {
        self.0.iter().filter(|(_, seen)| !seen.iter().all(|s| *s)).map(|(pairs, seen)| (*pairs, ranges(seen)))
    }
}

impl serde::Serialize for Coverage {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.ranges())
    }
}

impl<'de> serde::Deserialize<'de> for Coverage {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let written = BTreeMap::<usize, String>::deserialize(deserializer)?;
        let one = |(pairs, ranges): (usize, String)| {
            let seen = seen(pairs, &ranges);
            seen.map(|seen| (pairs, seen))
                .ok_or_else(|| D::Error::custom(format!("{ranges:?} are no pairs of {pairs}")))
        };
        written.into_iter().map(one).collect::<Result<_, _>>().map(Coverage)
    }
}

/// What [`ranges`] wrote of so many pairs.
fn seen(pairs: usize, ranges: &str) -> Option<Vec<bool>> {
    /// More than any head has.
    const MOST: usize = 1 << 20;
    let mut seen = vec![false; Some(pairs).filter(|pairs| *pairs <= MOST)?];
    for range in ranges.split(',').filter(|_| ranges != "none") {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        seen.get_mut(first.parse().ok()?..=last.parse().ok()?)?.fill(true);
    }
    Some(seen)
}

fn ranges(seen: &[bool]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut start = None;
    for (i, here) in seen.iter().copied().chain([false]).enumerate() {
        match (start, here) {
            (None, true) => start = Some(i),
            (Some(first), false) => {
                parts.push(if first + 1 == i { first.to_string() } else { format!("{first}-{}", i - 1) });
                start = None;
            }
            _ => {}
        }
    }
    if parts.is_empty() { "none".into() } else { parts.join(",") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_short() {
        let seen = |bits: &str| bits.chars().map(|c| c == '1').collect::<Vec<_>>();
        for (bits, text) in [("1111", "0-3"), ("0000", "none"), ("1011", "0,2-3"), ("0110", "1-2"), ("0001", "3")] {
            assert_eq!(ranges(&seen(bits)), text);
            assert_eq!(super::seen(bits.len(), text), Some(seen(bits)));
        }
        let mut all = Coverage::default();
        all.add(&seen("1100"));
        all.add(&seen("01"));
        let mut other = Coverage::default();
        other.add(&seen("0011"));
        all.merge(&other);
        assert_eq!(serde_json::to_string(&all).unwrap(), r#"{"2":"1","4":"0-3"}"#);
        assert!(!all.is_whole());
        assert_eq!(all.incomplete().collect::<Vec<_>>(), [(2, "1".to_owned())]);
    }
}
