//! Which database of its server a client's command line opens.

/// The options that are followed by the database's name, as words of their own or with `=`.
const NAMING: [&str; 5] = ["--dbname", "--database", "-d", "-D", "dbname"];
/// The variable from which PostgreSQL's client has the name.
const VARIABLE: &str = "PGDATABASE";
/// Options of PostgreSQL's and MariaDB's clients that are followed by a value which is no database's name.
const WITH_VALUE: [&str; 14] = [
    "--username",
    "--user",
    "--host",
    "--port",
    "--socket",
    "--password",
    "--command",
    "--execute",
    "--file",
    "--set",
    "--variable",
    "--pset",
    "--protocol",
    "--defaults-file",
];
/// The same as letters. Those before them in a word have no value.
const LETTERS: &str = "UhpcfvuPeSFRTLo";

/// Whether a command line opens the database of that name: an option says so, or the last word, which is nothing else's value. What a
/// shell is given is read as words.
pub(super) fn opens(command: &[String], name: &str) -> bool {
    let words: Vec<&str> = command.iter().flat_map(|word| word.split_whitespace()).map(unquoted).collect();
    let by_option = words.iter().enumerate().any(|(at, word)| match word.split_once('=') {
        _ if word.contains("://") => of_address(word) == Some(name),
        Some((option, value)) => (NAMING.contains(&option) || option == VARIABLE) && unquoted(value) == name,
        None => NAMING.contains(word) && words.get(at + 1) == Some(&name),
    });
    let last = match words[..] {
        [.., before, last] => last == name && !takes_value(before),
        _ => false,
    };
    by_option || last
}

fn unquoted(word: &str) -> &str {
    word.trim_matches(['\'', '"'])
}

/// The database of an address such as `postgresql://user@host/name?option`.
fn of_address(word: &str) -> Option<&str> {
    let (_, rest) = word.split_once("://")?;
    Some(rest.split_once('/')?.1.split('?').next().unwrap_or_default())
}

fn takes_value(word: &str) -> bool {
    let is_short = word.starts_with('-') && !word.starts_with("--");
    WITH_VALUE.contains(&word) || is_short && word.ends_with(|c: char| LETTERS.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_or_a_host_is_no_database() {
        let opens = |command: &str, name: &str| opens(&command.split('|').map(str::to_owned).collect::<Vec<_>>(), name);
        for command in [
            "psql|--username=app|--command={query}|wiki",
            "psql|-U|app|-At|wiki",
            "psql|-d|wiki|-U|app",
            "psql|--dbname=wiki|--username|app",
            "psql|--dbname|wiki|-h|app",
            "psql|postgresql://app:app@app/wiki?sslmode=disable",
            "psql|dbname=wiki user=app",
            "sh|-c|exec psql -U app 'wiki'",
            "env|PGDATABASE=wiki|psql|-U|app",
            "mariadb|--user=app|--host=app|-D|wiki|-e|{query}",
            "mysql|-papp|--execute={query}|wiki",
        ] {
            assert!(opens(command, "wiki"), "{command}");
            assert!(!opens(command, "app"), "{command}");
        }
    }
}
