//! Mail: logins, folders, messages, quotas, and the ledger.

use super::*;

#[test]
fn messages() {
    let first = "mailbox u1@mail.test, folder INBOX, message with UID 1 (corpus message 1)";
    broken(|s| s.messages[0].sha256 = vec![9; 32], &[&format!("{first}: altered (bytes)")]);
    broken(|s| s.messages[0].flags = String::new(), &[&format!("{first}: altered (flags)")]);
    broken(|s| s.messages[0].keywords = "$work".into(), &[&format!("{first}: altered (keywords)")]);
    broken(|s| s.messages[0].internal_date = 60, &[&format!("{first}: altered (internaldate)")]);
    broken(|s| s.messages[0].size = 11, &[&format!("{first}: altered (size)")]);
    broken(|s| s.messages[0].uid = 8, &[&format!("{first}: altered (uid)")]);
    broken(|s| (s.messages[0].folder, s.messages[0].uid) = ("Archive".into(), 4), &[&format!("{first}: misplaced")]);
    broken(|s| drop(s.messages.remove(0)), &[&format!("{first}: lost")]);
    broken(
        |s| s.messages.push(message("INBOX", 5, 1, "1")),
        &["mailbox u1@mail.test, folder INBOX, message with UID 5 (corpus message 1): duplicated"],
    );
    broken(
        |s| s.messages.push(message("INBOX", 5, 9, "9")),
        &["mailbox u1@mail.test, folder INBOX, message with UID 5 (corpus message 9): resurrected"],
    );
    broken(
        |s| s.messages.push(message("INBOX", 5, 8, "8")),
        &["mailbox u1@mail.test, folder INBOX, message with UID 5 (corpus message 8): unexpected"],
    );
    // Two that changed places are not intact, though every byte is there.
    broken(
        |s| {
            s.messages[0].uid = 2;
            s.messages[1].uid = 1;
        },
        &[
            &format!("{first}: altered (uid)"),
            "mailbox u1@mail.test, folder INBOX, message with UID 2 (corpus message 2): altered (uid)",
        ],
    );
}

#[test]
fn a_message_in_another_mailbox_is_misplaced_and_unexpected() {
    let (_dir, evidence) = evidence();
    store(&evidence, BASELINE, &seen());
    let mut after = seen();
    let strayed = after.messages.remove(0);
    let restored = store(&evidence, RESTORED, &after);
    evidence.put_account(restored, "u2@mail.test", &Login::Read).expect("stored");
    evidence.put_messages(restored, "u2@mail.test", &[strayed]).expect("stored");
    let found: Vec<String> = judge(&evidence, RESTORED).expect("judged").findings.iter().map(ToString::to_string).collect();
    let first = "mailbox u1@mail.test, folder INBOX, message with UID 1 (corpus message 1)";
    assert_eq!(found, [format!("{first}: misplaced: it is now in mailbox u2@mail.test, folder INBOX")]);
}

#[test]
fn folders() {
    let archive = "mailbox u1@mail.test, folder Archive";
    broken(
        |s| {
            s.folders.pop();
            s.messages.pop();
        },
        &[&format!("{archive}: lost"), &format!("{archive}, message with UID 1 (corpus message 3): lost")],
    );
    broken(|s| s.folders[1].uid_validity = 8, &[&format!("{archive}: altered (uidvalidity)")]);
    broken(|s| s.folders[1].uid_next = 8, &[&format!("{archive}: altered (uidnext)")]);
    broken(|s| s.folders[1].subscribed = false, &[&format!("{archive}: altered (subscription)")]);
    let subscription = |folder| format!("mailbox u1@mail.test, folder {folder}: altered (subscription)");
    broken(|s| s.closed.clear(), &[&subscription("Closed")]);
    broken(|s| s.closed.push("Other".into()), &[&subscription("Other")]);
    broken(|s| s.folders.push(folder("New")), &["mailbox u1@mail.test, folder New: unexpected"]);
    // A folder that came or went with its subscription kept is one finding.
    broken(
        |s| {
            s.folders.pop();
            s.messages.pop();
            s.closed.push("Archive".into());
        },
        &[&format!("{archive}: lost"), &format!("{archive}, message with UID 1 (corpus message 3): lost")],
    );
    broken(
        |s| {
            s.closed.clear();
            s.folders.push(folder("Closed"));
        },
        &["mailbox u1@mail.test, folder Closed: unexpected"],
    );
    for lower in [Some(4), None] {
        broken(|s| s.folders[1].modseq = lower, &[&format!("{archive}: altered (highestmodseq)")]);
    }
    broken(|s| s.folders[1].special_use = "\\Archive".into(), &[&format!("{archive}: altered (special-use)")]);
    assert_eq!(judged(|s| s.folders[1].modseq = Some(6)), (Status::Held, vec![]), "HIGHESTMODSEQ may grow");
    assert_eq!(judged(|s| s.folders[1].uid_next = 10), (Status::Held, vec![]), "UIDNEXT may grow");
}

