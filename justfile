# What CI runs.
ci:
    .ci/run

test:
    cargo test

# Accept the compiler's present messages and expansions as the expected ones; read the diff before you commit it.
bless:
    TRYBUILD=overwrite cargo test -p drpc-tests ui
    BLESS=1 cargo test -p drpc-macros -p drpc-registry
    DRPC_BLESS=1 cargo test --features contract -p drpc-uds -p drpc-examples contract
    DRPC_BLESS=1 cargo test -p drpc-daos --test daos contract
    SNAPSHOTS=overwrite cargo test -p drpc-cli --test tool

# The page of `drpc show` in a real browser, which Debian has.
page-test:
    command -v chromium || apt-get install -y --no-install-recommends chromium
    cargo test -p drpc-cli --test tool page

# Sessions that come and go, and what they leave behind; then what idle connections cost.
soak minutes="10":
    cargo run --release -p drpc-soak -- --minutes {{minutes}}
    cargo run --release -p drpc-soak -- idle
    cargo run --release -p drpc-soak -- --server threads --sessions 1000 --minutes {{minutes}}
    cargo run --release -p drpc-soak -- --server steps --minutes {{minutes}}

# Needs cargo-fuzz. New inputs go to fuzz/corpus, which is nobody's but yours. What the servers' threads hold when a run ends is no leak.
fuzz target="session" seconds="3600":
    mkdir -p fuzz/corpus/{{target}}
    RUSTC_BOOTSTRAP=1 cargo fuzz run --features libfuzzer {{target}} fuzz/corpus/{{target}} fuzz/seeds/{{target}} -- -max_total_time={{seconds}} -detect_leaks=0
