//! The figures of one run, as they are kept in `figures.json`, and how they are looked up.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::setting::{Allocator, Setting, Variant};
use crate::stats::Spread;

/// All figures of one run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) rounds: usize,
    pub(crate) window_ms: u64,
    pub(crate) quick: bool,
    pub(crate) allocator: Allocator,
    /// Calls by load, size and variant.
    pub(crate) calls: Vec<Series<CallsOf>>,
    /// Server memory by variant.
    pub(crate) memory: Vec<Series<MemoryOf>>,
    /// Calls by number of connections.
    pub(crate) connections: Vec<Series<ConnectionsOf>>,
    /// Calls by number of methods.
    pub(crate) methods: Vec<Series<MethodsOf>>,
    /// What could not be measured, and why.
    pub(crate) failures: Vec<String>,
}

/// What one round gave of one thing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) round: usize,
    /// Calls a second.
    pub(crate) rate: Option<f64>,
    /// Microseconds.
    pub(crate) p50: Option<f64>,
    pub(crate) p99: Option<f64>,
    pub(crate) p999: Option<f64>,
    /// CPU microseconds a call.
    pub(crate) client_cpu: Option<f64>,
    pub(crate) server_cpu: Option<f64>,
    /// Server memory in bytes, of an idle connection.
    pub(crate) memory: Option<f64>,
}

impl Measured {
    /// CPU microseconds a call, of both sides.
    pub(crate) fn cpu(&self) -> Option<f64> {
        Some(self.client_cpu? + self.server_cpu?)
    }
}

/// What was measured in each round of one thing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Series<K> {
    pub(crate) of: K,
    pub(crate) rounds: Vec<Measured>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CallsOf {
    pub(crate) variant: Variant,
    pub(crate) setting: Setting,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MemoryOf {
    pub(crate) variant: Variant,
    /// How many idle connections.
    pub(crate) connections: usize,
    /// The body of the one call that was made on each.
    pub(crate) size: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ConnectionsOf {
    pub(crate) variant: Variant,
    pub(crate) connections: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MethodsOf {
    /// `None`: dispatch alone, without a socket.
    pub(crate) variant: Option<Variant>,
    pub(crate) methods: usize,
}

/// A figure of a round.
pub(crate) type Figure = fn(&Measured) -> Option<f64>;

impl<K: PartialEq> Series<K> {
    /// Adds a round to the series of its key.
    pub(crate) fn record(all: &mut Vec<Series<K>>, of: K, measured: Measured) {
        match all.iter_mut().find(|series| series.of == of) {
            Some(series) => series.rounds.push(measured),
            None => all.push(Series { of, rounds: vec![measured] }),
        }
    }
}

impl<K> Series<K> {
    /// One figure over the rounds.
    pub(crate) fn spread(&self, figure: Figure) -> Option<Spread> {
        Spread::of(self.rounds.iter().filter_map(figure))
    }

    /// What a figure is to another series' figure of the same round, over the rounds.
    pub(crate) fn ratio(&self, figure: Figure, other: &Series<K>) -> Option<Spread> {
        let same_round = |measured: &Measured| {
            let theirs = other.rounds.iter().find(|theirs| theirs.round == measured.round)?;
            Some(figure(measured)? / figure(theirs)?)
        };
        Spread::of(self.rounds.iter().filter_map(same_round))
    }
}

impl Results {
    pub(crate) fn load(path: &Path) -> Result<Results> {
        let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is no run's figures", path.display()))
    }

    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string(self)?;
        text.push('\n');
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))
    }

    /// The calls of a system; of all its runtimes, that with the best figure.
    pub(crate) fn best(
        &self,
        system: &str,
        setting: Setting,
        better: Better,
        figure: Figure,
    ) -> Option<&Series<CallsOf>> {
        let candidates = self
            .calls
            .iter()
            .filter(|series| series.of.variant.system == system && series.of.setting == setting);
        let measured = candidates.filter_map(|series| Some((series.spread(figure)?.median, series)));
        let best = match better {
            Better::Less => measured.min_by(|(one, _), (other, _)| one.total_cmp(other)),
            Better::More => measured.max_by(|(one, _), (other, _)| one.total_cmp(other)),
        };
        best.map(|(_, series)| series)
    }
}

/// Which way a figure is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    Less,
    More,
}