#[test]
fn what_a_server_keeps_of_a_folder() {
    let archive = |property| format!("mailbox u1@mail.test, folder Archive: altered ({property})");
    broken(|s| s.attributes[1].value = "dd".into(), &[&archive("guid")]);
    broken(|s| drop(s.attributes.remove(1)), &[&archive("guid")]);
    broken(|s| s.attributes[2].value = "lrs".into(), &[&archive("acl")]);
    broken(|s| s.attributes.push(attribute("Archive", "acl", "boss", "lr")), &[&archive("acl")]);
    broken(|s| s.attributes[3].value = "dd".into(), &[&archive("annotation")]);
    // What is noted of the mailbox as a whole.
    broken(
        |s| s.attributes.push(attribute("", "annotation", "/private/vendor/x", "1")),
        &["mailbox u1@mail.test: altered (annotation)"],
    );
    // Several changes of a property are one finding, which tells some of them.
    let verdict = whole(|s| {
        s.attributes.remove(2);
        (1..=3).for_each(|i| s.attributes.push(attribute("Archive", "acl", &format!("u{i}"), "lr")));
    });
    let details: Vec<&str> = verdict.findings.iter().map(|f| f.detail.as_str()).collect();
    assert_eq!(details, ["anyone: was lr, is none; u1: was none, is lr; u2: was none, is lr; and 1 more"]);
    // A folder with a new UIDVALIDITY, or that is gone, is one finding.
    broken(
        |s| {
            s.folders[1].uid_validity = 8;
            s.attributes[1].value = "dd".into();
        },
        &[&archive("uidvalidity")],
    );
}

#[test]
fn logins() {
    let (account, gone) = ("mailbox u1@mail.test", |s: &mut Seen| {
        s.folders.clear();
        s.messages.clear();
    });
    broken(
        |s| {
            gone(s);
            s.login = Some(Login::Refused("no".into()));
        },
        &[&format!("{account}: lost")],
    );
    for login in [Some(Login::Unread("stalled".into())), None] {
        let result = judged(|s| {
            gone(s);
            s.login = login;
        });
        assert_eq!(result, (Status::Unknown, vec![format!("{account}: unread")]));
    }
}

#[test]
fn quotas() {
    let account = "mailbox u1@mail.test";
    let quota = |used, most| move |s: &mut Seen| s.quota = Some(Quota { used, most });
    broken(quota(1000, 5001), &[&format!("{account}: altered (quota limit)")]);
    broken(quota(988, 5000), &[&format!("{account}: altered (quota usage)")]);
    assert_eq!(judged(quota(1011, 5000)), (Status::Held, vec![]), "within a hundredth");
    assert_eq!(judged(|s| s.quota = None), (Status::Unknown, vec![format!("{account}: unread (quota)")]));
}

#[test]
fn a_message_that_the_server_cannot_serve() {
    let first = "mailbox u1@mail.test, folder INBOX, message with UID 1 (corpus message 1)";
    broken(|s| (s.messages[0].sha256, s.messages[0].item) = (vec![], None), &[&format!("{first}: altered (unreadable)")]);
}

/// What SMTP accepted and the baseline lacks is the seeding's failure, and so is a damaged database.
#[test]
fn the_baseline_is_held_against_the_ledger() {
    let (_dir, evidence) = evidence();
    let line = |item: &str, sent, expunged, body: u8| LedgerLine {
        item: item.parse().expect("an id"),
        account: ACCOUNT.into(),
        sent,
        reply: String::new(),
        body_sha256: [body; 32],
        bytes: 10,
        expunged,
    };
    let lines = [
        line("1", Sent::Ok, false, 1),
        line("2", Sent::Ok, true, 2),
        line("3", Sent::Ok, false, 7),
        line("4", Sent::Ok, false, 4),
        line("5", Sent::Indeterminate, false, 5),
        line("6", Sent::Ok, true, 6),
    ];
    evidence.ledger(&lines).expect("stored");
    let mut baseline = seen();
    baseline.checks[1].1 = "row 3 missing".into();
    let o = store(&evidence, BASELINE, &baseline);
    let found: Vec<String> = seeding(&evidence, o).expect("read").iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "mailbox u1@mail.test, folder Archive, message with UID 1 (corpus message 3): altered (bytes): the body is not the one that was submitted",
            "mailbox u1@mail.test, folder INBOX, message with UID 0 (corpus message 4): lost: it was accepted over SMTP and is not in the mailbox",
            "mailbox u1@mail.test, folder INBOX, message with UID 2 (corpus message 2): resurrected: it was expunged and is still there",
            "database main.db: altered (integrity_check): was ok, is row 3 missing",
        ]
    );
}
