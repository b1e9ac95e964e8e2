//! `plot`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::arguments::{ModelArguments, draft};
use super::output::ReportSink;
use crate::report::{Picture, PictureError, PictureSize, plot as draw};
use crate::run::{ExitCode, Options, RunError};
use crate::spec::{Parameters, Scheme};

impl ValueEnum for Picture {
    fn value_variants<'a>() -> &'a [Self] {
        &[Picture::Bias, Picture::Positions, Picture::Decay, Picture::Period]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        let (name, help) = match self {
            Picture::Bias => ("bias", "How strongly the text after a video attends to each cell of its last frame"),
            Picture::Positions => ("positions", "Where tokens stand on two axes"),
            Picture::Decay => ("decay", "How attention falls with the distance between text tokens"),
            Picture::Period => ("period", "How attention changes from frame to frame"),
        };
        Some(clap::builder::PossibleValue::new(name).help(help))
    }
}

#[derive(Debug, Args)]
pub(super) struct PlotArguments {
    /// What to draw
    #[arg(value_enum)]
    picture: Picture,
    /// A scheme, with or without @profile (repeatable, up to 12)
    #[arg(long, required_unless_present_any = ["preset", "from_hf"])]
    scheme: Vec<String>,
    /// Frames, rows and columns of the video of `bias` and `positions`
    #[arg(long, value_name = "TxHxW", value_parser = grid, default_value = "4x16x16")]
    grid: [u32; 3],
    /// Channels of a head [default: the model's, or 128]
    #[arg(long, value_name = "N")]
    head_dim: Option<u32>,
    /// Distances of `decay`, frames of `period`
    #[arg(long, value_name = "N", default_value_t = 256)]
    reach: u32,
    /// A file for the SVG, in the place of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// A scheme file to add, or to put in the place of a built-in one
    #[arg(long, value_name = "FILE")]
    spec: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArguments,
}

fn grid(text: &str) -> Result<[u32; 3], String> {
    let sizes: Option<Vec<u32>> = text.split('x').map(|size| size.parse().ok()).collect();
    let sizes = sizes.and_then(|sizes| <[u32; 3]>::try_from(sizes).ok());
    sizes.ok_or_else(|| format!("expected TxHxW such as 4x16x16, found {text:?}"))
}

pub(super) fn plot(a: &PlotArguments) -> Result<ExitCode, RunError> {
    let library = draft(&a.spec)?;
    let options = a.model.narrow(Options { schemes: a.scheme.clone(), ..Options::default() }, &library)?;
    let scheme = |name: &String| {
        let scheme: &Scheme = library.get(name).map_err(RunError::usage)?;
        let parameters = Parameters::resolve(scheme, &options.parameters);
        Ok((scheme, parameters.map_err(|why| RunError::new(ExitCode::Spec, why))?))
    };
    let schemes = options.schemes.iter().map(scheme).collect::<Result<Vec<_>, RunError>>()?;
    let head_dim = a.head_dim.or(options.heads.as_ref().map(|heads| heads.head_dim)).unwrap_or(128);
    let size = PictureSize { grid: a.grid, head_dim, reach: a.reach };
    let svg = draw(a.picture, &schemes, &size).map_err(|why| match why {
        PictureError::Parameters(_) | PictureError::Positions(_) => RunError::new(ExitCode::Spec, why),
        PictureError::Layout(_) | PictureError::Plan { .. } | PictureError::Size(_) => RunError::usage(why),
    })?;
    ReportSink::open(a.output.as_deref())?.put(&svg)?;
    Ok(ExitCode::Conformant)
}
