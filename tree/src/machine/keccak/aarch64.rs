//! The kernel of AArch64: two preimages in each of four passes of NEON.

use std::arch::aarch64::*;

use super::{DIGEST, Digests, Kernel, LAST_BIT, Preimages, RATE, ROUND_CONSTANTS, WIDTH};

// SAFETY: `kernel` and the test hand this out only where the machine was found to have the feature that the function
// is compiled for; nothing else about the function is unsafe.
pub(super) const NEON: Kernel = Kernel { name: "neon", hash: |preimages| unsafe { neon(preimages) } };

/// Built for a target that has the SHA-3 instructions, as Apple's has, these same operations compile to them.
#[target_feature(enable = "neon")]
fn neon(preimages: &Preimages) -> Digests {
    macro_rules! xor {
        ($a:expr, $b:expr) => {
            veorq_u64($a, $b)
        };
    }
    macro_rules! xor5 {
        ($a:expr, $b:expr, $c:expr, $d:expr, $e:expr) => {
            xor!(xor!(xor!($a, $b), xor!($c, $d)), $e)
        };
    }
    macro_rules! chi {
        ($a:expr, $b:expr, $c:expr) => {
            xor!($a, vbicq_u64($c, $b))
        };
    }
    macro_rules! rotate {
        ($a:expr, $bits:literal) => {{
            let lane = $a;
            vsriq_n_u64::<{ 64 - $bits }>(vshlq_n_u64::<$bits>(lane), lane)
        }};
    }
    macro_rules! splat {
        ($word:expr) => {
            vdupq_n_u64($word)
        };
    }
    let mut digests = [[0; WIDTH]; DIGEST];
    for first in (0..WIDTH).step_by(2) {
        let mut lanes = [vdupq_n_u64(0); 25];
        for (lane, words) in lanes.iter_mut().zip(preimages) {
            *lane = vcombine_u64(vcreate_u64(words[first]), vcreate_u64(words[first + 1]));
        }
        lanes[RATE - 1] = vdupq_n_u64(LAST_BIT);
        rounds!(lanes, xor, xor5, chi, rotate, splat);
        for (digest, lane) in digests.iter_mut().zip(lanes) {
            digest[first] = vgetq_lane_u64::<0>(lane);
            digest[first + 1] = vgetq_lane_u64::<1>(lane);
        }
    }
    digests
}
