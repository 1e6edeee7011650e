//! `backup`: the program in the bot's image.

use std::process::ExitCode;

fn main() -> ExitCode {
    bot::main()
}
