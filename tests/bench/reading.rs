//! Reading mailboxes as a drill does, beside other programs at their best: mbsync and Python's imaplib with as many processes as a drill
//! has connections, without a sync to the disk, into memory. Dovecot's own `doveadm fetch` inside its container is what the server gives.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use futures_util::{StreamExt as _, TryStreamExt as _};
use judge::BASELINE;
use judge::store::Evidence;
use restore_drill::drill::{Drill, Resources};
use restore_drill::error::{Error, ReadingError, Result};
use restore_drill::probe::mail::CONNECTIONS;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{BODY, cpu, fill, median, observe, quiet, spread, together};

/// Seconds of each round, by program.
#[derive(Default)]
struct Rounds {
    ours: Vec<f64>,
    mbsync: Vec<f64>,
    imaplib: Vec<f64>,
    doveadm: Vec<f64>,
    /// CPU time while we read: Dovecot's, the front's, our own.
    cpu: [Vec<f64>; 3],
}

/// What each mailbox's programs need.
struct Access {
    host: String,
    port: u16,
    /// The front's certificate, and the one that signed it.
    leaf: PathBuf,
    root: PathBuf,
    logins: Vec<(String, String)>,
}

/// Reads `messages` messages in ten mailboxes, and as many in one.
pub(super) async fn measure(drill: &Arc<Drill>, messages: usize, rounds: usize) -> Result<Value> {
    let mut accounts = quiet(drill, 12);
    let ten = accounts.split_off(2);
    let mut layouts = serde_json::Map::new();
    for (name, accounts) in [("ten mailboxes", ten), ("one mailbox", accounts.split_off(1))] {
        layouts.insert(name.into(), layout(drill, name, &accounts, messages, rounds).await?);
    }
    Ok(layouts.into())
}

async fn layout(drill: &Arc<Drill>, name: &str, accounts: &[String], messages: usize, rounds: usize) -> Result<Value> {
    let each = messages / accounts.len().max(1);
    let connections = CONNECTIONS.min(accounts.len());
    println!("reading {messages} messages of {BODY} bytes in {name}, {connections} connections each, {rounds} rounds");
    futures_util::stream::iter(accounts.to_vec())
        .map(|account| async move { fill(drill, &account, each, BODY).await })
        .buffer_unordered(4)
        .try_collect::<Vec<()>>()
        .await?;
    let dir = tempfile::tempdir().map_err(Error::io(std::env::temp_dir()))?;
    let access = Access::of(drill, accounts, dir.path())?;
    let mut all = Rounds::default();
    for round in 0..rounds {
        ours(drill, accounts, each, &dir.path().join(format!("ours-{round}")), &mut all).await?;
        all.mbsync.push(access.mbsync(connections)?);
        all.imaplib.push(access.imaplib(connections)?);
        all.doveadm.push(doveadm(drill, accounts, connections).await?);
    }
    Ok(told(&all, each * accounts.len()))
}

/// Reads them as a drill does, and counts what was read.
async fn ours(drill: &Arc<Drill>, accounts: &[String], each: usize, dir: &Path, all: &mut Rounds) -> Result<()> {
    let before = (cpu(drill, "imap").await?, cpu(drill, "app").await?, Resources::used());
    let evidence = Evidence::create(dir)?;
    let o = evidence.observation(BASELINE)?;
    all.ours.push(observe(drill, accounts, &evidence, o).await?);
    let after = (cpu(drill, "imap").await?, cpu(drill, "app").await?, Resources::used());
    let own = after.2.zip(before.2).map_or(0.0, |(a, b)| (a.cpu_ms - b.cpu_ms) as f64 / 1000.0);
    for (of, used) in all.cpu.iter_mut().zip([after.0 - before.0, after.1 - before.1, own]) {
        of.push(used);
    }
    let mut seen = 0;
    for account in accounts {
        seen += evidence.message_count(o, account)?;
    }
    let wanted = each * accounts.len();
    if seen < wanted as u64 {
        let why = format!("{seen} messages were read, {wanted} are there");
        return Err(ReadingError::Unread { what: "mailboxes".into(), why }.into());
    }
    Ok(())
}

/// What the server gives where it is asked without a network, a login and TLS: the same of each message, thrown away.
async fn doveadm(drill: &Drill, accounts: &[String], processes: usize) -> Result<f64> {
    const FETCH: &str = r#"n=$1; shift; printf '%s\n' "$@" | xargs -P "$n" -I{} doveadm fetch -u {} 'uid flags date.received text' mailbox INBOX > /dev/null"#;
    let processes = processes.to_string();
    let mut command = vec!["sh", "-ec", FETCH, "sh", &processes];
    command.extend(accounts.iter().map(String::as_str));
    let since = Instant::now();
    drill.app.owned.engine().exec(&drill.app.stack.service("imap"), &command, &[], None).await?.ok("doveadm fetch")?;
    Ok(since.elapsed().as_secs_f64())
}

