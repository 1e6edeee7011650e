//! The tables of `evidence.db`.

/// Version of the schema; a directory of another version is refused.
pub(super) const VERSION: i64 = 11;

/// The tables.
pub(super) const TABLES: &str = "
CREATE TABLE run (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
-- The ledger: one row for each message and each mailbox it is delivered to. item: the id of the message.
-- sent: ok (accepted with 250), failed (refused), indeterminate (connection lost after DATA).
CREATE TABLE ledger (
  item TEXT NOT NULL, account TEXT NOT NULL, sent TEXT NOT NULL, reply TEXT NOT NULL,
  body_sha256 BLOB NOT NULL, bytes INTEGER NOT NULL, expunged INTEGER NOT NULL,
  PRIMARY KEY (account, item)) WITHOUT ROWID;
CREATE TABLE observation (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, complete INTEGER NOT NULL DEFAULT 0);
-- status: read, refused (the server denied the login), unread (anything else).
CREATE TABLE account (
  observation INTEGER NOT NULL, account TEXT NOT NULL, status TEXT NOT NULL, detail TEXT NOT NULL,
  PRIMARY KEY (observation, account)) WITHOUT ROWID;
-- In KiB (RFC 2087 counts in those), as the server says; no row where it has no quota.
CREATE TABLE quota (
  observation INTEGER NOT NULL, account TEXT NOT NULL, used INTEGER NOT NULL, most INTEGER NOT NULL,
  PRIMARY KEY (observation, account)) WITHOUT ROWID;
-- modseq: HIGHESTMODSEQ, null where the server has none. special_use: attributes of RFC 6154, space-separated.
CREATE TABLE folder (
  observation INTEGER NOT NULL, account TEXT NOT NULL, folder TEXT NOT NULL, uid_validity INTEGER NOT NULL,
  uid_next INTEGER NOT NULL, messages INTEGER NOT NULL, subscribed INTEGER NOT NULL, modseq INTEGER, special_use TEXT NOT NULL,
  PRIMARY KEY (observation, account, folder)) WITHOUT ROWID;
-- Folders that a user is subscribed to and that are not there.
CREATE TABLE subscription (
  observation INTEGER NOT NULL, account TEXT NOT NULL, folder TEXT NOT NULL,
  PRIMARY KEY (observation, account, folder)) WITHOUT ROWID;
-- What a server keeps of a folder beside its messages. property: guid, acl or annotation. of: who has the rights, or the entry that is
-- annotated. value: of an annotation its SHA-256.
CREATE TABLE folder_attribute (
  observation INTEGER NOT NULL, account TEXT NOT NULL, folder TEXT NOT NULL, property TEXT NOT NULL, of TEXT NOT NULL,
  value TEXT NOT NULL, PRIMARY KEY (observation, account, folder, property, of)) WITHOUT ROWID;
-- internal_date: seconds since 1970. item: the id of the run's own message, where the header has one.
CREATE TABLE message (
  observation INTEGER NOT NULL, account TEXT NOT NULL, folder TEXT NOT NULL, uid INTEGER NOT NULL,
  sha256 BLOB NOT NULL, body_sha256 BLOB NOT NULL, size INTEGER NOT NULL, flags TEXT NOT NULL,
  keywords TEXT NOT NULL, internal_date INTEGER NOT NULL, item TEXT,
  PRIMARY KEY (observation, account, folder, uid)) WITHOUT ROWID;
CREATE INDEX message_bytes ON message (sha256);
CREATE INDEX message_item ON message (item);
-- The bytes of some messages whose content changed since the baseline.
CREATE TABLE altered (
  observation INTEGER NOT NULL, account TEXT NOT NULL, folder TEXT NOT NULL, uid INTEGER NOT NULL, item TEXT, bytes BLOB NOT NULL,
  PRIMARY KEY (observation, account, folder, uid)) WITHOUT ROWID;
CREATE TABLE db_check (
  observation INTEGER NOT NULL, db TEXT NOT NULL, property TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (observation, db, property)) WITHOUT ROWID;
-- shape: its columns and its key, as JSON.
CREATE TABLE db_table (
  observation INTEGER NOT NULL, db TEXT NOT NULL, tbl TEXT NOT NULL, shape TEXT NOT NULL,
  PRIMARY KEY (observation, db, tbl)) WITHOUT ROWID;
-- A property of what a database has besides rows. what: index, role, …; empty for the database itself.
-- part_of: the table that it is part of, else empty.
CREATE TABLE db_object (
  observation INTEGER NOT NULL, db TEXT NOT NULL, what TEXT NOT NULL, name TEXT NOT NULL, property TEXT NOT NULL,
  value TEXT NOT NULL, part_of TEXT NOT NULL, PRIMARY KEY (observation, db, what, name, property)) WITHOUT ROWID;
-- columns: a JSON object of the columns that are compared; secret ones as their SHA-256.
CREATE TABLE db_row (
  observation INTEGER NOT NULL, db TEXT NOT NULL, tbl TEXT NOT NULL, key TEXT NOT NULL, columns TEXT NOT NULL,
  PRIMARY KEY (observation, db, tbl, key)) WITHOUT ROWID;
-- Entries of volumes. parent: the folder that it is in. class and compared: as the inventory has them. sha256: empty where the content is
-- not compared here. mtime: nanoseconds since 1970. link: the first name of a file that has several. xattrs: a JSON object of names
-- and values in hexadecimal digits. allocated and xattrs are null where they could not be read.
CREATE TABLE file (
  observation INTEGER NOT NULL, volume TEXT NOT NULL, path TEXT NOT NULL, parent TEXT NOT NULL, kind TEXT NOT NULL, class TEXT NOT NULL,
  compared TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, allocated INTEGER, uid INTEGER NOT NULL, gid INTEGER NOT NULL,
  mode INTEGER NOT NULL, mtime INTEGER NOT NULL, target TEXT NOT NULL, link TEXT NOT NULL, device TEXT NOT NULL, xattrs TEXT,
  PRIMARY KEY (observation, volume, path)) WITHOUT ROWID;
CREATE TABLE file_unread (
  observation INTEGER NOT NULL, volume TEXT NOT NULL, path TEXT NOT NULL, why TEXT NOT NULL,
  PRIMARY KEY (observation, volume, path)) WITHOUT ROWID;
CREATE INDEX file_parent ON file (observation, volume, parent);
-- What lies outside the stack's volumes. kind: mount or link; place: the service or the volume.
CREATE TABLE outside (
  kind TEXT NOT NULL, place TEXT NOT NULL, path TEXT NOT NULL, what TEXT NOT NULL, PRIMARY KEY (kind, place, path)) WITHOUT ROWID;
-- What services wrote into their containers' own layer. stage: before the backup that of the baseline. path: empty for each service that
-- was looked at.
CREATE TABLE layer (
  stage TEXT NOT NULL, service TEXT NOT NULL, path TEXT NOT NULL, PRIMARY KEY (stage, service, path)) WITHOUT ROWID;
-- The audit. side: live or snapshot. class: what a backup owes the file; dump: the path of the dump that carries its content.
-- size and sha256 are null where only the bot's list names the file.
CREATE TABLE audit_file (
  side TEXT NOT NULL, volume TEXT NOT NULL, path TEXT NOT NULL, class TEXT NOT NULL, dump TEXT, size INTEGER, sha256 TEXT,
  PRIMARY KEY (side, volume, path)) WITHOUT ROWID;
-- The live files that were there before the backup was begun, where the app went on meanwhile.
CREATE TABLE audit_before (volume TEXT NOT NULL, path TEXT NOT NULL, PRIMARY KEY (volume, path)) WITHOUT ROWID;
-- complaint: what is wrong with a dump in the snapshot.
CREATE TABLE audit_dump (volume TEXT NOT NULL, path TEXT NOT NULL, complaint TEXT, PRIMARY KEY (volume, path)) WITHOUT ROWID;
-- Sieve scripts, and the accounts whose scripts could not be read.
CREATE TABLE script (
  observation INTEGER NOT NULL, account TEXT NOT NULL, script TEXT NOT NULL, active INTEGER NOT NULL, sha256 TEXT NOT NULL,
  PRIMARY KEY (observation, account, script)) WITHOUT ROWID;
CREATE TABLE script_unread (
  observation INTEGER NOT NULL, account TEXT NOT NULL, why TEXT NOT NULL, PRIMARY KEY (observation, account)) WITHOUT ROWID;
-- What a command in a container printed; null where it failed.
CREATE TABLE fact (
  observation INTEGER NOT NULL, fact TEXT NOT NULL, value TEXT, PRIMARY KEY (observation, fact)) WITHOUT ROWID;
-- Redis servers: why their keys could not be read, or null. Keys: number: the database; value: the SHA-1 of the value.
CREATE TABLE redis (
  observation INTEGER NOT NULL, service TEXT NOT NULL, unread TEXT, PRIMARY KEY (observation, service)) WITHOUT ROWID;
CREATE TABLE redis_key (
  observation INTEGER NOT NULL, service TEXT NOT NULL, number INTEGER NOT NULL, key TEXT NOT NULL, kind TEXT NOT NULL,
  expires INTEGER NOT NULL, length INTEGER NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (observation, service, number, key)) WITHOUT ROWID;
-- What was tried through a door at a stage of the drill. kind: as in checks.toml; about: a JSON array of whom it is about.
-- value is null, and why says the reason, where the result is unknown.
CREATE TABLE trial (
  stage TEXT NOT NULL, kind TEXT NOT NULL, about TEXT NOT NULL, expected TEXT NOT NULL, value TEXT, why TEXT NOT NULL,
  PRIMARY KEY (stage, kind, about)) WITHOUT ROWID;
-- What the bot said went wrong in a step of the drill.
CREATE TABLE step (step TEXT NOT NULL, cause TEXT NOT NULL, message TEXT NOT NULL);
-- What simulated users did while the backup ran: one row for each operation. Times in milliseconds of the run's clock; ended is
-- null where the operation is not known to have ended well. message: the id of a message that was delivered, else the UID in INBOX; detail: the body's
-- SHA-256 in hex, or the flag that was changed.
CREATE TABLE live (
  number INTEGER PRIMARY KEY, kind TEXT NOT NULL, account TEXT NOT NULL, message TEXT NOT NULL, detail TEXT NOT NULL,
  began INTEGER NOT NULL, ended INTEGER, error TEXT NOT NULL);
";

/// The tables whose rows each belong to one observation.
pub(super) const OBSERVED: [&str; 18] = [
    "account",
    "quota",
    "folder",
    "message",
    "altered",
    "db_check",
    "db_table",
    "db_object",
    "db_row",
    "file",
    "file_unread",
    "script",
    "script_unread",
    "fact",
    "redis",
    "redis_key",
    "subscription",
    "folder_attribute",
];
