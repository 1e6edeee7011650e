//! What operators and maintainers write: compose files, env files, hooks, a scenario's TOML, globs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use recipe::compose::Compose;
use recipe::compose::edit::Edit;
use recipe::compose::variable::{Part, interpolate, parts};
use recipe::env::parse_env;
use recipe::inventory::Inventory;
use recipe::labels::hook;
use recipe::labels::lint::lint;
use recipe::labels::recipe::RecipeFiles;
use recipe::labels::suggest::suggest_for;
use recipe::scenario::faults::Faults;
use recipe::scenario::faults::check::Known;
use recipe::scenario::{Checks, Spec, scaffold};
use recipe::toml_file::parse_toml;
use restore_drill::fault::glob::Glob;

use super::{Target, halves, text};

/// Compose files: parsed, checked, linted, corrected, edited, made into a scenario.
pub const COMPOSE: Target = Target {
    name: "compose",
    feed: compose,
    seeds: &[
        b"version: \"3.8\"\nservices:\n  app:\n    image: app:1.2\n    environment:\n      - A=${A:-x}\n    volumes:\n      - data:/data:ro\n      - ${CONF:?m}:/c\n    \
          deploy:\n      replicas: 1\n      labels:\n        - \"backupbot.backup=true\"\n        - \"coop-cloud.${STACK_NAME}.version=0.1.0+1.2\"\n        \
          - \"backupbot.backup.volumes.data.path=a,b\"\n        - \"backupbot.backup.pre-hook=sh -c 'pg_dump > /data/x'\"\nvolumes:\n  data:\n",
        b"x: &x {A: 1, ? [k] : v}\nservices:\n  app: {image: a, environment: {<<: *x}, labels: {backupbot.backup: true}, ports: [\"8:80\"]}\n",
        b"services:\r\n  db:\r\n    image: postgres:15\r\n    deploy:\r\n      labels:\r\n        backupbot.backup: \"True\"\r\n        backupbot.volume: |\r\n          x\r\n",
        b"services:\n  a:\n    deploy:\n      labels:\n        - backupbot.backup.path=/data\n        - backupbot.backup=false\n    volumes:\n      - {type: volume, source: v, target: /v}\n  b:\nvolumes: {v: , w: }\n",
    ],
};

fn compose(data: &[u8]) {
    let text = text(data);
    let file = Path::new("compose.yml");
    let compose = match Compose::parse(file, &text) {
        Ok(compose) => compose,
        Err(e) => return assert!(e.to_string().starts_with("compose.yml"), "{e}"),
    };
    let lines = text.lines().count();
    compose.tree.walk(&mut |_, node| assert!(node.line <= lines + 1, "line {} of {lines}", node.line));
    let _ = compose.check_env(&BTreeMap::new()).map_err(|e| e.to_string());
    let mut value = compose.value.clone();
    for service in compose.services() {
        let _ = compose.deploy_labels(service);
        Edit::set(service, "backupbot.backup", "true").apply(&mut value);
    }
    if let Ok([spec, inventory]) = scaffold::texts("wiki", &compose) {
        parse_toml::<Spec>(Path::new("scenario.toml"), &spec).expect("what is written can be read");
        parse_toml::<Inventory>(Path::new("inventory.toml"), &inventory).expect("what is written can be read");
    }
    let files = RecipeFiles::default();
    let texts = vec![(PathBuf::from("compose.yml"), text.clone().into_owned())];
    let Ok(recipe) = files.parse(texts.clone()) else { return };
    for mistake in lint(&recipe, None) {
        assert!(!mistake.message.is_empty());
    }
    let Ok(suggested) = suggest_for(&files, texts) else { return };
    let _ = suggested.diff();
    let [(_, _, new)] = &suggested.files[..] else { panic!("one file in, {} out", suggested.files.len()) };
    files.parse(vec![(PathBuf::from("compose.yml"), new.clone())]).expect("what is suggested can be read");
}

/// Variables in a text.
pub const VARIABLE: Target = Target {
    name: "variable",
    feed: variable,
    seeds: &[b"${A:-x}$$${B-}$C${D:?m}${E?}${A:+x}$", b"a$A:-b} ${A ${A}}", "$é${é}".as_bytes()],
};

fn variable(data: &[u8]) {
    let text = text(data);
    let Ok(parts) = parts(&text) else { return };
    let again: String = parts
        .iter()
        .map(|part| match part {
            Part::Text("$") => "$$",
            Part::Text(text) => text,
            Part::Variable(variable) => variable.written,
        })
        .collect();
    assert_eq!(again, text);
    let names: BTreeSet<&str> =
        parts.iter().filter_map(|p| if let Part::Variable(v) = p { Some(v.name) } else { None }).collect();
    let (_, unset) = interpolate(&text, &BTreeMap::new()).expect("parted before");
    assert!(unset.iter().all(|name| names.contains(name)), "{unset:?} of {names:?}");
    let all = names.into_iter().map(|name| (name.to_owned(), "v".to_owned())).collect();
    assert_eq!(interpolate(&text, &all).expect("parted before").1, [""; 0]);
}

/// Files of `NAME=value` lines.
pub const ENV: Target =
    Target { name: "env", feed: env, seeds: &[b"# c\nA=1\nexport B=\"two words\"\n\nC='\n", b"A = b\r\nB=\rc\n", b"=\n"] };

fn env(data: &[u8]) {
    let file = Path::new("a.env");
    match parse_env(file, &text(data)) {
        Err(e) => {
            let said = e.to_string();
            let mut problems = said.lines().filter(|line| !line.ends_with(" problems:"));
            assert!(problems.all(|line| line.trim_start().starts_with("a.env:")), "{said}");
        }
        Ok(env) => {
            let written: String =
                env.iter().map(|(name, value)| format!("{name}='{}'\n", value.replace('\'', "'\\''"))).collect();
            assert_eq!(parse_env(file, &written).expect("what was read"), env);
        }
    }
}