impl Access {
    fn of(drill: &Drill, accounts: &[String], dir: &Path) -> Result<Self> {
        let save = |name: &str, text: &str| {
            let path = dir.join(name);
            std::fs::write(&path, text).map_err(Error::io(&path)).map(|()| path)
        };
        let (host, port) = drill.app.door("imaps");
        Ok(Self {
            host: host.to_string(),
            port,
            leaf: save("leaf.pem", &drill.app.authority().cert_pem)?,
            root: save("root.pem", &drill.app.authority().root_pem)?,
            logins: accounts.iter().map(|a| (a.clone(), drill.run.password(a))).collect(),
        })
    }

    /// The mailboxes of each of so many processes.
    fn shares(&self, processes: usize) -> impl Iterator<Item = Vec<&(String, String)>> {
        (0..processes).map(move |at| self.logins.iter().skip(at).step_by(processes).collect())
    }

    fn mbsync(&self, processes: usize) -> Result<f64> {
        let memory = memory()?;
        let commands = self.shares(processes).enumerate().map(|(at, logins)| {
            let mut text = "FSync no\n".to_owned();
            for (n, (account, password)) in logins.into_iter().enumerate() {
                let local = memory.path().join(format!("{at}-{n}"));
                std::fs::create_dir_all(&local).map_err(Error::io(&local))?;
                text += &self.mailbox(n, account, password, &local);
            }
            let path = memory.path().join(format!("{at}.rc"));
            std::fs::write(&path, text).map_err(Error::io(&path))?;
            let mut command = Command::new("mbsync");
            command.arg("-c").arg(path).arg("-q").arg("-a");
            Ok(command)
        });
        together(commands.collect::<Result<Vec<_>>>()?)
    }

    /// mbsync's configuration of a mailbox.
    fn mailbox(&self, n: usize, account: &str, password: &str, local: &Path) -> String {
        let Self { host, port, leaf, .. } = self;
        let (leaf, local) = (leaf.display(), local.display());
        format!(
            "IMAPAccount a{n}\nHost {host}\nPort {port}\nUser {account}\nPass {password}\nSSLType IMAPS\nCertificateFile {leaf}\n\n\
             IMAPStore r{n}\nAccount a{n}\n\nMaildirStore l{n}\nPath {local}/\nInbox {local}/INBOX\n\n\
             Channel c{n}\nFar :r{n}:INBOX\nNear :l{n}:INBOX\nSync PullNew\nCreate Near\nSyncState *\nCopyArrivalDate yes\n\n"
        )
    }

    fn imaplib(&self, processes: usize) -> Result<f64> {
        let command = |logins: Vec<&(String, String)>| {
            let mut command = Command::new("python3");
            command.arg("-c").arg(IMAPLIB).arg(self.port.to_string()).arg(&self.root);
            for (account, password) in logins {
                command.arg(account).arg(password);
            }
            command
        };
        together(self.shares(processes).map(command).collect())
    }
}

/// A folder in memory, where the system has one.
fn memory() -> Result<TempDir> {
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    dir.map_err(Error::io(memory))
}

fn told(all: &Rounds, messages: usize) -> Value {
    let ours = median(all.ours.clone());
    for (name, seconds) in [
        ("mbsync", &all.mbsync),
        ("imaplib, blocks of 1,000", &all.imaplib),
        ("doveadm inside the server", &all.doveadm),
        ("restore-drill", &all.ours),
    ] {
        let median = median(seconds.clone());
        println!(
            "  {name:26} {median:7.2} s {:8.0} messages/s; restore-drill is {:.2} x",
            messages as f64 / median,
            median / ours
        );
    }
    let [dovecot, front, own] = all.cpu.each_ref().map(|seconds| median(seconds.clone()));
    println!("    CPU while restore-drill reads: Dovecot {dovecot:.2} s, the front's TLS {front:.2} s, restore-drill {own:.2} s");
    json!({
        "messages": messages,
        "seconds": {
            "restore-drill": spread(&all.ours), "mbsync": spread(&all.mbsync), "imaplib": spread(&all.imaplib), "doveadm": spread(&all.doveadm),
        },
        "cpu s": {"dovecot": dovecot, "front": front, "restore-drill": own},
    })
}

/// As somebody would write it in an hour, and then made fast: a command for a thousand messages.
const IMAPLIB: &str = r#"
import hashlib, imaplib, ssl, sys
port, root, rest = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
context = ssl.create_default_context(cafile=root)
context.check_hostname = False
imaplib._MAXLINE = 10_000_000
for account, password in zip(rest[::2], rest[1::2]):
    session = imaplib.IMAP4_SSL("127.0.0.1", port, ssl_context=context)
    session.login(account, password)
    _, [count] = session.select("INBOX", readonly=True)
    # A command for each message would wait for each answer.
    for first in range(1, int(count) + 1, 1000):
        _, data = session.fetch(f"{first}:{first + 999}", "(UID FLAGS INTERNALDATE BODY.PEEK[])")
        for message in data[::2]:
            hashlib.sha256(message[1]).hexdigest()
    session.logout()
"#;
