//! The accuracy pipeline: generate inputs, run the embedded kernel, judge every element. Elements per second on one core.

use std::sync::atomic::AtomicBool;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ropecheck::backend::host::Host;
use ropecheck::case::Case;
use ropecheck::check::CATALOGUE;
use ropecheck::rotation::PlanCache;
use ropecheck::run::Context;
use ropecheck::spec::Library;

fn pipeline(c: &mut Criterion) {
    let library = Library::embedded().expect("the embedded specs load");
    let contracts = ropecheck::contract::contracts().expect("the embedded contracts load");
    let interrupted = AtomicBool::new(false);
    let context =
        Context { library: &library, contracts: &contracts, plans: PlanCache::new(), interrupted: &interrupted };
    let accuracy = CATALOGUE.iter().find(|check| check.id() == "accuracy").expect("accuracy is in the catalogue");
    let mut group = c.benchmark_group("accuracy");
    group.sample_size(10);
    for dtype in ["f32", "f16", "bf16"] {
        let line = format!(
            "accuracy,scheme=m-rope@default,level=rotate,param.base=1000000,dtype={dtype},pairing=half,\
             layout=text:20+video:4x8x8+text:12,positions=i64,heads=28/4,head-dim=128,memory=packed,alias=out,\
             data=uniform,seed=1"
        );
        let case: Case = line.parse().expect("the line is a case");
        let mut host = Host::new();
        group.throughput(Throughput::Elements(case.tokens() * 32 * 128));
        group.bench_function(dtype, |b| {
            b.iter(|| match accuracy.judge(&case, &mut context.harness(&mut host)) {
                Ok(measure) => assert!(measure.worst <= 1.0),
                other => panic!("{other:?}"),
            });
        });
    }
    group.finish();
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
