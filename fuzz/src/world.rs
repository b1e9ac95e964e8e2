//! What every target needs once: specs, contracts, rotation plans.

use std::cell::RefCell;
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;

use ropecheck::backend::Vocabulary;
use ropecheck::contract::ContractTable;
use ropecheck::contract::contracts;
use ropecheck::rotation::PlanCache;
use ropecheck::run::Context;
use ropecheck::spec::Library;

/// The embedded specs.
pub static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::embedded().unwrap_or_else(|e| panic!("{e}")));
/// The embedded contracts.
pub static CONTRACTS: LazyLock<ContractTable> = LazyLock::new(|| contracts().unwrap_or_else(|e| panic!("{e}")));
/// What manifests may name.
pub static NAMES: LazyLock<Vocabulary> = LazyLock::new(|| Vocabulary { schemes: &LIBRARY, contracts: &CONTRACTS });
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

fn fresh() -> Context<'static> {
    Context { library: &LIBRARY, contracts: &CONTRACTS, plans: PlanCache::new(), interrupted: &INTERRUPTED }
}

thread_local! {
    /// And how often it was used.
    static CONTEXT: RefCell<(Context<'static>, u32)> = RefCell::new((fresh(), 0));
}

/// Everything that a case is judged with. Plans are kept, because they take milliseconds, and thrown away now and then, because a
/// cache of them grows without end.
pub fn with_context<T>(work: impl FnOnce(&Context<'static>) -> T) -> T {
    const USES: u32 = 1 << 16;
    CONTEXT.with_borrow_mut(|(context, uses)| {
        if *uses >= USES {
            (*context, *uses) = (fresh(), 0);
        }
        *uses += 1;
        work(context)
    })
}
