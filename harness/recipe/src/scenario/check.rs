//! Whether the files of a scenario fit together. Everything that does not is added to a list of problems.

use std::collections::BTreeSet;
use std::path::Path;

use super::command::{UserPlaces, script};
use super::compared::{Fact, MAIL_QUEUE, MESSAGES};
use super::database::{self, LeftOut};
use super::faults::Faults;
use super::faults::check::{Known, Wrong};
use super::mail::MailServer;
use super::pages;
use super::redis;
use super::secrets;
use super::spec::{Spec, Tls};
use crate::error::Problems;
use crate::glob::matches;
use crate::inventory::{Inventory, InventoryPath, InventorySecret, InventoryVolume, Names};
use crate::labels::hook::hidden_by_pipe;
use crate::labels::rules;
use crate::near::did_you_mean;
use crate::toml_file::TomlText;

/// The doors that a mail server's scenario must have, because the mail probe goes through them.
const MAIL_DOORS: [&str; 2] = ["submissions", "imaps"];

/// What is wrong with a scenario that never writes to the app.
const NOT_WRITTEN_TO: &str = "nothing shows that the app takes new data after a restore: add [[pages.write]] with the requests by \
     which a user adds something, looks at it and deletes it; for a mail server, add [users]; for any other app, add a [[write]] \
     with a command";

/// What the recipe's compose files have, by name.
pub(super) struct Recipe {
    pub services: BTreeSet<String>,
    pub volumes: BTreeSet<String>,
    /// Docker secrets that a drill makes.
    pub secrets: BTreeSet<String>,
    /// Whether the recipe is the scenario's own. Another one may have what the scenario does not know.
    pub is_own: bool,
}

/// Adds what is wrong in `scenario.toml`, whose text is `text`.
pub(super) fn spec(spec: &Spec, recipe: &Recipe, text: &TomlText, problems: &mut Problems) {
    for (what, name) in services(spec) {
        known(what, "service", name, &recipe.services, text, problems);
    }
    for (what, name) in volumes(spec) {
        known(what, "volume", name, &recipe.volumes, text, problems);
    }
    users(spec, text, problems);
    doors(spec, text, problems);
    for allowed in spec.allowed.iter().filter(|a| a.volume.is_some() && !a.what.starts_with("mount ")) {
        let message = format!("allow {:?}: only a mount can have a volume in its place; remove `volume`", allowed.what);
        problems.add(text.problem(&allowed.what, message));
    }
    if let Some(file) = spec.files.first() {
        let place = file.get("volume").and_then(toml::Value::as_str).unwrap_or("file");
        let message = "remove [[file]]: all of what inventory.toml calls durable or valuable is compared. What is not to be compared is \
                       written there, with the reason";
        problems.add(text.problem(place, message));
    }
    if spec.mail.iter().any(|m| m.outside.is_some()) {
        let message = "remove [mail.outside]: the drill has a mail server outside of its own, and its resolver names it";
        problems.add(text.whole(message));
    }
    for (value, message) in spec.databases.iter().flat_map(database::problems) {
        problems.add(text.problem(&value, message));
    }
    spec.facts.iter().for_each(|fact| self::fact(fact, text, problems));
    let names = |all: &mut dyn Iterator<Item = &str>| all.map(str::to_owned).collect::<Vec<_>>();
    for (what, all) in [
        ("database", names(&mut spec.databases.iter().map(|d| d.name.as_str()))),
        ("pages", names(&mut spec.pages.iter().map(|p| p.name.as_str()))),
        ("write", names(&mut spec.writes.iter().map(|w| w.name.as_str()))),
        ("fact", names(&mut spec.facts.iter().map(|f| f.name.as_str()))),
        ("redis", names(&mut spec.redis.iter().map(|r| r.service.as_str()))),
    ] {
        let mut seen = BTreeSet::new();
        for name in all.iter().filter(|name| !seen.insert(name.as_str())) {
            let message =
                format!("two [[{what}]] are called {name:?}: what came of one would stand for both; give each its own name");
            problems.add(text.problem(name, message));
        }
    }
    if let Some(pages) = spec.pages.first().filter(|_| spec.mail.is_none() && spec.users.is_none()) {
        let message = format!("pages {:?}: nobody can log in; add [users], which says how users are created", pages.name);
        problems.add(text.problem(&pages.name, message));
    }
    for (value, message) in spec.redis.iter().flat_map(redis::check) {
        problems.add(text.problem(&value, message));
    }
    for (value, message) in secrets::problems(&spec.env) {
        problems.add(text.problem(&value, message));
    }
    if !spec.is_written_to() {
        problems.add(text.whole(NOT_WRITTEN_TO));
    }
    let doors = spec.doors.iter().map(|d| d.name.as_str()).collect();
    for (value, message) in pages::check(&spec.pages, &doors) {
        problems.add(text.problem(&value, message));
    }
}

