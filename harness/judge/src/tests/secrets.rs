//! Secrets that had a new value after the restore.

use super::*;
use crate::secrets::{Attempt, Came, Secrets, Trouble};

fn lost_with(new: &[&str]) -> Seen {
    // What the app serves needs KEY; the other one matters to nobody.
    let needs = new.contains(&"KEY");
    Seen { trials: vec![trial(Ok(if needs { "nowhere" } else { "u1 INBOX" }))], ..seen() }
}

/// A run in which KEY and SALT were renewed; what was tried then was tried again with `attempts`.
fn run(attempts: &[&[&str]], seen_with: impl Fn(&[&str]) -> Seen) -> (tempfile::TempDir, Evidence) {
    let (dir, evidence) = evidence();
    store(&evidence, BASELINE, &seen());
    store(&evidence, RESTORED, &seen_with(&["KEY", "SALT"]));
    let attempt = |new: &&[&str]| {
        let name = format!("restored with {}", new.join(" "));
        store(&evidence, &name, &seen_with(new));
        let new = new.iter().map(ToString::to_string).collect();
        Attempt { of: Trouble::Observation(RESTORED.into()), new, came: Came::Observed(name) }
    };
    let attempts = attempts.iter().map(attempt).collect();
    let kept = vec![KeptSecret { name: "DB_PASSWORD".into(), why: "The dump has it.".into() }];
    Secrets { renewed: ["KEY", "SALT"].map(str::to_owned).into(), kept, attempts }.store(&evidence).expect("stored");
    (dir, evidence)
}

fn found(evidence: &Evidence) -> Vec<String> {
    judge(evidence, RESTORED).expect("judged").findings.iter().map(ToString::to_string).collect()
}

#[test]
fn a_secret_that_the_restored_app_needs_is_named_and_so_is_what_follows_from_it() {
    let (_dir, evidence) = run(&[&[], &["KEY"], &["SALT"]], lost_with);
    assert!(may_need_secrets(&evidence, RESTORED).expect("judged") && old_secrets_mend(&evidence, RESTORED).expect("judged"));
    let trial = "trial: mail to an alias, a@mail.test: altered";
    let expected = [
        format!("{trial}: expected \"u1 INBOX\", got \"nowhere\"; needs KEY, which no backup has"),
        format!(
            "secret KEY: lost: the restored app needs KEY, which no backup has: 1 finding with a new value and none of them with the \
             old one, such as {trial}"
        ),
    ];
    assert_eq!(found(&evidence), expected);
    assert_eq!(judge(&evidence, RESTORED).expect("judged").status, Status::Broken);
}

#[test]
fn what_was_not_tried_with_the_old_and_the_new_value_is_not_said_to_need_it() {
    let (old, key, salt): (&[&str], &[&str], &[&str]) = (&[], &["KEY"], &["SALT"]);
    for attempts in [vec![], vec![old], vec![key, salt]] {
        let (_dir, evidence) = run(&attempts, lost_with);
        let found = found(&evidence);
        assert!(found.len() == 1 && !found[0].contains("needs"), "{attempts:?}: {found:?}");
    }
    // It fails whatever the secrets are, or came right with a restart.
    for gone in [["", "KEY", "KEY SALT", "SALT"].as_slice(), &["KEY SALT"]] {
        let fails = |new: &[&str]| Seen {
            trials: vec![trial(Ok(if gone.contains(&new.join(" ").as_str()) { "nowhere" } else { "u1 INBOX" }))],
            ..seen()
        };
        let (_dir, evidence) = run(&[&[], &["KEY"], &["SALT"]], fails);
        let found = found(&evidence);
        assert!(found.len() == 1 && !found[0].contains("needs"), "{gone:?}: {found:?}");
    }
}

#[test]
fn new_values_that_do_no_harm_hold_and_are_counted_and_what_is_kept_is_told() {
    let (_dir, evidence) = run(&[], |_| seen());
    let verdict = judge(&evidence, RESTORED).expect("judged");
    assert_eq!((verdict.status, may_need_secrets(&evidence, RESTORED).expect("judged")), (Status::Held, false));
    let needs: Vec<String> = verdict.needs.iter().map(ToString::to_string).collect();
    assert_eq!(needs, ["The restore needs DB_PASSWORD, which is in no backup and must be kept elsewhere: The dump has it."]);
    let counted =
        |evidence: &Evidence| checks::performed(evidence, RESTORED).expect("read").get(&checks::Check::Secrets).copied();
    assert_eq!(counted(&evidence), Some(2));
    evidence.set(RunFact::Checks, r#"{"new secrets": 3}"#).expect("stored");
    assert_eq!(found(&evidence), ["check \"new secrets\": unread: checks.toml declares at least 3, 2 were compared"]);
    evidence.set(RunFact::Secrets, "{").expect("stored");
    evidence.set(RunFact::Checks, "{}").expect("stored");
    assert_eq!((counted(&evidence), found(&evidence).len()), (None, 1));
    assert!(found(&evidence)[0].starts_with("declaration \"secrets\": unread: "), "{:?}", found(&evidence));
}

#[test]
fn an_app_that_does_not_come_up_is_broken_though_nothing_else_is() {
    let (_dir, evidence) = run(&[], |_| seen());
    let attempt = |new: &[&str], came| Attempt { of: Trouble::Start, new: new.iter().map(ToString::to_string).collect(), came };
    let down = || Came::Down("no answer".into());
    let mut secrets = Secrets::read(&evidence).expect("read").expect("stored");
    secrets.attempts =
        vec![attempt(&["KEY", "SALT"], down()), attempt(&[], Came::Up), attempt(&["KEY"], down()), attempt(&["SALT"], Came::Up)];
    secrets.store(&evidence).expect("stored");
    let expected = "secret KEY: lost: the restored app needs KEY, which no backup has: with a new value it does not come up, and with \
                    the old one it does: no answer";
    assert_eq!(found(&evidence), [expected]);
}
