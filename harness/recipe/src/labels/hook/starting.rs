//! Programs that start another one: `timeout 600 pg_dump …` is a `pg_dump`.

use super::shell::{assignment, name_of};

/// Programs that start the one that follows them.
const STARTING: [&str; 11] =
    ["exec", "nohup", "command", "env", "setsid", "sudo", "gosu", "su-exec", "timeout", "nice", "ionice"];
/// How many arguments, besides options, those take of which it is not none.
const ARGUMENTS: [(&str, usize); 3] = [("gosu", 1), ("su-exec", 1), ("timeout", 1)];
/// Options of theirs that have a value in the next word.
const VALUED: [(&str, &[&str]); 5] = [
    ("sudo", &["-u", "-g", "-U", "-D", "-h", "-p", "-C", "--user", "--group"]),
    ("timeout", &["-s", "-k", "--signal", "--kill-after"]),
    ("nice", &["-n"]),
    ("ionice", &["-c", "-n", "-p"]),
    ("env", &["-u", "-C", "-S"]),
];

/// Where the program begins, after assignments and what starts it with options and arguments of its own.
pub(super) fn begin_of(words: &[&str]) -> Option<usize> {
    let mut at = 0;
    loop {
        let word = *words.get(at)?;
        if assignment(word).is_some() {
            at += 1;
            continue;
        }
        let Some(starting) = STARTING.iter().find(|name| **name == name_of(word)) else { return Some(at) };
        at += 1;
        let valued = VALUED.iter().find(|(name, _)| name == starting).map_or(&[][..], |(_, options)| options);
        while let Some(option) = words.get(at).filter(|w| w.starts_with('-')) {
            at += if valued.contains(option) { 2 } else { 1 };
        }
        at += ARGUMENTS.iter().find(|(name, _)| name == starting).map_or(0, |(_, arguments)| *arguments);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_behind_what_starts_it() {
        for (command, program) in [
            ("pg_dump -f x", Some("pg_dump")),
            ("A=1 exec /usr/bin/env B=2 pg_dump", Some("pg_dump")),
            ("timeout -s KILL 600 pg_dump", Some("pg_dump")),
            ("sudo -u postgres PGHOST=db pg_dump", Some("pg_dump")),
            ("gosu postgres pg_dump -f x", Some("pg_dump")),
            ("nice -n 10 ionice -c2 -n 7 pg_dump", Some("pg_dump")),
            ("env -i", None),
            ("timeout 600", None),
            ("A=1", None),
        ] {
            let words: Vec<&str> = command.split(' ').collect();
            assert_eq!(begin_of(&words).and_then(|at| words.get(at)).copied(), program, "{command}");
        }
    }
}
