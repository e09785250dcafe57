//! See `hypha_tree_fuzz::multiproof_decode`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hypha_tree_fuzz::multiproof_decode(data));
