//! Feeds the seeds of every target to it, and then, for some seconds, what mutations make of them; on any toolchain: `smoke [SECONDS [SEED [TARGET]]]`.
//! The same mutations each time, unless they are told to begin with another seed.
//!
//! For a real hunt: `cargo fuzz run --features libfuzzer session corpus/session seeds/session`.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use drpc_fuzz::TARGETS;

fn main() {
    let number = |at, default| {
        std::env::args().nth(at).map_or(default, |number| number.parse().expect("a whole number"))
    };
    let (seconds, first) = (number(1, 10), number(2, 0));
    let only = std::env::args().nth(3);
    let targets = || TARGETS.iter().filter(|(name, _)| only.as_ref().is_none_or(|only| only == name));
    for &(name, target) in targets() {
        let seeds = seeds(name);
        for (file, seed) in &seeds {
            attempt(name, target, seed, file);
        }
        let inputs: Vec<_> = seeds.into_iter().map(|(_, seed)| seed).collect();
        let end = Instant::now() + Duration::from_secs(seconds) / targets().count() as u32;
        let mut runs = 0u64;
        while Instant::now() < end {
            // A run can be repeated from its seed, which a panic prints.
            let seed = first + runs;
            attempt(name, target, &mutated(&inputs, seed), &format!("seed {seed}"));
            runs += 1;
        }
        println!("fuzz smoke: {name}, {} seeds and {runs} mutations, none failed", inputs.len());
    }
}

fn attempt(name: &str, target: fn(&[u8]), input: &[u8], origin: &str) {
    if std::panic::catch_unwind(|| target(input)).is_err() {
        panic!("target {name} failed for {origin}, input {input:?}");
    }
}

/// The files of a target's folder, by their names.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let mut seeds: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .map(|path| (path.display().to_string(), fs::read(&path).expect("a seed")))
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "{} is empty", folder.display());
    seeds
}

fn mutated(seeds: &[Vec<u8>], seed: u64) -> Vec<u8> {
    let rng = &mut fastrand::Rng::with_seed(seed);
    let mut input = seeds[rng.usize(..seeds.len())].clone();
    for _ in 0..rng.usize(..8) {
        let at = rng.usize(..=input.len());
        match rng.u8(..4) {
            0 => input.insert(at, rng.u8(..)),
            1 if at < input.len() => drop(input.remove(at)),
            2 if at < input.len() => input[at] ^= 1 << rng.u8(..8),
            _ => {
                let piece = &seeds[rng.usize(..seeds.len())];
                let from = rng.usize(..=piece.len());
                let to = rng.usize(from..=piece.len());
                input.splice(at..at, piece[from..to].iter().copied());
            }
        }
    }
    input
}
