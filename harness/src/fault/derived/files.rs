//! Faults of files that are compared whole: altered, gone, added, and each attribute changed.

use bot::contract::volume_dir;
use futures_util::future::BoxFuture;
use judge::model::{Item, Outcome, essence as line};
use recipe::inventory::{Compared, InventoryVolume};
use recipe::scenario::Scenario;
use recipe::scenario::compared::MESSAGES;
use recipe::scenario::faults::{Choice, Fault as Declared, Globs, Group};

use crate::drill::Drill;
use crate::drill::fault::Strike;
use crate::error::{FaultError, Result};
use crate::fault::act::in_bot;
use crate::fault::deed::{Deed, Derived, Together, When, in_content};
use crate::fault::known::Items;
use crate::fault::labels::durable;
use crate::stack::volumes::full_name;

/// A file that is in no corpus and no snapshot.
const ADDED: &str = "restore-drill-added";
/// A file that the baseline has and the older snapshot has not.
const LATER: &str = "restore-drill-later";

/// What is done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Altered,
    Gone,
    Added,
    Mode,
    Owner,
    Time,
    Fraction,
    Attribute,
    Linked,
    Folder,
}

impl Change {
    const ALL: [(Self, &str, &str); 10] = [
        (Self::Altered, "file-altered", "A byte was added to a file."),
        (Self::Gone, "file-gone", "A file is missing."),
        (Self::Added, "file-added", "There is a file that was never there before."),
        (Self::Mode, "mode-changed", "Everybody may read and write a file."),
        (Self::Owner, "owner-changed", "A file belongs to somebody else."),
        (Self::Time, "mtime-changed", "A file's modification time is a day off."),
        (Self::Fraction, "fraction-lost", "A file's modification time has lost its fraction of a second."),
        (Self::Attribute, "xattr-added", "A file has an extended attribute."),
        (Self::Linked, "file-linked", "A file has a second name."),
        (Self::Folder, "folder-added", "There is a folder that was never there before."),
    ];

    /// What shows of a file of which only the attributes are compared.
    const ATTRIBUTES: [Self; 4] = [Self::Mode, Self::Owner, Self::Attribute, Self::Linked];

    /// What is run: `$1` is the file.
    fn script(self) -> &'static str {
        match self {
            Self::Altered => "touch -r \"$1\" /tmp/time; printf x >> \"$1\"; touch -r /tmp/time \"$1\"",
            Self::Gone => "rm \"$1\"",
            Self::Added => "echo added > \"$1\"",
            Self::Mode => "chmod a+rw,o+x \"$1\"",
            Self::Owner => "chown 12345:12345 \"$1\"",
            Self::Time => "touch -d \"@$(($(stat -c %Y \"$1\") - 86400))\" \"$1\"",
            Self::Fraction => "touch -d \"@$(stat -c %Y \"$1\")\" \"$1\"",
            Self::Attribute => "setfattr -n user.restore-drill -v added \"$1\"",
            Self::Folder => "mkdir \"$1\"",
            Self::Linked => "ln \"$1\" \"$1.linked\"",
        }
    }

    /// What undoes a change of attributes: `$1` is the file, `$2` its mode before, `$3` its owner.
    fn undoing(self) -> Option<&'static str> {
        match self {
            Self::Mode => Some("chmod \"$2\" \"$1\""),
            Self::Owner => Some("chown \"$3\" \"$1\""),
            Self::Attribute => Some("setfattr -x user.restore-drill \"$1\""),
            _ => None,
        }
    }

    /// Whether it strikes what was not there.
    fn adds(self) -> bool {
        matches!(self, Self::Added | Self::Folder)
    }

    fn findings(self, item: &Item, compared: Compared) -> Vec<String> {
        vec![match self {
            Self::Altered => line(item, Outcome::Altered, Some("bytes")),
            Self::Gone => line(item, Outcome::Lost, None),
            Self::Added | Self::Folder => line(item, Outcome::Unexpected, None),
            Self::Mode => line(item, Outcome::Altered, Some("mode")),
            Self::Owner => line(item, Outcome::Altered, Some("owner")),
            Self::Time | Self::Fraction => line(item, Outcome::Altered, Some("mtime")),
            Self::Attribute => line(item, Outcome::Altered, Some("xattr")),
            Self::Linked => {
                // A name that is new is no finding where a server names its files itself.
                let second = (compared != Compared::Loose).then(|| line(&linked(item), Outcome::Unexpected, None));
                return std::iter::once(line(item, Outcome::Altered, Some("link"))).chain(second).collect();
            }
        }]
    }
}

/// The second name of a file.
fn linked(item: &Item) -> Item {
    match item {
        Item::File { volume, path } => Item::File { volume: volume.clone(), path: format!("{path}.linked") },
        other => other.clone(),
    }
}

/// A file that is struck.
#[derive(Debug)]
pub struct Struck {
    volume: String,
    change: Change,
    when: When,
    /// What is compared of the file.
    compared: Compared,
}

/// The durable volumes in which any file may be struck: what is new in them is compared whole, and no mail server serves it.
pub fn compared(scenario: &Scenario) -> impl Iterator<Item = &str> {
    let is_whole = |v: &&InventoryVolume| v.treatment(ADDED).1 == Compared::Whole;
    let is_mail = |v: &&InventoryVolume| v.paths.iter().any(|p| p.content.as_deref() == Some(MESSAGES));
    durable(scenario).filter(is_whole).filter(move |v| !is_mail(v)).map(|v| v.name.as_str())
}

