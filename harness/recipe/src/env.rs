//! Files of `NAME=value` lines, read as a shell reads them: later lines win, and a value may name what is above it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::error::{Problem, Problems, Result};
use crate::fence::files;

mod reader;

pub use reader::Assignment;
use reader::Reader;

/// The values of variables, by name.
pub type Values = std::collections::BTreeMap<String, String>;

/// The longest value, in bytes: half of what Linux passes to a program as one.
const MOST: usize = 64 << 10;
/// The most that all values of a file may be, in bytes.
const MOST_IN_ALL: usize = 8 << 20;

/// A file of `NAME=value` lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvFile {
    /// The file.
    pub file: PathBuf,
    /// Its assignments, in order.
    pub assignments: Vec<Assignment>,
    /// The variables of assignments that are commented out.
    pub commented_out: BTreeSet<String>,
}

impl EnvFile {
    /// Reads a file. The error names each line that is no assignment.
    pub fn read(file: &Path) -> Result<Self> {
        Self::parse(file, &files::read_text(file)?)
    }

    /// The same for the text of a file.
    pub fn parse(file: &Path, text: &str) -> Result<Self> {
        let (mut reader, mut problems, mut assignments) = (Reader::new(text), Problems::default(), Vec::new());
        while let Some(read) = reader.assignment() {
            match read {
                Ok(assignment) => assignments.push(assignment),
                Err((line, message)) => problems.add(Problem { file: file.to_owned(), line: Some(line), message }),
            }
        }
        if let (_, Some(line)) = expanded(&assignments, &Values::new()) {
            let message =
                format!("this value, or all values together, are too long: at most {MOST} and {MOST_IN_ALL} bytes are read");
            problems.add(Problem { file: file.to_owned(), line: Some(line), message });
        }
        problems.into_result()?;
        let comments = text.lines().filter_map(|line| line.trim_start().strip_prefix('#'));
        let names = comments.filter_map(|text| Reader::new(text.trim_start_matches('#')).assignment()?.ok());
        let commented_out = names.map(|assignment| assignment.name).collect();
        Ok(Self { file: file.to_owned(), assignments, commented_out })
    }

    /// The values. Those in `set` stand in the place of the file's, so that what is made of them follows; they are among the result.
    pub fn values(&self, set: &Values) -> Values {
        expanded(&self.assignments, set).0
    }

    /// The assignment of a variable that counts.
    pub fn last(&self, name: &str) -> Option<&Assignment> {
        self.assignments.iter().rev().find(|a| a.name == name)
    }
}

/// Reads the values of a file of `NAME=value` lines.
pub fn read_env(file: &Path) -> Result<Values> {
    Ok(EnvFile::read(file)?.values(&Values::new()))
}

/// The same for the text of a file.
pub fn parse_env(file: &Path, text: &str) -> Result<Values> {
    Ok(EnvFile::parse(file, text)?.values(&Values::new()))
}

/// The variables that a shell script exports at its top level, read as data. A value that a command would print is left out, and so is
/// what is no assignment.
pub fn exported(text: &str) -> Values {
    let lines = text.lines().filter(|l| l.starts_with("export "));
    let assignments = lines.filter_map(|line| Reader::new(line).assignment()?.ok()).filter(|a| !a.is_computed());
    expanded(&assignments.collect::<Vec<_>>(), &Values::new()).0
}

