//! Deploying: the app's stack and the bot's, until both run and the app answers on its doors.

use super::state::Drill;
use crate::backup::own::deploy_bot;
use crate::error::Result;
use crate::events::Phase;
use crate::stack::deploy;

/// The stack runs and answers on its doors.
#[must_use]
pub struct Deployed {
    _private: (),
}

/// Deploys the app and the bot, and waits until both run and the app answers on its doors.
pub async fn deploy(drill: &Drill) -> Result<Deployed> {
    let phase = drill.run.events.phase(Phase::Deploy);
    if let Some(bot) = &drill.app.bot_stack {
        deploy_bot(&drill.app.owned, bot, &drill.run.secret, &drill.app.lease).await?;
    }
    let first = drill.app.before.as_ref().unwrap_or(&drill.app.stack);
    drill.app.deploy_app(first, |done, all| phase.progress(done, all, "services")).await?;
    if let Some(bot) = &drill.app.bot_stack {
        deploy::converged(drill.app.engine(), &bot.name, drill.app.converge_deadline(), |_, _| ()).await?;
    }
    phase.finish(format!("stack {}, doors {}", drill.app.stack.name, drill.app.door_list()));
    Ok(Deployed { _private: () })
}
