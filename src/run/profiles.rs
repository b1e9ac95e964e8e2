//! Schemes that a name stands for.

use crate::spec::Library;

/// The schemes that a name means: without a profile all of them.
///
/// # Errors
/// If there is none.
pub(super) fn profiles(library: &Library, name: &str) -> Result<Vec<String>, String> {
    let scheme = library.get(name).map_err(|e| e.to_string())?;
    let all = library.all().filter(|s| s.name == scheme.name && (!name.contains('@') || s.id() == scheme.id()));
    Ok(all.map(|s| s.id()).collect())
}
