//! Makes the steps of a plan in the texts, and checks the result by reading it again: it must say exactly what was planned, and of
//! everything else what it said before.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::plan::{At, Edit, Step};
use super::spot::{Added, Places, Refused, declare};
use super::text::{Change, FileText};
use crate::compose::change_labels;
use crate::error::Result;

/// The mode of a script, which is written as `0555`.
const MODE: u32 = 0o555;

/// The first version of compose files in which a config may have a name.
const NAMED_CONFIGS: (u64, u64) = (3, 5);

/// Files with their texts.
pub(super) type Texts = Vec<(PathBuf, String)>;

/// The steps that could not be made: what each was to do, and why not.
pub(super) type Refusals = Vec<(Step, Refused)>;

/// With more steps than this, they are not tried one by one.
const TRIED: usize = 500;

/// Makes the steps. One that cannot be made is left out as a whole.
pub(super) fn apply(texts: &Texts, steps: &[Step]) -> Result<(Texts, Refusals)> {
    let files = texts.iter().map(|(path, text)| FileText::parse(path, text)).collect::<Result<Vec<_>>>()?;
    let all: Vec<&Step> = steps.iter().collect();
    if let Ok(done) = attempt(&files, &all) {
        return Ok((done, Vec::new()));
    }
    let (mut made, mut refused): (Vec<&Step>, Refusals) = (Vec::new(), Vec::new());
    for (at, step) in steps.iter().enumerate() {
        made.push(step);
        let result = if at < TRIED { attempt(&files, &made).map(drop) } else { Err("there are too many changes".to_owned()) };
        if let Err(why) = result {
            made.pop();
            refused.push((step.clone(), why));
        }
    }
    let done = attempt(&files, &made).unwrap_or_else(|_| texts.clone());
    Ok((done, refused))
}

/// Makes all of the steps, or none.
fn attempt(files: &[FileText], steps: &[&Step]) -> Result<Texts, Refused> {
    let mut editor =
        Editor { files, changes: vec![Vec::new(); files.len()], removed: BTreeMap::new(), inserted: BTreeMap::new() };
    let mut configs: BTreeMap<usize, BTreeMap<String, String>> = BTreeMap::new();
    let mut mounted: Vec<(usize, Change)> = Vec::new();
    // The comment of a label goes where the label goes.
    let mut comment = String::new();
    for (edit, is_first) in steps.iter().flat_map(|s| s.edits.iter().enumerate().map(|(at, edit)| (edit, at == 0))) {
        if is_first {
            comment.clear();
        }
        match edit {
            Edit::Rewrite { at, name, value } => editor.rewrite(at, name, value)?,
            Edit::Remove(at) => comment = editor.remove(at)?,
            Edit::Insert { service, near, name, value } => {
                let file = file_for(files, service, near.as_ref().map(|p| p.file.as_path()))?;
                let new = Added { name: name.clone(), value: value.clone(), comment: std::mem::take(&mut comment) };
                editor.inserted.entry((file, service.clone())).or_default().push(new);
            }
            Edit::Config { service, near, config, version } => {
                let file = editor.file_of(&near.file)?;
                let own = editor.files[file].service(service).ok_or("the service is in another file")?;
                if version.is_some() && files[file].is_before(NAMED_CONFIGS) {
                    return Err("a config with a name needs version 3.5 of compose files, and this file says an older one".into());
                }
                let change = own.add_config(config)?;
                // What is added to a list that is there belongs to what is above, too.
                if own.has_configs() {
                    editor.changes[file].push(change)
                } else {
                    mounted.push((file, change))
                }
                if let Some(version) = version.as_ref().filter(|_| !files[file].declares(config)) {
                    configs.entry(file).or_default().insert(config.clone(), version.clone());
                }
            }
        }
    }
    // Where all of them are added in one place, what is indented most is first: it belongs to what is above.
    editor.insert()?;
    mounted.into_iter().for_each(|(file, change)| editor.changes[file].push(change));
    for (file, configs) in &configs {
        editor.changes[*file].push(declare(&files[*file], configs)?);
    }
    editor.remove_headings();
    let mut done = Texts::new();
    for (file, changes) in files.iter().zip(&editor.changes) {
        done.push((file.path.clone(), file.changed(changes).ok_or("two changes are about the same text")?));
    }
    check(files, &done, steps)?;
    Ok(done)
}

struct Editor<'f> {
    files: &'f [FileText],
    changes: Vec<Vec<Change>>,
    /// The labels that each list or map loses: by file, service, and whether it is that of the container.
    removed: BTreeMap<(usize, String, bool), Places>,
    /// The labels that each service of a file gets.
    inserted: BTreeMap<(usize, String), Vec<Added>>,
}

