//! Mistakes in labels, deployed for real. Most of them lose data without a word from the bot; some lose nothing, and only
//! lint tells of them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use judge::audit::Report;
use judge::model::{Item, Outcome};
use recipe::inventory::Class;
use recipe::labels::lint::lint;
use recipe::labels::recipe::{Recipe, Sources};
use recipe::labels::rules::Rule;
use seeds::Corpus;

use super::Lost;
use crate::drill::Drill;
use crate::error::Result;
use crate::stack::deploy::{Change, Edit};

const BACKUP: &str = "backupbot.backup";
const PRE: &str = "backupbot.backup.pre-hook";
const RESTORE_PRE: &str = "backupbot.restore.pre-hook";
const RESTORE_POST: &str = "backupbot.restore.post-hook";
const PATH: &str = "backupbot.backup.volumes.mailu.path";
const WEBMAIL_PATH: &str = "backupbot.backup.volumes.webmail.path";
const RSPAMD: &str = "backupbot.backup.volumes.rspamd";
const VERSION: &str = "coop-cloud.${STACK_NAME}.version";

const NOT_ENABLED: &str = "backup: failed (not enabled)";
const NO_PATH: &str = "backup: failed (path)";
const HOOK: &str = "backup: failed (hook)";
const JUNK: &str = "snapshot, volume rspamd: junk";
const NO_DUMP: &str = "snapshot, volume mailu, path main.db.backup: altered (dump)";

/// A mistake.
#[derive(Debug)]
pub(crate) struct Mistake {
    pub name: &'static str,
    pub what: &'static str,
    edits: &'static [Edit],
    /// What lint says of the edited recipe.
    pub lint: &'static [Rule],
    /// What the backup and its audit say.
    found: &'static [&'static str],
    /// What is not back after a restore.
    pub lost: &'static [Lost],
}

const NOTHING: Mistake = Mistake { name: "", what: "", edits: &[], lint: &[], found: &[], lost: &[] };

/// A path filter that is computed: the mailboxes of the first domain.
const ONE_DOMAIN: &str = "one-domain-only";
/// The one mistake that shows only against the recipe before it.
const NOT_BUMPED: &str = "version-not-bumped";

