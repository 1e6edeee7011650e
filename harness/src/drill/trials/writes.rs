//! New data: what an app must take after a restore. A database that is read-only, a counter that went back, a folder of root's:
//! all of it reads well. What is written here is deleted again.

use engine::exec::Output;
use judge::model::{NewData, Trial, TrialKind};
use judge::store::TrialSeen;
use recipe::scenario::{UserCommands, Write};

use super::new_mail::{self, Writer};
use super::visits::AS_EXPECTED;
use crate::drill::state::Drill;
use crate::drill::users;
use crate::error::Result;
use crate::probe::pages::Failure as Refusal;

/// What must come of a user's creation.
const LET_IN: &str = "created, and let in";
/// What must come of a user's deletion.
const GONE: &str = "deleted, and refused";
/// What a server says that cannot look at its users (RFC 5530).
const UNABLE: &str = "UNAVAILABLE";
/// Exit codes above this are of programs that a signal ended.
const SIGNALS: i64 = 128;
/// Characters of an answer that are kept.
const ANSWER: usize = 300;

/// Has new data written in every way that the scenario knows, and deleted again.
pub(super) async fn writes(drill: &Drill, stage: &str) -> Result<Vec<TrialSeen>> {
    let spec = &drill.app.scenario.spec;
    let mut seen = Vec::new();
    // Who was there before writes first: a new user may use up the numbers that a counter gives out twice.
    if let Some(user) = drill.run.corpus.accounts().mailboxes().first() {
        seen.extend(written_in_pages(drill, Ok(&user.email)).await?);
    }
    let newcomer = spec.users.as_ref().map(|users| (users, newcomer(drill)));
    let mut made = None;
    if let Some((users, account)) = &newcomer {
        let trial = made_user(drill, users, account).await?;
        let writer = match trial.value.as_deref() {
            Ok(LET_IN) => Ok(account.as_str()),
            _ => Err((account.as_str(), "the user was not created, or cannot log in")),
        };
        seen.push(trial);
        seen.extend(written_in_pages(drill, writer).await?);
        made = Some(writer);
    }
    if let (true, Some(made)) = (drill.app.mail().is_some(), made) {
        seen.extend(new_mail::taken(drill, stage, made).await?);
    }
    for write in &spec.writes {
        seen.push(written_by_command(drill, write).await);
    }
    if let Some((users, account)) = &newcomer {
        seen.push(deleted_user(drill, users, account).await?);
    }
    Ok(seen)
}

/// The address of the user who is created.
fn newcomer(drill: &Drill) -> String {
    let domain = drill.run.corpus.accounts().domains.first().map(|d| d.name.clone()).unwrap_or_default();
    format!("newcomer@{domain}")
}

async fn made_user(drill: &Drill, users: &UserCommands, account: &str) -> Result<TrialSeen> {
    let value = match users::make_user(drill, users, account, true).await {
        Err(e) => Err(e.to_string()),
        Ok(output) if output.code != 0 => failed(&output),
        Ok(_) => match users::first_login(drill, account).await? {
            Ok(()) => Ok(LET_IN.to_owned()),
            Err(Refusal::Answered(why)) => Ok(format!("created, and not let in: {why}")),
            Err(Refusal::Unknown(why)) => Err(why),
        },
    };
    Ok(TrialSeen { trial: Trial::new(TrialKind::New(NewData::User), [account]), expected: LET_IN.into(), value })
}

async fn deleted_user(drill: &Drill, users: &UserCommands, account: &str) -> Result<TrialSeen> {
    let value = match users::make_user(drill, users, account, false).await {
        Err(e) => Err(e.to_string()),
        Ok(output) if output.code != 0 => failed(&output),
        Ok(_) => match users::first_login(drill, account).await? {
            Ok(()) => Ok("deleted, and let in".to_owned()),
            // Who cannot look whether there is such a user has not said that there is none.
            Err(Refusal::Answered(why)) if why.contains(UNABLE) => Err(why),
            Err(Refusal::Answered(_)) => Ok(GONE.to_owned()),
            Err(Refusal::Unknown(why)) => Err(why),
        },
    };
    Ok(TrialSeen { trial: Trial::new(TrialKind::New(NewData::Deletion), [account]), expected: GONE.into(), value })
}

/// What a user writes in each of the app's pages.
async fn written_in_pages(drill: &Drill, writer: Writer<'_>) -> Result<Vec<TrialSeen>> {
    let mut seen = Vec::new();
    for pages in drill.app.scenario.spec.pages.iter().filter(|p| !p.write.is_empty()) {
        let (account, value) = match writer {
            Err((account, why)) => (account, Err(why.to_owned())),
            Ok(account) => match users::visitor(drill, pages, account)?.write(&pages.write).await {
                Ok(()) => (account, Ok(AS_EXPECTED.to_owned())),
                Err(Refusal::Answered(why)) => (account, Ok(why)),
                Err(Refusal::Unknown(why)) => (account, Err(why)),
            },
        };
        let trial = Trial::new(TrialKind::New(NewData::Page(pages.name.clone())), [account]);
        seen.push(TrialSeen { trial, expected: AS_EXPECTED.into(), value });
    }
    Ok(seen)
}

async fn written_by_command(drill: &Drill, write: &Write) -> TrialSeen {
    let value = if write.is_todo() {
        Err("scenario.toml still has TODO in [[write]]: say how new data gets into the app".to_owned())
    } else {
        let service = drill.app.stack.service(&write.service);
        let input = write.input.as_deref().map(str::as_bytes);
        match drill.app.engine().exec(&service, &write.command, &[], input).await {
            Err(e) => Err(e.to_string()),
            Ok(output) if output.code != 0 => failed(&output),
            Ok(output) => Ok(match &write.expect {
                Some(expected) if !output.stdout.contains(expected) => format!("{expected:?} is not in what it printed"),
                _ => AS_EXPECTED.to_owned(),
            }),
        }
    };
    let trial = Trial::new(TrialKind::New(NewData::Command(write.name.clone())), [""; 0]);
    TrialSeen { trial, expected: AS_EXPECTED.into(), value }
}

/// What a failed command tells; nothing if a signal ended it.
fn failed(output: &Output) -> Result<String, String> {
    let said = failure(output);
    if output.code > SIGNALS { Err(said) } else { Ok(said) }
}

/// How a command failed, with the end of what it said.
fn failure(output: &Output) -> String {
    let said = if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr };
    let last = said.trim().lines().last().unwrap_or("it said nothing");
    format!("exit code {}: {}", output.code, last.chars().take(ANSWER).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_fails_says_why_in_a_line() {
        let output = |stdout: &str, stderr: &str| Output { code: 1, stdout: stdout.into(), stderr: stderr.into() };
        let traceback = "Traceback:\n  line 1\nsqlite3.OperationalError: attempt to write a readonly database\n";
        let expected = "exit code 1: sqlite3.OperationalError: attempt to write a readonly database";
        assert_eq!(failure(&output("", traceback)), expected);
        assert_eq!(failure(&output("no\n", " \n")), "exit code 1: no");
        assert_eq!(failure(&output("", "")), "exit code 1: it said nothing");
    }
}
