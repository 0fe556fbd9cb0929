use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many descriptors this process has open.
pub(crate) fn open_descriptors() -> usize {
    // The one that lists the directory is open meanwhile.
    fs::read_dir("/proc/self/fd").expect("a listing").count() - 1
}

/// Runs something while this process may have no more descriptors than so many.
pub(crate) fn with_descriptor_limit<T>(limit: usize, run: impl FnOnce() -> T) -> T {
    let before = getrlimit(Resource::Nofile);
    let lower = Rlimit { current: Some(limit as u64), ..before };
    setrlimit(Resource::Nofile, lower).expect("lowers its limit");
    let result = run();
    setrlimit(Resource::Nofile, before).expect("raises its limit again");
    result
}

/// The memory of this process now, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunningMemory {
    /// What is really there.
    pub(crate) resident: usize,
    /// What has been allocated, touched or not.
    pub(crate) allocated: usize,
}

impl RunningMemory {
    pub(crate) fn now() -> RunningMemory {
        let status = fs::read_to_string("/proc/self/status").expect("this process's status");
        let field = |name: &str| -> usize {
            let line = status.lines().find(|line| line.starts_with(name)).expect("a field");
            line.split_whitespace().nth(1).and_then(|kib| kib.parse::<usize>().ok()).expect("a number") << 10
        };
        RunningMemory { resident: field("VmRSS:"), allocated: field("VmData:") }
    }
}