pub(crate) static MISTAKES: &[Mistake] = &[
    Mistake {
        name: "labels-absent",
        what: "the recipe has no backupbot label",
        edits: &[
            Edit::unset("app", BACKUP),
            Edit::unset("app", RSPAMD),
            Edit::unset("app", "backupbot.backup.volumes.certs"),
            Edit::unset("admin", PRE),
            Edit::unset("admin", PATH),
            Edit::unset("admin", RESTORE_POST),
            Edit::unset("db", PRE),
            Edit::unset("db", RESTORE_PRE),
            Edit::unset("webmail", PRE),
            Edit::unset("webmail", WEBMAIL_PATH),
            Edit::unset("webmail", RESTORE_POST),
        ],
        lint: &[Rule::NoLabels],
        found: &[NOT_ENABLED],
        ..NOTHING
    },
    Mistake {
        name: "backup-label-absent",
        what: "every label is there but backupbot.backup",
        edits: &[Edit::unset("app", BACKUP)],
        lint: &[Rule::NotEnabled],
        found: &[NOT_ENABLED],
        ..NOTHING
    },
    Mistake {
        name: "backup-label-twice",
        what: "backupbot.backup on two services",
        edits: &[Edit::set("db", BACKUP, "true")],
        lint: &[Rule::EnabledTwice],
        ..NOTHING
    },
    Mistake {
        name: "backup-label-elsewhere",
        what: "backupbot.backup on another service than app",
        edits: &[Edit::unset("app", BACKUP), Edit::set("db", BACKUP, "true")],
        lint: &[Rule::EnabledElsewhere],
        ..NOTHING
    },
    Mistake {
        name: "backup-label-on-container",
        what: "backupbot.backup under labels, not under deploy.labels",
        edits: &[Edit::unset("app", BACKUP), Edit::of("app", Change::OnContainer(BACKUP, "true"))],
        lint: &[Rule::ContainerLabel],
        found: &[NOT_ENABLED],
        ..NOTHING
    },
    Mistake {
        name: "backup-value-not-exact",
        what: "backupbot.backup=True",
        edits: &[Edit::set("app", BACKUP, "True")],
        lint: &[Rule::InexactValue],
        found: &[NOT_ENABLED],
        ..NOTHING
    },
    Mistake {
        name: "version-1-syntax",
        what: "an exclusion in the syntax of version 1",
        edits: &[Edit::unset("app", RSPAMD), Edit::set("app", "backupbot.volumes.rspamd", "false")],
        lint: &[Rule::Version1, Rule::JunkCaptured],
        found: &[JUNK],
        ..NOTHING
    },
    Mistake {
        name: "container-path",
        what: "backupbot.backup.path with a path in the container",
        edits: &[Edit::set("admin", "backupbot.backup.path", "/data/instance")],
        lint: &[Rule::ContainerPath],
        ..NOTHING
    },
    Mistake {
        name: "volume-misspelt",
        what: "an exclusion of a volume that does not exist",
        edits: &[Edit::unset("app", RSPAMD), Edit::set("app", "backupbot.backup.volumes.rspamb", "false")],
        lint: &[Rule::UnknownVolume, Rule::JunkCaptured],
        found: &[JUNK],
        ..NOTHING
    },
    Mistake {
        name: "volume-with-stack-prefix",
        what: "an exclusion by the volume's full name",
        edits: &[Edit::unset("app", RSPAMD), Edit::set("app", "backupbot.backup.volumes.${STACK_NAME}_rspamd", "false")],
        lint: &[Rule::UnknownVolume, Rule::JunkCaptured],
        found: &[JUNK],
        ..NOTHING
    },
    Mistake {
        name: "label-misspelt",
        what: "backupbot.backup.volume. in place of .volumes.",
        edits: &[Edit::unset("app", RSPAMD), Edit::set("app", "backupbot.backup.volume.rspamd", "false")],
        lint: &[Rule::UnknownLabel, Rule::JunkCaptured],
        found: &[JUNK],
        ..NOTHING
    },
    Mistake {
        name: "exclusion-value-not-exact",
        what: "an exclusion with the value no",
        edits: &[Edit::set("app", RSPAMD, "no")],
        lint: &[Rule::InexactValue, Rule::JunkCaptured],
        found: &[JUNK],
        ..NOTHING
    },
    Mistake {
        name: "path-outside-volume",
        what: "a path filter that climbs out of a folder that is not there",
        edits: &[Edit::set("admin", PATH, "main.db.backup,instance,nowhere/../instance")],
        lint: &[Rule::BadPath],
        found: &[NO_PATH],
        ..NOTHING
    },
    Mistake {
        name: "path-misspelt",
        what: "a path filter with a typo",
        edits: &[Edit::set("admin", PATH, "main.db.bakcup,instance")],
        found: &[NO_PATH],
        ..NOTHING
    },
    Mistake { name: ONE_DOMAIN, what: "a path filter that leaves out every domain but one", ..NOTHING },
    Mistake {
        name: "path-of-excluded",
        what: "a path filter for a volume that is left out",
        edits: &[
            Edit::set("app", "backupbot.backup.volumes.dkim", "false"),
            Edit::set("app", "backupbot.backup.volumes.dkim.path", "mail.test.dkim.key"),
        ],
        lint: &[Rule::PathOfExcluded, Rule::DurableExcluded],
        found: &["snapshot, volume dkim: lost"],
        lost: &[Lost::Dkim],
    },
    Mistake {
        name: "everything-excluded",
        what: "every volume is left out",
        edits: &[
            Edit::set("app", "backupbot.backup.volumes.dkim", "false"),
            Edit::set("app", "backupbot.backup.volumes.mail", "false"),
            Edit::set("app", "backupbot.backup.volumes.mailqueue", "false"),
            Edit::set("app", "backupbot.backup.volumes.mailu", "false"),
            Edit::set("app", "backupbot.backup.volumes.redis", "false"),
            Edit::set("app", "backupbot.backup.volumes.webmail", "false"),
        ],
        lint: &[Rule::NothingLeft, Rule::PathOfExcluded, Rule::DurableExcluded, Rule::ValuableExcluded],
        found: &[NO_PATH],
        ..NOTHING
    },
    Mistake {
        name: "mail-excluded",
        what: "the mail volume is left out",
        edits: &[Edit::set("app", "backupbot.backup.volumes.mail", "false")],
        lint: &[Rule::DurableExcluded],
        found: &["snapshot, volume mail: lost"],
        lost: &[Lost::Mail],
    },
    Mistake {
        name: "dkim-excluded",
        what: "the volume of the DKIM keys is left out",
        edits: &[Edit::set("app", "backupbot.backup.volumes.dkim", "false")],
        lint: &[Rule::DurableExcluded],
        found: &["snapshot, volume dkim: lost"],
        lost: &[Lost::Dkim],
    },
    Mistake {
        name: "webmail-excluded",
        what: "the webmail's volume is left out",
        edits: &[Edit::set("app", "backupbot.backup.volumes.webmail", "false")],
        lint: &[Rule::PathOfExcluded, Rule::DurableExcluded],
        found: &["snapshot, volume webmail: lost", "snapshot, volume webmail, path roundcube.db.backup: lost (dump)"],
        lost: &[Lost::AddressBooks, Lost::PgpKeys],
    },
    Mistake {
        name: "pgp-keys-left-out",
        what: "a path filter names the webmail's database alone",
        edits: &[Edit::set("webmail", WEBMAIL_PATH, "roundcube.db.backup")],
        found: &["snapshot, volume webmail, path gpg: lost"],
        lost: &[Lost::PgpKeys],
        ..NOTHING
    },
    Mistake {
        name: "training-excluded",
        what: "Redis' volume is left out",
        edits: &[Edit::set("app", "backupbot.backup.volumes.redis", "false")],
        lint: &[Rule::ValuableExcluded],
        found: &["snapshot, volume redis: valuable, not captured"],
        lost: &[Lost::Training],
    },
    Mistake {
        name: "junk-captured",
        what: "a volume that the app makes anew is not left out",
        edits: &[Edit::unset("app", RSPAMD)],
        lint: &[Rule::JunkCaptured],
        found: &[JUNK],
        ..NOTHING
    },
    Mistake {
        name: "state-outside-volumes",
        what: "a service may write to a folder of the host",
        edits: &[Edit::of("db", Change::Mount("/tmp:/scratch"))],
        lint: &[Rule::StateOutsideVolumes],
        ..NOTHING
    },
    Mistake {
        name: "dump-outside-volumes",
        what: "a hook writes its dump into the container's writable layer",
        edits: &[Edit::set("admin", PRE, "rm -f /data/main.db.backup; cat /data/main.db > /main.db.backup")],
        lint: &[Rule::DumpOutsideVolumes],
        found: &[NO_PATH],
        ..NOTHING
    },
    Mistake {
        name: "hook-tool-missing",
        what: "a hook calls a program that its image does not have",
        edits: &[Edit::set("admin", PRE, "rm -f /data/main.db.backup; sqlite3 /data/main.db '.backup /data/main.db.backup'")],
        lint: &[Rule::ToolMissing],
        found: &[HOOK, NO_PATH],
        ..NOTHING
    },
    Mistake {
        name: "hook-pipe-hides-failure",
        what: "a pipe hides that a hook's program failed",
        edits: &[Edit::set("admin", PRE, "python3 -c 'raise SystemExit(1)' | cat > /data/main.db.backup")],
        lint: &[Rule::PipeHidesFailure],
        found: &[NO_DUMP],
        ..NOTHING
    },
    Mistake {
        name: "hooks-on-wrong-service",
        what: "the hook that dumps the database is on imap",
        edits: &[
            Edit::unset("admin", PRE),
            Edit::set(
                "imap",
                PRE,
                "python3 -c \"import sqlite3; sqlite3.connect('/data/main.db').backup(sqlite3.connect('/data/main.db.backup'))\"",
            ),
        ],
        lint: &[Rule::BackupHookAlone, Rule::RestoreHookAlone],
        found: &[HOOK, NO_PATH],
        ..NOTHING
    },
    Mistake {
        name: "backup-hook-alone",
        what: "the hook that puts the database's dump in place is not there",
        edits: &[Edit::unset("admin", RESTORE_POST)],
        lint: &[Rule::BackupHookAlone],
        lost: &[Lost::Database],
        ..NOTHING
    },
    Mistake {
        name: "restore-hook-alone",
        what: "the hook that dumps the database is not there",
        edits: &[Edit::unset("admin", PRE)],
        lint: &[Rule::RestoreHookAlone],
        found: &[NO_PATH],
        ..NOTHING
    },
    Mistake {
        name: "hook-never-runs",
        what: "a hook on a service without containers",
        edits: &[Edit::of("db", Change::Replicas(0))],
        lint: &[Rule::HookNeverRuns],
        found: &[HOOK],
        ..NOTHING
    },
    Mistake {
        name: "version-absent",
        what: "no label names the recipe's version",
        edits: &[Edit::unset("app", VERSION)],
        lint: &[Rule::NoVersion],
        ..NOTHING
    },
    Mistake {
        name: "version-malformed",
        what: "the recipe's version has no upstream part",
        edits: &[Edit::set("app", VERSION, "3.0.3")],
        lint: &[Rule::BadVersion],
        ..NOTHING
    },
    Mistake {
        name: NOT_BUMPED,
        what: "labels changed, the recipe's version did not",
        edits: &[Edit::set("db", "backupbot.backup.post-hook", "redis-cli ping")],
        lint: &[Rule::VersionNotBumped],
        ..NOTHING
    },
    Mistake {
        name: "variable-without-value",
        what: "a label with a variable that has no value",
        edits: &[Edit::set("app", "coop-cloud.${STACK_NAME}.timeout", "${TIMEOUT}")],
        lint: &[Rule::NoValue],
        ..NOTHING
    },
];

