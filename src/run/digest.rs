//! Which specs a verdict is about.

use sha2::{Digest, Sha256};

use super::exit_code::RunError;
use crate::case::Case;
use crate::spec::Library;

/// SHA-256 over what all schemes mean and state, in name order.
#[must_use]
pub fn digest(library: &Library) -> String {
    let mut hash = Sha256::new();
    for scheme in library.all() {
        hash.update(format!("{} {}\n", scheme.id(), digest_of(library, &scheme.id())));
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// SHA-256 of what one scheme means and states; empty if there is no such scheme.
#[must_use]
pub fn digest_of(library: &Library, scheme: &str) -> String {
    library.meaning(scheme).unwrap_or_default()
}

/// A case as it is printed for people to run again: with the scheme that it is about.
#[must_use]
pub fn token(library: &Library, case: &Case) -> String {
    Case { spec: library.meaning_for(&case.scheme, &case.check).ok(), ..case.clone() }.to_string()
}

/// That a case which says which scheme it is about is about the scheme there is.
///
/// # Errors
/// If there is no such scheme, or another one than when the case was printed.
pub fn same_spec(library: &Library, case: &Case) -> Result<(), RunError> {
    let now = library.meaning_for(&case.scheme, &case.check).map_err(RunError::usage)?;
    match case.spec {
        Some(then) if then != now => Err(RunError::usage(format!(
            "the case is of another {} than there is now: the case says spec={then:08x}, and now it is {now:08x}. \
             Run the check again for a case of the scheme as it is, or take `,spec={then:08x}` out of the case, \
             and it runs with what there is",
            case.scheme
        ))),
        _ => Ok(()),
    }
}
