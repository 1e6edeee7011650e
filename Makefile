# Each target is a line or two; what they run is the program or cargo.
.PHONY: demo test setup build images lint fast bench gc

# A whole Mailu drill on stand-in images, built on the spot where no registry is reachable.
demo: setup build
	./target/debug/restore-drill run mailu

# Every test; those that deploy want Docker.
test: setup build images
	cargo test --workspace --no-fail-fast

# What a bare machine lacks, once.
setup:
	./.ci/setup

build:
	cargo build

images: build
	./target/debug/restore-drill images mailu

# The tests that need no Docker.
fast:
	cargo test --workspace --lib --bins
	cargo test --test labels
	cargo test -p seeds

lint:
	cargo fmt --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
	cargo test --test docs -- every_

# How fast, beside other programs on the same stack; wants isync (mbsync) and python3.
bench: setup build images
	./target/debug/bench

gc: build
	./target/debug/restore-drill gc
