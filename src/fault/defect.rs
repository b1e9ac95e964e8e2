//! A defect as data, and how it is put into a kernel.

use std::sync::Arc;

use super::Region;
use super::walk::IndexFault;
use crate::case::Level;
use crate::numeric::DType;
use crate::spec::model::Pairing;
use crate::spec::yaml::Node;

/// A defect.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Stable kebab-case id.
    pub id: String,
    /// What kind of mistake it is: the title of its file.
    pub class: String,
    /// What goes wrong, in a sentence.
    pub doc: String,
    /// Where to look in a kernel that has it.
    pub look: String,
    /// Where it happened: repository and number.
    pub bugs: Vec<String>,
    /// Schemes that it is shown on.
    pub schemes: Vec<String>,
    /// Levels that it is shown on.
    pub levels: Vec<Level>,
    /// Contract that the faulty kernel declares, such as `fused/table`.
    pub contract: String,
    /// Pairing that it needs; `None`: shows in both.
    pub pairing: Option<Pairing>,
    /// Storage types that it can exist in, and why not in the others.
    pub dtypes: Vec<DType>,
    /// Why it does not exist in every type; empty if it does.
    pub why: String,
    /// Checks that must kill it in every one of its dtypes.
    pub kills: Vec<String>,
    /// The proof that it is no defect at all; then nothing may kill it.
    pub equal: Option<String>,
    /// The calls in which it shows; `None`: all.
    pub region: Option<Region>,
    /// How it is put in.
    pub injection: Injection,
}

/// How a fault is put into a kernel.
#[derive(Debug, Clone)]
pub enum Injection {
    /// Into the emulated backend.
    Emulated(Box<EmulationChanges>),
    /// Into a C kernel, by editing its source.
    Source(SourceEdits),
}

/// Changes of the emulated backend.
#[derive(Debug, Clone, Default)]
pub struct EmulationChanges {
    /// Keys laid over the scheme's file.
    pub scheme: Option<Node>,
    /// Changed arithmetic: key and value, such as `angles` and `bf16`.
    pub arithmetic: Vec<(String, String)>,
    /// Changed indices.
    pub walk: Option<Arc<IndexFault>>,
    /// What is kept from an earlier call: what (such as `positions`), and from which (`first`, `previous`,
    /// `narrowest`).
    pub state: Vec<(String, String)>,
}

/// Edits of a C source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceEdits {
    /// Path of the source below the root of the repository.
    pub file: String,
    /// What to replace, which must occur exactly once, and by what.
    pub edits: Vec<(String, String)>,
    /// Further arguments of the compiler.
    pub flags: Vec<String>,
}