impl Editor<'_> {
    fn file_of(&self, path: &Path) -> Result<usize, Refused> {
        self.files.iter().position(|f| f.path == path).ok_or_else(|| "the file is not there".into())
    }

    fn rewrite(&mut self, at: &At, name: &str, value: &str) -> Result<(), Refused> {
        let index = self.file_of(&at.label.place.file)?;
        let file = &self.files[index];
        let begin = file.at(at.label.place.line, at.label.place.column);
        let in_flow = file.is_in_flow(begin);
        let scalar = file.scalar(begin, !at.label.is_item).ok_or("the label has an unusual form")?;
        if at.label.is_item {
            let new = scalar.quotes.write(&format!("{name}={value}"), in_flow);
            self.changes[index].push((scalar.range, new));
            return Ok(());
        }
        if value != at.label.written.1 || at.label.boolean {
            let old = file.value_of(&scalar).ok_or("the label's value has an unusual form")?;
            self.changes[index].push((old.range.clone(), old.quotes.write(value, in_flow)));
        }
        if name != at.label.written.0 {
            let new = scalar.quotes.write(name, in_flow);
            self.changes[index].push((scalar.range, new));
        }
        Ok(())
    }

    /// Takes a label out; the comment behind it.
    fn remove(&mut self, at: &At) -> Result<String, Refused> {
        let (line, column) = (at.label.place.line, at.label.place.column);
        let index = self.file_of(&at.label.place.file)?;
        let file = &self.files[index];
        let begin = file.at(line, column);
        let scalar = file.scalar(begin, !at.label.is_item).ok_or("the label has an unusual form")?;
        let whole = if at.label.is_item { Some(scalar.clone()) } else { file.value_of(&scalar) };
        let mut comment = String::new();
        let range = if file.is_in_flow(begin) {
            let whole = whole.ok_or("the label has an unusual form")?;
            with_comma(&file.text, scalar.range.start..whole.range.end)
        } else {
            let before = file.text[file.line(line)..begin].trim();
            if !(before.is_empty() || before == "-") {
                return Err("the label shares its line with other text".into());
            }
            let last = whole.as_ref().map_or_else(|| file.block_end(line) - 1, |s| file.line_of(s.range.end.saturating_sub(1)));
            let range = file.line(line)..file.line(last + 1);
            let behind = whole.map_or("", |s| &file.text[s.range.end..range.end]);
            comment.push_str(if behind.trim_start().starts_with('#') { behind.trim_end() } else { "" });
            range
        };
        self.changes[index].push((range, String::new()));
        self.removed.entry((index, at.service.clone(), at.on_container)).or_default().insert((line, column));
        Ok(comment)
    }

    fn insert(&mut self) -> Result<(), Refused> {
        for ((file, service), labels) in &self.inserted {
            let own = self.files[*file].service(service).ok_or("the service is in another file")?;
            let removed = self.removed.get(&(*file, service.clone(), false));
            let change = own.add_labels(labels, removed.unwrap_or(&Places::new()))?;
            self.changes[*file].push(change);
        }
        Ok(())
    }

    /// Removes a `labels:` that has no label left, and a `deploy:` that has nothing else. What would leave a mapping without any key
    /// stays, with an empty value: neither a service nor what is merged into one may be nothing.
    fn remove_headings(&mut self) {
        for ((index, service, on_container), lost) in &self.removed {
            let file = &self.files[*index];
            let Some(node) = file.compose.tree.get("services").and_then(|s| s.get(service)) else { continue };
            let parent = if *on_container { Some(node) } else { node.get("deploy") };
            let Some((_, key, labels)) = parent.and_then(|p| p.entries().find(|(name, ..)| *name == "labels")) else { continue };
            let all = labels.items().len().max(labels.entries().count());
            let gains = self.inserted.contains_key(&(*index, service.clone()));
            if lost.len() < all || (gains && !on_container) || file.is_in_flow(file.at(key.line, key.column)) {
                continue;
            }
            if file.line_text(key.line).contains(['[', '{']) {
                // A list in one line is left empty, which docker accepts.
                continue;
            }
            let gains_here = gains && file.service(service).is_some_and(|own| own.has_line(key.line));
            let deploy = node.entries().find(|(name, ..)| *name == "deploy").map(|(_, key, _)| key);
            let changes = &mut self.changes[*index];
            match deploy.filter(|deploy| !on_container && file.is_only_child(key.line) && deploy.line < key.line) {
                Some(deploy) if file.is_only_child(deploy.line) => {
                    changes.push(file.without_line(key.line));
                    changes.extend(file.emptied(deploy, "{}"));
                }
                Some(deploy) => changes.extend([file.without_line(key.line), file.without_line(deploy.line)]),
                None if file.is_only_child(key.line) && !gains_here => {
                    changes.extend(file.emptied(key, if labels.items().is_empty() { "{}" } else { "[]" }));
                }
                None => changes.push(file.without_line(key.line)),
            }
        }
    }
}