/// The mailboxes of the first domain, and those of the others.
fn by_domain(corpus: &Corpus) -> (Vec<String>, Vec<String>) {
    let accounts = corpus.accounts();
    let first = format!("@{}", accounts.domains[0].name);
    accounts.enabled().map(|u| u.email.clone()).partition(|email| email.ends_with(&first))
}

impl Mistake {
    pub(crate) fn edits(&self, corpus: &Corpus) -> Vec<Edit> {
        if self.name != ONE_DOMAIN {
            return self.edits.to_vec();
        }
        let paths = by_domain(corpus).0.join(",");
        let change = Change::Set("backupbot.backup.volumes.mail.path".into(), Cow::Owned(paths));
        vec![Edit { service: "imap".into(), change }]
    }

    /// What lint, the bot and the audit must say.
    pub(crate) fn expected(&self, drill: &Drill) -> Result<BTreeSet<String>> {
        let mut expected: BTreeSet<String> = self.found.iter().map(ToString::to_string).collect();
        expected.extend(self.lint.iter().map(|r| said(*r)));
        if self.name == ONE_DOMAIN {
            for account in by_domain(&drill.corpus).1 {
                let item = Item::Snapshot { volume: "mail".into(), path: account };
                expected.insert(super::line(&item, Outcome::Lost, None));
            }
        }
        Ok(expected)
    }

