//! What a bot says, whichever it is, and what restic says to ours.

use bot::contract::{self, VOLUMES_ROOT};
use bot::restic::{nodes, snapshots};
use judge::model::Cause;

use super::{Target, text};

/// What the commands of a bot print and log.
pub const CONTRACT: Target = Target {
    name: "contract",
    feed: contract,
    seeds: &[
        b"2026-11-24T01:02:03 1a2b3c4d rd-1_x:3.0.1+2024.06.52\n",
        b"{\"id\":\"abababababababababababababababababababababababababababababababab\",\"short_id\":\"abababab\"}\n{\"message\":\"x 1a2b3c4d\"}\n{\"id\":\"\"}\n",
        b"{\"level\":\"INFO\"}\n{\"message_type\":\"summary\",\"data_added\":5,\"total_bytes_processed\":9}\n",
        b"{\"levelname\":\"ERROR\",\"message\":\"Fatal: wrong password\"}\npre-hook no space left on device\n",
        b"2026-11-24T01:02:03Z 17 /var/lib/docker/volumes/s_data/_data/a b\n\"/tmp/backup.tar\"\n",
        b"var/lib/docker/volumes_old/a",
        b"volumes/s_data/_data/a\n_data/a\n",
        b"{\"message_type\":\"ERROR\",\"message\":\"Failed to run command bash -c 'a' in s: \"}\n{\"type\":\"dir\",\"path\":\"/a\"}\n\x1b[31mERROR\x1b[0m a\n",
        b"Backup has been written to /tmp/backup.tar.gz with a size of 1.2 MB\n",
    ],
};

fn contract(data: &[u8]) {
    let text = text(data);
    for id in contract::snapshot_ids(&text) {
        assert!(id.len() >= 8 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id:?}");
    }
    let _ = (contract::stored(&text), contract::no_repository(&text), contract::stack_name(&text));
    for said in contract::errors(&text).chain([text.clone().into_owned()]) {
        let cause = contract::cause(&said);
        assert!(cause.parse::<Cause>().is_ok(), "{cause}");
    }
    if let Some(archive) = contract::downloaded(&text) {
        assert!(archive.starts_with('/') && !archive.contains(char::is_whitespace), "{archive:?}");
    }
    for line in text.lines() {
        assert!(contract::path(line).is_none_or(|path| path.starts_with('/')), "{line:?}");
        let whole = contract::whole_path(line);
        assert!(whole.strip_prefix(VOLUMES_ROOT).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')), "{whole:?}");
        assert_eq!(contract::whole_path(&whole), whole);
        for archive in ["volumes", "s_data"] {
            assert!(contract::whole_path_in(archive, line).starts_with(VOLUMES_ROOT), "{line:?}");
        }
    }
}

/// What restic prints as JSON.
pub const RESTIC: Target = Target {
    name: "restic",
    feed: restic,
    seeds: &[
        "[{\"id\": \"aaaaaaaa11\", \"time\": \"2026-11-24\", \"tags\": [\"s:1\"]}, {\"id\": \"aaaaaaaé\", \"tags\": null}, {}]".as_bytes(),
        b"{\"struct_type\": \"snapshot\"}\n{\"type\": \"file\", \"path\": \"/a b\", \"size\": 3, \"mtime\": \"m\"}\n{\"type\": \"dir\", \"path\": \"/\"}\n",
    ],
};

fn restic(data: &[u8]) {
    let text = text(data);
    if let Ok(all) = snapshots(&text, None) {
        let some = snapshots(&text, Some("s")).expect("read before");
        assert!(some.iter().all(|s| all.contains(s)));
        assert!(all.iter().all(|s| s.id.starts_with(&s.short())));
    }
    assert!(nodes(&text).count() <= text.lines().count());
}
