//! What the three checks of independence share: every second row of the tensors is made NaN or huge, and the
//! others are judged as if nothing had happened.

use crate::case::{Case, PositionSource, Prepared, Tensor};
use crate::check::failure::{BitsOf, Cause, Circumstance, During, Failure, RowKind, Stop};
use crate::check::harness::{Harness, Outputs};
use crate::check::judge::{Element, Judge, KeptBounds};
use crate::check::measure::Measure;
use crate::check::slices::{claims_bits, places};

/// Batch row, token, head.
type RowIndex = (usize, usize, usize);

/// Which of the rows of this kind one is.
fn index(of: RowKind, (row, token, head): RowIndex) -> usize {
    match of {
        RowKind::Tokens => token,
        RowKind::Heads => head,
        RowKind::BatchRows => row,
    }
}

/// Q and k with their places in common: heads of k come after those of q.
fn change(judge: &Judge, q: &mut Tensor, k: &mut Tensor, mut each: impl FnMut(RowIndex, &mut [f64])) {
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

/// Judges every row while the others of its kind change.
pub(in crate::check) fn probe(case: &Case, harness: &mut Harness, of: RowKind) -> Result<Measure, Stop> {
    let prepared = harness.prepare(case)?;
    let judge = Judge::new(harness, case, &prepared)?;
    let (what, count) = match of {
        RowKind::Tokens => ("tokens", judge.tokens()),
        RowKind::Heads => ("heads", judge.heads()),
        RowKind::BatchRows => ("batch rows", case.batch()),
    };
    if count < 2 {
        return Err(Stop::not_judged(format!("the case has no other {what}")));
    }
    let (q, k) = Harness::inputs(case, &prepared);
    let (mut measure, mut bounds) = (Measure::default(), KeptBounds::default());
    if matches!(case.place, PositionSource::Random { low, high } if low == high) || of != RowKind::Tokens {
        equal_rows(&judge, &prepared, harness, of, (&q, &k), &mut measure)?;
    }
    let plain = if claims_bits(harness) { Some(harness.run(&prepared, q.clone(), k.clone())?) } else { None };
    for kept in 0..2 {
        let (mut spoiled_q, mut spoiled_k) = (q.clone(), k.clone());
        change(&judge, &mut spoiled_q, &mut spoiled_k, |at, row| {
            let index = index(of, at);
            if index % 2 != kept {
                spoil(row, index / 2, case.dtype.max_finite());
            }
        });
        let outputs = harness.run(&prepared, spoiled_q, spoiled_k)?;
        let size = [case.batch(), judge.tokens(), judge.heads()];
        for at in places(size).filter(|at| index(of, *at) % 2 == kept) {
            judge.row(&outputs, at, &mut measure, &mut bounds).during(Circumstance::OthersSpoiled { rows: of })?;
            if let Some(plain) = &plain {
                let bits = judge.output_row(plain, at.0, at.1, at.2);
                judge.has_bits(&outputs, at, bits, |_| BitsOf::OtherContents)?;
            }
        }
    }
    Ok(measure)
}

impl Judge<'_> {
    /// That a head of an output has these bits, signs of zero included; `than`, given a channel, says whose
    /// they are.
    ///
    /// # Errors
    /// [`Cause::BitsDiffer`] at the first channel that differs.
    pub(in crate::check) fn has_bits(
        &self,
        outputs: &Outputs,
        (row, token, head): RowIndex,
        bits: &[f64],
        than: impl FnOnce(usize) -> BitsOf,
    ) -> Result<(), Stop> {
        let found = self.output_row(outputs, row, token, head);
        let Some(channel) = found.iter().zip(bits).position(|(a, b)| a.to_bits() != b.to_bits()) else {
            return Ok(());
        };
        let cause = Cause::BitsDiffer { than: Box::new(than(channel)), elements: None };
        Err(Failure::at(self.place(Element { row, token, head, channel }), cause).into())
    }
}

/// Whether two rows are turned by the same angles.
fn turned_alike(judge: &Judge, a: RowIndex, b: RowIndex) -> bool {
    (0..judge.truth().pairs).all(|pair| {
        let (axis, other) = (judge.axis(a.2, pair), judge.axis(b.2, pair));
        judge.frequency(a.2, pair).to_bits() == judge.frequency(b.2, pair).to_bits()
            && judge.position(axis, a.0, a.1) == judge.position(other, b.0, b.1)
    })
}

/// Rows of equal input and position. Each within its bound of the one truth, they agree within twice the
/// bound; where the manifest claims bits, they are equal.
fn equal_rows(
    judge: &Judge,
    prepared: &Prepared,
    harness: &mut Harness,
    of: RowKind,
    (q, k): (&Tensor, &Tensor),
    measure: &mut Measure,
) -> Result<(), Stop> {
    let first = |(row, token, head): RowIndex| match of {
        RowKind::Tokens => (row, 0, head),
        RowKind::Heads => (row, token, 0),
        RowKind::BatchRows => (0, token, head),
    };
    let (mut equal_q, mut equal_k) = (q.clone(), k.clone());
    change(judge, &mut equal_q, &mut equal_k, |at, row| {
        let (b, t, h) = first(at);
        let from = if h < judge.q_heads() { q.row(b, t, h) } else { k.row(b, t, h - judge.q_heads()) };
        row.copy_from_slice(from);
    });
    let outputs = harness.run(prepared, equal_q, equal_k)?;
    measure.add_part(judge.all(&outputs).during(Circumstance::EqualInput { rows: of })?);
    if claims_bits(harness) {
        let size = [outputs.q_out.shape()[0], judge.tokens(), judge.heads()];
        for at in places(size) {
            let (row, token, head) = first(at);
            if turned_alike(judge, at, (row, token, head)) {
                let equal = |channel| BitsOf::EqualRow { at: judge.place(Element { row, token, head, channel }) };
                judge.has_bits(&outputs, at, judge.output_row(&outputs, row, token, head), equal)?;
            }
        }
    }
    Ok(())
}
