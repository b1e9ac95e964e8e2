//! What people see: every command of the program, run as they run it, on kernels in C and in other languages.

#[path = "../common/mod.rs"]
mod common;

mod action;
mod bad_backends;
mod bench_command;
mod config_file;
mod declared_contracts;
mod device_memory;
mod exit_codes;
mod expectations;
mod findings;
mod grades;
mod honest_words;
mod hostile;
mod kernels_cuda_shim;
mod kernels_in_c;
mod manifest_errors;
mod manifest_offers;
mod memory_in_c;
mod more_schemes;
mod mutated_inputs;
mod offers;
mod other_languages;
mod own_scheme;
mod plots;
mod protocol_example;
mod regions;
mod report_snapshots;
mod requirements;
mod selftest;
mod sequence_length;
mod shards;
mod snapshots;
mod spec_lint;
mod state_and_independence;
mod what_people_see;
