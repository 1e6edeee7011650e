//! The properties that a finding names, other than the columns of a table and what a database's own checks are called.

/// The bytes of a message, a file or a script.
pub const BYTES: &str = "bytes";
/// A message that the server lists and cannot serve.
pub const UNREADABLE: &str = "unreadable";
/// The UID of a message (RFC 9051, 2.3.1.1).
pub const UID: &str = "uid";
/// The system flags of a message (RFC 9051, 2.3.2).
pub const FLAGS: &str = "flags";
/// The keywords of a message (RFC 9051, 2.3.2).
pub const KEYWORDS: &str = "keywords";
/// The internal date of a message (RFC 9051, 2.3.3).
pub const INTERNAL_DATE: &str = "internaldate";
/// The size of a message (RFC 9051, 2.3.4).
pub const SIZE: &str = "size";
/// UIDVALIDITY of a folder (RFC 9051, 2.3.1.1).
pub const UID_VALIDITY: &str = "uidvalidity";
/// UIDNEXT of a folder (RFC 9051, 2.3.1.1).
pub const UID_NEXT: &str = "uidnext";
/// HIGHESTMODSEQ of a folder (RFC 7162, 3.1.2.1).
pub const HIGHEST_MODSEQ: &str = "highestmodseq";
/// The identity of a folder, by which servers that replicate know it (a GUID; RFC 8474 calls it MAILBOXID).
pub const GUID: &str = "guid";
/// What is noted of a folder (RFC 5464).
pub const ANNOTATION: &str = "annotation";
/// What a folder is for (RFC 6154).
pub const SPECIAL_USE: &str = "special-use";
/// Whether a user is subscribed to a folder (RFC 9051, 6.3.7).
pub const SUBSCRIPTION: &str = "subscription";
/// The quota of an account that could not be read (RFC 9208).
pub const QUOTA: &str = "quota";
/// The limit of an account's storage (RFC 9208).
pub const QUOTA_LIMIT: &str = "quota limit";
/// What of it is used (RFC 9208).
pub const QUOTA_USAGE: &str = "quota usage";
/// Whether a sieve script is the active one (RFC 5804, 2.8).
pub const ACTIVE: &str = "active";
/// Owner and group of a file.
pub const OWNER: &str = "owner";
/// The permission bits of a file.
pub const MODE: &str = "mode";
/// The modification time of a file.
pub const MTIME: &str = "mtime";
/// Which other names a file has.
pub const LINK: &str = "link";
/// The value of a key of Redis.
pub const VALUE: &str = "value";
/// Whether a key of Redis expires.
pub const EXPIRY: &str = "expiry";
/// Where a symbolic link leads.
pub const TARGET: &str = "target";
/// What an entry of a volume is: a file, a folder, a link, ….
pub const KIND: &str = "type";
/// The numbers of a device.
pub const DEVICE: &str = "device";
/// The access control list of a file (acl(5)), or of a folder of mail (RFC 4314).
pub const ACL: &str = "acl";
/// The capabilities of a program (capabilities(7)).
pub const CAPABILITY: &str = "capability";
/// Any other extended attribute (xattr(7)).
pub const XATTR: &str = "xattr";
/// The holes of a file: parts that take no space on the disk.
pub const HOLES: &str = "holes";
/// A dump that carries a database in the snapshot.
pub const DUMP: &str = "dump";