/// The values of assignments, beside those that are `set`, and the line of the first one that is too long, which is left out: one that
/// doubles another one, line by line, would fill any memory.
fn expanded(assignments: &[Assignment], set: &Values) -> (Values, Option<usize>) {
    let (mut known, mut left, mut too_long) = (set.clone(), MOST_IN_ALL, None);
    for assignment in assignments.iter().filter(|a| !set.contains_key(&a.name)) {
        match assignment.value(&known, MOST.min(left)) {
            Some(value) => {
                left -= value.len();
                known.insert(assignment.name.clone(), value);
            }
            None => too_long = too_long.or(Some(assignment.line)),
        }
    }
    (known, too_long)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<(String, String)> {
        parse_env(Path::new("a.env"), text).expect(text).into_iter().collect()
    }

    fn one(text: &str) -> String {
        values(text).into_iter().find(|(name, _)| name == "A").expect("A").1
    }

    /// A value that doubles another one, and so on, would fill any memory.
    #[test]
    fn values_that_grow_without_end_are_refused() {
        let text = format!("A=aaaaaaaa\n{}B=1\n", "A=$A$A\n".repeat(60));
        let error = parse_env(Path::new("a.env"), &text).expect_err("too long").to_string();
        assert!(error.contains("a.env:15: this value, or all values together, are too long"), "{error}");
        let exported = exported(&text.replace("A=", "export A=").replace("B=", "export B="));
        assert_eq!(exported["A"].len(), MOST);
        let many: String = (0..1000).map(|n| format!("V{n}=$A\n")).collect();
        let error = parse_env(Path::new("a.env"), &format!("A={}\n{many}", "a".repeat(MOST))).expect_err("too much").to_string();
        assert!(error.contains("a.env:129: this value, or all values"), "{error}");
    }

    #[test]
    fn values_are_read_as_a_shell_reads_them() {
        for (text, expected) in [
            ("A=1", "1"),
            ("  export A=1  ", "1"),
            ("export\tA=1", "1"),
            ("A=", ""),
            ("A= # nothing", ""),
            ("A=1 # one", "1"),
            ("A=1\t# one", "1"),
            ("A=#1", "#1"),
            ("A=a#b", "a#b"),
            ("A=two words # two", "two words"),
            ("A=\"a b\"", "a b"),
            ("A=\"a # b\" # c \"d\"", "a # b"),
            ("A='$B \\n'", "$B \\n"),
            ("A=\"a\\\"b\\$c\\\\d\\n\"", "a\"b$c\\d\\n"),
            ("A=a\"b c\"'d'e", "ab cde"),
            ("A=don't", "don't"),
            ("A=a\\ b\\#c", "a b#c"),
            ("A=\"one\ntwo\"\nB=1", "one\ntwo"),
            ("A=one\\\ntwo", "onetwo"),
            ("A='it'\\''s'", "it's"),
            ("A=1\r\nB=2\r\n", "1"),
            ("A=1\nA=2", "2"),
            ("B=b\nA=$B-${B}_$B_", "b-b_"),
            ("A=\"$A:x\"\nA=\"$A:y\"", ":x:y"),
            ("A=${B:-d}/${B-e}", "d/e"),
            ("A=$", "$"),
            ("A=\"$2y$10\" ", "$2y$10"),
            ("A=$(id)", "$(id)"),
            ("A='$B'\nB=1", "$B"),
            ("#A=2\nA=1\n# A=3", "1"),
        ] {
            assert_eq!(one(text), expected, "{text}");
        }
    }

    #[test]
    fn every_line_that_is_wrong_is_named() {
        let text = "# c\nA=1\nnonsense\nB = 2\nC=\"open\nD=3\nE=\"a\" b\nexport\n";
        let said = parse_env(Path::new("e.env"), text).expect_err("5 lines").to_string();
        let expected = [
            "5 problems:",
            "  e.env:3: \"nonsense\": expected NAME=value",
            "  e.env:4: \"B = 2\": expected NAME=value",
            "  e.env:5: \"C=\\\"open\": the quote is not closed; expected another \" after the value",
            "  e.env:7: \"E=\\\"a\\\" b\": expected nothing but a comment after the quoted value",
            "  e.env:8: \"export\": expected NAME=value",
        ];
        assert_eq!(said, expected.join("\n"));
    }

    #[test]
    fn a_value_that_is_set_is_followed_by_what_is_made_of_it() {
        let file = EnvFile::parse(Path::new("e"), "DOMAIN=a.example\nHOST=mail.$DOMAIN # length=3\nHOST=$HOST:1 # two\n")
            .expect("valid");
        let set = Values::from([("DOMAIN".into(), "b.example".into()), ("STACK_NAME".into(), "s".into())]);
        let values = file.values(&set);
        assert_eq!((values["DOMAIN"].as_str(), values["HOST"].as_str()), ("b.example", "mail.b.example:1"));
        assert_eq!(values.len(), 3);
        let last = file.last("HOST").expect("there");
        assert_eq!((last.line, last.comment.as_deref()), (3, Some("two")));
    }

    #[test]
    fn what_is_commented_out_is_known() {
        let text = "#A=1\n  # B=\"two words\" # b\n### C='3'\n# a note = no assignment\nD=4 # E=5\n";
        let file = EnvFile::parse(Path::new("e"), text).expect("valid");
        assert_eq!(file.commented_out, ["A", "B", "C"].map(str::to_owned).into());
    }

    #[test]
    fn a_script_is_read_and_not_run() {
        let script = "#!/bin/bash\nexport A_VERSION=v3\nexport B=\"$A_VERSION-$HOME\" # b\nexport C=$(touch /tmp/x)\nexport D\n\
                      f() {\n  export E=1\n}\nF=1\n";
        let expected = Values::from([("A_VERSION".into(), "v3".into()), ("B".into(), "v3-".into())]);
        assert_eq!(exported(script), expected);
    }
}
