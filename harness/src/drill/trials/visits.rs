//! What users find in the app's pages.

use futures_util::{StreamExt as _, TryStreamExt as _};
use judge::model::{Trial, TrialKind};
use judge::store::TrialSeen;

use super::delivery::{CONNECTIONS, WATCHED};
use crate::drill::state::Drill;
use crate::drill::users;
use crate::error::{Error, Result};
use crate::probe::pages::Failure as Refusal;

/// What a visit to the app's pages must be.
pub(in crate::drill) const AS_EXPECTED: &str = "as expected";

/// What users find in the app's pages.
pub(in crate::drill) async fn visits(drill: &Drill) -> Result<Vec<TrialSeen>> {
    let mut seen = Vec::new();
    for pages in drill.app.scenario.spec.pages.iter().filter(|p| !p.check.is_empty()) {
        let accounts: Vec<String> =
            drill.run.corpus.accounts().mailboxes().iter().take(WATCHED).map(|u| u.email.clone()).collect();
        let visits = accounts.into_iter().map(|account| async move {
            let went = users::visitor(drill, pages, &account)?.visit(&pages.check).await;
            let value = match went {
                Ok(()) => Ok(AS_EXPECTED.to_owned()),
                Err(Refusal::Answered(why)) => Ok(why),
                Err(Refusal::Unknown(why)) => Err(why),
            };
            let trial = Trial::new(TrialKind::Page(pages.name.clone()), [account]);
            Ok::<_, Error>(TrialSeen { trial, expected: AS_EXPECTED.to_owned(), value })
        });
        seen.extend(futures_util::stream::iter(visits).buffer_unordered(CONNECTIONS).try_collect::<Vec<_>>().await?);
    }
    Ok(seen)
}