/// Adds what is wrong in `inventory.toml`, whose text is `text`.
pub(super) fn inventory(inventory: &Inventory, spec: &Spec, recipe: &Recipe, text: &TomlText, problems: &mut Problems) {
    for volume in &inventory.volumes {
        if volume.fresh.is_some() {
            let message =
                format!("volume {:?}: remove `fresh`; what a new deployment creates by itself is observed", volume.name);
            problems.add(text.problem(&volume.name, message));
        }
        for path in &volume.paths {
            if let Some(message) = content(path, spec) {
                problems.add(text.problem(&path.path, format!("volume {:?}, path {:?}: {message}", volume.name, path.path)));
            }
        }
    }
    let owed = |v: &InventoryVolume| !v.class.is_left_out() || v.paths.iter().any(|p| !p.class.is_left_out());
    if !inventory.deployed().any(owed) && spec.databases.is_empty() && spec.facts.is_empty() && spec.mail.is_none() {
        let message = "the drill would compare nothing: no volume is durable or valuable, and scenario.toml has no [[database]], no \
                       [[fact]] and no [mail]";
        problems.add(text.whole(message));
    }
    for mount in &inventory.mounts {
        known(&format!("mount {:?}", mount.mount), "service", &mount.service, &recipe.services, text, problems);
    }
    kept_secrets(inventory, spec, recipe, text, problems);
    for volume in inventory.volumes.iter().filter(|v| v.not_deployed && recipe.volumes.contains(&v.name)) {
        let message =
            format!("volume {:?} is deployed by this recipe, so it is to be compared: remove not_deployed", volume.name);
        problems.add(text.problem(&volume.name, message));
    }
    for volume in inventory.deployed() {
        if !recipe.volumes.contains(&volume.name) {
            let near = did_you_mean(&volume.name, recipe.volumes.iter().map(String::as_str));
            let message = format!("volume {:?} is in no compose file: remove it, or set not_deployed = true{near}", volume.name);
            problems.add(text.problem(&volume.name, message));
        }
        known(&format!("volume {:?}", volume.name), "service", &volume.service, &recipe.services, text, problems);
    }
    for name in recipe.volumes.iter().filter(|name| recipe.is_own && !inventory.volumes.iter().any(|v| v.name == **name)) {
        let message = format!("volume {name:?} of the compose files is missing; add a [[volume]] with its class and the reason");
        problems.add(text.whole(message));
    }
}

/// Only a secret that a drill generates can get a new value, and so only such a one can be kept.
fn kept_secrets(inventory: &Inventory, spec: &Spec, recipe: &Recipe, text: &TomlText, problems: &mut Problems) {
    let mut generated = secrets::generated(&spec.env);
    generated.extend(recipe.secrets.iter().cloned());
    for secret in &inventory.secrets {
        let InventorySecret { name, keep } = secret;
        if recipe.is_own && !generated.iter().any(|name| secret.is(name)) {
            let near = did_you_mean(name, generated.iter().map(String::as_str));
            let all = secrets::listed(&generated);
            let message = format!(
                "secret {name:?}: neither [env] of scenario.toml nor the recipe has such a secret to generate; there are: {all}{near}"
            );
            problems.add(text.problem(name, message));
        }
        if keep.trim().is_empty() {
            problems.add(text.problem(name, format!("secret {name:?}: keep has no reason: say why the restored app needs it")));
        }
    }
}

