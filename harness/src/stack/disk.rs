//! The engine's disk, where it is this machine's.

use std::process::Stdio;

/// Free disk that a drill of the default profile needs, in GiB.
pub const MIN_FREE_GIB: u64 = 4;

/// Free bytes in the file system of `path`, by `df`; none where the path is not.
pub async fn free(path: &str) -> Option<u64> {
    let output =
        tokio::process::Command::new("df").args(["--output=avail", "-B1", path]).stdin(Stdio::null()).output().await.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().nth(1)?.trim().parse().ok()
}
