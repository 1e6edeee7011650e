//! The house has edges: no file imports another in a circle, no crate sees upward, and what judges or reads files can reach neither
//! the engine nor the network.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use syn::visit::Visit;

/// The crates and their sources, from the lowest.
const CRATES: [(&str, &str); 7] = [
    ("seeds", "seeds/src"),
    ("inside", "harness/inside/src"),
    ("recipe", "harness/recipe/src"),
    ("judge", "harness/judge/src"),
    ("engine", "harness/engine/src"),
    ("bot", "harness/bot/src"),
    ("restore-drill", "harness/src"),
];

/// A module, as the path of its names from the crate's root.
type Module = Vec<String>;
type Graph = BTreeMap<Module, BTreeSet<Module>>;

fn sources(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("a folder of sources").map(|e| e.expect("an entry").path());
    let (dirs, files): (Vec<PathBuf>, Vec<PathBuf>) = entries.partition(|p| p.is_dir());
    let rust = files.into_iter().filter(|f| f.extension().is_some_and(|e| e == "rs"));
    rust.chain(dirs.iter().flat_map(|d| sources(d))).collect()
}

fn module_of(root: &Path, file: &Path) -> Module {
    let path = file.strip_prefix(root).expect("a file of the crate").with_extension("");
    path.iter().map(|p| p.to_str().expect("a name").to_owned()).filter(|n| n != "lib").collect()
}

/// The paths that a file names, other than in its tests.
struct Paths<'a> {
    here: &'a [String],
    children: BTreeSet<String>,
    found: Vec<Module>,
}

impl Paths<'_> {
    fn add(&mut self, path: &[String]) {
        let Some((first, rest)) = path.split_first() else { return };
        let (mut base, mut rest) = match first.as_str() {
            "crate" => (vec![], rest),
            "self" => (self.here.to_vec(), rest),
            "super" => (self.here[..self.here.len().saturating_sub(1)].to_vec(), rest),
            child if self.children.contains(child) => (self.here.to_vec(), path),
            _ => return,
        };
        while let Some((_, more)) = rest.split_first().filter(|(name, _)| *name == "super") {
            base.pop();
            rest = more;
        }
        base.extend_from_slice(rest);
        self.found.push(base);
    }

    fn add_tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.add_tree(&with(&path.ident), &path.tree),
            syn::UseTree::Name(name) => self.add(&with(&name.ident)),
            syn::UseTree::Rename(name) => self.add(&with(&name.ident)),
            syn::UseTree::Glob(_) => self.add(before),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(before, tree)),
        }
    }
}

fn is_of_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|a| a.path().is_ident("cfg") && a.parse_args::<syn::Ident>().is_ok_and(|i| i == "test"))
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_of_tests(&item.attrs) {
            syn::visit::visit_item_mod(self, item);
        }
    }

    // `pub(crate)` is no import.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.add(&path.segments.iter().map(|s| s.ident.to_string()).collect::<Vec<_>>());
        syn::visit::visit_path(self, path);
    }
}

/// Which file of a crate imports which.
fn graph(root: &Path) -> Graph {
    let files = sources(root);
    let modules: BTreeMap<Module, PathBuf> = files.into_iter().map(|f| (module_of(root, &f), f)).collect();
    let nearest = |path: &[String]| (0..=path.len()).rev().map(|n| path[..n].to_vec()).find(|m| modules.contains_key(m));
    let mut graph = Graph::new();
    for (module, file) in modules.iter().filter(|(m, _)| m.first().is_none_or(|f| f != "main" && f != "bin")) {
        let text = std::fs::read_to_string(file).expect("a source");
        let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        if is_of_tests(&parsed.attrs) {
            continue;
        }
        let children = parsed.items.iter().filter_map(|item| match item {
            syn::Item::Mod(m) if m.content.is_none() && !is_of_tests(&m.attrs) => Some(m.ident.to_string()),
            _ => None,
        });
        let mut paths = Paths { here: module, children: children.collect(), found: vec![] };
        paths.visit_file(&parsed);
        let imported = paths.found.iter().filter_map(|p| nearest(p)).filter(|m| m != module);
        graph.entry(module.clone()).or_default().extend(imported);
    }
    graph
}

/// The modules that can be reached from one, itself only by a circle.
fn reached<'a>(graph: &'a Graph, from: &'a Module) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(module) = open.pop() {
        for next in graph.get(module).into_iter().flatten() {
            if reached.insert(next) {
                open.push(next);
            }
        }
    }
    reached
}

fn circles(graph: &Graph) -> Vec<String> {
    let reach: BTreeMap<&Module, BTreeSet<&Module>> = graph.keys().map(|m| (m, reached(graph, m))).collect();
    let mut arrows = Vec::new();
    for (from, to) in graph.iter().flat_map(|(from, to)| to.iter().map(move |t| (from, t))) {
        if reach.get(to).is_some_and(|r| r.contains(from)) {
            arrows.push(format!("{} imports {}", from.join("::"), to.join("::")));
        }
    }
    arrows
}

#[test]
fn no_file_imports_another_in_a_circle() {
    for (name, dir) in CRATES {
        let graph = graph(&common::root().join(dir));
        assert!(graph.values().map(BTreeSet::len).sum::<usize>() > 0, "{name}: hardly any import was seen: {graph:?}");
        assert_eq!(circles(&graph), Vec::<String>::new(), "circles in crate {name}");
    }
}

#[test]
fn a_circle_is_found() {
    let module = |name: &str| name.split("::").map(str::to_owned).collect::<Module>();
    let graph: Graph = [("a", ["a::b"]), ("a::b", ["c"]), ("c", ["a"]), ("d", ["c"])]
        .into_iter()
        .map(|(from, to)| (module(from), to.into_iter().map(module).collect()))
        .collect();
    assert_eq!(circles(&graph), ["a imports a::b", "a::b imports c", "c imports a"]);
}

/// An app is a folder: what knows an app by name is a scenario, a test, or the corpus.
#[test]
fn the_engine_knows_no_app() {
    let mut read = 0;
    for (name, dir) in CRATES.into_iter().filter(|(name, _)| *name != "seeds") {
        for file in sources(&common::root().join(dir)).iter().filter(|f| !f.ends_with("tests.rs")) {
            let text = std::fs::read_to_string(file).expect("a source").to_lowercase();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            read += code.lines().count();
            for word in ["mailu", "dovecot", "roundcube"] {
                let at = code.lines().position(|line| line.contains(word));
                assert_eq!(at, None, "{name}: {} names {word}", file.display());
            }
        }
    }
    assert!(read > 10_000, "only {read} lines were read");
}

/// The packages that a crate is built with, in any depth, other than for its tests.
fn packages(name: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--package", name, "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .current_dir(common::root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter_map(|l| l.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn no_crate_sees_upward() {
    for (at, (name, _)) in CRATES.iter().enumerate() {
        let packages = packages(name);
        assert!(packages.contains(*name), "{packages:?}");
        for (above, _) in &CRATES[at + 1..] {
            assert!(!packages.contains(*above), "{name} depends on {above}");
        }
    }
    for pure in ["seeds", "recipe", "judge"] {
        let packages = packages(pure);
        for impure in ["tokio", "bollard", "hyper", "reqwest"] {
            assert!(!packages.contains(impure), "{pure} depends on {impure}");
        }
    }
}
