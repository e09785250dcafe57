//! See `hypha_tree_fuzz::snapshot_open`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hypha_tree_fuzz::snapshot_open(data));
