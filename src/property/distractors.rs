//! Temporal distractors: the V-NIAH-D experiment of the VideoRoPE paper (arXiv:2502.05173, section 3) in miniature, on random
//! features and without a model. One frame of a video is the needle. Other frames, a number of periods of the fastest pair away,
//! show the same thing. A query that knows what and when to look for scores the needle against them.
//!
//! A query q and keys k of d channels are random. In each draw the content f of needle and distractors is normal, and each key
//! is r f + sqrt(1 - r^2) g with g of its own: content does not tell them apart, position has to. The query is f with the phases
//! of the needle. So the score of a frame is the sum over pairs i of Re(conj(f_i) k_i e^(j a_i)), a_i being frequency i times
//! the distance of the frame from the needle on the axis of pair i, and the needle's is the sum with a_i = 0.

use crate::numeric::Rng;
use crate::positions::{Layout, PositionError, positions};
use crate::rotation::{HeadShape, NO_AXIS, PlanError, RotationPlan};
use crate::spec::Parameters;
use crate::spec::model::Scheme;

/// What is tried.
#[derive(Debug, Clone, Copy)]
pub struct Haystack {
    /// Frames of the video, more than the distance.
    pub frames: u32,
    /// Rows and columns of a frame.
    pub grid: [u32; 2],
    /// Channels of the head.
    pub head_dim: u32,
    /// Frames between needle and distractors.
    pub distance: u32,
    /// How many draws.
    pub draws: u32,
    /// Seed of the draws.
    pub seed: u64,
}

/// Most distractors: the nearest ones.
const DISTRACTORS: usize = 4;
/// How much of a key is the content that needle and distractors share.
const SHARED: f64 = 0.5;
/// The 0.975 quantile of the normal distribution, for intervals of 95 %.
const QUANTILE: f64 = 1.959_963_984_540_054;

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Mean cosine of the turns of all pairs from the needle to the next distractor: 1 if no pair tells the frames apart.
    pub similarity: f64,
    /// Draws in which the needle had the highest score.
    pub wins: u32,
    /// All draws.
    pub draws: u32,
}

impl Found {
    /// The Wilson interval, of 95 %, of the share of draws in which the needle wins.
    #[must_use]
    pub fn interval(&self) -> [f64; 2] {
        let (n, z) = (f64::from(self.draws), QUANTILE);
        let share = f64::from(self.wins) / n;
        let middle = share + z * z / (2.0 * n);
        let half = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
        [(middle - half) / (1.0 + z * z / n), (middle + half) / (1.0 + z * z / n)]
    }
}

/// Why an experiment could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// The scheme says nothing usable at this width of heads.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The scheme gives the video no positions.
    #[error(transparent)]
    Positions(#[from] PositionError),
    /// The video is not one.
    #[error("{0}")]
    Layout(String),
}

/// Positions of a video, and what turns with them.
struct Video {
    plan: RotationPlan,
    /// Axis, frame and cell.
    positions: Vec<Vec<f64>>,
    frames: u32,
    cells: u32,
}

impl Video {
    fn new(scheme: &Scheme, parameters: &Parameters, haystack: &Haystack) -> Result<Video, ExperimentError> {
        let [rows, columns] = haystack.grid;
        let layout = format!("text:1 video:{}x{rows}x{columns}", haystack.frames);
        let layout = Layout::parse(&layout).map_err(|e| ExperimentError::Layout(e.to_string()))?;
        let all = positions(scheme, parameters, &layout)?;
        let positions = all.columns().iter().map(|column| column.to_f64().split_off(1)).collect();
        let plan = RotationPlan::new(scheme, parameters, HeadShape::of_dim(haystack.head_dim))?;
        Ok(Video { plan, positions, frames: haystack.frames, cells: rows * columns })
    }

    /// By how much each pair turns from one frame to another, at a cell.
    fn turns(&self, from: u32, to: u32, cell: u32) -> impl Iterator<Item = f64> + '_ {
        let at = |frame: u32| (frame * self.cells + cell) as usize;
        let (from, to) = (at(from), at(to));
        let pairs = self.plan.axes(0).iter().zip(self.plan.frequencies(0));
        pairs.map(move |(axis, frequency)| match self.positions.get(usize::from(*axis)) {
            Some(positions) if *axis != NO_AXIS => frequency * (positions[to] - positions[from]),
            _ => 0.0,
        })
    }

    /// The mean cosine of the turns of all pairs over this many frames.
    fn similarity(&self, distance: u32) -> f64 {
        self.turns(0, distance, 0).map(libm::cos).sum::<f64>() / f64::from(self.plan.pairs)
    }
}

/// Two numbers of the standard normal distribution, by Box and Muller.
fn normal(random: &mut Rng) -> [f64; 2] {
    let radius = (-2.0 * libm::log(1.0 - random.unit())).sqrt();
    let (sine, cosine) = libm::sincos(std::f64::consts::TAU * random.unit());
    [radius * cosine, radius * sine]
}

