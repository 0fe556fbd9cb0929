use std::fs;
use std::thread::available_parallelism;

use serde::{Deserialize, Serialize};

/// What the figures were taken on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: u64,
    pub(crate) kernel: String,
    pub(crate) hypervisor: bool,
}

impl Machine {
    /// This one. What can't be read stays unknown.
    pub(crate) fn this() -> Machine {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name| {
            let line = cpuinfo.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kib: u64 = meminfo.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0);
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        // The rest of a release names who built it.
        let version = release.split(|letter: char| !letter.is_ascii_digit() && letter != '.').next();
        Machine {
            cpu: field("model name").unwrap_or_else(|| "unknown CPU".into()),
            cores: available_parallelism().map_or(0, usize::from),
            memory_gib: kib.div_ceil(1 << 20),
            kernel: version.unwrap_or_default().to_owned(),
            hypervisor: field("flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor")),
        }
    }

    pub(crate) fn describe(&self) -> String {
        let Machine { cpu, cores, memory_gib, kernel, hypervisor } = self;
        let kind = if *hypervisor { "virtual machine, " } else { "" };
        format!("{kind}{cpu}, {cores} cores, {memory_gib} GiB, Linux {kernel}")
    }
}
