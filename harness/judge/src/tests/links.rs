//! Files with several names.

use super::*;

/// What becomes of files of one volume, each a path and the first name of the file.
fn found(before: &[(&str, &str)], after: &[(&str, &str)]) -> Vec<String> {
    let (_dir, evidence) = evidence();
    for (name, files) in [(BASELINE, before), (RESTORED, after)] {
        let files = files.iter().map(|(path, link)| FileSeen { link: (*link).into(), ..file(path, "aa") }).collect();
        store(&evidence, name, &Seen { files, ..seen() });
    }
    judge(&evidence, RESTORED).expect("judged").findings.iter().map(ToString::to_string).collect()
}

#[test]
fn names_of_one_file_are_names_of_one_file_again() {
    let line = |path: &str, detail: &str| format!("volume dkim, file {path}: altered (link): it {detail}");
    let two = [("a", "a"), ("b", "a")];
    assert_eq!(found(&two, &two), [""; 0]);
    let copies = |path| line(path, "was the same file as a, and is a copy now");
    assert_eq!(found(&two, &[("a", ""), ("b", "")]), ["a", "b"].map(copies));
    let linked = |path| line(path, "has another name now: a");
    assert_eq!(found(&[("a", ""), ("b", "")], &two), ["a", "b"].map(linked));
    let before = [("a", "a"), ("b", "a"), ("c", "c"), ("d", "c")];
    let after = [("a", "a"), ("b", "b"), ("c", "b"), ("d", "a")];
    let expected = [
        line("b", "was the same file as a, and is the same as b now"),
        line("c", "was the same file as c, and is the same as b now"),
        line("d", "was the same file as c, and is the same as a now"),
    ];
    assert_eq!(found(&before, &after), expected);
}

/// The others are compared among themselves.
#[test]
fn the_first_name_of_a_file_may_be_lost_for_a_reason_of_its_own() {
    let lost = "volume dkim, file a: lost";
    assert_eq!(found(&[("a", "a"), ("b", "a"), ("c", "a")], &[("b", "b"), ("c", "b")]), [lost]);
    assert_eq!(found(&[("a", "a"), ("b", "a")], &[("b", "")]), [lost]);
}
