//! Rows of outputs judged: every head of every token, trigonometry once per token.

use super::elements::{Element, Judge};
use crate::check::cost::{Room, spent};
use crate::check::failure::Stop;
use crate::check::harness::Outputs;
use crate::check::measure::Measure;
use crate::contract::{PairRow, RowBound, RowTally};
use crate::numeric::Dd;
use crate::spec::model::Pairing;

/// Bounds that one judge has made, used again for the other heads of a token, and memory for the next token.
#[derive(Default)]
pub struct KeptBounds {
    /// Of each row of the plan, and of keys whose types are others once more, the bounds that were made last.
    made: Vec<Made>,
    /// Of adjacent pairs the channels, taken apart.
    gathered: [Vec<f64>; 4],
}

/// Bounds of the pairs of a row of the plan.
struct Made {
    bounds: RowBound,
    /// Row and token that they were made for.
    at: Option<(usize, usize)>,
    /// The position of each pair there.
    positions: Vec<Dd>,
}

impl Judge<'_> {
    /// Judges everything.
    ///
    /// # Errors
    /// [`Stop::Failed`] at the first element that is out of its bound.
    pub fn all(&self, outputs: &Outputs) -> Result<Measure, Stop> {
        spent(Room::Judge, || self.every_row(outputs))
    }

    fn every_row(&self, outputs: &Outputs) -> Result<Measure, Stop> {
        let mut measure = Measure { worst: self.worst, ..Measure::default() };
        let mut seen = vec![false; self.truth.pairs];
        let mut kept = KeptBounds::default();
        for row in 0..self.case.batch() {
            for token in 0..self.tokens() {
                self.token(outputs, (row, token), 0..self.heads(), &mut measure, &mut seen, &mut kept)?;
            }
        }
        measure.largest = self.largest_position();
        measure.observed.add(&seen);
        measure.observations = self.observations(&seen);
        self.record(&mut measure);
        Ok(measure)
    }

    /// Judges one head of one token, and adds to `measure`. `kept` has what this judge made before.
    ///
    /// # Errors
    /// [`Stop::Failed`] at the first element that is out of its bound.
    pub fn row(
        &self,
        outputs: &Outputs,
        (row, token, head): (usize, usize, usize),
        measure: &mut Measure,
        kept: &mut KeptBounds,
    ) -> Result<(), Stop> {
        let mut seen = vec![false; self.truth.pairs];
        self.token(outputs, (row, token), head..head + 1, measure, &mut seen, kept)?;
        measure.observations += self.observations(&seen);
        Ok(())
    }

    /// The bounds of a token's pairs. Those of a pair whose position is that of the token before stay what they are:
    /// many tokens of a grid share a coordinate.
    fn bounds_of_token(&self, (row, token, head): (usize, usize, usize), made: &mut Made) {
        let Made { bounds, at, positions } = made;
        let pairs = self.truth.pairs;
        *at = Some((row, token));
        if self.truth.given.is_some() {
            bounds.clear();
            (0..pairs).for_each(|pair| bounds.push(self.bound(row, token, head, pair)));
            return;
        }
        for pair in 0..pairs {
            let position = self.position(self.axis(head, pair), row, token);
            let bits = |position: &Dd| [position.hi.to_bits(), position.lo.to_bits()];
            match positions.get_mut(pair) {
                Some(known) if bits(known) == bits(&position) => {}
                Some(known) => {
                    *known = position;
                    bounds.set(pair, self.bound(row, token, head, pair));
                }
                None => {
                    positions.push(position);
                    bounds.push(self.bound(row, token, head, pair));
                }
            }
        }
    }

    /// Judges heads of one token: trigonometry once, unless the map differs per head. `seen`: pairs that were observed.
    fn token(
        &self,
        outputs: &Outputs,
        (row, token): (usize, usize),
        heads: std::ops::Range<usize>,
        measure: &mut Measure,
        seen: &mut [bool],
        KeptBounds { made, gathered }: &mut KeptBounds,
    ) -> Result<(), Stop> {
        let pairs = self.truth.pairs;
        let first_head = heads.start;
        for head in heads {
            let types = self.types(head);
            let other = if types == self.types(0) { 0 } else { self.truth.plan.map_heads };
            let place = (other + self.plan_row(head)) as usize;
            while made.len() <= place {
                made.push(Made { bounds: RowBound::new(*types), at: None, positions: Vec::new() });
            }
            let made = &mut made[place];
            if made.at != Some((row, token)) {
                self.bounds_of_token((row, token, head), made);
            }
            let bounds = &made.bounds;
            let input = self.input_row(outputs, row, token, head);
            let output = self.output_row(outputs, row, token, head);
            if let Some(channel) = self.changed_outside(head, input, output) {
                return Err(self.not_preserved(Element { row, token, head, channel }, input, output).into());
            }
            let offset = self.truth.rotary_offset;
            let columns = match self.case.pairing {
                Pairing::Half => {
                    let (a, b) = (offset..offset + pairs, offset + pairs..offset + 2 * pairs);
                    PairRow { a: &input[a.clone()], b: &input[b.clone()], first: &output[a], second: &output[b] }
                }
                Pairing::Adjacent => {
                    for (column, (source, shift)) in
                        gathered.iter_mut().zip([(input, 0), (input, 1), (output, 0), (output, 1)])
                    {
                        column.clear();
                        column.extend((0..pairs).map(|i| source[offset + 2 * i + shift]));
                    }
                    let [a, b, first, second] = &*gathered;
                    PairRow { a, b, first, second }
                }
            };
            let mut tally = RowTally { ratio: measure.worst, ..RowTally::default() };
            if let Err(miss) = bounds.judge(columns, 0, &mut tally) {
                let (a, b) = self.channels(miss.pair);
                let element = Element { row, token, head, channel: if miss.second { b } else { a } };
                let (bound, inputs) = (&bounds.pairs()[miss.pair], (input[a], input[b]));
                let reaching = bound.reaching(miss.second, inputs);
                if let Some(reaching) = reaching {
                    return Err(self.non_finite_lost(element, reaching, miss.observed).into());
                }
                let right = bound.turn.apply(inputs.0, inputs.1);
                return Err(self.out_of_bound(element, &miss, right).into());
            }
            if head == first_head {
                if !self.candidates.is_empty() {
                    self.grade((row, token, head), columns, bounds.pairs(), measure);
                }
                // One head is enough: all of a token's heads turn by the same angles and hold contents of one kind.
                self.observe((row, token, head), columns, |pair| &bounds.pairs()[pair], seen);
            }
            measure.elements += tally.judged;
            measure.range_not_judged += tally.range_not_judged;
            measure.contract_too_wide += tally.contract_too_wide;
            self.count_beyond(measure, tally.beyond_angle_limit);
            if tally.ratio > measure.worst {
                measure.worst = tally.ratio;
                if let Some((_, pair, second)) = tally.place {
                    let (a, b) = self.channels(pair);
                    let channel = if second { b } else { a };
                    measure.place = Some(self.place(Element { row, token, head, channel }));
                }
            }
        }
        Ok(())
    }
}
