//! Faults that any app has: of its labels, of the bot and the repository, of the wipe and the restore.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use recipe::compose::edit::{Change, Edit};
use recipe::inventory::{Class, InventoryVolume};
use recipe::labels::{BACKUP, Hook, PREFIX, VOLUMES};
use recipe::scenario::Scenario;
use recipe::scenario::faults::{EVERYTHING, Expected, Fault as Declared, Faults, Group, Interrupt, Mark, Times};

use super::deed::{Deed, Derived};
use super::derived::departure::Departure;
use super::derived::volumes::without_dump;
use super::labels::{Labels, durable, nothing_of, owed};

/// Where a hook that waits says that it was reached.
const REACHED: &str = "/tmp/hook-reached";
/// A hook that waits until its container ends.
const WAITING_HOOK: &str = "touch /tmp/hook-reached; tail -f /dev/null";

static DATA: LazyLock<Faults> =
    LazyLock::new(|| toml::from_str(include_str!("common.toml")).expect("common.toml is part of the program, and tested"));

/// The faults that any app has.
pub fn faults(scenario: &Scenario) -> Vec<Derived> {
    let labels = Labels::of(scenario);
    let older = Departure::of(scenario).map(|departure| {
        let mut fault = Declared::new("older-snapshot-restored", "An older snapshot is restored.", Group::Restore);
        fault.restore.older = true;
        (fault, Some(Box::new(departure) as Box<dyn Deed>))
    });
    let plain = labels.faults().into_iter().chain(DATA.faults.iter().cloned()).chain(of_bot(scenario, &labels));
    plain.map(|fault| (fault, None)).chain(older).collect()
}

fn finding(text: &str) -> Expected {
    Expected::Finding(text.to_owned())
}

/// The faults for which a hook must wait somewhere, or which depend on whether one loads a dump.
fn of_bot(scenario: &Scenario, labels: &Labels<'_>) -> Vec<Declared> {
    let Some(volume) = durable(scenario).next() else { return vec![] };
    let at = || Some(Interrupt { at: Mark { service: volume.service.clone(), file: REACHED.into() } });
    let mut killed = Declared::new("bot-killed", "The bot is killed while it creates the snapshot.", Group::Backup);
    killed.edits = vec![Edit::set(&volume.service, Hook::BackupPre.label(), WAITING_HOOK)];
    killed.interrupt = at();
    killed.finds = vec![finding("backup: unread (ended)")];

    let what = "The bot is killed after the files were restored, in the hook that follows.";
    let mut interrupted = Declared::new("restore-interrupted", what, Group::Restore);
    interrupted.edits = vec![Edit::set(&volume.service, Hook::RestorePost.label(), WAITING_HOOK)];
    interrupted.interrupt = at();
    interrupted.finds = without_dump(scenario, labels);
    interrupted.finds.push(finding("restore: unread (ended)"));

    let mut elsewhere = Declared::new("restored-elsewhere", "The files are restored below another folder.", Group::Restore);
    elsewhere.restore.target = Some("/tmp/elsewhere".into());
    elsewhere.finds = vec![finding(EVERYTHING)];
    if labels.loads_dumps() {
        elsewhere.finds.push(finding("restore: failed (hook)"));
    }

    let mut unwiped = Declared::new("wipe-skipped", "Nothing is wiped, and so nothing may be restored.", Group::Restore);
    unwiped.skips_wipe = true;
    unwiped.restore.times = Times::None;
    vec![killed, interrupted, elsewhere, unwiped]
}

