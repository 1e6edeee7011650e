//! `inside`: the only file of its image.

use std::process::ExitCode;

fn main() -> ExitCode {
    inside::main()
}
