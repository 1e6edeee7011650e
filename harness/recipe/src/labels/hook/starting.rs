//! Programs that start another one: `timeout 600 pg_dump …` is a `pg_dump`.

use super::shell::{assignment, name_of};

/// Programs that start the one that follows them: the options that have a value in the next word, and how many arguments come before the
/// program.
const STARTING: [(&str, &[&str], usize); 11] = [
    ("exec", &[], 0),
    ("nohup", &[], 0),
    ("command", &[], 0),
    ("setsid", &[], 0),
    ("env", &["-u", "-C", "-S"], 0),
    ("sudo", &["-u", "-g", "-U", "-D", "-h", "-p", "-C", "--user", "--group"], 0),
    ("nice", &["-n"], 0),
    ("ionice", &["-c", "-n", "-p"], 0),
    ("gosu", &[], 1),
    ("su-exec", &[], 1),
    ("timeout", &["-s", "-k", "--signal", "--kill-after"], 1),
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
        let Some((_, valued, arguments)) = STARTING.iter().find(|(name, ..)| *name == name_of(word)) else { return Some(at) };
        at += 1;
        while let Some(option) = words.get(at).filter(|w| w.starts_with('-')) {
            at += if valued.contains(option) { 2 } else { 1 };
        }
        at += arguments;
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
