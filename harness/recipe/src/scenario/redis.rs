//! What a scenario says of a Redis whose keys are compared.

use serde::Deserialize;

/// A Redis. All keys of all its databases are compared by type, value and whether they expire, but those that are left out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// The service.
    pub service: String,
    /// Its client, with what it needs to log in. It is called with `-n NUMBER EVAL …`, and must fail where the server does.
    #[serde(default = "client")]
    pub command: Vec<String>,
    /// Keys that are not compared.
    #[serde(default)]
    pub leave_out: Vec<LeftOutKeys>,
}

/// Keys that are not compared, and why.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeftOutKeys {
    /// A glob of keys. Bytes that are not printable ASCII are written as `%XX`.
    pub key: String,
    /// Why they need not come back as they were, in a sentence.
    pub why: String,
}

/// Redis' own client; with `-e`, an error of the server is one of the client (Redis 7).
fn client() -> Vec<String> {
    ["redis-cli", "-e"].map(str::to_owned).into()
}

/// What is wrong with it: a value in `scenario.toml`, and why.
pub(super) fn check(redis: &Redis) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    let at = |why: &str| format!("redis of service {:?}: {why}", redis.service);
    if redis.command.is_empty() {
        wrong.push((redis.service.clone(), at("command is empty; leave it out for redis-cli -e")));
    }
    for LeftOutKeys { key, why } in &redis.leave_out {
        if why.trim().is_empty() {
            wrong.push((key.clone(), at(&format!("leave_out {key:?} needs a reason: why = \"…\""))));
        }
        if key == "*" {
            wrong.push((key.clone(), at("leave_out \"*\" leaves nothing to compare; remove the [[redis]] instead")));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_a_reason() {
        let wrong =
            |toml: &str| check(&toml::from_str(toml).expect("a redis")).into_iter().map(|(_, why)| why).collect::<Vec<_>>();
        assert_eq!(
            wrong("service = 'db'\nleave_out = [{ key = 'LIM*', why = 'They change by themselves.' }]"),
            Vec::<String>::new()
        );
        assert_eq!(
            wrong("service = 'db'\ncommand = []\nleave_out = [{ key = '*', why = ' ' }]"),
            [
                "redis of service \"db\": command is empty; leave it out for redis-cli -e",
                "redis of service \"db\": leave_out \"*\" needs a reason: why = \"…\"",
                "redis of service \"db\": leave_out \"*\" leaves nothing to compare; remove the [[redis]] instead",
            ]
        );
        let redis: Redis = toml::from_str("service = 'db'").expect("a redis");
        assert_eq!(redis.command, ["redis-cli", "-e"]);
    }
}
