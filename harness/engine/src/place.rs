//! Which engine is meant: the one of `DOCKER_HOST`, else that of the docker command's context, else the local one. The docker command is
//! told the same, so that the two always speak to the same engine.

use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};

/// Where the docker command and this program look when nobody says otherwise.
const LOCAL: &str = "unix:///var/run/docker.sock";

/// The address of the engine that is meant.
///
/// # Errors
/// This program cannot reach an engine in this way.
pub(crate) fn address() -> Result<String> {
    resolve(&|name| std::env::var(name).ok())
}

fn resolve(variable: &dyn Fn(&str) -> Option<String>) -> Result<String> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    if let Some(host) = set("DOCKER_HOST") {
        return reachable(&host, "DOCKER_HOST");
    }
    let dir = set("DOCKER_CONFIG").map(PathBuf::from).or_else(|| Some(Path::new(&set("HOME")?).join(".docker")));
    let Some(dir) = dir else { return Ok(LOCAL.to_owned()) };
    let name = set("DOCKER_CONTEXT").or_else(|| text(&read(&dir.join("config.json"))?, "/currentContext"));
    let Some(name) = name.filter(|name| !matches!(name.as_str(), "" | "default")) else { return Ok(LOCAL.to_owned()) };
    let id = hex::encode(Sha256::digest(&name));
    let what = format!("docker's context {name}");
    let host =
        read(&dir.join("contexts/meta").join(&id).join("meta.json")).and_then(|meta| text(&meta, "/Endpoints/docker/Host"));
    let Some(host) = host else {
        return Err(Error::Unusable(format!(
            "{what} names no engine, or does not exist. Set DOCKER_HOST, or run `docker context use default`"
        )));
    };
    if dir.join("contexts/tls").join(&id).exists() {
        return Err(Error::Unusable(format!(
            "{what} has certificates of its own, which restore-drill does not read. Set DOCKER_HOST={host}, DOCKER_TLS_VERIFY=1 and \
             DOCKER_CERT_PATH"
        )));
    }
    reachable(&host, &what)
}

fn reachable(host: &str, what: &str) -> Result<String> {
    if host.starts_with("ssh://") {
        return Err(Error::Unusable(format!(
            "no Docker engine at {host}: {what} names it, and restore-drill does not speak ssh. Forward the engine's socket with \
             `ssh -fnNT -o ExitOnForwardFailure=yes -L /tmp/engine.sock:/var/run/docker.sock HOST`, and set DOCKER_HOST=unix:///tmp/engine.sock"
        )));
    }
    Ok(host.to_owned())
}

fn read(file: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

fn text(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A configuration of docker with a context `far` whose engine is there.
    fn with_context(host_of_far: &str, current: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        let meta = dir.path().join("contexts/meta").join(hex::encode(Sha256::digest("far")));
        std::fs::create_dir_all(&meta).expect("made");
        let endpoint = serde_json::json!({"Name": "far", "Endpoints": {"docker": {"Host": host_of_far}}});
        std::fs::write(meta.join("meta.json"), endpoint.to_string()).expect("written");
        let config = serde_json::json!({"currentContext": current});
        std::fs::write(dir.path().join("config.json"), config.to_string()).expect("written");
        dir
    }

    /// Where the engine is with this configuration and these variables.
    fn resolved_in(dir: &Path, variables: &[(&str, &str)]) -> Result<String, String> {
        let mut all: BTreeMap<String, String> = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        all.insert("DOCKER_CONFIG".into(), dir.display().to_string());
        resolve(&|name| all.get(name).cloned()).map_err(|e| e.to_string())
    }

    fn resolved(host_of_far: &str, current: &str, variables: &[(&str, &str)]) -> Result<String, String> {
        resolved_in(with_context(host_of_far, current).path(), variables)
    }

    #[test]
    fn the_engine_is_the_one_that_the_docker_command_means() {
        let far = "tcp://192.0.2.1:2375";
        for (current, variables, expected) in [
            ("", &[][..], LOCAL),
            ("default", &[], LOCAL),
            ("far", &[], far),
            ("", &[("DOCKER_CONTEXT", "far")], far),
            ("far", &[("DOCKER_CONTEXT", "default")], LOCAL),
            ("far", &[("DOCKER_HOST", "unix:///x.sock")], "unix:///x.sock"),
            ("far", &[("DOCKER_HOST", "")], far),
            ("", &[("DOCKER_HOST", "unix:///x.sock"), ("DOCKER_CONTEXT", "far")], "unix:///x.sock"),
        ] {
            assert_eq!(resolved(far, current, variables).as_deref(), Ok(expected), "{current} {variables:?}");
        }
        assert_eq!(resolve(&|_| None).expect("without a home"), LOCAL);
    }

    #[test]
    fn what_cannot_be_reached_is_said_with_what_to_do() {
        let gone = resolved("", "gone", &[]).expect_err("no such context");
        assert!(gone.contains("docker's context gone names no engine") && gone.contains("docker context use default"), "{gone}");
        for variables in [&[][..], &[("DOCKER_HOST", "ssh://ops@host.example")]] {
            let ssh = resolved("ssh://ops@host.example", "far", variables).expect_err("ssh");
            assert!(ssh.contains("no Docker engine at ssh://ops@host.example") && ssh.contains("ssh -fnNT"), "{ssh}");
        }
    }

    #[test]
    fn a_context_with_certificates_of_its_own_is_refused() {
        let dir = with_context("tcp://192.0.2.1:2376", "far");
        let certificates = dir.path().join("contexts/tls").join(hex::encode(Sha256::digest("far")));
        std::fs::create_dir_all(certificates).expect("made");
        let said = resolved_in(dir.path(), &[]).expect_err("certificates");
        assert!(said.contains("DOCKER_HOST=tcp://192.0.2.1:2376") && said.contains("DOCKER_CERT_PATH"), "{said}");
    }
}
