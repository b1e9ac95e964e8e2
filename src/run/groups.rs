//! What a selection covers: which groups, which checks.

use crate::backend::Manifest;
use crate::case::Level;
use crate::check::{CATALOGUE, Group, SpecInvariant};
use crate::numeric::DType;
use crate::spec::{Library, Scheme, suggest};

use super::context::Options;
use super::item::known_ids;
use super::profiles::profiles;

/// Why a selection cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// A name that does not exist: exit code 2.
    #[error("{0}")]
    Unknown(String),
    /// Nothing is left: exit code 4.
    #[error("{0}")]
    Empty(String),
}

/// Units of work, in the order of the report: group and check id.
///
/// # Errors
/// [`SelectionError`]
pub fn groups(
    manifest: &Manifest,
    library: &Library,
    options: &Options,
) -> Result<Vec<(Group, String)>, SelectionError> {
    let ids = known_ids(library);
    for check in &options.checks {
        if !ids.contains(check) {
            let hint = suggest::hint(check, ids.iter().map(String::as_str));
            let why = format!("there is no check {check:?}{hint} (`ropecheck list checks` shows all)");
            return Err(SelectionError::Unknown(why));
        }
    }
    let mut wanted = Vec::new();
    for name in &options.schemes {
        wanted.extend(profiles(library, name).map_err(SelectionError::Unknown)?);
    }
    let chosen = |id: &str| options.schemes.is_empty() || wanted.iter().any(|w| w == id);
    let level_chosen = |level: Level| options.levels.is_empty() || options.levels.contains(&level);
    let dtypes: Vec<DType> =
        manifest.dtypes.iter().copied().filter(|d| options.dtypes.is_empty() || options.dtypes.contains(d)).collect();
    let mut units = Vec::new();
    for (level, declared) in manifest.levels.iter().filter(|(level, _)| level_chosen(*level)) {
        let named = !options.schemes.is_empty();
        let offered =
            |s: &Scheme| chosen(&s.id()) && if named { declared.offers(s) } else { declared.takes(library, s) };
        let mut schemes: Vec<_> = library.all().filter(|s| offered(s)).collect();
        if *level == Level::Apply {
            // Given cosines and sines, a scheme is only where they come from: one is as good as another.
            schemes.truncate(1);
        }
        for scheme in schemes {
            let (pairings, types) = match level {
                Level::Positions => (vec![scheme.pairing], vec![DType::F32]),
                _ => (manifest.pairings.clone(), dtypes.clone()),
            };
            for pairing in pairings {
                for dtype in &types {
                    let group = Group { scheme: scheme.id(), level: *level, pairing, dtype: *dtype };
                    let checks = CATALOGUE.iter().filter(|c| c.levels().contains(level)).map(|c| c.id().to_owned());
                    let stated = scheme.invariants.iter().map(|i| i.id.clone());
                    let stated = stated.filter(|_| SpecInvariant::LEVELS.contains(level));
                    let mut all: Vec<String> = checks.collect();
                    for id in stated {
                        if !all.contains(&id) {
                            all.push(id);
                        }
                    }
                    let keep = |id: &String| options.checks.is_empty() || options.checks.contains(id);
                    units.extend(all.into_iter().filter(keep).map(|id| (group.clone(), id)));
                }
            }
        }
    }
    if units.is_empty() {
        let levels: Vec<&str> = manifest.levels.iter().map(|(l, _)| l.name()).collect();
        let types: Vec<&str> = manifest.dtypes.iter().map(|d| d.name()).collect();
        return Err(SelectionError::Empty(format!(
            "nothing is selected: the backend offers levels {} and dtypes {}, and no check, scheme, level and dtype of \
             the selection meet there",
            levels.join(", "),
            types.join(", ")
        )));
    }
    Ok(units)
}
