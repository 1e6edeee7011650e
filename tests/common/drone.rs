//! What drone refuses, and what it takes and never runs. The rules are those of drone's sources: the server's parser and linter
//! (`yaml/parse.go` and `yaml/linter/config.go` of drone/drone-yaml), the parser of runners (`manifest/parse.go` of drone/runner-go), and
//! the linter of the exec runner (`engine/resource/parser.go` of drone-runners/drone-runner-exec).

use std::collections::BTreeSet;

use serde_json::Value;

/// The events of a build (`core/event.go` of drone).
const EVENTS: [&str; 7] = ["cron", "custom", "promote", "pull_request", "push", "rollback", "tag"];
/// What the server knows beside pipelines.
const OTHER_KINDS: [&str; 4] = ["cron", "secret", "signature", "registry"];

/// The documents of a file. A line that begins with `---` begins a document, whatever has come before; `...` ends the file.
fn documents(text: &str) -> Vec<String> {
    let mut documents: Vec<String> = Vec::new();
    let mut is_open = false;
    for line in text.lines() {
        if line.starts_with("---") {
            documents.push(String::new());
            is_open = true;
            continue;
        }
        if !is_open {
            documents.push(String::new());
            is_open = true;
        }
        if line.starts_with("...") {
            break;
        }
        let document = documents.last_mut().expect("one is open");
        document.push_str(line);
        document.push('\n');
    }
    documents
}

/// A list of texts; a text alone is a list of one.
fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::Null => Some(vec![]),
        Value::String(text) => Some(vec![text]),
        Value::Array(all) => all.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// The events that start a pipeline: all, if it names none.
pub fn events(pipeline: &Value) -> Vec<String> {
    let event = &pipeline["trigger"]["event"];
    let (include, exclude) = (if event.is_object() { &event["include"] } else { event }, &event["exclude"]);
    let include = texts(include).unwrap_or_default();
    let excluded = texts(if event.is_object() { exclude } else { &Value::Null }).unwrap_or_default();
    let named = |e: &&str| (include.is_empty() || include.contains(e)) && !excluded.contains(e);
    EVENTS.iter().copied().filter(named).map(str::to_owned).collect()
}

/// The pipelines of a file.
///
/// # Errors
/// Drone refuses it, with its message; or drone accepts it and never runs it.
pub fn pipelines(text: &str) -> Result<Vec<Value>, String> {
    let mut pipelines: Vec<Value> = Vec::new();
    let mut names = BTreeSet::new();
    for document in documents(text) {
        let parsed: Value = serde_saphyr::from_str(&document).map_err(|e| format!("yaml: {e}"))?;
        let kind = parsed["kind"].as_str().unwrap_or_default();
        match kind {
            "" => return Err("yaml: missing kind attribute".into()),
            "pipeline" => {}
            other if OTHER_KINDS.contains(&other) => continue,
            other => return Err(format!("no runner takes the kind {other}")),
        }
        pipeline(&parsed, &mut names)?;
        pipelines.push(parsed);
    }
    Ok(pipelines)
}

fn pipeline(pipeline: &Value, names: &mut BTreeSet<String>) -> Result<(), String> {
    let name = pipeline["name"].as_str().unwrap_or_default();
    if !names.insert(name.to_owned()) {
        return Err("linter: duplicate pipeline names".into());
    }
    // The server looks only at those before, and at itself.
    for needed in texts(&pipeline["depends_on"]).ok_or("yaml: depends_on is no list of names")? {
        if !names.contains(needed) {
            return Err("linter: invalid or unknown pipeline dependency".into());
        }
        if needed == name {
            return Err("linter: pipeline cannot have a dependency on itself".into());
        }
    }
    if pipeline["type"] != "exec" {
        return Err(format!("the exec runner does not take the type {}", pipeline["type"]));
    }
    let event = &pipeline["trigger"]["event"];
    let named = if event.is_object() { &event["include"] } else { event };
    for event in texts(named).ok_or("yaml: event is no list of names")? {
        if !EVENTS.contains(&event) {
            return Err(format!("no build has the event {event}"));
        }
    }
    let steps = match &pipeline["steps"] {
        Value::Array(steps) if !steps.is_empty() => steps,
        _ => return Err("a pipeline without steps runs nothing".into()),
    };
    let mut names = BTreeSet::new();
    steps.iter().try_for_each(|one| step(one, &mut names))
}

fn step<'a>(step: &'a Value, names: &mut BTreeSet<&'a str>) -> Result<(), String> {
    let name = step["name"].as_str().unwrap_or_default();
    if name.is_empty() {
        return Err("Linter: invalid or missing step name".into());
    }
    if !names.insert(name) {
        return Err("Linter: duplicate step name".into());
    }
    if !step["image"].is_null() {
        return Err("Linter: cannot define images for an exec pipeline".into());
    }
    if texts(&step["commands"]).is_none_or(|c| c.is_empty()) {
        return Err(format!("yaml: the commands of step {name} are no texts"));
    }
    for (variable, value) in step["environment"].as_object().into_iter().flatten() {
        let is_secret = value["from_secret"].is_string();
        if !(is_secret || value.is_string() || value.is_number() || value.is_boolean()) {
            return Err(format!("yaml: {variable} has neither a value nor a secret"));
        }
    }
    Ok(())
}
