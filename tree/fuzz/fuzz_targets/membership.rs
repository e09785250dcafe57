//! See `hypha_tree_fuzz::membership`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hypha_tree_fuzz::membership(data));
