//! What the bot said went wrong in its steps, and what that means for the verdict.

use crate::error::Result;
use crate::model::{BotStep, Cause, Complaint, Finding, Item, Outcome};
use crate::say::finding;
use crate::store::Evidence;

/// A finding for each complaint of the bot.
pub(crate) fn findings(evidence: &Evidence) -> Result<Vec<Finding>> {
    let one = |(step, Complaint { cause, message }): (BotStep, Complaint)| {
        finding(Item::Step { step }, outcome(step, cause), Some(cause.name()), message)
    };
    Ok(evidence.complaints()?.into_iter().map(one).collect())
}

/// What it means that a step failed because of something. A bot that somebody killed tells nothing about the backup. An audit that
/// could not be made tells nothing about the snapshot, unless the repository is what it found wanting.
pub fn outcome(step: BotStep, cause: Cause) -> Outcome {
    match (step, cause) {
        (_, Cause::Ended) => Outcome::Unread,
        (BotStep::Audit, Cause::Damage | Cause::Snapshot | Cause::NoSnapshot | Cause::Password) => Outcome::Failed,
        (BotStep::Audit, _) => Outcome::Unread,
        (BotStep::Backup | BotStep::Restore, _) => Outcome::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_something_about_the_backup_is_broken() {
        use Cause::{Damage, Ended, Hook, Locked, NoSnapshot, NotEnabled, Other, Password, Path, Snapshot, Space, Unread};
        let of = |step, is| -> Vec<Cause> { Cause::ALL.into_iter().filter(|cause| outcome(step, *cause) == is).collect() };
        let all_but_ended = [Hook, NotEnabled, NoSnapshot, Locked, Password, Space, Snapshot, Path, Damage, Unread, Other];
        for step in [BotStep::Backup, BotStep::Restore] {
            assert_eq!((of(step, Outcome::Failed), of(step, Outcome::Unread)), (all_but_ended.to_vec(), vec![Ended]));
        }
        assert_eq!(of(BotStep::Audit, Outcome::Failed), [NoSnapshot, Password, Snapshot, Damage]);
        let unread = [Hook, NotEnabled, Locked, Space, Path, Ended, Unread, Other];
        assert_eq!(of(BotStep::Audit, Outcome::Unread), unread);
    }
}
