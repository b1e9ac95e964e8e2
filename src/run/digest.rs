//! Which specs a verdict is about.

use sha2::{Digest, Sha256};

use crate::spec::Library;

/// SHA-256 over the texts of all schemes, in name order.
#[must_use]
pub fn digest(library: &Library) -> String {
    let mut hash = Sha256::new();
    for scheme in library.all() {
        hash.update(format!("{} {}\n", scheme.id(), scheme.sha256));
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// SHA-256 of the spec of one scheme; empty if there is no such scheme.
#[must_use]
pub fn digest_of(library: &Library, scheme: &str) -> String {
    library.get(scheme).map(|s| s.sha256.clone()).unwrap_or_default()
}
