//! Dumps: whether each is backed up, and loaded again.

use std::collections::HashMap;

use crate::labels::flow::{File, Flow};
use crate::labels::mistake::Mistakes;
use crate::labels::recipe::Recipe;
use crate::labels::rules::Rule;
use crate::labels::{Hook, VOLUMES, paths_of};

/// Adds dumps that are not in the backup, and ones that nothing loads.
pub(super) fn check(recipe: &Recipe, flows: &[Flow<'_>], found: &mut Mistakes) {
    let selected = Selected::of(recipe);
    for flow in flows {
        match flow.hook {
            Hook::BackupPre => {
                flow.files().iter().for_each(|file| left_out(&selected, flow, file, found));
                for file in flow.removed() {
                    let message = format!("{}, and removes it before the files are copied", writes(flow, &file));
                    found.add(Rule::DumpLeftOut, &flow.label.place, message);
                }
                nowhere(flow, found);
                loaded(flow, flows, found);
            }
            Hook::BackupPost if flow.command.dumps() => {
                for file in flow.files() {
                    let message = format!("{} after the files are copied", writes(flow, file));
                    found.add(Rule::DumpLeftOut, &flow.label.place, message);
                }
            }
            Hook::RestorePre | Hook::RestorePost => {
                restores(flow, flows, found);
                forms(flow, flows, found);
            }
            Hook::BackupPost => {}
        }
    }
}

/// A dump that is only printed.
fn nowhere(flow: &Flow<'_>, found: &mut Mistakes) {
    if let Some(tool) = flow.command.dumps_nowhere() {
        let message = format!("{}: {tool} prints the dump, and nothing writes it to a file", flow.label.name);
        found.add(Rule::DumpNowhere, &flow.label.place, message);
    }
}

/// What a message about a dump begins with.
fn writes(flow: &Flow<'_>, file: &File<'_>) -> String {
    format!("{} writes {} of volume {}", flow.label.name, file.path, file.volume)
}

/// What the labels say of volumes. Of a label that is there twice, the first counts.
pub(super) struct Selected<'a>(HashMap<&'a str, &'a str>);

impl<'a> Selected<'a> {
    pub(super) fn of(recipe: &'a Recipe) -> Self {
        let mut values = HashMap::new();
        for (.., label) in recipe.labels().filter(|(.., l)| l.name.starts_with(VOLUMES)) {
            values.entry(label.name.as_str()).or_insert(label.value.as_str());
        }
        Self(values)
    }

    /// Whether a volume is excluded.
    pub(super) fn excludes(&self, volume: &str) -> bool {
        self.0.get(format!("{VOLUMES}{volume}").as_str()) == Some(&"false")
    }

    /// Which paths of a volume are selected, where only some are.
    pub(super) fn paths(&self, volume: &str) -> Option<Vec<String>> {
        self.0.get(format!("{VOLUMES}{volume}.path").as_str()).copied().map(paths_of)
    }
}

/// A dump in a volume that is not backed up, or outside of what is selected of it.
fn left_out(selected: &Selected<'_>, flow: &Flow<'_>, file: &File<'_>, found: &mut Mistakes) {
    let written = writes(flow, file);
    if selected.excludes(file.volume) {
        found.add(Rule::DumpLeftOut, &flow.label.place, format!("{written}, which is excluded"));
    } else if let Some(paths) = selected.paths(file.volume).filter(|paths| file.is_selected(paths) == Some(false)) {
        let message = format!("{written}, of which only {} is backed up", paths.join(", "));
        found.add(Rule::DumpLeftOut, &flow.label.place, message);
    }
}

/// Whether a hook after the restore loads what this one writes before the backup.
fn loaded(flow: &Flow<'_>, flows: &[Flow<'_>], found: &mut Mistakes) {
    let files = flow.files();
    // A hook that reads another file of the volume has a finding of its own.
    let own = |other: &Flow<'_>| {
        other.name == flow.name && (!flow.dumps() || files.is_empty() || other.may_load() || !other.reads().is_empty())
    };
    let may_load = |other: &Flow<'_>| {
        matches!(other.hook, Hook::RestorePre | Hook::RestorePost)
            && (own(other) || (other.is_opaque() && other.shares_volume(flow)) || files.iter().any(|file| other.may_read(file)))
    };
    if flows.iter().any(may_load) {
        return partly(flow, files, flows, found);
    }
    let alone = format!("service {} has no backupbot.restore hook", flow.name);
    if flow.dumps() {
        let what = files.first().map_or_else(String::new, |f| format!(" that loads {} of volume {}", f.path, f.volume));
        found.add(Rule::DumpNeverLoaded, &flow.label.place, alone + &what);
    } else if !flows.iter().any(|other| other.name == flow.name && other.hook == Hook::BackupPost) {
        // With a hook after the backup, it is a switch that is turned back, such as a maintenance mode.
        found.add(Rule::BackupHookAlone, &flow.label.place, alone);
    }
}

