//! Tries to break the error bounds: millions of adversarial elements of honest emulated kernels for every
//! class, way to frequencies and storage type, and for each term of the bound the worst element that a search
//! finds.
//!
//! `cargo run --release --example adversarial -- [--elements N] [--class C] [--way W] [--examples] [--dtype D]`
//!
//! Hard inputs, hard positions, every honest variant of a contract, library errors at the very end of what is
//! declared. An honest element that is rejected is a defect of the bound or of the emulation; a term of the
//! bound that nothing comes near is too wide. Results depend on the seed and the number of elements alone,
//! not on the number of threads.
//!
//! Exit code 1 if an honest element is rejected, or if no element comes near enough to a term.

mod attain;
mod inputs;
mod sweep;
mod world;

use std::process::ExitCode;

use clap::Parser;
use ropecheck::contract::contracts;
use ropecheck::numeric::DType;

use attain::{attained, terms};
use sweep::{Combination, combinations, examples, sweep};
use world::worlds;

/// Tries to break the error bounds.
#[derive(Parser)]
struct Arguments {
    /// Elements per combination of class, way and type.
    #[arg(long, default_value_t = 10_000_000)]
    elements: u64,
    /// Only this class.
    #[arg(long)]
    class: Option<String>,
    /// Only this way to frequencies.
    #[arg(long)]
    way: Option<String>,
    /// Only this storage type.
    #[arg(long)]
    dtype: Option<String>,
    /// Only the worked examples of spec/contracts.yaml, without the classes on all ways; without this, both
    #[arg(long, conflicts_with_all = ["class", "way"])]
    examples: bool,
    /// Elements per term of the bound; 0 leaves the second table out.
    #[arg(long, default_value_t = 2_000_000)]
    term_elements: u64,
    /// Seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads; the result does not depend on it.
    #[arg(long)]
    threads: Option<usize>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let table = match contracts() {
        Ok(table) => table,
        Err(errors) => {
            eprintln!("{errors}");
            return ExitCode::from(3);
        }
    };
    let dtype = arguments.dtype.as_deref().map(|name| DType::parse(name).ok_or(name));
    let dtype = match dtype.transpose() {
        Ok(dtype) => dtype,
        Err(name) => {
            eprintln!("there is no type {name}");
            return ExitCode::from(2);
        }
    };
    let (class, way) = (arguments.class.as_deref(), arguments.way.as_deref());
    let named = |combination: Combination| {
        let (class, way) = (&combination.contract.class.name, &combination.contract.frequencies.name);
        (format!("{class} {way} {}", combination.storage), combination)
    };
    let mut all = Vec::new();
    if !arguments.examples {
        all.extend(combinations(&table, class, way, dtype).into_iter().map(named));
    }
    if class.is_none() && way.is_none() {
        all.extend(examples(&table, dtype));
    }
    if all.is_empty() {
        eprintln!("there is no such class, way and type");
        return ExitCode::from(2);
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = arguments.threads.unwrap_or(cores);
    let widths = [16, 32, 48, 64, 80, 96, 120, 128, 192, 256];
    let worlds = worlds(&[1e4, 5e5, 1e6, 5e6, 1e7], &widths);
    let mut good = true;
    let mut total = 0;
    let start = std::time::Instant::now();
    println!(
        "{:<30} {:>12} {:>9} {:>12} {:>8}  where",
        "class, way, type", "elements", "rejected", "not judged", "ratio"
    );
    for (name, combination) in &all {
        let found = sweep(combination, &worlds, arguments.elements, arguments.seed, threads);
        let tally = &found.tally;
        println!(
            "{name:<30} {:>12} {:>9} {:>12} {:>8.4}  {}",
            tally.judged, found.rejected, tally.range_not_judged, tally.ratio, found.place
        );
        if let Some(first) = &found.first {
            println!("  REJECTED {first}");
        }
        good &= found.rejected == 0;
        total += tally.judged;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{total} elements in {seconds:.1} s on {threads} threads: {:.2} million per second\n",
        total as f64 / seconds / 1e6
    );
    if arguments.term_elements > 0 {
        println!("{:<36} {:>7} {:>7} {:>7}  where", "term", "ratio", "needed", "share");
        for term in terms(&table) {
            let found = attained(&term, &worlds, arguments.term_elements, arguments.seed);
            let enough = found.ratio >= term.needed && found.rejected.is_none();
            println!(
                "{:<36} {:>7.4} {:>7} {:>7.3}  {}{}",
                term.name,
                found.ratio,
                term.needed,
                found.share,
                if enough { "" } else { "NOT REACHED " },
                found.place
            );
            if let Some(rejected) = &found.rejected {
                println!("  REJECTED {rejected}");
            }
            good &= enough;
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