/// What is wrong with what compares the content of a path. A path whose content nothing compares would be lost without a word.
fn content(path: &InventoryPath, spec: &Spec) -> Option<String> {
    let Some(content) = &path.content else {
        let changing = path.names == Names::Changing;
        return changing.then(|| "names = \"changing\" needs `content`, which says what compares these files instead".to_owned());
    };
    if path.class.is_left_out() {
        return Some(format!("class {} is not compared, so remove `content`", path.class));
    }
    let queue = spec.mail.iter().filter(|_| spec.egress.is_none()).map(|_| MAIL_QUEUE.to_owned());
    let mail = spec.mail.iter().map(|_| MESSAGES.to_owned()).chain(queue);
    let rows = spec.databases.iter().map(|d| format!("rows of {}", d.name));
    let facts = spec.facts.iter().map(|f| format!("fact {}", f.name));
    let keys = spec.redis.iter().map(|r| format!("keys of {}", r.service));
    let all: BTreeSet<String> = mail.chain(rows).chain(facts).chain(keys).collect();
    if all.contains(content) {
        return None;
    }
    let names = || all.iter().map(String::as_str);
    let (near, all) = (did_you_mean(content, names()), names().collect::<Vec<_>>().join(", "));
    let all = if all.is_empty() { "nothing".to_owned() } else { all };
    Some(format!(
        "nothing in scenario.toml compares {content:?}; it compares {all}. Without `content`, the file itself is compared{near}"
    ))
}

/// Adds what is wrong in `faults.toml`, whose text is `text`, in the scenario's folder `dir`.
pub(super) fn faults(
    faults: &Faults,
    (spec, inventory): (&Spec, &Inventory),
    recipe: &Recipe,
    text: &TomlText,
    dir: &Path,
    problems: &mut Problems,
) {
    let databases = spec.written_databases().map(|d| d.name.clone()).collect();
    let secrets = inventory.secrets.iter().map(|s| s.name.clone()).collect();
    let (services, rules) = (&recipe.services, &rules::names());
    let known = Known { services, databases: &databases, secrets: &secrets, rules, dir };
    for Wrong { below, value, message } in faults.check(&known) {
        problems.add(match below {
            Some(name) => text.problem_below(&name, &value, message),
            None => text.problem(&value, message),
        });
    }
}

/// A problem if a name is not among those of the compose files.
fn known(what: &str, kind: &str, name: &str, all: &BTreeSet<String>, text: &TomlText, problems: &mut Problems) {
    if !all.contains(name) {
        let names = || all.iter().map(String::as_str);
        let near = did_you_mean(name, names());
        let has = if all.is_empty() { "none".to_owned() } else { names().collect::<Vec<_>>().join(", ") };
        let message = format!("{what}: no {kind} {name:?} in the compose files, which have {has}{near}");
        problems.add(text.problem(name, message));
    }
}

/// The services that `scenario.toml` names, each with the place that names it.
pub(super) fn services(spec: &Spec) -> Vec<(&'static str, &str)> {
    let mut all: Vec<(&str, &String)> = Vec::new();
    all.extend(spec.doors.iter().map(|d| ("door", &d.service)));
    all.extend(spec.standins.iter().flat_map(|s| &s.ready).map(|r| ("standins.ready", &r.service)));
    all.extend(spec.users.iter().map(|u| ("users", &u.service)));
    all.extend(spec.redis.iter().map(|r| ("redis", &r.service)));
    all.extend(spec.writes.iter().map(|w| ("write", &w.service)));
    all.extend(spec.facts.iter().map(|f| ("fact", &f.service)));
    all.extend(spec.seeds.iter().map(|s| ("seed", &s.service)));
    all.extend(spec.facts.iter().flat_map(|f| &f.seed).map(|s| ("fact.seed", &s.service)));
    all.extend(spec.databases.iter().filter_map(|d| Some(("database", d.service.as_ref()?))));
    all.extend(spec.restore.restart.iter().flatten().map(|name| ("restore", name)));
    all.extend(spec.upgrade.restart.iter().flatten().map(|name| ("upgrade", name)));
    all.extend(spec.mail.iter().flat_map(mail_services));
    all.into_iter().map(|(what, name)| (what, name.as_str())).collect()
}

