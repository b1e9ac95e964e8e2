//! `experiment`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::arguments::{TableOrJson, library, parameter, seed};
use super::output::print;
use crate::numeric::Number;
use crate::property::{ExperimentError, Haystack, distractors};
use crate::run::{ExitCode, RunError};
use crate::spec::{Parameters, Scheme};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Experiment {
    /// A needle among distractor frames: which schemes tell frames apart
    VNiahD,
}

#[derive(Debug, Args)]
pub(super) struct ExperimentArguments {
    /// Which experiment; `ropecheck explain v-niah-d` says what it is about
    #[arg(value_enum)]
    experiment: Experiment,
    /// Scheme, with or without @profile (repeatable) [default: all schemes]
    #[arg(long, value_name = "SCHEME")]
    scheme: Vec<String>,
    /// How many draws
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    draws: u32,
    /// Frames of the video
    #[arg(long, default_value_t = 256, value_name = "N", value_parser = clap::value_parser!(u32).range(4..=4096))]
    frames: u32,
    /// Rows and columns of a frame
    #[arg(long, default_value = "8x8", value_name = "HxW", value_parser = grid)]
    grid: [u32; 2],
    /// Channels of the head
    #[arg(long, default_value_t = 128, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1024))]
    head_dim: u32,
    /// Frames between needle and distractors; the default is 7 periods of a pair of frequency 1
    #[arg(long, default_value_t = 44, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4095))]
    distance: u32,
    /// Set a scheme parameter (repeatable)
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter)]
    param: Vec<(String, Number)>,
    /// Seed of the draws
    #[arg(long, default_value = "1", value_name = "N|fresh", value_parser = seed)]
    seed: u64,
    /// What to print
    #[arg(long, value_enum, default_value_t = TableOrJson::Table)]
    format: TableOrJson,
    /// A scheme file to add, or to put in the place of a built-in one
    #[arg(long, value_name = "FILE")]
    spec: Vec<PathBuf>,
}

/// What `explain` says.
pub(super) const V_NIAH_D: (&str, &str) = (
    "v-niah-d",
    "\
experiment v-niah-d: a needle among distractor frames (VideoRoPE, arXiv:2502.05173)

A rotary embedding tells two frames apart by how far its pairs turn between them. A pair that turns with time at
frequency f is back after 2 pi / f frames. The fast pairs are back within a video: to them, frames that are some of
their periods apart are the same moment, and a distractor there is taken for the needle. The slow pairs are not back
before the video ends. A scheme that turns few pairs with time, and the fastest ones (M-RoPE), is misled. One that
keeps the slow pairs for time and lets every pair move from frame to frame (VideoRoPE) is misled less.

What is done: needle and distractors have the same random content, so that only position tells them apart. The query
looks for that content at the needle's position. Distractors are the nearest frames, four at most, at multiples of
--distance: 44 frames are 7 periods of the fastest pair. Printed are the mean cosine of the turns of all pairs over
that distance (1: no pair tells the two frames apart), and the share of draws in which the needle scores highest,
with its interval of 95 % (Wilson).
What it does not say: what a trained model does. There is no model, one cell of a frame, and one head.
",
);

fn grid(text: &str) -> Result<[u32; 2], String> {
    let number = |text: &str| text.parse::<u32>().ok().filter(|n| (1..=64).contains(n));
    let both = text.split_once('x').and_then(|(rows, columns)| Some([number(rows)?, number(columns)?]));
    both.ok_or_else(|| format!("expected HxW with 1 to 64 rows and columns, such as 8x8, found {text:?}"))
}

pub(super) fn experiment(a: &ExperimentArguments) -> Result<ExitCode, RunError> {
    let Experiment::VNiahD = a.experiment;
    let library = library(&a.spec)?;
    let chosen: Vec<&Scheme> = match &a.scheme[..] {
        [] => library.schemes().filter(|scheme| scheme.is_default_profile).map(AsRef::as_ref).collect(),
        names => {
            let found = names.iter().map(|name| library.get(name).map(AsRef::as_ref).map_err(RunError::usage));
            found.collect::<Result<_, _>>()?
        }
    };
    if a.distance >= a.frames {
        return Err(RunError::usage(format!("--distance must be less than --frames {}", a.frames)));
    }
    let haystack = Haystack {
        frames: a.frames,
        grid: a.grid,
        head_dim: a.head_dim,
        distance: a.distance,
        draws: a.draws,
        seed: a.seed,
    };
    let (mut rows, mut left_out) = (Vec::new(), Vec::new());
    for scheme in chosen {
        let parameters = Parameters::resolve(scheme, &a.param).map_err(RunError::usage)?;
        match distractors(scheme, &parameters, &haystack) {
            Ok(found) => rows.push((scheme.id(), found)),
            // Of all schemes those that the video and the heads do not fit are left out.
            Err(e @ (ExperimentError::Plan(_) | ExperimentError::Positions(_))) if a.scheme.is_empty() => {
                left_out.push(format!("{}: {e}", scheme.id()));
            }
            Err(e) => return Err(RunError::new(ExitCode::Spec, e)),
        }
    }
    let text = match a.format {
        TableOrJson::Table => table(&rows, &left_out, a),
        TableOrJson::Json => {
            let rows: Vec<_> = rows
                .iter()
                .map(|(scheme, found)| {
                    json!({
                        "scheme": scheme, "similarity": found.similarity,
                        "wins": found.wins, "draws": found.draws, "interval": found.interval(),
                    })
                })
                .collect();
            let of = json!({
                "experiment": V_NIAH_D.0, "frames": a.frames, "distance": a.distance, "grid": a.grid, "head_dim": a.head_dim, "seed": a.seed,
                "parameters": a.param.iter().map(|(name, value)| (name.clone(), value.to_string().into())).collect::<serde_json::Map<_, _>>(),
                "schemes": rows, "left_out": left_out,
            });
            format!("{of:#}\n")
        }
    };
    print(&text)?;
    Ok(if rows.is_empty() { ExitCode::NothingRan } else { ExitCode::Conformant })
}

fn table(rows: &[(String, crate::property::Found)], left_out: &[String], a: &ExperimentArguments) -> String {
    let [height, width] = a.grid;
    let mut out = format!(
        "v-niah-d: a needle and distractors {} frames apart in video:{}x{height}x{width}, heads of {}, {} draws, seed {}\n\n",
        a.distance, a.frames, a.head_dim, a.draws, a.seed
    );
    let names = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0).max(6);
    let _ = writeln!(out, "{:names$}  mean cosine  needle wins  interval of 95 %", "scheme");
    for (name, found) in rows {
        let [least, most] = found.interval().map(|share| 100.0 * share);
        let share = 100.0 * f64::from(found.wins) / f64::from(found.draws);
        let _ = writeln!(out, "{name:names$}  {:>11.3}  {share:>9.1} %  {least:.1} to {most:.1} %", found.similarity);
    }
    for line in left_out {
        let _ = writeln!(out, "left out: {line}");
    }
    out
}