    /// What lint says of the recipe with the mistake.
    pub(crate) fn linted(&self, drill: &Drill) -> Result<BTreeSet<String>> {
        linted(drill, &self.edits(&drill.corpus), self.name == NOT_BUMPED)
    }
}

/// What lint says of the scenario's recipe with some changes; with `base`, of the change too.
pub(crate) fn linted(drill: &Drill, edits: &[Edit], base: bool) -> Result<BTreeSet<String>> {
    let (before, after) = (recipe(drill, &[])?, recipe(drill, edits)?);
    Ok(lint(&after, base.then_some(&before)).into_iter().map(|m| said(m.rule)).collect())
}

fn said(rule: Rule) -> String {
    let lesson = rule.lesson();
    format!("lint: {} {}", lesson.code, lesson.summary)
}

/// The scenario's recipe with some changes, as lint reads it.
fn recipe(drill: &Drill, edits: &[Edit]) -> Result<Recipe> {
    let scenario = &drill.scenario;
    let sources = Sources { files: vec![], env: scenario.spec.env.clone(), inventory: Some(scenario.dir.join("inventory.toml")) };
    let text = |c: &recipe::compose::Compose| {
        let mut value = c.value.clone();
        edits.iter().for_each(|e| e.apply(&mut value));
        (c.file.clone(), value.to_string())
    };
    Ok(sources.parse(scenario.compose.iter().map(text).collect())?)
}

/// What the audit reports without calling it a fault: junk that was captured, and what is valuable and was not.
pub(crate) fn reported(drill: &Drill) -> Result<BTreeSet<String>> {
    let Some(report) = Report::read(&drill.evidence)? else { return Ok(BTreeSet::new()) };
    let is_junk = |name: &str| {
        let volume = drill.scenario.inventory.volumes.iter().find(|v| v.name == name);
        volume.is_some_and(|v| matches!(v.class, Class::Cache | Class::Regenerated))
    };
    let junk = report.captured.iter().filter(|(v, ..)| is_junk(v)).map(|(v, ..)| format!("snapshot, volume {v}: junk"));
    let missed = report.valuable_missed.iter().map(|(v, _)| format!("snapshot, volume {v}: valuable, not captured"));
    Ok(junk.chain(missed).collect())
}
