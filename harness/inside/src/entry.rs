//! An entry of a volume, with everything that a restore must bring back of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Pipe,
    /// A socket.
    Socket,
    /// A block device.
    Block,
    /// A character device.
    Character,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::File, Self::Folder, Self::Symlink, Self::Pipe, Self::Socket, Self::Block, Self::Character];

    /// Its name in a line and in the evidence.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Folder => "folder",
            Self::Symlink => "symlink",
            Self::Pipe => "pipe",
            Self::Socket => "socket",
            Self::Block => "block",
            Self::Character => "character",
        }
    }
}

/// An entry of a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its path from the volume's root, escaped ([`crate::name`]); `.` is the root itself.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// In bytes, of a regular file.
    pub size: u64,
    /// Bytes that it takes on the disk: fewer than its size where it has holes.
    pub allocated: u64,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits, with set-user-ID, set-group-ID and sticky.
    pub mode: u32,
    /// When it was last modified, in nanoseconds since 1970, negative before. It fits until the year 2262.
    pub mtime: i64,
    /// When anything about it was last changed, its name among it, likewise; 0 where nobody knows.
    #[serde(default)]
    pub changed: i64,
    /// Where a symbolic link leads, escaped.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target: Option<String>,
    /// What the names of one file have in common, where it has several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub inode: Option<u64>,
    /// Major and minor number of a device.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device: Option<(u64, u64)>,
    /// Extended attributes, ACLs and capabilities among them: name, escaped, and value in hexadecimal digits.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub xattrs: BTreeMap<String, String>,
    /// Of a regular file's bytes.
    #[serde(skip_serializing_if = "Content::is_not_asked", default)]
    pub content: Content,
}

/// What is known of a regular file's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// Nobody asked.
    #[default]
    NotAsked,
    /// Their SHA-256 in hexadecimal digits.
    Sha256(String),
}

impl Content {
    fn is_not_asked(&self) -> bool {
        *self == Self::NotAsked
    }
}

/// A line that the program writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    /// An entry.
    Entry(Entry),
    /// What could not be read: path, escaped, and why. An entry that is removed meanwhile is none.
    Unread(String, String),
    /// The last line: how many entries there were. Without it, the output was cut off.
    End(u64),
}

/// Of which files the bytes are hashed: the first glob that matches a path, escaped, decides; `*` also matches `/`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hashed {
    /// Globs, and whether the files that they match are hashed.
    pub globs: Vec<(String, bool)>,
    /// Whether all others are.
    pub others: bool,
}

impl Hashed {
    /// Every file.
    pub fn all() -> Self {
        Self { globs: vec![], others: true }
    }

    /// Whether a file is hashed; `matches` matches a glob with a path.
    pub fn asks(&self, path: &str, matches: impl Fn(&str, &str) -> bool) -> bool {
        self.globs.iter().find(|(glob, _)| matches(glob, path)).map_or(self.others, |(_, asked)| *asked)
    }
}
