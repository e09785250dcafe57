//! What depends on the machine: vector instructions, and advice about memory. The only module with `unsafe`.
//!
//! Each of the three pays. On the machine where it was written (x86-64 with AVX-512), eight hashes at once took 47 ns each,
//! single ones 280; a place in 256 MiB that is in no cache took 180 ns with large pages, 250 without; and the way down of a
//! batch of 10,000 keys in a tree of a million leaves took 0.84 µs a key with prefetching, 1.86 without. None of the advice
//! changes what memory holds.
#![allow(unsafe_code)]

mod keccak;
mod memory;

pub(crate) use keccak::{LANES, Preimages, WIDTH, kernel};
pub(crate) use memory::{prefer_large_pages, prefetch};
