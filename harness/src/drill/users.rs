//! Users: made and deleted by the app's own command, let in or not, in front of its pages.

use std::time::Duration;

use engine::exec::Output;
use recipe::scenario::{Pages, Tls, UserCommands};

use super::state::Drill;
use crate::error::{ReadingError, Result};
use crate::probe::doors::{Answer, Doors};
use crate::probe::pages::{Failure, Origin, Visitor};
use crate::stack::until;

/// The longest wait for the first login of a user.
const PATIENCE: Duration = Duration::from_secs(20);
/// How the client words a NO of an IMAP server.
const SAYS_NO: &str = "no response: ";

/// Has an account made that was never there, logs it in, and has it deleted. What went wrong, if something did.
pub async fn new_account(drill: &Drill) -> Result<Option<String>> {
    let Some(spec) = &drill.app.scenario.spec.users else { return Ok(None) };
    let domain = drill.run.corpus.accounts().domains.first().map(|d| d.name.clone()).unwrap_or_default();
    let email = format!("new-account@{domain}");
    let password = drill.run.password(&email);
    for (there, word) in [(true, "making"), (false, "deleting")] {
        let output = make_user(drill, spec, &email, there).await?;
        if output.code != 0 {
            return Ok(Some(format!("{word} {email}: exit code {}: {}", output.code, output.stderr.trim())));
        }
        match lets_in(drill, &email, &password).await? {
            Ok(let_in) if let_in == there => {}
            Ok(true) => return Ok(Some(format!("{email} logs in after it was deleted"))),
            Ok(false) => return Ok(Some(format!("{email} cannot log in after it was made"))),
            Err(why) => return Err(ReadingError::Unread { what: format!("the login of {email}"), why }.into()),
        }
    }
    Ok(None)
}

/// Whether a user can log in, over IMAP or in the app's pages.
pub(super) async fn lets_in(drill: &Drill, email: &str, password: &str) -> Result<Answer> {
    if drill.app.mail().is_some() {
        return Ok(Doors::imap(&drill.app.imap(), email, password).await);
    }
    let Some(pages) = drill.app.scenario.spec.pages.iter().find(|p| !p.login.is_empty()) else {
        return Ok(Err("the scenario has neither [mail] nor [[pages]] with a login".into()));
    };
    Ok(match visitor(drill, pages, email)?.visit(&[]).await {
        Ok(()) => Ok(true),
        Err(Failure::Answered(_)) => Ok(false),
        Err(Failure::Unknown(why)) => Err(why),
    })
}

/// Lets a user log in who may be new to the app: its pages may have to store something then, and an error of the server says that
/// they could not.
pub(super) async fn first_login(drill: &Drill, email: &str) -> Result<Result<(), Failure>> {
    let pages = drill.app.scenario.spec.pages.iter().find(|p| !p.login.is_empty()).filter(|_| drill.app.mail().is_none());
    if let Some(pages) = pages {
        return Ok(visitor(drill, pages, email)?.write(&[]).await);
    }
    let login = until(PATIENCE, || async {
        Ok(match lets_in(drill, email, &drill.run.password(email)).await? {
            Ok(true) => Ok(Ok(())),
            Ok(false) => Ok(Err(Failure::Answered("refused".into()))),
            Err(why) => Err(why),
        })
    });
    // A server that says no for so long has answered.
    Ok(login.await.unwrap_or_else(|e| Err(no(e.to_string()))))
}

/// A failure over IMAP: the server's own no is its answer.
pub(super) fn no(why: String) -> Failure {
    if why.contains(SAYS_NO) { Failure::Answered(why) } else { Failure::Unknown(why) }
}

/// Has a user made, or deleted, by the app's own command.
pub(super) async fn make_user(drill: &Drill, spec: &UserCommands, email: &str, made: bool) -> Result<Output> {
    let (command, input) = spec.filled(made, email, &drill.run.password(email));
    Ok(drill.app.engine().exec(&drill.app.stack.service(&spec.service), &command, &[], input.as_deref()).await?)
}

/// A user in front of the app's pages.
pub(crate) fn visitor<'a>(drill: &Drill, pages: &'a Pages, account: &str) -> Result<Visitor<'a>> {
    let tls = drill.app.scenario.spec.doors.iter().any(|d| d.name == pages.door && d.tls != Tls::None);
    let origin = Origin { doors: drill.app.doors_of_run(), port: drill.app.port(&pages.door), tls };
    Visitor::new(pages, &origin, &drill.run.corpus, account, &drill.run.secret.password(account))
}
