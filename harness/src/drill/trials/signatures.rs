//! The keys that sign outgoing mail, as the domains' DNS has them.

use std::collections::BTreeMap;

use judge::store::RunFact;

use crate::drill::state::Drill;
use crate::drill::world::publish;
use crate::error::{Error, ReadingError, Result};
use crate::probe::dkim;
use crate::stack::alive;
use crate::stack::volumes::{Helper, full_name};

/// Stores the key records of the domains: what their DNS says from now on, before and after any restore.
pub(super) async fn remember_keys(drill: &Drill) -> Result<()> {
    let Some(spec) = drill.app.mail().and_then(|m| m.dkim.as_ref()) else { return Ok(()) };
    let volume = full_name(&drill.app.stack.name, &spec.volume);
    let helper = Helper::open(&drill.app.owned, &drill.app.helper_image, &volume).await?;
    let mut records = BTreeMap::new();
    let mut missing = None;
    for domain in &drill.run.corpus.accounts().domains {
        let path = spec.key.replace("{domain}", &domain.name);
        let dir = alive::temporary(drill.app.owned.run())?;
        let file = dir.path().join("key");
        if !helper.copy_out(&path, &file).await? {
            missing = Some(format!("volume {} has no {path}", spec.volume));
            continue;
        }
        let pem = std::fs::read(&file).map_err(Error::io(&file))?;
        match dkim::record(&pem) {
            Ok(record) => drop(records.insert(format!("{}._domainkey.{}", spec.selector, domain.name), record)),
            Err(why) => missing = Some(format!("volume {}, {path}: {why}", spec.volume)),
        }
    }
    helper.close().await?;
    if let Some(why) = missing {
        return Err(ReadingError::Unread { what: "DKIM keys".into(), why }.into());
    }
    drill.run.evidence.set_json(RunFact::DkimKeys, &records)?;
    drill.app.resolver.change(&drill.app.owned, |world| publish(world, &records)).await
}

pub(super) fn keys(drill: &Drill) -> Result<BTreeMap<String, String>> {
    Ok(drill.run.evidence.json(RunFact::DkimKeys)?.unwrap_or_default())
}