fn mail_services(mail: &MailServer) -> Vec<(&'static str, &String)> {
    let mut all = vec![
        ("mail.accounts", &mail.accounts.service),
        ("mail.queue", &mail.queue.service),
        ("mail.resync", &mail.resync.service),
    ];
    all.extend(mail.accounts.restart.iter().flatten().map(|name| ("mail.accounts.restart", name)));
    all
}

/// The volumes that `scenario.toml` names, each with the place that names it.
fn volumes(spec: &Spec) -> Vec<(&'static str, &str)> {
    let mut all: Vec<(&str, &String)> = Vec::new();
    all.extend(spec.certificate.iter().map(|c| ("certificate", &c.volume)));
    all.extend(spec.databases.iter().filter_map(|d| Some(("database", d.volume.as_ref()?))));
    all.extend(spec.mail.iter().flat_map(|m| &m.dkim).map(|d| ("mail.dkim", &d.volume)));
    all.extend(places(spec).iter().filter_map(|p| Some(("users.places", p.mailboxes.as_ref()?))));
    all.into_iter().map(|(what, name)| (what, name.as_str())).collect()
}

fn places(spec: &Spec) -> Option<&UserPlaces> {
    spec.users.as_ref()?.places.as_ref()
}

/// The table that the app's users are in must be in a database that is compared, and be compared itself.
fn users(spec: &Spec, text: &TomlText, problems: &mut Problems) {
    let Some(UserPlaces { database, table, .. }) = places(spec) else { return };
    let Some(found) = spec.databases.iter().find(|d| d.name == *database) else {
        let near = did_you_mean(database, spec.databases.iter().map(|d| d.name.as_str()));
        problems.add(text.problem(database, format!("users.places: there is no [[database]] {database:?}{near}")));
        return;
    };
    let whole = |left: &&LeftOut| left.column.is_none() && left.condition.is_none();
    let mut left_out = found.leave_out.iter().filter(whole).filter_map(|left| left.table.as_ref()).flat_map(|globs| &globs.0);
    if left_out.any(|glob| matches(glob, table)) {
        let message =
            format!("users.places: table {table:?} is left out of database {database:?}, so its users are not compared");
        problems.add(text.problem(table, message));
    }
}

fn doors(spec: &Spec, text: &TomlText, problems: &mut Problems) {
    for door in MAIL_DOORS.into_iter().filter(|_| spec.mail.is_some()) {
        if !spec.doors.iter().any(|d| d.name == door) {
            problems.add(text.whole(format!("[mail] needs a [[door]] named {door:?}: the mail probe goes through it")));
        }
    }
    if spec.certificate.is_none() {
        for door in spec.doors.iter().filter(|d| d.tls != Tls::None) {
            let message = format!("door {:?} uses TLS: add [certificate], which says where its certificate goes", door.name);
            problems.add(text.problem(&door.name, message));
        }
    }
}

/// A fact's command must not hide a failure: what it printed by then would be taken for all that there is.
fn fact(fact: &Fact, text: &TomlText, problems: &mut Problems) {
    let Fact { name, command, .. } = fact;
    if let Some(hidden) = script(command).and_then(hidden_by_pipe) {
        let message = format!(
            "fact {name:?}: the pipe after {hidden:?} hides whether it failed, so that a failure would look like an empty output. \
             Keep the output first, as in out=$(program) && printf '%s\\n' \"$out\" | sed …, or begin with set -o pipefail, which \
             bash and busybox know and Debian's sh does not"
        );
        problems.add(text.problem(name, message));
    }
    if fact.may_be_empty.as_ref().is_some_and(|why| why.trim().is_empty()) {
        let message = format!("fact {name:?}: may_be_empty has no reason: say why nothing may be there before the backup");
        problems.add(text.problem(name, message));
    }
}
