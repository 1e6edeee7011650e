//! One table of cases, compared with what is expected and with the docker CLI itself.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;
use crate::compose::yaml::Node;

/// `A` is 1, `E` is empty, no other variable is set.
fn env() -> BTreeMap<String, String> {
    BTreeMap::from([("A".to_owned(), "1".to_owned()), ("E".to_owned(), String::new())])
}

/// A text, what it becomes, and the variables that have no value.
const VALID: &[(&str, &str, &[&str])] = &[
    ("plain", "plain", &[]),
    ("$A", "1", &[]),
    ("${A}$$A", "1$A", &[]),
    ("$$$$A", "$$A", &[]),
    ("$$$A", "$1", &[]),
    ("é$A€", "é1€", &[]),
    ("$AÉ", "1É", &[]),
    ("[${E}]", "[]", &[]),
    ("$A:x", "1:x", &[]),
    ("$B", "$B", &["B"]),
    ("${B}.$C", "${B}.$C", &["B", "C"]),
    ("${a}", "${a}", &["a"]),
    ("$A_B", "$A_B", &["A_B"]),
    // Go takes these for an s and a k in upper case.
    ("$A\u{17f}-x", "x", &[]),
    ("${A\u{212a}}", "${A\u{212a}}", &["A\u{212a}"]),
    // Defaults.
    ("${B:-x y}|${B-}|${A:-x}", "x y||1", &[]),
    ("${B-y}", "y", &[]),
    ("${E:-y}", "y", &[]),
    ("${E-y}", "", &[]),
    ("${A-y}", "1", &[]),
    ("${B:-}", "", &[]),
    ("${B:-a:b-c}", "a:b-c", &[]),
    ("${B--}", "-", &[]),
    ("${B:-a:?b}", "a:?b", &[]),
    ("${E-a:-b}", "b", &[]),
    ("${B:-a\nb}", "a\nb", &[]),
    // Without braces, an operator is read too.
    ("$A-x", "1", &[]),
    ("$B-x y", "x y", &[]),
    ("$E:-q", "q", &[]),
    ("$A-${A}$$A", "1}$A", &[]),
    // A default is not interpolated, and ends at the first brace.
    ("${B:-$A}", "$A", &[]),
    ("${B:-$$A}", "$$A", &[]),
    ("${B:-$}", "$", &[]),
    ("${B:-${A}}", "${A}", &[]),
    ("${B:-${C:-z}}", "${C:-z}", &[]),
    ("${A:-${C:-z}}", "1}", &[]),
    ("${B:-${A}/${E:-f}}", "${A/f}", &[]),
    ("${B:-a}b}", "ab}", &[]),
    ("${B:-{}}", "{}", &[]),
    // Values that are required.
    ("${A:?must}", "1", &[]),
    ("${A?must}", "1", &[]),
    ("${E?must}", "", &[]),
    ("${E:?must}", "${E:?must}", &["E"]),
    ("${B:?must}", "${B:?must}", &["B"]),
    ("${B?must}", "${B?must}", &["B"]),
    ("${B:?}", "${B:?}", &["B"]),
];

/// A text, and the part of it that is not a variable.
const REFUSED: &[(&str, &str)] = &[
    ("a ${A", "${A"),
    ("x$", "$"),
    ("${}", "${}"),
    ("${A!b} c", "${A!b}"),
    ("$1", "$1"),
    ("$é", "$"),
    ("$-", "$"),
    ("${A }", "${A }"),
    ("${ A}", "${ A}"),
    ("${A:}", "${A:}"),
    ("${A:x}", "${A:x}"),
    ("${É}", "${É}"),
    ("${A-", "${A-"),
    ("${A:+y}", "${A:+y}"),
    ("${B:+y}", "${B:+y}"),
    ("${A+y}", "${A+y}"),
    ("$A ${A:+y}", "${A:+y}"),
];

/// Texts that are refused here, and from which docker drops a dollar sign, because a valid variable follows.
const DROPPED: &[(&str, &str, &str)] =
    &[("${A:+y} $A", "${A:+y}", "{A:+y} 1"), ("$ $A", "$", " 1"), ("${A:+${B:-q}}", "${A:+${B:-q}", "{A:+q}")];

#[test]
fn texts_are_interpolated() {
    for (text, expected, unset) in VALID {
        assert_eq!(interpolate(text, &env()), Ok(((*expected).to_owned(), unset.to_vec())), "{text}");
    }
    let dropped = DROPPED.iter().map(|(text, bad, _)| (text, bad));
    for (text, bad) in REFUSED.iter().map(|(text, bad)| (text, bad)).chain(dropped) {
        assert_eq!(interpolate(text, &env()), Err(*bad), "{text}");
    }
}

