# One entry point for people and for CI.

# Everything that needs no server: formatting, lints, documentation, tests, licences.
check: fmt lint doc test deny

fmt:
    cargo fmt --all -- --check

lint:
    cargo clippy --workspace --all-targets --features broker-tests,image-tests -- -D warnings

doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items

test:
    cargo test

# Tests against a real Apache Kafka; needs Java 17 and Maven.
broker:
    cargo test --features broker-tests --test broker -- --test-threads 1

# What operators and people who write rules see, in figures; needs what `broker` needs. See `benches/README.md`.
bench:
    cargo bench --features broker-tests --bench whole_path
    cargo bench --bench authoring

# Palisade beside its peers, on one core and with the same alerts. See `benches/README.md`.
throughput:
    cargo build --release
    cargo run --release --manifest-path benches/throughput/Cargo.toml -- lines --palisade target/release/palisade

# Instructions and allocations of a record; needs Valgrind.
gate:
    cargo build --release
    cargo run --release --manifest-path benches/throughput/Cargo.toml -- gate --palisade target/release/palisade

deny:
    cargo deny check licenses bans sources

# Generates every generated page anew.
docs:
    PALISADE_UPDATE_DOCS=1 cargo test
