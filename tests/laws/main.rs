//! What must hold of ropecheck as a library: formulas, numbers, bounds, plans and specs, against laws and independent sources;
//! and of its tree and documents.

#[path = "../../examples/adversarial/attain.rs"]
mod attain;
#[path = "../common/laws.rs"]
mod common;
#[path = "../../examples/blind_positions.rs"]
#[allow(dead_code, reason = "the example's main is not called")]
mod example;
mod fixed;
#[path = "../../examples/adversarial/inputs.rs"]
mod inputs;
mod modules;
#[path = "../../examples/adversarial/sweep.rs"]
mod sweep;
#[path = "../../fuzz/src/lib.rs"]
#[allow(dead_code, reason = "what the engine alone calls")]
mod targets;
#[path = "../../examples/adversarial/world.rs"]
mod world;

mod adversarial;
mod angle_limit;
mod axis_maps;
mod blind_positions;
mod bound_is_right;
mod bound_laws;
mod contracts_hold;
mod cover;
mod declared_arithmetic;
mod documentation;
mod emulated;
mod evaluator_laws;
mod formula_names;
mod fuzz_inputs;
mod golden_accuracy;
mod imports;
mod layout_errors;
mod measured_positions;
mod numeric_corners;
mod offered_layouts;
mod official_vectors;
mod plan_laws;
mod positions_laws;
mod property_tables;
mod reference_is_right;
mod regressions_are_kept;
mod rotation_plans;
mod rotations;
mod rounding_is_right;
mod spec_errors;
mod spec_files_agree;
mod what_holds;
mod worked_example;
