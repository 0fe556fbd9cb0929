use std::collections::BTreeSet;
use std::{fs, thread};

use rustix::process::{Resource, Rlimit, Uid, geteuid, getrlimit, setrlimit};
use rustix::thread::set_thread_uid;

/// How many descriptors this process has open.
pub(crate) fn open_descriptors() -> usize {
    // The one that lists the directory is open meanwhile.
    fs::read_dir("/proc/self/fd").expect("a listing").count() - 1
}

/// Runs something while this process may open no more than so many further descriptors.
pub(crate) fn with_descriptors_left<T>(left: usize, run: impl FnOnce() -> T) -> T {
    let taken: BTreeSet<usize> = fs::read_dir("/proc/self/fd")
        .expect("a listing")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().parse().expect("a number"))
        .collect();
    // The limit is one of numbers, and there may be gaps. The listing's own descriptor is free again.
    let is_free = |number: &usize| fs::symlink_metadata(format!("/proc/self/fd/{number}")).is_err();
    let limit =
        (0..).filter(|number| !taken.contains(number) || is_free(number)).nth(left).expect("a number");
    let before = getrlimit(Resource::Nofile);
    let lower = Rlimit { current: Some(limit as u64), ..before };
    setrlimit(Resource::Nofile, lower).expect("lowers its limit");
    let result = run();
    setrlimit(Resource::Nofile, before).expect("raises its limit again");
    result
}

/// Lets this process open as many files as it may let itself.
pub(crate) fn raise_the_limit_of_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("raises its limit");
}

/// Runs something as a user who is not root, on a thread of its own; its group stays.
pub(crate) fn as_a_common_user<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let run = || {
            if geteuid().is_root() {
                set_thread_uid(Uid::from_raw(65_534)).unwrap();
            }
            run()
        };
        scope.spawn(run).join().unwrap()
    })
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
