//! Numbers in sentences.

/// A number and what it counts: `1 file`, `2 files`. A plural that does not end in an added `s` is written after a slash, as in
/// `mailbox/mailboxes`.
pub fn counted(n: u64, noun: &str) -> String {
    match (n, noun.split_once('/')) {
        (1, Some((one, _))) => format!("1 {one}"),
        (1, None) => format!("1 {noun}"),
        (_, Some((_, many))) => format!("{n} {many}"),
        (_, None) => format!("{n} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular() {
        assert_eq!([0, 1, 2].map(|n| counted(n, "file")), ["0 files", "1 file", "2 files"]);
        assert_eq!([1, 2].map(|n| counted(n, "mailbox/mailboxes")), ["1 mailbox", "2 mailboxes"]);
    }
}
