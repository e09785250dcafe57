//! What depends on the machine: vector instructions, and advice about memory. The only module with `unsafe`.
//!
//! Each of the three pays, by `scripts/bench tree`: eight hashes at once take a sixth of the time of eight single ones; the
//! tree is read at random places, and large pages halve what a place costs that is in no cache; and naming the next places
//! early lets the processor fetch many of them at the same time. None of the advice changes what memory holds.
#![allow(unsafe_code)]

mod keccak;
mod memory;

pub(crate) use keccak::{LANES, Preimages, WIDTH, kernel};
pub(crate) use memory::{prefer_large_pages, prefetch};
