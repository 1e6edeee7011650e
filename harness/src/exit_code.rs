//! The exit codes of `restore-drill`, a contract with scripts and CI.

use judge::model::Status;

/// Everything that was seeded and seen is back.
pub const HELD: u8 = 0;
/// Something is lost, altered, misplaced, duplicated or resurrected.
pub const BROKEN: u8 = 1;
/// It could not be told: something was not read, or the run did not get far enough.
pub const UNKNOWN: u8 = 2;
/// A fault was not found, or found by another name: the drill itself is not to be trusted.
pub const UNDETECTED: u8 = 3;
/// The command line, a scenario, an inventory or an env file is wrong. `EX_USAGE` of sysexits.h.
pub const USAGE: u8 = 64;
/// The Docker engine cannot be used: unreachable, not a swarm manager, out of disk, image missing. `EX_UNAVAILABLE`.
pub const ENGINE: u8 = 69;
/// Every rung passed, but the result could not be posted to the forge; or `bridge --once` or `gc` could not do something. `EX_TEMPFAIL`.
pub const NOT_POSTED: u8 = 75;
/// Ended by SIGHUP (128 + 1), after teardown.
pub const SIGHUP: u8 = 129;
/// Ended by SIGINT (128 + 2), after teardown.
pub const SIGINT: u8 = 130;
/// Ended by SIGTERM (128 + 15), or because the process that started it is gone, after teardown.
pub const SIGTERM: u8 = 143;

/// The exit code of a run with this verdict.
pub fn of(status: Status) -> u8 {
    match status {
        Status::Held => HELD,
        Status::Unknown => UNKNOWN,
        Status::Broken => BROKEN,
    }
}

/// The table for `--help` and the docs.
pub const TABLE: &str = "\
Exit codes:
  0    held: everything seeded is back
  1    broken: something is lost, altered, misplaced, duplicated or resurrected
  2    unknown: the result could not be determined
  3    undetected: a fault was not found, or was reported as something else; or repro gave another result
  64   usage: the command line, a scenario or an inventory is wrong
  69   engine: the Docker engine cannot be used
  75   not posted: every rung passed, but the result could not be posted; or bridge --once or gc could not do something
  129  ended by SIGHUP, after teardown
  130  ended by SIGINT, after teardown
  143  ended by SIGTERM, after teardown";
