//! The kernels of x86-64: eight preimages in one pass of AVX-512, or four in each of two passes of AVX2.

use std::arch::x86_64::*;

use super::{DIGEST, Digests, Kernel, LANES, LAST_BIT, Preimages, RATE, ROUND_CONSTANTS, WIDTH};

// SAFETY (both): `kernel` and the test hand these out only where the machine was found to have the feature that the
// function is compiled for; nothing else about the functions is unsafe.
pub(super) const AVX512: Kernel = Kernel { name: "avx512", hash: |preimages| unsafe { avx512(preimages) } };
pub(super) const AVX2: Kernel = Kernel { name: "avx2", hash: |preimages| unsafe { avx2(preimages) } };

#[target_feature(enable = "avx512f")]
fn avx512(preimages: &Preimages) -> Digests {
    macro_rules! xor {
        ($a:expr, $b:expr) => {
            _mm512_xor_si512($a, $b)
        };
    }
    macro_rules! xor3 {
        ($a:expr, $b:expr, $c:expr) => {
            _mm512_ternarylogic_epi64::<0x96>($a, $b, $c)
        };
    }
    macro_rules! xor5 {
        ($a:expr, $b:expr, $c:expr, $d:expr, $e:expr) => {
            xor3!(xor3!($a, $b, $c), $d, $e)
        };
    }
    macro_rules! chi {
        ($a:expr, $b:expr, $c:expr) => {
            _mm512_ternarylogic_epi64::<0xd2>($a, $b, $c)
        };
    }
    macro_rules! rotate {
        ($a:expr, $bits:literal) => {
            _mm512_rol_epi64::<$bits>($a)
        };
    }
    macro_rules! splat {
        ($word:expr) => {
            _mm512_set1_epi64($word.cast_signed())
        };
    }
    let mut lanes = [_mm512_setzero_si512(); 25];
    for (lane, words) in lanes.iter_mut().zip(preimages) {
        // SAFETY: an array of eight u64 and a vector of 512 bits have the same size, and every bit pattern is valid.
        *lane = unsafe { std::mem::transmute::<[u64; WIDTH], __m512i>(*words) };
    }
    lanes[RATE - 1] = _mm512_set1_epi64(LAST_BIT.cast_signed());
    rounds!(lanes, xor, xor5, chi, rotate, splat);
    // SAFETY: as above.
    unsafe { std::mem::transmute::<[__m512i; DIGEST], Digests>([lanes[0], lanes[1], lanes[2], lanes[3]]) }
}

#[target_feature(enable = "avx2")]
fn avx2(preimages: &Preimages) -> Digests {
    macro_rules! xor {
        ($a:expr, $b:expr) => {
            _mm256_xor_si256($a, $b)
        };
    }
    macro_rules! xor5 {
        ($a:expr, $b:expr, $c:expr, $d:expr, $e:expr) => {
            xor!(xor!(xor!($a, $b), xor!($c, $d)), $e)
        };
    }
    macro_rules! chi {
        ($a:expr, $b:expr, $c:expr) => {
            xor!($a, _mm256_andnot_si256($b, $c))
        };
    }
    macro_rules! rotate {
        ($a:expr, $bits:literal) => {{
            let lane = $a;
            _mm256_or_si256(_mm256_slli_epi64::<$bits>(lane), _mm256_srli_epi64::<{ 64 - $bits }>(lane))
        }};
    }
    macro_rules! splat {
        ($word:expr) => {
            _mm256_set1_epi64x($word.cast_signed())
        };
    }
    const HALF: usize = WIDTH / 2;
    let mut digests = [[0; WIDTH]; DIGEST];
    for half in [0, HALF] {
        let mut lanes = [_mm256_setzero_si256(); 25];
        for lane in 0..LANES {
            let words: [u64; HALF] = std::array::from_fn(|preimage| preimages[lane][half + preimage]);
            // SAFETY: an array of four u64 and a vector of 256 bits have the same size, and every bit pattern is
            // valid.
            lanes[lane] = unsafe { std::mem::transmute::<[u64; HALF], __m256i>(words) };
        }
        lanes[RATE - 1] = _mm256_set1_epi64x(LAST_BIT.cast_signed());
        rounds!(lanes, xor, xor5, chi, rotate, splat);
        for (digest, lane) in digests.iter_mut().zip(lanes) {
            // SAFETY: as above.
            let words = unsafe { std::mem::transmute::<__m256i, [u64; HALF]>(lane) };
            digest[half..half + HALF].copy_from_slice(&words);
        }
    }
    digests
}
