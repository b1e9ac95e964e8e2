//! What the three checks of independence share: every second row of the tensors is made NaN or huge, and the others are
//! judged as if nothing had happened.

use crate::case::{Case, PositionSource, Prepared, Tensor};
use crate::check::judge::Judge;
use crate::check::slices::{add, bits_differ, claims_bits, places, same_bits, while_doing};
use crate::check::{Halt, Harness, Measure, Outputs, Verdict};

/// Of what a row must be independent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::check) enum Of {
    /// The other tokens.
    Tokens,
    /// The other heads, query and key.
    Heads,
    /// The other rows of the batch.
    Rows,
}

impl Of {
    fn name(self) -> &'static str {
        match self {
            Of::Tokens => "tokens",
            Of::Heads => "heads",
            Of::Rows => "batch rows",
        }
    }

    fn index(self, (row, token, head): (usize, usize, usize)) -> usize {
        match self {
            Of::Tokens => token,
            Of::Heads => head,
            Of::Rows => row,
        }
    }
}

/// Q and k with their places in common: heads of k come after those of q.
fn change(judge: &Judge, q: &mut Tensor, k: &mut Tensor, mut each: impl FnMut((usize, usize, usize), &mut [f64])) {
    let q_heads = judge.q_heads();
    for (tensor, first) in [(q, 0), (k, q_heads)] {
        let [batch, tokens, heads, _] = tensor.shape();
        for (row, token, head) in places([batch, tokens, heads]) {
            each((row, token, first + head), tensor.row_mut(row, token, head));
        }
    }
}

/// A row that no result may depend on: NaN, or the type's largest numbers of both signs.
pub(in crate::check) fn spoil(row: &mut [f64], turn: usize, largest: f64) {
    for (channel, value) in row.iter_mut().enumerate() {
        *value = match (turn % 2, channel % 2) {
            (0, _) => f64::NAN,
            (_, 0) => largest,
            _ => -largest,
        };
    }
}

pub(in crate::check) fn probe(case: &Case, harness: &mut Harness, of: Of) -> Result<Verdict, Halt> {
    let prepared = harness.prepare(case)?;
    let judge = Judge::new(harness, case, &prepared)?;
    let size = [case.batch(), judge.tokens(), judge.heads()];
    if of.index((size[0], size[1], size[2])) < 2 {
        return Err(Halt::not_judged(format!("the case has no other {}", of.name())));
    }
    let (q, k) = Harness::inputs(case, &prepared);
    let mut measure = Measure::default();
    if matches!(case.place, PositionSource::Random { low, high } if low == high) || of != Of::Tokens {
        equal_rows(&judge, &prepared, harness, of, (&q, &k), &mut measure)?;
    }
    let plain = if claims_bits(harness) { Some(harness.run(&prepared, q.clone(), k.clone())?) } else { None };
    for kept in 0..2 {
        let (mut spoiled_q, mut spoiled_k) = (q.clone(), k.clone());
        change(&judge, &mut spoiled_q, &mut spoiled_k, |at, row| {
            let index = of.index(at);
            if index % 2 != kept {
                spoil(row, index / 2, case.dtype.max_finite());
            }
        });
        let outputs = harness.run(&prepared, spoiled_q, spoiled_k)?;
        for at in places(size).filter(|at| of.index(*at) % 2 == kept) {
            let verdict = judge.row(&outputs, at.0, at.1, at.2, &mut measure);
            let what = || format!("while every second one of the {} holds NaN or huge numbers", of.name());
            add(&mut measure, while_doing(verdict, what))?;
            if let Some(plain) = &plain
                && !same_output(&judge, plain, &outputs, at, at)
            {
                return Ok(Verdict::Fail(bits_differ(&named(&judge, at), "with other contents of the other rows")));
            }
        }
    }
    Ok(Verdict::Pass(measure))
}

fn same_output(
    judge: &Judge,
    a: &Outputs,
    b: &Outputs,
    (row, token, head): (usize, usize, usize),
    other: (usize, usize, usize),
) -> bool {
    same_bits(judge.output_row(a, row, token, head), judge.output_row(b, other.0, other.1, other.2))
}

/// Whether two rows are turned by the same angles.
fn turned_alike(judge: &Judge, a: (usize, usize, usize), b: (usize, usize, usize)) -> bool {
    (0..judge.truth().pairs).all(|pair| {
        let (axis, other) = (judge.axis(a.2, pair), judge.axis(b.2, pair));
        judge.frequency(a.2, pair).to_bits() == judge.frequency(b.2, pair).to_bits()
            && judge.position(axis, a.0, a.1) == judge.position(other, b.0, b.1)
    })
}

fn named(judge: &Judge, (row, token, head): (usize, usize, usize)) -> String {
    judge.place(row, token, head, 0)
}

/// Rows of equal input and position. Each within its bound of the one truth, they agree within twice the bound; where the
/// manifest claims bits, they are equal.
fn equal_rows(
    judge: &Judge,
    prepared: &Prepared,
    harness: &mut Harness,
    of: Of,
    (q, k): (&Tensor, &Tensor),
    measure: &mut Measure,
) -> Result<(), Halt> {
    let first = |(row, token, head): (usize, usize, usize)| match of {
        Of::Tokens => (row, 0, head),
        Of::Heads => (row, token, 0),
        Of::Rows => (0, token, head),
    };
    let (mut equal_q, mut equal_k) = (q.clone(), k.clone());
    change(judge, &mut equal_q, &mut equal_k, |at, row| {
        let (b, t, h) = first(at);
        let from = if h < judge.q_heads() { q.row(b, t, h) } else { k.row(b, t, h - judge.q_heads()) };
        row.copy_from_slice(from);
    });
    let outputs = harness.run(prepared, equal_q, equal_k)?;
    add(measure, while_doing(judge.all(&outputs), || format!("{} of equal input", of.name())))?;
    if claims_bits(harness) {
        let size = [outputs.q_out.shape()[0], judge.tokens(), judge.heads()];
        for at in places(size) {
            if turned_alike(judge, at, first(at)) && !same_output(judge, &outputs, &outputs, at, first(at)) {
                let than = format!("the equal row at {}", named(judge, first(at)));
                return Err(Halt::fail(bits_differ(&named(judge, at), &than)));
            }
        }
    }
    Ok(())
}
