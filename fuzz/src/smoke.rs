//! Feeds mutated seeds to every target for some seconds, on any toolchain: `smoke [SECONDS]`.
//!
//! For a real hunt: `cargo +nightly fuzz run --features libfuzzer codec`.

use std::time::{Duration, Instant};

use drpc_fuzz::TARGETS;

const SEEDS: [&[u8]; 8] = [
    // A chunked message of one packet, one of three, and a plain call; each packet behind its length.
    b"\x1a\x02\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x18\x01",
    b"\x1d\x0b\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\0\0\0\0\x03\0\0\0\x18\x05\x22\x07\x0a\
      \x1d\x0b\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\x01\0\0\0\x03\0\0\0\x05World\
      \x19\x0b\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\x03\0\0\0d",
    b"\x08\x08\x07\x10\xbc\x05\x22\x01a",
    b"\x08\x07\x10\xbc\x05\x18\x01\x22\x03abc",
    // A call and a response with the fields that are added to DAOS's (E5).
    b"\x08\x07\x10\xbc\x05\x18\x01\x22\x03abc\xc0\x3e\x90\x4e\xc8\x3e\x01\xd2\x3e\x37\
      00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\xda\x3e\x03a=b",
    b"\x08\x01\x10\x02\xc2\x3e\x04oops\xca\x3e\x02\x08\x0c",
    include_bytes!("../../proto/modules.toml"),
    b"enum drpc_module { DRPC_MODULE_TEST = 0, /* a test */ NUM_DRPC_MODULES };\n\
      enum drpc_test_method { DRPC_METHOD_TEST_GREETING = 0, NUM_DRPC_TEST_METHODS };\n",
];

fn main() {
    let seconds = std::env::args().nth(1).map_or(10, |seconds| seconds.parse().expect("a number of seconds"));
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut runs = 0u64;
    while Instant::now() < end {
        for _ in 0..1000 {
            // A run can be repeated from its seed, which a panic prints.
            let seed = fastrand::u64(..);
            let input = mutated(&mut fastrand::Rng::with_seed(seed));
            for (name, target) in TARGETS {
                if std::panic::catch_unwind(|| target(&input)).is_err() {
                    panic!("target {name} failed for seed {seed}, input {input:?}");
                }
            }
            runs += 1;
        }
    }
    println!("fuzz smoke: {runs} inputs to each of {} targets, none failed", TARGETS.len());
}

fn mutated(rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut input = SEEDS[rng.usize(..SEEDS.len())].to_vec();
    for _ in 0..rng.usize(..8) {
        let at = rng.usize(..=input.len());
        match rng.u8(..4) {
            0 => input.insert(at, rng.u8(..)),
            1 if at < input.len() => drop(input.remove(at)),
            2 if at < input.len() => input[at] ^= 1 << rng.u8(..8),
            _ => {
                let piece = SEEDS[rng.usize(..SEEDS.len())];
                let from = rng.usize(..piece.len());
                let to = rng.usize(from..piece.len());
                input.splice(at..at, piece[from..to].iter().copied());
            }
        }
    }
    input
}
