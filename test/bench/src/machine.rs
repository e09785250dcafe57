//! What is asked of the machine: memory, cores, and how fast it hashes.

use std::{
    fs::{self, File},
    sync::OnceLock,
    thread,
    time::Instant,
};

use anyhow::Context;
use rustix::{
    fs::{Advice, fadvise},
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};

/// Resident memory of this process, in bytes: now, and at its highest.
pub(crate) struct Memory {
    /// `VmRSS`
    pub(crate) resident: u64,
    /// `VmHWM`
    pub(crate) highest: u64,
}

/// Reads this process's memory.
pub(crate) fn memory() -> anyhow::Result<Memory> {
    let status =
        fs::read_to_string("/proc/self/status").context("only Linux says how much memory is resident")?;
    let bytes = |name: &str| -> anyhow::Result<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()).context("no such line")?;
        Ok(1024 * kilobytes.parse::<u64>()?)
    };
    Ok(Memory { resident: bytes("VmRSS:")?, highest: bytes("VmHWM:")? })
}

/// What else the machine was doing, in words.
pub(crate) fn load() -> anyhow::Result<String> {
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split_whitespace().next().unwrap_or_default();
    Ok(format!("When this began, {load} processes were running or waiting for one of {} cores.", cores()))
}

/// How many cores this process may use.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The cores that this process was started with. Threads inherit what their maker is pinned to, so this is asked once,
/// before anything is pinned.
fn allowed() -> anyhow::Result<&'static [usize]> {
    static ALLOWED: OnceLock<Vec<usize>> = OnceLock::new();
    if ALLOWED.get().is_none() {
        let allowed = sched_getaffinity(None)?;
        let _ = ALLOWED.set((0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect());
    }
    Ok(ALLOWED.get().map(Vec::as_slice).unwrap_or_default())
}

/// Keeps this thread on one core: the `index`-th of those that this process may use, or one of them when there are
/// fewer.
pub(crate) fn pin(index: usize) -> anyhow::Result<()> {
    let cores = allowed()?;
    let mut only = CpuSet::new();
    only.set(cores[index % cores.len()]);
    Ok(sched_setaffinity(None, &only)?)
}

/// Brings a file to the disk and out of the kernel's memory, so that the next read is one of the disk.
pub(crate) fn forget(file: &File) -> anyhow::Result<()> {
    file.sync_all()?;
    Ok(fadvise(file, 0, None, Advice::DontNeed)?)
}

/// The middle one of these numbers, which there is at least one of.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// Nanoseconds since `started`.
pub(crate) fn nanoseconds(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1e9
}