/// Dumps that no hook loads, of a hook that writes several and of which one is loaded.
fn partly(flow: &Flow<'_>, files: &[File<'_>], flows: &[Flow<'_>], found: &mut Mistakes) {
    let restores: Vec<&Flow<'_>> = flows.iter().filter(|f| matches!(f.hook, Hook::RestorePre | Hook::RestorePost)).collect();
    let is_read = |file: &&File<'_>| restores.iter().any(|other| other.may_read(file));
    if restores.iter().any(|other| other.is_opaque()) || !files.iter().any(|file| is_read(&file)) {
        return;
    }
    // Another file than a dump may only have to be there.
    for file in files.iter().filter(|file| !is_read(file) && flow.form_of(file).is_some()) {
        let message = format!("{}, which no hook loads", writes(flow, file));
        found.add(Rule::DumpNeverLoaded, &flow.label.place, message);
    }
}

/// Whether a restore can read the form in which the backup writes a dump.
fn forms(flow: &Flow<'_>, flows: &[Flow<'_>], found: &mut Mistakes) {
    let before = || flows.iter().filter(|f| f.hook == Hook::BackupPre);
    for (file, needed, tool) in flow.read_as() {
        // What the restore itself makes of the file first is not followed.
        let form = before().find_map(|f| f.form_of(&file)).filter(|_| flow.form_of(&file).is_none());
        if let Some(form) = form.filter(|form| *form != needed) {
            let message =
                format!("{}: {tool} reads {needed}, but {} of volume {} is {form}", flow.label.name, file.path, file.volume);
            found.add(Rule::DumpInOtherForm, &flow.label.place, message);
        }
    }
}

/// Whether what a hook of the restore loads is what the backup's hook writes.
fn restores(flow: &Flow<'_>, flows: &[Flow<'_>], found: &mut Mistakes) {
    let own: Vec<&Flow<'_>> = flows.iter().filter(|f| f.name == flow.name && f.hook == Hook::BackupPre).collect();
    let mut dumps = flows.iter().filter(|f| f.hook == Hook::BackupPre).flat_map(Flow::files);
    let reads_one = dumps.any(|file| flow.may_read(file));
    let (files, label): (Vec<File<'_>>, _) = (own.iter().flat_map(|f| f.files()).cloned().collect(), flow.label);
    if own.is_empty() && !reads_one {
        let second = flow.hook == Hook::RestorePost && flows.iter().any(|f| f.name == flow.name && f.hook == Hook::RestorePre);
        if !second {
            let message = format!("service {} has no backupbot.backup.pre-hook", flow.name);
            found.add(Rule::RestoreHookAlone, &label.place, message);
        }
        return;
    }
    let written: Vec<String> = files.iter().map(|f| format!("{} of volume {}", f.path, f.volume)).collect();
    if written.is_empty() || own.iter().any(|f| f.is_opaque()) || flow.is_opaque() {
        return;
    }
    let reads = flow.reads();
    if flow.hook == Hook::RestorePre {
        let loads_later = |f: &Flow<'_>| f.name == flow.name && f.hook == Hook::RestorePost && f.may_load_one(&files);
        if reads_one && !flows.iter().any(loads_later) {
            let message = format!("{} runs before the files are put back, and loads {}", label.name, written.join(", "));
            found.add(Rule::RestoreReadsOther, &label.place, message);
        }
    } else if let Some(read) = reads.first().filter(|_| !reads_one) {
        let message = format!(
            "{} reads {} of volume {}; the backup's hook writes {}",
            label.name,
            read.path,
            read.volume,
            written.join(", ")
        );
        found.add(Rule::RestoreReadsOther, &label.place, message);
    }
}
