//! `bench`.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum as _};

use super::arguments::{ModelArguments, TableOrJson, library};
use super::backend::{BackendArguments, factory, seconds};
use super::output::ReportSink;
use crate::backend::Vocabulary;
use crate::case::Level;
use crate::numeric::DType;
use crate::report;
use crate::run::{self, BenchError, BenchOptions, ExitCode, RunError};

/// The model whose heads are timed where no other is named.
const MODEL: &str = "qwen2-vl-7b";

#[derive(Debug, Args)]
pub(super) struct BenchArguments {
    /// A shared library that exports the C ABI; without one, ropecheck's own kernel is timed
    backend: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArguments,
    /// This scheme, with or without @profile [default: the model's, where the backend offers it]
    #[arg(long, value_name = "SCHEME")]
    scheme: Option<String>,
    /// Only this level (repeatable)
    #[arg(long, value_name = "LEVEL", value_parser = tensor_level())]
    level: Vec<Level>,
    /// Only this storage type (repeatable)
    #[arg(long, value_name = "DTYPE", value_enum)]
    dtype: Vec<DType>,
    /// Numbers of tokens [default: 1024 to 131072 on a device, to 16384 in host memory]
    #[arg(long, value_name = "N,N...", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..=1 << 24))]
    tokens: Vec<u64>,
    /// Most samples of each time
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(3..=10_000))]
    samples: u32,
    /// Seconds after which no further sample is taken
    #[arg(long, default_value_t = 0.5, value_name = "SECONDS")]
    seconds: f64,
    /// What to print
    #[arg(long, value_enum, default_value_t = TableOrJson::Table)]
    format: TableOrJson,
    /// Write the report to a file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    run: BackendArguments,
}

/// A level with q and k.
fn tensor_level() -> impl TypedValueParser<Value = Level> {
    let names = [Level::Rotate, Level::Fused, Level::Apply].map(Level::name);
    PossibleValuesParser::new(names).try_map(|name| Level::from_str(&name, false))
}

pub(super) fn bench(a: BenchArguments) -> Result<ExitCode, RunError> {
    let sink = ReportSink::open(a.output.as_deref())?;
    let library = library(&a.run.spec)?;
    let schemes: Vec<String> = a.scheme.iter().cloned().collect();
    let model = match a.model.read(&library, &schemes)? {
        Some((model, ..)) => model,
        None => library.model(MODEL).map_err(RunError::usage)?.clone(),
    };
    let options = BenchOptions {
        model,
        scheme: a.scheme.clone(),
        levels: a.level.clone(),
        dtypes: a.dtype.clone(),
        tokens: a.tokens.clone(),
        samples: a.samples,
        seconds: seconds("seconds", a.seconds)?.as_secs_f64(),
    };
    let contracts = crate::contract::contracts().map_err(|e| RunError::new(ExitCode::Spec, e.render(false)))?;
    let names = Vocabulary { schemes: &library, contracts: &contracts };
    let factory = factory(a.backend.as_deref(), &a.run, names)?;
    let mut backend = factory.start()?;
    let bar = indicatif::ProgressBar::new_spinner();
    let found = run::bench(&mut *backend, &library, &options, &|what| {
        bar.set_message(what.to_owned());
        bar.tick();
    });
    bar.finish_and_clear();
    let found = found.map_err(|e| match e {
        BenchError::Unknown(why) => RunError::usage(why),
        BenchError::Empty(why) => RunError::new(ExitCode::NothingRan, why),
    })?;
    let text = match a.format {
        TableOrJson::Table => report::bench(&found),
        TableOrJson::Json => {
            serde_json::to_string_pretty(&found).map_err(|e| RunError::new(ExitCode::Internal, e))? + "\n"
        }
    };
    sink.put(&text)?;
    Ok(if found.rows.is_empty() { ExitCode::NothingRan } else { ExitCode::Conformant })
}