/// Makes the experiment with one scheme. The same seed gives the same draws, whatever the scheme.
///
/// # Errors
/// [`ExperimentError`] if the scheme has no plan or no positions for it.
pub fn distractors(scheme: &Scheme, parameters: &Parameters, haystack: &Haystack) -> Result<Found, ExperimentError> {
    let video = Video::new(scheme, parameters, haystack)?;
    let distance = haystack.distance.clamp(1, haystack.frames - 1);
    let similarity = video.similarity(distance);
    let seed = Rng::new(haystack.seed);
    let wins = (0..haystack.draws).filter(|draw| wins(&video, distance, &mut seed.fork(u64::from(*draw)))).count();
    Ok(Found { similarity, wins: wins as u32, draws: haystack.draws })
}

/// Whether the needle has the highest score in one draw.
fn wins(video: &Video, distance: u32, random: &mut Rng) -> bool {
    let needle = random.below(u64::from(video.frames)) as u32;
    let cell = random.below(u64::from(video.cells)) as u32;
    let content: Vec<[f64; 2]> = (0..video.plan.pairs).map(|_| normal(random)).collect();
    let own = (1.0 - SHARED * SHARED).sqrt();
    let mut score = |frame: u32| -> f64 {
        let turns = video.turns(needle, frame, cell);
        let pair = |([a, b], turn): (&[f64; 2], f64)| {
            let [x, y] = normal(random).map(|noise| own * noise);
            let (x, y) = (SHARED * a + x, SHARED * b + y);
            let (sine, cosine) = libm::sincos(turn);
            (a * x + b * y) * cosine + (b * x - a * y) * sine
        };
        content.iter().zip(turns).map(pair).sum()
    };
    let best = score(needle);
    let others = (needle % distance..video.frames).step_by(distance as usize).filter(|frame| *frame != needle);
    let mut others: Vec<u32> = others.collect();
    others.sort_by_key(|frame| frame.abs_diff(needle));
    others.into_iter().take(DISTRACTORS).map(score).all(|other| other < best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Number;
    use crate::spec::Library;

    const HAYSTACK: Haystack = Haystack { frames: 256, grid: [4, 4], head_dim: 64, distance: 44, draws: 1000, seed: 1 };

    fn found(scheme: &str, haystack: &Haystack) -> Found {
        let library = Library::embedded().expect("the specs load");
        let scheme = library.get(scheme).expect("the scheme exists");
        let base = [("base".to_owned(), Number::from(1_000_000))];
        let parameters = Parameters::resolve(scheme, &base).expect("a base");
        distractors(scheme, &parameters, haystack).expect("positions and a plan")
    }

    /// M-RoPE turns a quarter of its pairs with time, the fastest ones; the others stand still from frame to frame. All
    /// pairs of the other three move.
    #[test]
    fn m_rope_is_misled_and_the_others_less() {
        let [rope, m_rope, vrope, videorope] =
            ["rope", "m-rope", "vrope", "videorope"].map(|scheme| found(scheme, &HAYSTACK));
        for other in [rope, vrope, videorope] {
            assert!(m_rope.interval()[1] < other.interval()[0], "{m_rope:?} {other:?}");
        }
    }

    /// By hand: at distance 6 on M-RoPE's 8 temporal pairs of 32, whose frequencies are 10^(-6 i / 32), and 24 pairs that
    /// do not move.
    #[test]
    fn the_similarity_is_that_of_the_closed_form() {
        let found = found("m-rope", &Haystack { distance: 6, draws: 1, ..HAYSTACK });
        let moving: f64 = (0..8).map(|pair| (6.0 * 10f64.powf(-6.0 * f64::from(pair) / 32.0)).cos()).sum();
        approx::assert_relative_eq!(found.similarity, (24.0 + moving) / 32.0, max_relative = 1e-12);
    }

    /// Needle and distractors that no pair tells apart: each is as likely to win.
    #[test]
    fn without_positions_chance_decides() {
        let frames = Haystack { frames: 4, distance: 2, draws: 4000, ..HAYSTACK };
        let library = Library::embedded().expect("the specs load");
        let scheme = library.get("rope-share").expect("the scheme exists");
        let parameters = Parameters::defaults(scheme).expect("parameters");
        let mut video = Video::new(scheme, &parameters, &frames).expect("a video");
        video.positions.iter_mut().for_each(|axis| axis.fill(0.0));
        let seed = Rng::new(1);
        let wins = (0..4000).filter(|draw| wins(&video, 2, &mut seed.fork(*draw))).count() as u32;
        let [least, most] = Found { similarity: 1.0, wins, draws: 4000 }.interval();
        assert!(least < 0.5 && 0.5 < most, "{wins} of 4000");
    }

    /// Values of R's binom.confint(method = "wilson").
    #[test]
    fn intervals_are_wilsons() {
        let interval = |wins, draws| Found { similarity: 0.0, wins, draws }.interval();
        for (wins, draws, [least, most]) in [(5, 10, [0.236_593, 0.763_407]), (0, 10, [0.0, 0.277_533])] {
            let [low, high] = interval(wins, draws);
            assert!((low - least).abs() < 1e-6 && (high - most).abs() < 1e-6, "{low} {high}");
        }
    }
}
