//! Keccak-256 of eight short preimages at once, by the widest vectors that the machine has.
//!
//! A preimage of up to 135 bytes is one permutation, so the speed of the tree is that of the permutation. The rounds are
//! written once and expanded for each width of vector; which one runs is decided when the program runs, so one binary
//! serves all machines.

#[cfg(target_arch = "aarch64")]
use std::arch::is_aarch64_feature_detected;

/// How many preimages are hashed at once.
pub(crate) const WIDTH: usize = 8;
/// Lanes of 64 bits that a preimage and the start of its padding may take: at most 87 bytes and the byte `0x01`.
pub(crate) const LANES: usize = 11;
/// Lanes of the sponge's rate: 136 bytes. The last bit of the last one ends the padding.
const RATE: usize = 17;
/// Lanes of a digest.
const DIGEST: usize = 4;
const LAST_BIT: u64 = 1 << 63;

/// Lane `i` of preimage `j`, little-endian, stands at `[i][j]`; each preimage is followed by the byte `0x01`.
pub(crate) type Preimages = [[u64; WIDTH]; LANES];
/// Lane `i` of digest `j` stands at `[i][j]`.
pub(crate) type Digests = [[u64; WIDTH]; DIGEST];

/// The constants of the step ι (FIPS 202, section 3.2.5).
const ROUND_CONSTANTS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

/// A way to hash, and its name.
#[derive(Clone, Copy)]
pub(crate) struct Kernel {
    pub(crate) name: &'static str,
    pub(crate) hash: fn(&Preimages) -> Digests,
}

const PORTABLE: Kernel = Kernel { name: "portable", hash: portable };

/// The fastest way on this machine.
pub(crate) fn kernel() -> Kernel {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx2") {
            return AVX512;
        }
        if is_x86_feature_detected!("avx2") {
            return AVX2;
        }
    }
    #[cfg(target_arch = "aarch64")]
    if is_aarch64_feature_detected!("neon") {
        return NEON;
    }
    PORTABLE
}

/// The 24 rounds of Keccak-f[1600] (FIPS 202, section 3.3) on 25 lanes of any vector type, lane (x, y) at `x + 5y`:
/// θ, then ρ and π into `moved`, then χ and ι. The operations are macros and every place is a constant, so that all
/// lanes stay in registers.
macro_rules! rounds {
    ($lanes:ident, $xor:ident, $xor5:ident, $chi:ident, $rotate:ident, $splat:ident) => {
        for constant in ROUND_CONSTANTS {
            let column = [
                $xor5!($lanes[0], $lanes[5], $lanes[10], $lanes[15], $lanes[20]),
                $xor5!($lanes[1], $lanes[6], $lanes[11], $lanes[16], $lanes[21]),
                $xor5!($lanes[2], $lanes[7], $lanes[12], $lanes[17], $lanes[22]),
                $xor5!($lanes[3], $lanes[8], $lanes[13], $lanes[18], $lanes[23]),
                $xor5!($lanes[4], $lanes[9], $lanes[14], $lanes[19], $lanes[24]),
            ];
            let theta = [
                $xor!(column[4], $rotate!(column[1], 1)),
                $xor!(column[0], $rotate!(column[2], 1)),
                $xor!(column[1], $rotate!(column[3], 1)),
                $xor!(column[2], $rotate!(column[4], 1)),
                $xor!(column[3], $rotate!(column[0], 1)),
            ];
            let moved = [
                $xor!($lanes[0], theta[0]),
                $rotate!($xor!($lanes[6], theta[1]), 44),
                $rotate!($xor!($lanes[12], theta[2]), 43),
                $rotate!($xor!($lanes[18], theta[3]), 21),
                $rotate!($xor!($lanes[24], theta[4]), 14),
                $rotate!($xor!($lanes[3], theta[3]), 28),
                $rotate!($xor!($lanes[9], theta[4]), 20),
                $rotate!($xor!($lanes[10], theta[0]), 3),
                $rotate!($xor!($lanes[16], theta[1]), 45),
                $rotate!($xor!($lanes[22], theta[2]), 61),
                $rotate!($xor!($lanes[1], theta[1]), 1),
                $rotate!($xor!($lanes[7], theta[2]), 6),
                $rotate!($xor!($lanes[13], theta[3]), 25),
                $rotate!($xor!($lanes[19], theta[4]), 8),
                $rotate!($xor!($lanes[20], theta[0]), 18),
                $rotate!($xor!($lanes[4], theta[4]), 27),
                $rotate!($xor!($lanes[5], theta[0]), 36),
                $rotate!($xor!($lanes[11], theta[1]), 10),
                $rotate!($xor!($lanes[17], theta[2]), 15),
                $rotate!($xor!($lanes[23], theta[3]), 56),
                $rotate!($xor!($lanes[2], theta[2]), 62),
                $rotate!($xor!($lanes[8], theta[3]), 55),
                $rotate!($xor!($lanes[14], theta[4]), 39),
                $rotate!($xor!($lanes[15], theta[0]), 41),
                $rotate!($xor!($lanes[21], theta[1]), 2),
            ];
            $lanes = [
                $chi!(moved[0], moved[1], moved[2]),
                $chi!(moved[1], moved[2], moved[3]),
                $chi!(moved[2], moved[3], moved[4]),
                $chi!(moved[3], moved[4], moved[0]),
                $chi!(moved[4], moved[0], moved[1]),
                $chi!(moved[5], moved[6], moved[7]),
                $chi!(moved[6], moved[7], moved[8]),
                $chi!(moved[7], moved[8], moved[9]),
                $chi!(moved[8], moved[9], moved[5]),
                $chi!(moved[9], moved[5], moved[6]),
                $chi!(moved[10], moved[11], moved[12]),
                $chi!(moved[11], moved[12], moved[13]),
                $chi!(moved[12], moved[13], moved[14]),
                $chi!(moved[13], moved[14], moved[10]),
                $chi!(moved[14], moved[10], moved[11]),
                $chi!(moved[15], moved[16], moved[17]),
                $chi!(moved[16], moved[17], moved[18]),
                $chi!(moved[17], moved[18], moved[19]),
                $chi!(moved[18], moved[19], moved[15]),
                $chi!(moved[19], moved[15], moved[16]),
                $chi!(moved[20], moved[21], moved[22]),
                $chi!(moved[21], moved[22], moved[23]),
                $chi!(moved[22], moved[23], moved[24]),
                $chi!(moved[23], moved[24], moved[20]),
                $chi!(moved[24], moved[20], moved[21]),
            ];
            let first = $xor!($lanes[0], $splat!(constant));
            $lanes[0] = first;
        }
    };
}