/// The file where a service's labels are added: the one that has the label that moves, else the one with its labels, else the first.
fn file_for(files: &[FileText], service: &str, near: Option<&Path>) -> Result<usize, Refused> {
    let has: Vec<usize> = (0..files.len()).filter(|at| files[*at].service(service).is_some()).collect();
    let near = near.and_then(|path| has.iter().copied().find(|at| files[*at].path == path));
    let labelled = || has.iter().copied().find(|at| files[*at].service(service).is_some_and(|s| s.has_labels()));
    near.or_else(labelled).or(has.first().copied()).ok_or_else(|| format!("no file has service {service}"))
}

/// A range of a list in one line, with the comma that goes with it.
fn with_comma(text: &str, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let after = &text[range.end..];
    let trimmed = after.trim_start();
    if let Some(rest) = trimmed.strip_prefix(',') {
        let rest = rest.trim_start_matches([' ', '\t']);
        return range.start..text.len() - rest.len();
    }
    let before = text[..range.start].trim_end();
    let start = before.strip_suffix(',').map_or(range.start, str::len);
    start..range.end
}

/// Reads the result again, and compares it with what was planned.
fn check(files: &[FileText], done: &Texts, steps: &[&Step]) -> Result<(), Refused> {
    for (file, (path, text)) in files.iter().zip(done) {
        let after = FileText::parse(path, text).map_err(|e| format!("the result could not be read: {e}"))?;
        let mut planned = normal(&file.compose.value);
        // A label may get the name of one that is taken out.
        let edits = || steps.iter().flat_map(|s| &s.edits);
        edits().for_each(|edit| take_out(&mut planned, file, edit));
        edits().for_each(|edit| put_in(&mut planned, file, files, edit));
        tidy(&mut planned);
        let mut found = normal(&after.compose.value);
        tidy(&mut found);
        if found != planned {
            return Err("it would change something else in the file too".into());
        }
    }
    Ok(())
}

/// A file's content with labels as maps, and without what other parts only copy.
fn normal(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(root) = value.as_object_mut() {
        root.retain(|name, _| !name.starts_with("x-"));
    }
    for service in value.get_mut("services").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        change_labels(service, |_| {});
    }
    value
}

/// Takes out `labels` and `deploy` that say nothing.
fn tidy(value: &mut Value) {
    let is_empty = |v: &Value| v.is_null() || v.as_object().is_some_and(Map::is_empty);
    for service in value.get_mut("services").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        let Some(service) = service.as_object_mut() else { continue };
        if let Some(deploy) = service.get_mut("deploy").and_then(Value::as_object_mut) {
            deploy.retain(|name, v| name != "labels" || !is_empty(v));
        }
        service.retain(|name, v| !((name == "labels" || name == "deploy") && is_empty(v)));
    }
}

/// Takes labels out of the content of a file, if the change is about that file.
fn take_out(planned: &mut Value, file: &FileText, edit: &Edit) {
    let (Edit::Rewrite { at, .. } | Edit::Remove(at)) = edit else { return };
    if *at.label.place.file == file.path
        && let Some(all) = labels_in(planned, &at.service, at.on_container)
    {
        all.remove(&at.label.written.0);
    }
}

/// Puts labels and configs into the content of a file, if the change is about that file.
fn put_in(planned: &mut Value, file: &FileText, files: &[FileText], edit: &Edit) {
    match edit {
        Edit::Rewrite { at, name, value } if *at.label.place.file == file.path => {
            if let Some(all) = labels_in(planned, &at.service, at.on_container) {
                all.insert(name.clone(), json!(value));
            }
        }
        Edit::Insert { service, near, name, value } => {
            let chosen = file_for(files, service, near.as_ref().map(|p| p.file.as_path()));
            if chosen.is_ok_and(|at| files[at].path == file.path)
                && let Some(all) = labels_in(planned, service, false)
            {
                all.insert(name.clone(), json!(value));
            }
        }
        Edit::Config { service, near, config, version } if *near.file == file.path => {
            if let Some(version) = version.as_ref().filter(|_| !file.declares(config)) {
                let name = format!("${{STACK_NAME}}_{config}_${{{version}}}");
                planned["configs"][config] = json!({"name": name, "file": format!("{config}.sh")});
            }
            let entry = json!({"source": config, "target": format!("/{config}.sh"), "mode": MODE});
            let configs = &mut planned["services"][service]["configs"];
            match configs.as_array_mut() {
                Some(all) => all.push(entry),
                None => *configs = json!([entry]),
            }
        }
        _ => {}
    }
}

/// The labels of a service, made where there are none.
fn labels_in<'v>(planned: &'v mut Value, service: &str, on_container: bool) -> Option<&'v mut Map<String, Value>> {
    let service = child(planned.get_mut("services")?, service)?;
    let parent = if on_container { service } else { child(service, "deploy")? };
    child(parent, "labels")?.as_object_mut()
}

/// The value under a key, a mapping where there is none; nothing of what is no mapping.
fn child<'v>(value: &'v mut Value, name: &str) -> Option<&'v mut Value> {
    let child = value.as_object_mut()?.entry(name).or_insert(Value::Null);
    if child.is_null() {
        *child = json!({});
    }
    Some(child)
}
