//! What the parent makes of what a worker says.

use std::io;

use super::protocol::{Reply, Request, read_frame, write_frame};
use crate::backend::{Answer, Call, Death, Manifest, Vocabulary};

/// The manifest of a library that was opened, if it can be used.
pub(super) fn accepted(manifest: &str, exports: &[String], names: Vocabulary) -> Result<Manifest, String> {
    let manifest = Manifest::parse(manifest, names).map_err(|e| e.to_string())?;
    match manifest.levels.iter().find(|(l, _)| !exports.iter().any(|e| e == l.name())) {
        Some((level, _)) => Err(format!("the manifest offers level {level}, but ropecheck_{level} is not exported")),
        None => Ok(manifest),
    }
}

/// A status of the ABI.
pub(super) fn outcome(status: i32, message: String) -> Answer {
    match status {
        0 => Answer::Ok,
        1 => Answer::Unsupported(message),
        2 => Answer::BadArgument(message),
        3 => Answer::Internal(message),
        _ => Answer::Internal(format!("status {status}, which the ABI does not have {message}")),
    }
}

/// What a reply to a call means, and the floating-point control words that came with it; `None` if it is no reply to a call,
/// so that the worker cannot be used any more.
pub(super) fn settled(reply: Reply) -> (Answer, Option<Option<[u64; 2]>>) {
    match reply {
        Reply::Done { status, message, float, .. } => (outcome(status, message), Some(float)),
        Reply::Open { .. }
        | Reply::Refused { .. }
        | Reply::BadAccess { .. }
        | Reply::Timed { .. }
        | Reply::Reserved { .. } => (Answer::Died(Death::BROKE_PROTOCOL), None),
    }
}

/// Everything that can be made of bytes that a worker wrote; for the fuzz target `frames` alone. A reply that is read must come
/// back from a frame of its own as it was.
#[doc(hidden)]
#[must_use]
pub fn answers(mut bytes: &[u8], names: Vocabulary) -> Vec<Result<Answer, String>> {
    let mut all = Vec::new();
    while let Ok(Some(reply)) = read_frame::<Reply>(&mut bytes) {
        let again = again(&reply).map(|again: Option<Reply>| format!("{again:?}"));
        if again.as_ref().ok() != Some(&format!("{:?}", Some(&reply))) {
            all.push(Err(format!("{reply:?} came back as {again:?}")));
        }
        all.push(match reply {
            Reply::Open { manifest, exports, .. } => accepted(&manifest, &exports, names).map(|_| Answer::Ok),
            other => Ok(settled(other).0),
        });
    }
    all
}

fn again<T: serde::Serialize + for<'de> serde::Deserialize<'de>>(value: &T) -> io::Result<Option<T>> {
    let mut frame = Vec::new();
    write_frame(&mut frame, value)?;
    read_frame(&mut frame.as_slice())
}

/// A call as the worker reads it; for the fuzz target `frames` alone.
///
/// # Errors
/// If the frame cannot be written or read.
#[doc(hidden)]
pub fn through_a_frame(call: &Call, bytes: usize) -> io::Result<Call> {
    let guards = vec![(0, bytes)];
    let request = Request::Call { bytes, guards, sparse: true, call: Box::new(call.clone()) };
    match again(&request)? {
        Some(Request::Call { bytes: size, guards, sparse: true, call }) if size == bytes && guards == [(0, bytes)] => {
            Ok(*call)
        }
        other => Err(io::Error::other(format!("came back as {other:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::call::{CosSinView, PlanView, QkView, TableView, TensorView};
    use crate::numeric::DType;
    use crate::spec::model::Pairing;

    /// A decimal of 17 digits may be read as the neighbour of what was written.
    #[test]
    fn a_scaling_factor_reaches_the_worker_bit_by_bit() {
        let table = TableView { offset: 0, head_stride: 0 };
        let tensor = TensorView { dtype: DType::F32, offset: 0, shape: [1; 4], stride: [1; 4] };
        let qk = QkView {
            batch: 1,
            tokens: 1,
            q_heads: 1,
            k_heads: 0,
            sequences: None,
            q: tensor,
            k: None,
            q_out: tensor,
            k_out: None,
        };
        let cos_sin = CosSinView { dtype: DType::F32, cos: 0, sin: 0, stride: [0; 2], full: false };
        let mut rng = crate::numeric::Rng::new(3);
        for _ in 0..2000 {
            let plan = PlanView {
                pairing: Pairing::Half,
                head_dim: 2,
                rotary_dim: 2,
                rotary_offset: 0,
                direction: 1,
                attention_scaling: f64::from_bits(0x3ff0_0000_0000_0000 | rng.next_u64() >> 12),
                axis_of_pair: table,
                inv_freq: table,
                base: 1.0 / 3.0,
                sections: None,
                interleaved: false,
            };
            let call = Call::Apply { plan, qk, cos_sin };
            assert_eq!(through_a_frame(&call, 64).expect("a frame"), call);
        }
    }
}