/// One preimage after another, in plain integers: for every machine, and what the others are tested against.
fn portable(preimages: &Preimages) -> Digests {
    macro_rules! xor {
        ($a:expr, $b:expr) => {
            $a ^ $b
        };
    }
    macro_rules! xor5 {
        ($a:expr, $b:expr, $c:expr, $d:expr, $e:expr) => {
            $a ^ $b ^ $c ^ $d ^ $e
        };
    }
    macro_rules! chi {
        ($a:expr, $b:expr, $c:expr) => {
            $a ^ (!$b & $c)
        };
    }
    macro_rules! rotate {
        ($a:expr, $bits:literal) => {
            u64::rotate_left($a, $bits)
        };
    }
    macro_rules! splat {
        ($word:expr) => {
            $word
        };
    }
    let mut digests = [[0; WIDTH]; DIGEST];
    for preimage in 0..WIDTH {
        let mut lanes = [0; 25];
        for (lane, words) in lanes.iter_mut().zip(preimages) {
            *lane = words[preimage];
        }
        lanes[RATE - 1] = LAST_BIT;
        rounds!(lanes, xor, xor5, chi, rotate, splat);
        for (digest, lane) in digests.iter_mut().zip(lanes) {
            digest[preimage] = lane;
        }
    }
    digests
}

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "aarch64")]
use aarch64::NEON;
#[cfg(target_arch = "x86_64")]
use x86::{AVX2, AVX512};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::keccak;

    /// Every way to hash that this machine has.
    fn kernels() -> Vec<Kernel> {
        #[allow(unused_mut)]
        let mut kernels = vec![PORTABLE];
        #[cfg(target_arch = "x86_64")]
        {
            kernels.extend(is_x86_feature_detected!("avx2").then_some(AVX2));
            let both = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx2");
            kernels.extend(both.then_some(AVX512));
        }
        #[cfg(target_arch = "aarch64")]
        kernels.extend(is_aarch64_feature_detected!("neon").then_some(NEON));
        kernels
    }

    /// Preimage `number` of a run: each of its own length and content.
    fn preimage(number: usize) -> Vec<u8> {
        let length = number % (8 * LANES);
        let mut bytes: Vec<u8> = keccak(&number.to_le_bytes()).repeat(3);
        bytes.truncate(length);
        bytes
    }

    #[test]
    fn every_kernel_gives_the_bytes_of_the_single_hash() {
        for first in (0..8 * LANES * WIDTH).step_by(WIDTH) {
            let mut preimages = [[0; WIDTH]; LANES];
            for (column, number) in (first..first + WIDTH).enumerate() {
                let mut bytes = [0; 8 * LANES];
                let preimage = preimage(number);
                bytes[..preimage.len()].copy_from_slice(&preimage);
                bytes[preimage.len()] = 1;
                for (lane, word) in bytes.as_chunks().0.iter().enumerate() {
                    preimages[lane][column] = u64::from_le_bytes(*word);
                }
            }
            for kernel in kernels() {
                let digests = (kernel.hash)(&preimages);
                for (column, number) in (first..first + WIDTH).enumerate() {
                    let digest = digests.map(|words| words[column].to_le_bytes()).concat();
                    assert_eq!(digest, keccak(&preimage(number)), "{} of {number}", kernel.name);
                }
            }
        }
    }
}
