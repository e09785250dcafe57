//! Advice to the processor and to the system about memory that is going to be used.

/// Tells the processor to fetch a place that will be read soon. Does nothing where no such instruction is known.
#[inline(always)]
pub(crate) fn prefetch<T>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let start = std::ptr::from_ref(place).cast::<i8>();
        // SAFETY: prefetching reads nothing that the program sees and never faults, whatever the address. Adding the
        // size less one stays inside what the reference is valid for.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(start);
            _mm_prefetch::<_MM_HINT_T0>(start.add(size_of::<T>() - 1));
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// Bytes of a large page.
const LARGE_PAGE: usize = 2 << 20;

/// Asks the system to back memory with large pages where it has them. A system that does not listen is only slower.
pub(crate) fn prefer_large_pages<T>(memory: &[T]) {
    #[cfg(target_os = "linux")]
    {
        let start = memory.as_ptr().cast::<std::ffi::c_void>().cast_mut();
        let skipped = start.align_offset(LARGE_PAGE);
        let length = size_of_val(memory).saturating_sub(skipped) / LARGE_PAGE * LARGE_PAGE;
        if length == 0 {
            return;
        }
        // SAFETY: the range lies within `memory`, and this advice changes neither what it holds nor who may use it.
        let _ = unsafe {
            rustix::mm::madvise(start.wrapping_byte_add(skipped), length, rustix::mm::Advice::LinuxHugepage)
        };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = memory;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_changes_nothing() {
        for length in [0, 1, LARGE_PAGE] {
            let memory = vec![7_u64; length];
            prefer_large_pages(&memory);
            memory.iter().step_by(1_000).for_each(prefetch);
            assert!(memory.iter().all(|word| *word == 7));
        }
    }
}
