//! What must happen beside an app's data, or in its stack, where the engine's API carries too little or leads nowhere: the engine's
//! archive of a volume has neither users' extended attributes nor ACLs, fractions of a second or holes; and the networks of a drill's
//! stack are closed.
//!
//! The program `inside` is the only file of an image. It reads a volume that is mounted read-only, without a network, and writes one
//! line for each entry, so that contents never cross the API. It passes connections on to a stack's services, answers questions about
//! names there, and takes the mail that the stack sends to the world.
//!
//! - [`entry`]: an entry of a volume, as a line has it. [`mod@name`]: names are bytes, and lines are text.
//! - [`mod@read`]: reads a folder with everything in it.
//! - [`relay`]: the way into a stack.
//! - [`zone`]: the names that a stack can look up; [`resolve`] answers.
//! - [`outside`]: the mail server to which a stack can send. [`main`]: the command line.

pub mod entry;
pub mod name;
#[cfg(feature = "program")]
pub mod outside;
#[cfg(feature = "program")]
mod program;
#[cfg(feature = "program")]
pub mod read;
#[cfg(feature = "program")]
pub mod relay;
#[cfg(feature = "program")]
pub mod resolve;
pub mod zone;

pub use entry::{Content, Entry, Hashed, Kind, Line};
#[cfg(feature = "program")]
pub use program::main;
#[cfg(feature = "program")]
pub use read::read;
pub use zone::{Records, Zone};
