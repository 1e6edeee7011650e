//! Recipes as authors may write them.

use std::collections::BTreeMap;

use proptest::prelude::*;

/// A name and a value.
pub type Pair = (&'static str, &'static str);

/// Labels as authors write them, and the label that says the same to the bot; none where only the author knows.
pub const WISHES: &[(&str, &str, Option<Pair>)] = &[
    ("backupbot.backup", "true", Some(("backupbot.backup", "true"))),
    ("backupbot.backup", "True", Some(("backupbot.backup", "true"))),
    ("backupbot.backup", "${ENABLE_BACKUPS:-true}", Some(("backupbot.backup", "true"))),
    ("backupbot.volumes.cache", "false", Some(("backupbot.backup.volumes.cache", "false"))),
    ("backupbot.backup.volumes.stack_cache", "false", Some(("backupbot.backup.volumes.cache", "false"))),
    ("backupbot.backup.volumes.${STACK_NAME}_cache", "false", Some(("backupbot.backup.volumes.cache", "false"))),
    ("backupbot.backup.volumes.cahce", "no", Some(("backupbot.backup.volumes.cache", "false"))),
    ("backupbot.backup.path", "/data/keep", Some(("backupbot.backup.volumes.data.path", "keep"))),
    ("backupbot.backup.volumes.data.path", "/keep", Some(("backupbot.backup.volumes.data.path", "keep"))),
    ("backupbot.backup.volumes.data.path", "/data/keep", Some(("backupbot.backup.volumes.data.path", "keep"))),
    ("backupbot.backup.pre-hook", "/x.sh \\\"a\\\" # b", Some(("backupbot.backup.pre-hook", "/x.sh \\\"a\\\" # b"))),
    ("backupbot.backup.prehook", "it's: so", Some(("backupbot.backup.pre-hook", "it's: so"))),
    ("backupbot.restore.post-hook", "/x.sh ${A:-b}, c", Some(("backupbot.restore.post-hook", "/x.sh b, c"))),
    ("backupbot.backup.command", "pg_dump", None),
    ("backupbot.backup.volumes.nothing", "false", None),
];

/// How the labels of one place are written.
#[derive(Debug, Clone)]
pub struct Style {
    pub map: bool,
    pub quote: char,
    pub flow: bool,
    pub comment: bool,
    pub own_line: bool,
}

fn style() -> impl Strategy<Value = Style> {
    let quote = prop_oneof![Just('"'), Just('\'')];
    (any::<bool>(), quote, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(map, quote, flow, comment, own_line)| Style {
        map,
        quote,
        flow,
        comment,
        own_line,
    })
}

fn quoted(text: &str, quote: char) -> String {
    match quote {
        '\'' => format!("'{}'", text.replace('\'', "''")),
        _ => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

/// `labels:` with these labels, indented by so much.
fn labels(all: &BTreeMap<&str, &str>, style: &Style, depth: usize, anchor: &str) -> String {
    if all.is_empty() {
        return String::new();
    }
    let one = |(name, value): (&&str, &&str)| match style.map {
        true if name.contains('$') => format!("{}: {}", quoted(name, style.quote), quoted(value, style.quote)),
        true => format!("{name}: {}", quoted(value, style.quote)),
        false => quoted(&format!("{name}={value}"), style.quote),
    };
    let all: Vec<String> = all.iter().map(one).collect();
    if style.flow {
        let (open, close) = if style.map { ('{', '}') } else { ('[', ']') };
        return format!("{:depth$}labels:{anchor} {open}{}{close}\n", "", all.join(", "));
    }
    let inner = depth + 2;
    let dash = if style.map { "" } else { "- " };
    let mut out = format!("{:depth$}labels:{anchor}{}\n", "", if style.comment { " # all of them" } else { "" });
    for line in all {
        if style.own_line {
            out += &format!("{:inner$}# about the next\n", "");
        }
        out += &format!("{:inner$}{dash}{line}{}\n", "", if style.comment { " # why" } else { "" });
    }
    out
}

/// A label's service, where it is written, and which wish it is.
type Wish = (bool, bool, usize);

#[derive(Debug, Clone)]
pub struct Written {
    pub wishes: Vec<Wish>,
    pub styles: Vec<Style>,
    pub shared: bool,
    pub last: bool,
    pub postgres: bool,
    pub version: bool,
}

/// The compose file.
pub fn compose(of: &Written) -> String {
    let at = |db: bool, container: bool| -> BTreeMap<&str, &str> {
        let here = of.wishes.iter().filter(|(d, c, _)| (*d, *c) == (db, container));
        here.map(|(.., wish)| (WISHES[*wish].0, WISHES[*wish].1)).collect()
    };
    let mut out = String::from("version: \"3.8\"\nx-common: &common\n  restart: always # always\nservices:\n");
    for (db, name) in [(false, "app"), (true, "db")] {
        let mut deployed = at(db, false);
        if !db && of.version {
            deployed.insert("coop-cloud.${STACK_NAME}.version", "1.0.0+1");
        }
        let volumes = match (db, of.postgres) {
            (false, _) => "[\"data:/data\", \"cache:/cache\"]",
            (true, true) => "[\"pg:/var/lib/postgresql/data\"]",
            (true, false) => "[\"more:/more\"]",
        };
        let image = if db && of.postgres { "postgres:16" } else { "x/y:1" };
        let container = labels(&at(db, true), &of.styles[usize::from(db)], 4, "");
        let deploy = labels(&deployed, &of.styles[2 + usize::from(db)], 6, "");
        let deploy = if deploy.is_empty() { deploy } else { format!("    deploy: # swarm\n{deploy}") };
        out += &format!("  {name}:\n    <<: *common\n    image: {image}\n    volumes: {volumes}\n");
        out += &if of.last { format!("{deploy}{container}") } else { format!("{container}    networks: [default]\n{deploy}") };
    }
    if of.shared {
        out += "  worker: &w\n    image: x/y:1\n    deploy: &d\n      replicas: 1\n  second:\n    image: x/y:1\n    deploy: *d\n";
    }
    out + "# the volumes\nvolumes:\n  data:\n  cache:\n  more:\n  pg:\n"
}

/// Any recipe.
pub fn written() -> impl Strategy<Value = Written> {
    let wish = (any::<bool>(), any::<bool>(), 0..WISHES.len());
    let wishes = proptest::collection::vec(wish, 0..6);
    let styles = proptest::collection::vec(style(), 4);
    (wishes, styles, any::<[bool; 4]>()).prop_map(|(mut wishes, styles, [shared, last, postgres, version])| {
        // A place has a name once.
        wishes.sort_by_key(|(d, c, w)| (*d, *c, WISHES[*w].0));
        wishes.dedup_by_key(|(d, c, w)| (*d, *c, WISHES[*w].0));
        Written { wishes, styles, shared, last, postgres, version }
    })
}
