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

/// The same from the docker CLI, which needs no engine for it: the one that it is configured to use does not exist.
fn docker(text: &str) -> Option<String> {
    let mut command = Command::new("docker");
    command.args(["stack", "config", "--compose-file", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.envs(env()).env("DOCKER_HOST", "unix:///nonexistent.sock");
    ["B", "C", "a", "A_B"].iter().for_each(|name| {
        command.env_remove(name);
    });
    let mut running = command.spawn().expect("docker runs");
    let file = serde_json::json!({"version": "3.8", "services": {"s": {"image": "i", "labels": {"x": text}}}});
    running.stdin.take().expect("a pipe").write_all(file.to_string().as_bytes()).expect("written");
    let output = running.wait_with_output().expect("docker ends");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("invalid interpolation format"), "{text}: {said}");
        return None;
    }
    let config = Node::parse(Path::new("config.yml"), &printed).expect("YAML").json();
    Some(config["services"]["s"]["labels"]["x"].as_str().expect("a label").to_owned())
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
