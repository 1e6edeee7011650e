//! How the docker command gets the values of a recipe's variables. They are strangers' text, and names such as `LD_PRELOAD` or `PATH`
//! mean something to any program. So the command knows each variable by a name with a prefix, in the files and in its environment.
//! Values are not written into the files: docker makes numbers and booleans only of texts with variables in them.

use std::collections::BTreeMap;
use std::ffi::OsString;

use recipe::compose::variable::{literal, made, prefixed};
use serde_json::{Value, json};

/// What the names of a recipe's variables begin with where the docker command reads them. No program knows such a name.
const PREFIX: &str = "restore_drill_recipe_";

/// What the docker command needs of the environment of whoever calls. A recipe sees none of it.
const OF_CALLER: [&str; 10] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
    "DOCKER_API_VERSION",
    "SSH_AUTH_SOCK",
    "XDG_RUNTIME_DIR",
    "LANG",
];

/// The variable that says which engine the docker command talks to.
const HOST: &str = "DOCKER_HOST";

/// The whole environment of a docker command that reads files after [`shield`], and talks to the engine at `host`, whatever its context
/// is. Without `host` it talks to none.
pub(crate) fn environment(values: &BTreeMap<String, String>, host: Option<&str>) -> Vec<(OsString, OsString)> {
    let of_caller = std::env::vars_os().filter(|(name, _)| OF_CALLER.iter().any(|kept| name == kept));
    let of_recipe = values.iter().map(|(name, value)| (format!("{PREFIX}{name}").into(), value.into()));
    let of_engine = host.map(|host| (HOST.into(), host.into()));
    of_caller.chain(of_recipe).chain(of_engine).collect()
}

/// Gives the variables in a compose file the names that they have in [`environment`].
pub(crate) fn shield(file: &mut Value, values: &BTreeMap<String, String>) {
    for service in file.get_mut("services").and_then(Value::as_object_mut).into_iter().flat_map(|s| s.values_mut()) {
        if let Some(environment) = service.get_mut("environment") {
            fill_named(environment, values);
        }
    }
    rename(file);
}

/// The same in the text of a compose file.
pub(crate) fn shielded(text: &str) -> String {
    text.split_inclusive('\n').map(|line| prefixed(line, PREFIX)).collect()
}

fn rename(value: &mut Value) {
    match value {
        Value::String(text) => *text = prefixed(text, PREFIX),
        Value::Array(list) => list.iter_mut().for_each(rename),
        Value::Object(map) => map.values_mut().for_each(rename),
        _ => {}
    }
}

/// Writes the values of variables that a service names without a value, and leaves out those that have none. Docker would look for them in
/// its own environment, after it has replaced the variables in a name.
fn fill_named(environment: &mut Value, values: &BTreeMap<String, String>) {
    match environment {
        Value::Array(list) => list.retain_mut(|item| {
            let name = item.as_str().map(|text| made(text, values)).filter(|made| !made.contains('='));
            let Some(name) = name else { return true };
            let value = values.get(&name);
            *item = json!(format!("{}={}", literal(&name), literal(value.map_or("", String::as_str))));
            value.is_some()
        }),
        Value::Object(map) => map.retain(|name, value| {
            if !value.is_null() {
                return true;
            }
            let known = values.get(name);
            *value = json!(known.map(|known| literal(known)));
            known.is_some()
        }),
        _ => {}
    }
}

/// What the docker command says, with the names as the recipe has them.
pub(crate) fn unprefixed(said: &str) -> String {
    said.replace(PREFIX, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(all: &[(&str, &str)]) -> BTreeMap<String, String> {
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_commands_environment_has_none_of_the_recipes_names() {
        let values = values(&[("LD_PRELOAD", "./x.so"), ("PATH", "/recipes"), ("HTTPS_PROXY", "http://x"), ("A", "1$B$$")]);
        let all = environment(&values, Some("unix:///engine.sock"));
        assert!(all.contains(&(HOST.into(), "unix:///engine.sock".into())));
        let is_callers = |name: &OsString| name == HOST || OF_CALLER.iter().any(|kept| name == kept);
        let others: Vec<_> = all.iter().filter(|(name, _)| !is_callers(name)).collect();
        assert_eq!(others.len(), values.len());
        assert!(others.iter().all(|(name, _)| name.to_string_lossy().starts_with(PREFIX)), "{others:?}");
        assert!(all.iter().all(|(name, value)| name != "PATH" || value != "/recipes"));
        // Docker looks for no variables in values.
        assert!(all.contains(&(format!("{PREFIX}A").into(), "1$B$$".into())));
    }

    #[test]
    fn every_variable_gets_its_other_name() {
        let mut file = json!({"a": ["${HOME:-/root} $$x $$$OTHER", 1], "b": {"${KEY}": "${N:?${ no}$PATH"}, "c": "${bad:+x} $A"});
        shield(&mut file, &BTreeMap::new());
        let text = unprefixed(&file.to_string().replace(&format!("${{{PREFIX}"), "<{").replace(&format!("${PREFIX}"), "<"));
        let expected = json!({"a": ["<{HOME:-/root} $$x $$<OTHER", 1], "b": {"${KEY}": "<{N:?${ no}<PATH"}, "c": "${bad:+x} <A"});
        assert_eq!(text, expected.to_string());
        assert_eq!(unprefixed(&format!("the \"{PREFIX}A\" variable")), "the \"A\" variable");
    }

    #[test]
    fn a_variable_that_a_service_names_alone_has_the_recipes_value() {
        let values = values(&[("A", "1$B"), ("PATH", "/own"), ("NAME", "A")]);
        for (environment, expected) in [
            (json!(["A", "PATH", "HOME", "UNSET", "C=2", "D="]), json!(["A=1$$B", "PATH=/own", "C=2", "D="])),
            (json!({"A": null, "HOME": null, "UNSET": null, "C": "2"}), json!({"A": "1$$B", "C": "2"})),
            // As docker reads it, each is a name alone.
            (json!(["${NO:-HOME}", "PATH${NO}", "${NAME}", "${NO}SSH_AUTH_SOCK"]), json!(["PATH=/own", "A=1$$B"])),
        ] {
            let mut file = json!({"services": {"app": {"environment": environment}}});
            shield(&mut file, &values);
            assert_eq!(file["services"]["app"]["environment"], expected);
        }
    }
}
