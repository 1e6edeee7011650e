//! The targets for libFuzzer.

mod targets;

fn target(name: &str) -> targets::Target {
    targets::ALL.into_iter().find(|t| t.name == name).unwrap_or_else(|| panic!("no target {name}"))
}

/// Feeds a target.
pub fn feed(name: &str, data: &[u8]) {
    (target(name).feed)(data);
}

/// Writes a target's seeds to where libFuzzer begins from.
pub fn sow(name: &str) {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    std::fs::create_dir_all(&corpus).expect("a folder");
    for (n, seed) in target(name).seeds.iter().enumerate() {
        std::fs::write(corpus.join(format!("seed-{n}")), seed).expect("written");
    }
}
