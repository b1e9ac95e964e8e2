//! What ropecheck makes of what a program says.

use std::io;

use super::protocol::{CallRequest, DeviceName, Hello, Reply, Request, Status, VERSION, line, read_line};
use super::wire::WireCall;
use crate::backend::{Answer, Call, Manifest, Vocabulary};

/// What a program says of itself.
#[derive(Debug, Clone)]
pub(super) struct Introduction {
    /// The text of its manifest.
    text: String,
    /// The manifest as it is compared: a library's text as it is, an object in whatever order its members
    /// come.
    compared: String,
    /// Names of the level functions that a library exports.
    exports: Option<Vec<String>>,
    /// The device whose memory calls point to.
    pub(super) device: Option<DeviceName>,
    /// Floating-point control words before and after loading.
    pub(super) float: Option<[u64; 2]>,
    /// Whether guards become pages that cannot be touched.
    pub(super) guards: bool,
}

/// What a hello says.
///
/// # Errors
/// Why it is of no use.
pub(super) fn introduced(hello: Hello) -> Result<Introduction, String> {
    let Hello { protocol, manifest, exports, float, device, guards } = hello;
    if !protocol.contains(&VERSION) {
        return Err(format!("it speaks protocol {protocol:?}, this ropecheck speaks {VERSION}"));
    }
    let text = manifest.get();
    // A library's text is kept as it is, so that errors name its lines.
    let (text, compared) = if text.starts_with('"') {
        let text: String = serde_json::from_str(text).map_err(|e| e.to_string())?;
        (text.clone(), text)
    } else {
        let object: serde_json::Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
        (text.to_owned(), object.to_string())
    };
    Ok(Introduction { text, compared, exports, device, float, guards })
}

impl Introduction {
    /// Whether another start said the same, byte for byte. Control words are the machine's.
    pub(super) fn is_as(&self, first: &Introduction) -> bool {
        let Introduction { text: _, compared, exports, device, float: _, guards } = self;
        (compared, exports, device, guards) == (&first.compared, &first.exports, &first.device, &first.guards)
    }

    /// The manifest, if it can be used.
    pub(super) fn manifest(&self, names: Vocabulary) -> Result<Manifest, String> {
        let manifest = Manifest::parse(&self.text, names).map_err(|e| e.to_string())?;
        let Some(exports) = &self.exports else { return Ok(manifest) };
        match manifest.levels.iter().find(|(l, _)| !exports.iter().any(|e| e == l.name())) {
            Some((level, _)) => {
                Err(format!("the manifest offers level {level}, but ropecheck_{level} is not exported"))
            }
            None => Ok(manifest),
        }
    }
}

/// The status and the message of an answer.
pub(super) fn outcome(status: Status, message: String) -> Answer {
    let message = message.into();
    match status {
        Status::Ok => Answer::Ok,
        Status::Unsupported => Answer::Unsupported(message),
        Status::BadArgument => Answer::BadArgument(message),
        Status::Internal => Answer::Internal(message),
    }
}

/// Everything that can be made of bytes that a program wrote; for the fuzz target `frames` alone. A reply
/// that is read must come back from a line of its own as it was.
#[doc(hidden)]
#[must_use]
pub fn answers(mut bytes: &[u8], names: Vocabulary) -> Vec<Result<Answer, String>> {
    let mut all = Vec::new();
    while let Ok(Some(reply)) = read_line::<Reply>(&mut bytes) {
        let again = again(&reply).map(|again: Option<Reply>| format!("{again:?}"));
        if again.as_ref().ok() != Some(&format!("{:?}", Some(&reply))) {
            all.push(Err(format!("{reply:?} came back as {again:?}")));
        }
        all.push(match reply {
            Reply::Hello(hello) => introduced(*hello).and_then(|said| said.manifest(names)).map(|_| Answer::Ok),
            Reply::Answer(answered) => Ok(outcome(answered.status, answered.message)),
            _ => Ok(Answer::Ok),
        });
    }
    all
}

/// Everything that a worker can make of bytes that it reads; for the fuzz target `frames` alone. What is read
/// must come back from a line of its own as it was.
#[doc(hidden)]
#[must_use]
pub fn requests(mut bytes: &[u8]) -> Vec<Result<(), String>> {
    let mut all = Vec::new();
    while let Ok(Some(request)) = read_line::<Request>(&mut bytes) {
        let again = again(&request).map(|again: Option<Request>| format!("{again:?}"));
        if again.as_ref().ok() != Some(&format!("{:?}", Some(&request))) {
            all.push(Err(format!("{request:?} came back as {again:?}")));
        }
        if let Request::Call(CallRequest { call, .. }) = request {
            all.push(call.read().map(drop).or(Ok(())));
        }
    }
    all
}

fn again<T: serde::Serialize + for<'de> serde::Deserialize<'de>>(value: &T) -> io::Result<Option<T>> {
    read_line(&mut line(value)?.as_slice())
}

/// A call as a program reads it; for the fuzz target `frames` alone.
///
/// # Errors
/// If the line cannot be written or read.
#[doc(hidden)]
pub fn through_a_line(call: &Call, bytes: usize) -> io::Result<Call> {
    let (guards, call) = (vec![(0, bytes)], Box::new(WireCall::from(call)));
    match again(&Request::Call(CallRequest { id: 7, arena_bytes: bytes, guards, sparse: true, call }))? {
        Some(Request::Call(CallRequest { id: 7, arena_bytes, guards, sparse: true, call }))
            if arena_bytes == bytes && guards == [(0, bytes)] =>
        {
            call.read().map_err(io::Error::other)
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

    /// A careless reader of decimals takes one of 17 digits for its neighbour.
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
            assert_eq!(through_a_line(&call, 64).expect("a line"), call);
        }
    }
}
