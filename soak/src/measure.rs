//! What a process has, as the kernel counts it.

use std::fs;

use crate::Error;

/// What a process has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measure {
    /// Resident memory, in KiB.
    pub(crate) resident: usize,
    pub(crate) descriptors: usize,
    pub(crate) threads: usize,
}

impl Measure {
    pub(crate) fn of(process: u32) -> Result<Measure, Error> {
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        let field = |name: &str| -> Result<usize, Error> {
            let field = status.lines().find_map(|line| line.strip_prefix(name));
            Ok(field.ok_or(format!("no {name}"))?.trim().trim_end_matches(" kB").parse()?)
        };
        let descriptors = fs::read_dir(format!("/proc/{process}/fd"))?.count();
        Ok(Measure { resident: field("VmRSS:")?, descriptors, threads: field("Threads:")? })
    }

    pub(crate) fn of_this_process() -> Result<Measure, Error> {
        let measure = Self::of(std::process::id())?;
        // The folder that lists them is open itself.
        Ok(Measure { descriptors: measure.descriptors - 1, ..measure })
    }
}

impl std::fmt::Display for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Measure { resident, descriptors, threads } = self;
        write!(f, "{resident} KiB resident, {descriptors} descriptors, {threads} threads")
    }
}

/// Makes glibc's allocator one that can be measured: large buffers are mapped each by itself, and unmapped when they are freed; all
/// else comes from one heap. To be called before there is a second thread.
pub(crate) fn make_allocator_measurable() {
    #[cfg(target_env = "gnu")]
    #[allow(unsafe_code, reason = "there is no safe form of mallopt")]
    // SAFETY: it takes numbers, and there is no other thread yet.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 16 << 10);
    }
}

/// Returns to the kernel the pages of the heap that nothing is on. Else the allocator keeps some MiB more or less of them at a time, and
/// the memory that a process holds can't be told from the memory that it has held.
pub(crate) fn return_free_memory() {
    #[cfg(target_env = "gnu")]
    #[allow(unsafe_code, reason = "there is no safe form of malloc_trim")]
    // SAFETY: it takes a number, and may be called at any time from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
