//! What a call costs beside the kernel: a C library and a Python port through their workers, against the same
//! calls where nothing is between. scripts/overhead_bench.sh builds what it needs; it prints medians and judges nothing.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use ropecheck::backend::program::{NEVER, ProgramFactory, ProgramOptions, Target};
use ropecheck::backend::{Answer, Backend, BackendFactory, Timing, Vocabulary};
use ropecheck::case::Case;
use ropecheck::check::Harness;
use ropecheck::rotation::PlanCache;
use ropecheck::run::Context;
use ropecheck::spec::Library;

/// Samples of each row.
const SAMPLES: usize = 21;
/// Calls that a sample of small calls has.
const BATCH: u32 = 100;

fn case(layout: &str, heads: &str, head_dim: u32) -> Result<Case, Box<dyn Error>> {
    let line = format!(
        "accuracy,scheme=m-rope@default,level=rotate,param.base=1000000,dtype=f32,pairing=half,layout={layout},\
         positions=i64,heads={heads},head-dim={head_dim},memory=packed,alias=out,data=uniform,seed=1"
    );
    Ok(line.parse().map_err(|e| format!("{line}: {e}"))?)
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What calls of a case take: seconds through the channel, and where nothing is between.
struct Cost {
    through: f64,
    alone: f64,
}

/// Where the seconds come from that a call takes alone.
enum Alone<'a> {
    /// The process that holds the library times the same calls.
    Worker,
    /// The port writes its own computing time of a call there.
    Written(&'a Path),
}

fn measured(
    backend: &mut dyn Backend,
    context: &Context,
    case: &Case,
    calls: u32,
    alone: &Alone,
) -> Result<Cost, Box<dyn Error>> {
    let harness = context.harness(backend);
    let prepared = harness.prepare(case).map_err(|stop| format!("{stop:?}"))?;
    let (q, k) = Harness::inputs(case, &prepared);
    prepared.write(backend.arena(prepared.bytes).map_err(|e| e.to_string())?, &q, &k);
    let (mut through, mut own) = (Vec::new(), Vec::new());
    for sample in 0..=SAMPLES {
        let (start, mut inside) = (Instant::now(), 0.0);
        for _ in 0..calls {
            match backend.call(&prepared.call) {
                Answer::Ok => {}
                other => return Err(other.to_string().into()),
            }
            if let Alone::Written(file) = alone {
                inside += std::fs::read_to_string(file)?.trim().parse::<f64>()?;
            }
        }
        // The first sample warms up.
        if sample > 0 {
            through.push(start.elapsed().as_secs_f64() / f64::from(calls));
            own.push(inside / f64::from(calls));
        }
    }
    if matches!(alone, Alone::Worker) {
        let q = prepared.buffers.iter().find(|buffer| buffer.name == "q").ok_or("no q")?;
        let out = prepared.buffers.iter().find(|buffer| buffer.name == "q_out").ok_or("no q_out")?;
        let timing = Timing { samples: 21, seconds: 1.0, from: q.offset..q.end(), to: out.offset };
        own = backend.time(&prepared.call, &timing).map_err(|answer| answer.to_string())?.calls;
    }
    Ok(Cost { through: median(through), alone: median(own) })
}

fn row(what: &str, size: &str, cost: &Cost) {
    let Cost { through, alone } = cost;
    println!(
        "{what:22} {size:22} {:>12.1} {:>12.1} {:>12.1} {:>9.2} {:>12.0}",
        1e6 * through,
        1e6 * alone,
        1e6 * (through - alone),
        through / alone,
        1.0 / through
    );
}

fn main() -> Result<(), Box<dyn Error>> {
    let named =
        |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set: scripts/overhead_bench.sh does"));
    let (library, port, spent) = (named("OVERHEAD_LIBRARY")?, named("OVERHEAD_PORT")?, named("OVERHEAD_SPENT")?);
    let python = std::env::var_os("ROPECHECK_PYTHON").unwrap_or_else(|| "python3".into());
    let schemes = Library::embedded().map_err(|e| e.render(false))?;
    let contracts = ropecheck::contract::contracts().map_err(|e| e.render(false))?;
    let context = Context { library: &schemes, contracts: &contracts, plans: PlanCache::new(), interrupted: &NEVER };
    let names = Vocabulary { schemes: &schemes, contracts: &contracts };
    let options = || ProgramOptions {
        worker: env!("CARGO_BIN_EXE_ropecheck").into(),
        start_timeout: Duration::from_secs(60),
        timeout: Duration::from_secs(60),
        memory: None,
        interrupted: &NEVER,
    };
    println!(
        "{:22} {:22} {:>12} {:>12} {:>12} {:>9} {:>12}",
        "", "f32, medians", "through, us", "alone, us", "more, us", "times", "calls/s"
    );
    let sizes =
        [("512 x 28/4 x 128", case("text:512", "28/4", 128)?, 1), ("1 x 1/1 x 64", case("text:1", "1/1", 64)?, BATCH)];
    for (size, case, calls) in &sizes {
        let mut library = ProgramFactory::library(Path::new(&library), options(), names).start()?;
        row("library in C", size, &measured(&mut *library, &context, case, *calls, &Alone::Worker)?);
        let target = Target::Python { python: python.clone(), port: port.clone() };
        let mut python = ProgramFactory::new(target, options(), names).start()?;
        row(
            "port in numpy",
            size,
            &measured(&mut *python, &context, case, *calls, &Alone::Written(Path::new(&spent)))?,
        );
    }
    Ok(())
}
