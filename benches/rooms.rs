//! What each room takes by itself: specs, formulas, positions, plans, trigonometry, types, and the parts of a judged call.

use std::hint::black_box;
use std::sync::atomic::AtomicBool;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ropecheck::backend::Backend;
use ropecheck::backend::host::Host;
use ropecheck::case::Case;
use ropecheck::check::Harness;
use ropecheck::check::judge::Judge;
use ropecheck::numeric::{DType, Dd, Rng, sincos};
use ropecheck::positions::{Layout, positions};
use ropecheck::rotation::{PlanCache, RotationPlan};
use ropecheck::run::Context;
use ropecheck::spec::{HeadShape, Library, Parameters};

fn specs(c: &mut Criterion) {
    c.bench_function("spec/load all", |b| b.iter(|| Library::embedded().expect("the embedded specs load")));
    let library = Library::embedded().expect("the embedded specs load");
    let mut group = c.benchmark_group("positions");
    for (name, text) in [
        ("1k", "text:16 video:8x11x11 text:40"),
        ("64k", "text:32 video:64x32x32 text:32"),
        ("1M", "text:32 video:1024x32x32 text:32"),
    ] {
        let layout = Layout::parse(text).expect("the text is a layout");
        group.throughput(Throughput::Elements(layout.tokens()));
        for id in ["m-rope@default", "vrope@official", "videorope@official"] {
            let scheme = library.get(id).expect("the scheme is there");
            let parameters = Parameters::defaults(scheme).expect("it has defaults");
            group.bench_function(format!("{id} {name}"), |b| b.iter(|| positions(scheme, &parameters, &layout)));
        }
    }
    group.finish();
    let mut group = c.benchmark_group("plan");
    for id in ["m-rope@default", "videorope@official", "rope@yarn"] {
        let scheme = library.get(id).expect("the scheme is there");
        let parameters = Parameters::defaults(scheme).expect("it has defaults");
        group.bench_function(id, |b| b.iter(|| RotationPlan::new(scheme, &parameters, HeadShape::of_dim(128))));
    }
    group.finish();
}

fn numbers(c: &mut Criterion) {
    let mut rng = Rng::new(1);
    let values: Vec<f64> = (0..4096).map(|_| rng.between(-1 << 20, 1 << 20) as f64 / 1024.0).collect();
    let mut group = c.benchmark_group("numeric");
    group.throughput(Throughput::Elements(values.len() as u64));
    group.bench_function("reference sin and cos", |b| {
        b.iter(|| values.iter().map(|x| sincos(Dd::from_f64(x.floor()), 0.749_894_209)).for_each(|s| _ = black_box(s)));
    });
    for dtype in [DType::F32, DType::F16, DType::BF16] {
        group.bench_function(format!("encode {}", dtype.name()), |b| {
            b.iter(|| values.iter().map(|x| dtype.encode(*x)).fold(0, |all, bits| all ^ bits));
        });
        let bits: Vec<u64> = values.iter().map(|x| dtype.encode(*x)).collect();
        group.bench_function(format!("decode {}", dtype.name()), |b| {
            b.iter(|| bits.iter().map(|x| dtype.decode(*x)).fold(0.0, |all, x| all + x));
        });
    }
    group.finish();
}

/// A large and a small call on the embedded kernel, part by part.
fn calls(c: &mut Criterion) {
    let library = Library::embedded().expect("the embedded specs load");
    let contracts = ropecheck::contract::contracts().expect("the embedded contracts load");
    let interrupted = AtomicBool::new(false);
    let context =
        Context { library: &library, contracts: &contracts, plans: PlanCache::new(), interrupted: &interrupted };
    for (name, layout, heads, head_dim) in [
        ("512x28+4x128", "text:16+video:7x8x8+text:48", "28/4", 128),
        ("8x2+1x64", "text:3+video:1x2x2+text:1", "2/1", 64),
    ] {
        let mut group = c.benchmark_group(format!("call {name}"));
        for dtype in ["f32", "f16", "bf16"] {
            let line = format!(
                "accuracy,scheme=m-rope@default,level=rotate,param.base=1000000,dtype={dtype},pairing=half,\
                 layout={layout},positions=i64,heads={heads},head-dim={head_dim},memory=packed,alias=out,\
                 data=uniform,seed=1"
            );
            let case: Case = line.parse().expect("the line is a case");
            let mut host = Host::new();
            let prepared = context.harness(&mut host).prepare(&case).expect("the host takes it");
            let (q, k) = Harness::inputs(&case, &prepared);
            group.throughput(Throughput::Elements((q.values().len() + k.values().len()) as u64));
            group.bench_function(format!("prepare {dtype}"), |b| {
                let harness = context.harness(&mut host);
                b.iter(|| harness.prepare(&case));
            });
            group.bench_function(format!("inputs {dtype}"), |b| b.iter(|| Harness::inputs(&case, &prepared)));
            group.bench_function(format!("write {dtype}"), |b| {
                b.iter(|| prepared.write(host.arena(prepared.bytes).expect("there is memory"), &q, &k));
            });
            group.bench_function(format!("kernel {dtype}"), |b| b.iter(|| host.call(&prepared.call)));
            group.bench_function(format!("read {dtype}"), |b| b.iter(|| prepared.read(host.memory())));
            let mut harness = context.harness(&mut host);
            let outputs = harness.run(&prepared, q.clone(), k.clone()).expect("the kernel runs");
            let judge = Judge::new(&harness, &case, &prepared).expect("there is a bound");
            group.bench_function(format!("judge {dtype}"), |b| b.iter(|| judge.all(&outputs)));
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = specs, numbers, calls
}
criterion_main!(benches);