/// The durable volumes whose files a server names itself. Of a file that is there before and after, the attributes are compared.
fn of_servers(scenario: &Scenario) -> impl Iterator<Item = &str> {
    durable(scenario).filter(|v| v.treatment(ADDED).1 == Compared::Loose).map(|v| v.name.as_str())
}

/// A change of a file, as a fault of its own.
fn fault(volume: &str, (change, name, what): (Change, &str, &str), compared: Compared) -> Derived {
    let struck = Struck { volume: volume.to_owned(), change, when: When::Restored, compared };
    in_content(format!("{volume}-{name}"), format!("{what} Volume: {volume}."), struck)
}

/// The faults of a scenario's files.
pub fn faults(scenario: &Scenario) -> Vec<Derived> {
    let of_volume = |volume: &str| {
        let mut faults: Vec<Derived> = Change::ALL.into_iter().map(|c| fault(volume, c, Compared::Whole)).collect();
        let newer = Declared::new(
            format!("{volume}-restored-over-newer"),
            format!("The restore goes over volume {volume}, which has a newer file."),
            Group::Restore,
        );
        let (change, when) = (Change::Added, When::BeforeRestore);
        let struck = Struck { volume: volume.to_owned(), change, when, compared: Compared::Whole };
        faults.push((newer, Some(Box::new(struck))));
        faults
    };
    let of_server = |volume: &str| {
        let changes = Change::ALL.into_iter().filter(|(change, ..)| Change::ATTRIBUTES.contains(change));
        changes.map(|c| fault(volume, c, Compared::Loose)).collect::<Vec<_>>()
    };
    compared(scenario).flat_map(of_volume).chain(of_servers(scenario).flat_map(of_server)).collect()
}

/// The same, a file of every volume struck at once.
pub fn together(scenario: &Scenario) -> Vec<Derived> {
    let fault = |(change, name, what): (Change, &str, &str)| {
        let strike = |volume: &str, compared| {
            Box::new(Struck { volume: volume.to_owned(), change, when: When::Restored, compared }) as Box<dyn Deed>
        };
        let of_servers = of_servers(scenario).filter(|_| Change::ATTRIBUTES.contains(&change));
        let struck: Vec<_> = compared(scenario)
            .map(|v| strike(v, Compared::Whole))
            .chain(of_servers.map(|v| strike(v, Compared::Loose)))
            .collect();
        let what = format!("{}, in every volume.", what.trim_end_matches('.'));
        (!struck.is_empty()).then(|| in_content(format!("every-{name}"), what, Together(struck)))
    };
    Change::ALL.into_iter().filter_map(fault).collect()
}

impl Struck {
    /// A file added to a volume, before the baseline.
    pub fn added(volume: &str) -> Self {
        Self { volume: volume.into(), change: Change::Added, when: When::Departing, compared: Compared::Whole }
    }

    /// The file that is added.
    pub fn new_file(&self) -> Item {
        let name = if self.when == When::Departing { LATER } else { ADDED };
        Item::File { volume: self.volume.clone(), path: name.to_owned() }
    }

    /// The first file of the baseline that is compared in this way and has one name.
    fn target(&self, items: &Items) -> Result<Item> {
        let text = |text: &str| Globs(vec![text.to_owned()]);
        let choice = Choice {
            item: Globs(vec![format!("volume {}, file *", self.volume)]),
            having: [("compared", text(self.compared.name())), ("type", text("file")), ("link", text(""))]
                .map(|(k, v)| (k.to_owned(), v))
                .into(),
            unless: [("size".to_owned(), text("0"))].into(),
            ..Choice::default()
        };
        let found = items.chosen(&choice).into_iter().next().map(|c| c.known.item.clone());
        found.ok_or_else(|| {
            FaultError::Nothing { what: format!("file of volume {}", self.volume), place: "the baseline".into() }.into()
        })
    }

    fn place(&self, drill: &Drill, item: &Item) -> String {
        let Item::File { volume, path } = item else { return String::new() };
        format!("{}/{path}", volume_dir(&full_name(&drill.app.stack.name, volume)))
    }
}

impl Deed for Struck {
    fn when(&self) -> When {
        self.when
    }

    fn strike<'a>(&'a self, drill: &'a Drill, items: &'a Items) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let item = if self.change.adds() { self.new_file() } else { self.target(items)? };
            in_bot(drill, self.change.script(), &[&self.place(drill, &item)]).await?;
            Ok(self.change.findings(&item, self.compared))
        })
    }

    fn undo<'a>(&'a self, drill: &'a Drill) -> Strike<'a> {
        Box::pin(async move {
            if self.change.adds() {
                in_bot(drill, "rm -rf \"$1\"", &[&self.place(drill, &self.new_file())]).await?;
            }
            if self.change == Change::Linked {
                let dir = volume_dir(&full_name(&drill.app.stack.name, &self.volume));
                in_bot(drill, "find \"$1\" -name '*.linked' -type f -delete", &[&dir]).await?;
            }
            // What a hook dumps is not restored as files, so restoring again puts no attribute back.
            if let Some(undoing) = self.change.undoing().filter(|_| self.compared == Compared::Loose) {
                let items = Items::of_baseline(drill)?;
                let target = self.target(&items)?;
                let had = items.iter().find(|k| k.item == target);
                let had = |name: &str| had.and_then(|k| k.attributes.get(name)).map_or("", String::as_str);
                in_bot(drill, undoing, &[&self.place(drill, &target), had("mode"), had("owner")]).await?;
            }
            Ok(())
        })
    }
}
