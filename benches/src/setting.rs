//! The words for what is measured: a system on a runtime, and under what it is called.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::placement::Placement;

/// Connections, and calls in flight on each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) depth: usize,
}

impl Load {
    /// One call at a time.
    pub(crate) const SEQUENTIAL: Load = Load::new(1, 1);

    pub(crate) const fn new(connections: usize, depth: usize) -> Load {
        Load { connections, depth }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} × {}", self.connections, self.depth)
    }
}

impl FromStr for Load {
    type Err = String;

    fn from_str(text: &str) -> Result<Load, String> {
        let numbers = text.split_once('x').and_then(|(connections, depth)| {
            Some(Load::new(connections.trim().parse().ok()?, depth.trim().parse().ok()?))
        });
        numbers
            .filter(|load| (1..=10_000).contains(&load.connections) && (1..=1000).contains(&load.depth))
            .ok_or_else(|| format!("`{text}` is no load such as 1x1 or 16x8"))
    }
}

/// A system on a runtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Variant {
    pub(crate) system: String,
    /// Threads of the runtime on either side.
    pub(crate) workers: usize,
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.system, self.workers)
    }
}

/// Under what calls are made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Setting {
    pub(crate) load: Load,
    pub(crate) size: usize,
    pub(crate) placement: Placement,
    pub(crate) allocator: Allocator,
}

/// What the measured processes allocate memory with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub(crate) enum Allocator {
    /// glibc's malloc as it comes.
    #[default]
    Default,
    /// glibc's malloc, told to keep what is freed and never to map large blocks one by one.
    NoTrim,
}
