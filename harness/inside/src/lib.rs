//! What must happen beside an app's data, where the engine's API carries too little: the engine's archive of a volume has neither
//! users' extended attributes nor ACLs, fractions of a second or holes.
//!
//! The program `inside` is the only file of an image, and runs with a volume mounted read-only and without a network. It reads
//! each entry in place and writes one line for it, so that contents never cross the API.
//!
//! - [`entry`]: an entry of a volume, as a line has it. [`mod@name`]: names are bytes, and lines are text.
//! - [`read`]: reads a folder with everything in it.

pub mod entry;
pub mod name;
#[cfg(feature = "program")]
pub mod read;

pub use entry::{Content, Entry, Hashed, Kind, Line};
#[cfg(feature = "program")]
pub use read::read;