impl Labels<'_> {
    /// The faults of the recipe's labels; none of a recipe that has no backup.
    fn faults(&self) -> Vec<Declared> {
        let (Some(app), Some(volume)) = (self.enabled(), durable(self.scenario).next()) else { return vec![] };
        let mut faults = self.of_switch(app);
        faults.extend(self.of_volume(app, volume));
        faults.extend(self.of_hooks(volume));
        faults.extend(self.of_version(volume));
        faults
    }

    /// Faults of the label that switches backups on.
    fn of_switch(&self, app: &str) -> Vec<Declared> {
        // The bot passes over the stack, and says nothing.
        let none = ["backup: failed (no snapshot)"];
        let own =
            |labels: &BTreeMap<String, String>| labels.keys().filter(|l| l.starts_with(PREFIX)).cloned().collect::<Vec<_>>();
        let all =
            self.all.iter().flat_map(|(s, labels)| own(labels).into_iter().map(move |label| Edit::unset(s, &label))).collect();
        let container = Edit { service: app.to_owned(), change: Change::OnContainer(BACKUP.to_owned(), "true".to_owned()) };
        let mut faults = vec![
            fault("labels-absent", "The recipe has no backupbot label.", all, &["no-labels"], &none),
            fault(
                "backup-label-absent",
                "Every label is there but backupbot.backup.",
                vec![Edit::unset(app, BACKUP)],
                &["not-enabled"],
                &none,
            ),
            fault(
                "backup-label-on-container",
                "backupbot.backup stands under labels, not under deploy.labels.",
                vec![Edit::unset(app, BACKUP), container],
                &["container-label"],
                &none,
            ),
            fault(
                "backup-value-not-exact",
                "backupbot.backup is True, not true.",
                vec![Edit::set(app, BACKUP, "True")],
                &["inexact-value"],
                &[],
            ),
        ];
        if self.all.values().flat_map(|labels| labels.keys()).all(|l| l == BACKUP || !l.starts_with(PREFIX)) {
            // Without it there is none left, which is another fault.
            faults.retain(|f| f.name != "backup-label-absent");
        }
        if let Some(other) = self.all.keys().rev().find(|s| *s != app) {
            let (on, off) = (Edit::set(other, BACKUP, "true"), Edit::unset(app, BACKUP));
            let twice = "backupbot.backup is on two services.";
            let elsewhere = "backupbot.backup is on a service other than app.";
            faults.push(fault("backup-label-twice", twice, vec![on.clone()], &["enabled-twice"], &[]));
            if app == "app" {
                faults.push(fault("backup-label-elsewhere", elsewhere, vec![off, on], &["enabled-elsewhere"], &[]));
            }
        }
        faults
    }

    /// Faults of the labels that choose volumes and paths.
    fn of_volume(&self, app: &str, volume: &InventoryVolume) -> Vec<Declared> {
        let (name, service) = (&volume.name, volume.service.as_str());
        let path = format!("{VOLUMES}{name}.path");
        let set = |label: &str, value: &str| vec![Edit::set(app, label, value)];
        let owed = owed(self.scenario);
        let none_left = owed.iter().map(|v| Edit::set(app, &format!("{VOLUMES}{}", v.name), "false")).collect();
        let mut rules = vec!["nothing-left", "durable-excluded"];
        rules.extend(owed.iter().any(|v| v.class == Class::Valuable).then_some("valuable-excluded"));
        let has_path = |v: &&InventoryVolume| self.value(&format!("{VOLUMES}{}.path", v.name)).is_some();
        rules.extend(owed.iter().any(has_path).then_some("path-of-excluded"));
        let shows = |v: &&InventoryVolume| self.shows_dump(v);
        rules.extend(owed.iter().any(shows).then_some("dump-left-out"));
        let left_out = self.shows_dump(volume).then_some("dump-left-out");
        let bad_path: Vec<&str> = std::iter::once("bad-path").chain(left_out).collect();
        let nothing_left: Vec<String> = owed.iter().copied().flat_map(nothing_of).collect();
        let nothing_left: Vec<&str> = nothing_left.iter().map(String::as_str).collect();
        let nowhere = nothing_of(volume);
        let nowhere: Vec<&str> = nowhere.iter().map(String::as_str).chain(["backup: failed (path)"]).collect();
        vec![
            fault(
                "container-path",
                "backupbot.backup.path has a path in the container.",
                vec![Edit::set(service, "backupbot.backup.path", &format!("{}/data", volume.mount))],
                &["container-path"],
                &[],
            ),
            fault(
                "volume-misspelt",
                "A volume is left out that does not exist.",
                set(&format!("{VOLUMES}{name}x"), "false"),
                &["unknown-volume"],
                &[],
            ),
            fault(
                "volume-with-stack-prefix",
                "A volume is left out by its full name, which no label knows.",
                set(&format!("{VOLUMES}${{STACK_NAME}}_{name}"), "false"),
                &["unknown-volume"],
                &[],
            ),
            fault(
                "label-misspelt",
                "A label says backupbot.backup.volume, not volumes.",
                set(&format!("backupbot.backup.volume.{name}"), "false"),
                &["unknown-label"],
                &[],
            ),
            fault(
                "exclusion-value-not-exact",
                "A volume is left out by the value no, which is not false.",
                set(&format!("{VOLUMES}{name}"), "no"),
                &["inexact-value"],
                &[],
            ),
            fault(
                "path-outside-volume",
                "A path leads out of a folder that is not there.",
                vec![Edit::set(service, &path, "nowhere/../nothing")],
                &bad_path,
                &nowhere,
            ),
            fault(
                "path-misspelt",
                "A path has a typo.",
                vec![Edit::set(service, &path, "nothing-is-called-that")],
                left_out.as_slice(),
                &nowhere,
            ),
            fault("everything-excluded", "Every volume is left out.", none_left, &rules, &nothing_left),
            fault(
                "state-outside-volumes",
                "A service may write to a folder of the host.",
                vec![Edit { service: service.to_owned(), change: Change::Mount("/tmp:/scratch".to_owned()) }],
                &["state-outside-volumes"],
                &[&format!("service {service}, mount /scratch: lost")],
            ),
        ]
    }

    /// Faults of hooks, of a volume whose dump they write.
    fn of_hooks(&self, volume: &InventoryVolume) -> Vec<Declared> {
        let (name, service) = (&volume.name, volume.service.as_str());
        let (pre, post) = (Hook::BackupPre.label(), Hook::RestorePost.label());
        let dump = volume.paths.iter().find_map(|p| p.dump.as_ref());
        let (Some(dump), Some(_)) = (dump, self.of_service(service, pre)) else { return vec![] };
        let selected = self.value(&format!("{VOLUMES}{name}.path")).is_some();
        let lost = format!("snapshot, volume {name}, path {dump}: lost (dump)");
        let missing: Vec<&str> = selected.then_some("backup: failed (path)").into_iter().chain([lost.as_str()]).collect();
        let wrong = format!("snapshot, volume {name}, path {dump}: altered (dump)");
        let replicas = Edit::stop(service);
        let mut faults = vec![
            fault(
                "hook-pipe-hides-failure",
                "A hook's program fails before a pipe, which hides it from a bot that does not set pipefail.",
                vec![Edit::set(service, pre, &format!("false | cat > {}/{dump}", volume.mount))],
                &["pipe-hides-failure"],
                &["backup: failed (hook)", &wrong],
            ),
            fault(
                "hook-never-runs",
                "A hook is on a service without containers.",
                vec![replicas],
                &["hook-never-runs"],
                &[&["backup: failed (hook)"], missing.as_slice()].concat(),
            ),
        ];
        if self.of_service(service, post).is_some() {
            let server = self.is_database(service).then_some("database-without-dump");
            let without: Vec<&str> = std::iter::once("restore-hook-alone").chain(server).collect();
            faults.push(fault(
                "backup-hook-alone",
                "No hook loads the dump that a hook writes.",
                vec![Edit::unset(service, post)],
                &[if self.shows_dump(volume) { "dump-never-loaded" } else { "backup-hook-alone" }],
                &[],
            ));
            faults.push(fault(
                "restore-hook-alone",
                "No hook writes the dump that a hook loads.",
                vec![Edit::unset(service, pre)],
                &without,
                &missing,
            ));
        }
        faults
    }

    /// Faults of the label that names the recipe's version.
    fn of_version(&self, volume: &InventoryVolume) -> Vec<Declared> {
        let Some((service, label, version)) = self.version() else { return vec![] };
        let own = version.split('+').next().unwrap_or(version);
        let timeout = label.replace(".version", ".timeout");
        vec![
            fault(
                "version-absent",
                "No label names the recipe's version.",
                vec![Edit::unset(service, label)],
                &["no-version"],
                &[],
            ),
            fault(
                "version-malformed",
                "The recipe's version has no upstream part.",
                vec![Edit::set(service, label, own)],
                &["bad-version"],
                &[],
            ),
            fault(
                "version-not-bumped",
                "Labels changed, and the recipe's version did not.",
                vec![Edit::set(&volume.service, Hook::BackupPost.label(), "true")],
                &["version-not-bumped"],
                &[],
            ),
            fault(
                "variable-without-value",
                "A label has a variable without a value.",
                vec![Edit::set(service, &timeout, "${TIMEOUT}")],
                &["no-value"],
                &[],
            ),
        ]
    }
}

fn fault(name: &str, what: &str, edits: Vec<Edit>, lint: &[&str], finds: &[&str]) -> Declared {
    let mut fault = Declared::new(name, what, Group::Labels);
    fault.edits = edits;
    fault.lint = lint.iter().map(|rule| (*rule).to_owned()).collect();
    fault.finds = finds.iter().map(|text| finding(text)).collect();
    fault
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_faults_are_data_that_can_be_read() {
        assert!(DATA.faults.len() >= 10);
        assert!(DATA.faults.iter().all(|f| f.what.ends_with('.')));
    }
}
