# Each target is a line or two; what they run is the program or cargo.
.PHONY: help demo test fuzz coverage mutants compiled images-there test-signals test-faults test-others setup build dist image images lint spelling licences fast faults bench pictures soak kills mysql gc

SCENARIOS = mailu radicale davical
TESTS = $(basename $(notdir $(wildcard tests/*.rs seeds/tests/*.rs harness/*/tests/*.rs)))

# The first target, so that `make` alone shows it.
help: ## List these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: ## Say what it will do to this machine, then run a small drill of Mailu
	@./.ci/demo
	$(MAKE) setup build
	./target/debug/restore-drill run mailu --profile tiny

# Drills mostly wait, so the tests run in three lanes of about the same length, side by side, and more of them than usual at once.
# Each lane has its own state directory: what one kills, another does not collect at once.
test: export RESTORE_DRILL_MAX_DRILLS = 5
test: setup build ## Run every test; needs Docker
	./.ci/setup test
	$(MAKE) -j2 compiled images-there
	$(MAKE) dist PROFILE=dev
	$(MAKE) -j3 test-signals test-faults test-others

compiled:
	cargo test --workspace --no-run

images-there:
	for s in $(SCENARIOS); do ./target/debug/restore-drill images $$s || exit 1; done

test-signals:
	RESTORE_DRILL_STATE_DIR=$(CURDIR)/target/state-signals cargo test --workspace --no-fail-fast --test signals --test ladder -- --test-threads=1

test-faults:
	RESTORE_DRILL_STATE_DIR=$(CURDIR)/target/state-faults cargo test --workspace --no-fail-fast --test faults --test live --test restore --test scenarios --test secrets

test-others:
	cargo test --workspace --no-fail-fast --lib --bins $(patsubst %,--test %,$(filter-out signals ladder faults live restore scenarios secrets catalogue mysql,$(TESTS)))

# Targets that libFuzzer feeds. It needs neither a nightly compiler nor a sanitizer: there is no unsafe code to watch.
FUZZ = $(or $(TARGET),$(sort $(basename $(notdir $(wildcard tests/fuzz/fuzz_targets/*.rs)))))

fuzz: ## Feed what reads others' files and answers with RUNS inputs for each TARGET, guided by libFuzzer; needs cargo-fuzz
	@command -v cargo-fuzz >/dev/null || { echo "make: cargo-fuzz is not installed; run 'cargo install cargo-fuzz --locked'" >&2; exit 1; }
	for t in $(FUZZ); do cargo fuzz run --fuzz-dir tests/fuzz -s none $$t -- -runs=$(or $(RUNS),100000) -max_len=4096 -timeout=10 || exit 1; done

# LLVM's tools of the compiler, or Debian's.
LLVM = $(if $(shell command -v llvm-cov-19),LLVM_COV=llvm-cov-19 LLVM_PROFDATA=llvm-profdata-19)

coverage: ## Measure how many lines of harness/judge its tests run, at least 98 %; needs cargo-llvm-cov and LLVM's tools
	@command -v cargo-llvm-cov >/dev/null || { echo "make: cargo-llvm-cov is not installed; run 'cargo install cargo-llvm-cov --locked'" >&2; exit 1; }
	$(LLVM) cargo llvm-cov -p judge --lib --fail-under-lines 98

mutants: ## Change harness/judge in every way that its tests should notice, takes hours; needs cargo-mutants
	@command -v cargo-mutants >/dev/null || { echo "make: cargo-mutants is not installed; run 'cargo install cargo-mutants --locked'" >&2; exit 1; }
	cargo mutants -p judge -C --lib -o target

faults: setup images ## Inject every fault of Mailu, some 40 minutes; `make test` injects those of the other scenarios
	cargo test --workspace --test catalogue

setup: ## Install what this machine lacks to build the program and run drills, with apt-get
	./.ci/setup drill

build: ## Build the program for development
	cargo build --workspace --bins

dist: ## Build a static program with everything it needs, in target/dist
	./.ci/dist

image: ## Make an image of what dist built; IMAGE is its name, BASE what it is built on
	docker build -q -t $(or $(IMAGE),restore-drill) $(if $(BASE),--build-arg BASE=$(BASE)) -f harness/Dockerfile target/dist/*/

images: build images-there ## Build the stand-in images of every scenario

fast: ## Run the tests that need no Docker
	cargo test --workspace --lib --bins --test labels --test command_line $(patsubst seeds/tests/%.rs,--test %,$(wildcard seeds/tests/*.rs))

lint: spelling licences ## Check formatting, code, documentation, spelling and licences
	cargo fmt --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
	cargo test --test docs -- every_
	cargo test --test architecture

# Without the network: the database of advisories is not asked for.
licences: ## Check the licences and sources of all dependencies
	@command -v cargo-deny >/dev/null || { echo "make: cargo-deny is not installed; run 'cargo install cargo-deny --locked'" >&2; exit 1; }
	cargo deny --offline check licenses bans sources

spelling: ## Check the spelling of text, comments and messages
	./.ci/setup lint
	@command -v codespell >/dev/null || { echo "make: codespell is not installed; run 'apt-get install codespell' or 'pip install codespell'" >&2; exit 1; }
	codespell

bench: setup images ## Measure performance beside other programs; needs isync (mbsync), python3 and sqlite3
	cargo run --release --example bench

pictures: images ## Make the pictures of README.md from two real drills; needs chromium
	./.ci/setup test
	cargo run --example pictures

soak: images ## Run 60 fault-free drills under load, which must all hold; takes hours
	cargo run --example soak -- --runs $(or $(RUNS),60)

kills: build ## Kill 100 drills at random moments, and see that gc leaves nothing; takes half an hour
	cargo run --example kills -- --kills $(or $(KILLS),100)

# Not in `make test`: Debian has MySQL in sid alone, which changes from day to day.
mysql: setup build ## Compare databases of MySQL, some 5 minutes; needs Docker and Debian's sid
	cargo test --workspace --test mysql

gc: build ## Remove what killed runs left on the engine
	./target/debug/restore-drill gc
