//! Lines between ropecheck and programs: whatever a program writes, and every request that ropecheck writes.

use arbitrary::Unstructured;

use ropecheck::backend::host::Host;
use ropecheck::backend::program::{answers, requests, through_a_line};
use ropecheck::backend::{Backend, Manifest};
use ropecheck::case::prepare;
use ropecheck::run::Context;

use super::made;
use super::world::{LIBRARY, NAMES, with_context};

/// Bytes as a program may write them. After a first byte of 0x80 to 0xbf, bytes as ropecheck may write them;
/// from 0xc0 on, choices that make a case, whose call goes through a line.
pub fn run(data: &[u8]) {
    match data {
        [0xc0..=0xff, choices @ ..] => call(choices),
        [0x80..=0xbf, lines @ ..] => asked(lines),
        _ => replies(data),
    }
}

fn replies(bytes: &[u8]) {
    for answer in answers(bytes, *NAMES) {
        if let Err(why) = answer {
            assert!(!why.contains("came back as"), "{why}");
        }
    }
}

fn asked(bytes: &[u8]) {
    for request in requests(bytes) {
        if let Err(why) = request {
            assert!(!why.contains("came back as"), "{why}");
        }
    }
}

fn call(choices: &[u8]) {
    let host = Host::new();
    with_context(|context| call_with(context, choices, host.manifest()));
}

fn call_with(context: &Context, choices: &[u8], manifest: &Manifest) {
    let case = made::case(&mut Unstructured::new(choices), manifest, &LIBRARY, &context.plans);
    let Some(case) = case.ok().flatten() else { return };
    let (Some(level), Ok(scheme)) = (manifest.level(case.level), LIBRARY.get(&case.scheme)) else { return };
    let Ok(prepared) = prepare(&case, scheme, &context.plans, &level.consumes, 1) else { return };
    let back = through_a_line(&prepared.call, prepared.bytes).unwrap_or_else(|why| panic!("{case}: {why}"));
    // NaN is not equal to itself; its bits are.
    assert_eq!(format!("{back:?}"), format!("{:?}", prepared.call), "{case}");
}
