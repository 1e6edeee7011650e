//! The outer shell of a hook. backup-bot-two takes it off, with the quotes around its script, and puts the rest between single quotes
//! for bash.

use super::shell::{Token, tokens};

/// A hook without an outer `bash -c` or `sh -c`, and without the quotes around what is left.
pub fn unwrapped(hook: &str) -> &str {
    let script = without_shell(hook);
    let quoted = |quote: char| script.strip_prefix(quote)?.strip_suffix(quote);
    quoted('\'').or_else(|| quoted('"')).unwrap_or(script)
}

/// The same with the quotes.
fn without_shell(hook: &str) -> &str {
    let hook = hook.strip_prefix("bash -c").unwrap_or(hook);
    hook.strip_prefix("sh -c").unwrap_or(hook).trim_start()
}

/// Why backup-bot-two runs something else than a hook says, if it does.
pub fn broken(hook: &str) -> Option<&'static str> {
    let hook = hook.trim();
    let (quoted, bare) = (without_shell(hook), unwrapped(hook));
    if bare.contains('\'') {
        return Some("a single quote ends the command early");
    }
    let is_taken_off = quoted.len() < hook.len();
    if is_taken_off && quoted.starts_with('"') && !matches!(tokens(quoted)[..], [Token::Word(_)]) {
        return Some("the outer shell is taken off, but its quotes do not end where the command does");
    }
    let escapes = ["\\\"", "\\$", "\\`", "\\\\"];
    if bare.len() < quoted.len() && quoted.starts_with('"') && escapes.iter().any(|escape| bare.contains(escape)) {
        return Some("the outer shell and its quotes are taken off, but the backslashes between them stay");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outer_shell_is_taken_off_as_the_bot_does() {
        for (hook, bare) in [
            ("sh -c 'a > b'", "a > b"),
            ("bash -c \"a 'b'\"", "a 'b'"),
            ("sh -c a | b", "a | b"),
            ("/bin/sh -c 'a'", "/bin/sh -c 'a'"),
            ("bash -ec 'a'", "bash -ec 'a'"),
            ("sh -c \"a\" && b", "\"a\" && b"),
            ("/pg_backup.sh backup", "/pg_backup.sh backup"),
        ] {
            assert_eq!(unwrapped(hook), bare, "{hook}");
        }
    }

    #[test]
    fn hooks_that_the_bot_breaks() {
        for (hook, is_broken) in [
            ("sh -c 'a > b'", false),
            ("sh -c \"a > b\"\n", false),
            ("/bin/sh -c \"a > b\"", false),
            ("a \"$B\" > c", false),
            ("a \\\"b\\\"", false),
            ("sh -c 'a \\$b'", false),
            ("/bin/sh -c 'a > b'", true),
            ("bash -ec 'a > b'", true),
            ("sh -c 'a' 'b'", true),
            ("tar --exclude='*.log' /etc", true),
            ("sh -c \"a -p\\\"$(cat b)\\\" > c\"", true),
            ("sh -c \"A=\\$(cat b) c\"", true),
            ("sh -c \"a > b\" && c", true),
        ] {
            assert_eq!(broken(hook).is_some(), is_broken, "{hook}");
        }
    }
}