/// A text as docker deploys it, computed from its parts; nothing if docker refuses it.
fn deployed(text: &str) -> Option<String> {
    let env = env();
    let part = |part: &Part<'_>| match part {
        Part::Text(text) => Some((*text).to_owned()),
        Part::Variable(variable) => match (variable.value(&env), variable.fallback) {
            (Some(value), _) => Some(value.to_owned()),
            (None, Fallback::RefusedIfUnset(_) | Fallback::RefusedIfUnsetOrEmpty(_)) => None,
            (None, _) => Some(String::new()),
        },
    };
    parts(text).ok()?.iter().map(part).collect()
}

/// The same from the docker CLI.
fn docker(text: &str) -> Option<String> {
    docker_all(&[text]).map(|mut all| all.remove(0))
}

/// Texts as docker deploys them; nothing if it refuses one of them. The CLI needs no engine for it: the one that it is configured to use
/// does not exist.
fn docker_all(texts: &[&str]) -> Option<Vec<String>> {
    let mut command = Command::new("docker");
    command.args(["stack", "config", "--compose-file", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.envs(env()).env("DOCKER_HOST", "unix:///nonexistent.sock");
    ["B", "C", "a", "A_B"].iter().for_each(|name| {
        command.env_remove(name);
    });
    let mut running = command.spawn().expect("docker runs");
    let labels: BTreeMap<String, &str> = texts.iter().enumerate().map(|(at, text)| (format!("x{at}"), *text)).collect();
    let file = serde_json::json!({"version": "3.8", "services": {"s": {"image": "i", "labels": labels}}});
    running.stdin.take().expect("a pipe").write_all(file.to_string().as_bytes()).expect("written");
    let output = running.wait_with_output().expect("docker ends");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("invalid interpolation format"), "{texts:?}: {said}");
        return None;
    }
    let config = Node::parse(Path::new("config.yml"), &printed).expect("YAML").json();
    let label = |at: usize| config["services"]["s"]["labels"][format!("x{at}")].as_str().expect("a label").to_owned();
    Some((0..texts.len()).map(label).collect())
}

fn has_stack_config() -> bool {
    let output = Command::new("docker").args(["stack", "config", "--help"]).output();
    output.is_ok_and(|o| o.status.success() && String::from_utf8_lossy(&o.stdout).contains("docker stack config"))
}

#[test]
#[expect(clippy::print_stderr, reason = "says why it proves nothing on a machine without the command")]
fn docker_does_the_same() {
    if !has_stack_config() {
        eprintln!("skipped: this machine's docker CLI has no 'docker stack config' (it came with version 25)");
        return;
    }
    for text in VALID.iter().map(|(text, ..)| text).chain(REFUSED.iter().map(|(text, _)| text)) {
        assert_eq!(deployed(text), docker(text), "{text}");
    }
    for (text, _, expected) in DROPPED {
        assert_eq!((deployed(text), docker(text).as_deref()), (None, Some(*expected)), "{text}");
    }
}

/// The compose files of the repository's scenarios and recipes, and the examples of all rules for labels.
fn compose_texts() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut all = Vec::new();
    for folders in ["scenarios", "tests/recipes"] {
        let entries = std::fs::read_dir(root.join(folders)).expect(folders).map(|e| e.expect("an entry").path());
        let files = entries.filter(|p| p.is_dir()).flat_map(|dir| std::fs::read_dir(dir).expect("a folder").flatten());
        for file in files.map(|e| e.path()).filter(|f| f.extension().is_some_and(|e| e == "yml")) {
            all.push((file.display().to_string(), std::fs::read_to_string(&file).expect("read")));
        }
    }
    for lesson in crate::labels::rules::lessons() {
        let examples = [("wrong", &lesson.wrong), ("right", &lesson.right)];
        all.extend(examples.map(|(which, text)| (format!("{} {which}", lesson.code), text.clone())));
    }
    all
}

#[test]
#[expect(clippy::print_stderr, reason = "says why it proves nothing on a machine without the command")]
fn docker_reads_real_compose_files_the_same() {
    if !has_stack_config() {
        eprintln!("skipped: this machine's docker CLI has no 'docker stack config' (it came with version 25)");
        return;
    }
    let mut compared = 0;
    for (name, text) in compose_texts() {
        let tree = Node::parse(Path::new(&name), &text).expect("YAML");
        let mut texts = Vec::new();
        tree.walk(&mut |text, _| texts.extend(text.contains('$').then(|| text.to_owned())));
        // Of names that the environment of this test may have, docker would know the value.
        texts.retain(|text| {
            parts(text)
                .is_ok_and(|parts| parts.iter().all(|p| !matches!(p, Part::Variable(v) if std::env::var_os(v.name).is_some())))
        });
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let expected: Option<Vec<String>> = texts.iter().map(|text| deployed(text)).collect();
        if !texts.is_empty() {
            assert_eq!(expected, docker_all(&texts), "{name}");
        }
        compared += texts.len();
    }
    assert!(compared > 100, "only {compared} texts were compared");
}
