# Short names. Everything here is a plain cargo command or .ci/run; nothing needs just.

# Says what there is.
default:
    @just --list

# The whole system with two tenants, ten thousand contacts and a report at the end.
demo *ARGS:
    cargo demo -- {{ARGS}}

# The whole system, empty, until it is stopped.
dev *ARGS:
    cargo dev -- {{ARGS}}

# All tests; PACKAGE or filters go to cargo.
test *ARGS:
    cargo test --workspace --locked {{ARGS}}

# A long story, such as kill-main.
story NAME *ARGS:
    cargo story {{NAME}} -- {{ARGS}}

# How fast a campaign goes out, and what it costs.
bench *ARGS:
    cargo bench-campaign -- {{ARGS}}

# Formats Rust and protos.
fmt:
    cargo fmt --all
    "${CARGO_TARGET_DIR:-target}/devtools/ci/$(uname -m)/bin/buf" format proto --write

# All that is checked without running anything.
lint:
    .ci/run fmt clippy buf-lint buf-format buf-breaking deny chart

# All that must hold before a change goes in.
ci:
    .ci/run