/// Commands of hooks.
pub const HOOK: Target = Target {
    name: "hook",
    feed: hook,
    seeds: &[
        b"sh -c 'PGPASSWORD=$(cat /run/secrets/db) pg_dump -U app db > /postgres.dump'",
        b"bash -c \"set -o pipefail; a | b && c 2>&1 >>/x || ! { d; }\" # e",
        b"for f in a b; do tar -cf /data/$f.tar $f; done; sqlite3 /m.db \".backup '/tmp/x.db'\"",
        b"redis-cli --rdb /d | tee /e\\",
        b"redis:7-alpine\0bash",
    ],
};

fn hook(data: &[u8]) {
    let read = hook::read(&text(data));
    assert!(read.writes.iter().all(|path| path.starts_with('/')), "{read:?}");
    assert!(read.tools.iter().all(|tool| !tool.contains('/')), "{read:?}");
    let _ = hook::hidden_by_pipe(&text(data));
    let (image, tool) = halves(data);
    let _ = hook::lacks(&text(image), &text(tool));
}

/// The TOML files of a scenario.
pub const TOML: Target = Target {
    name: "toml",
    feed: toml,
    seeds: &[
        b"description = \"An app\"\ncompose = [\"compose.yml\"]\n[env]\nA = \"{secret}\"\n[[door]]\nname = \"http\"\nservice = \"app\"\nport = 80\ntls = \"none\"\n\
          [[write]]\nname = \"a page\"\nservice = \"app\"\ncommand = [\"make-page\"]\n[[fact]]\nname = \"f\"\nservice = \"app\"\ncommand = [\"x\"]\n",
        b"[[pages]]\nname = \"p\"\ndoor = \"http\"\nlogin = [{post = \"/login\", form = {u = \"{email}\"}, take = {t = \"x(.)\"}, expect = \"ok\"}]\n\
          [[database]]\nname = \"m.db\"\ndialect = \"sqlite\"\nvolume = \"v\"\nfile = \"m.db\"\n[[database.leave_out]]\ntable = [\"a\", \"b*\"]\nwhy = \"x\"\n",
        b"[[volume]]\nname = \"data\"\nservice = \"app\"\nmount = \"/data\"\nclass = \"durable\"\nwhy = \"All.\"\n[[volume.path]]\npath = \"*/cache/*\"\nclass = \"cache\"\nwhy = \"x\"\n\
          [[volume.path]]\npath = \"m.db\"\nclass = \"durable\"\ncontent = \"rows of m.db\"\ndump = \"m.db.backup\"\nformat = \"sqlite\"\nnames = \"changing\"\nwhy = \"x\"\n",
        b"derive = \"together\"\n[lost]\nmail = [\"folder *: lost\", \"all\"]\nall = [\"mail\"]\n[target.t]\nitem = \"file *\"\nwhere = {size = \"1*\"}\n\
          [[fault]]\nname = \"f\"\nwhat = \"w\"\ngroup = \"content\"\nfinds = [\"{t.item}: lost\", {each = \"file *\", finds = \"{item}: lost\"}, \"mail\"]\n\
          strike = [{service = \"app\", run = \"rm {t.path}\"}]\nedit = [{service = \"app\", set = \"a\", to = \"b\"}]\n",
        b"messages = 60\n\"rows of m.db: user\" = 3\n",
    ],
};

fn toml(data: &[u8]) {
    let text = text(data);
    let (file, mut wrong) = (Path::new("a.toml"), Vec::new());
    match parse_toml::<Inventory>(file, &text) {
        Err(e) => wrong.push(e),
        Ok(inventory) => {
            for volume in inventory.deployed() {
                for path in [".", "m.db", "a/cache/b"].into_iter().chain(volume.paths.iter().map(|p| p.path.as_str())) {
                    let ((class, _), (owed, _)) = (volume.treatment(path), volume.owed(path));
                    assert_eq!(class, owed, "{path}");
                }
            }
        }
    }
    match parse_toml::<Faults>(file, &text) {
        Err(e) => wrong.push(e),
        Ok(faults) => {
            let names = ["app".to_owned()].into();
            let known = Known { services: &names, databases: &names, secrets: &names, rules: &names, dir: Path::new("/nowhere") };
            let _ = faults.check(&known);
        }
    }
    wrong.extend(parse_toml::<Spec>(file, &text).err());
    wrong.extend(parse_toml::<Checks>(file, &text).err());
    wrong.iter().for_each(|e| assert!(e.to_string().starts_with("a.toml"), "{e}"));
}

/// A glob and a text, with a NUL between.
pub const GLOB: Target = Target {
    name: "glob",
    feed: glob,
    seeds: &[
        b"*/dovecot.index*\0u/.Sent/dovecot.index.log",
        b"a*a*a*b\0aaaaaaaaaaaaab",
        "*é*\0café".as_bytes(),
        b"\0",
        b"a?[c]\0a?[c]",
    ],
};

fn glob(data: &[u8]) {
    let (glob, of) = halves(data);
    let (glob, of) = (text(glob), text(of));
    // No path and no finding has it.
    if of.contains('\0') {
        return;
    }
    let stars = Glob::new(&glob).stars(&of);
    assert_eq!(recipe::glob::matches(&glob, &of), stars.is_some(), "{glob:?} {of:?}");
    if let Some(stars) = stars {
        let stars = stars.iter().map(String::as_str).chain([""]);
        let filled: String = glob.split('*').zip(stars).flat_map(|(part, star)| [part, star]).collect();
        assert_eq!(filled, of);
    }
}
