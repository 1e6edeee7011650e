//! Numbers in sentences.

/// A number and what it counts: `1 file`, `2 files`. A plural that does not end in an added `s` is written after a slash, as in
/// `mailbox/mailboxes`.
pub fn counted(n: u64, noun: &str) -> String {
    let number = grouped(n);
    match (n, noun.split_once('/')) {
        (1, Some((one, _))) => format!("1 {one}"),
        (1, None) => format!("1 {noun}"),
        (_, Some((_, many))) => format!("{number} {many}"),
        (_, None) => format!("{number} {noun}s"),
    }
}

/// A number with a comma before each three digits: `1,602`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let first = digits.len() % 3;
    let (head, tail) = digits.split_at(first);
    let mut groups: Vec<&str> = if head.is_empty() { vec![] } else { vec![head] };
    groups.extend(tail.as_bytes().chunks(3).filter_map(|three| std::str::from_utf8(three).ok()));
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_at_a_time() {
        let said = [0, 7, 999, 1000, 12_345, 100_000, 1_234_567].map(grouped);
        assert_eq!(said, ["0", "7", "999", "1,000", "12,345", "100,000", "1,234,567"]);
        assert_eq!(counted(1602, "file"), "1,602 files");
    }

    #[test]
    fn one_is_singular() {
        assert_eq!([0, 1, 2].map(|n| counted(n, "file")), ["0 files", "1 file", "2 files"]);
        assert_eq!([1, 2].map(|n| counted(n, "mailbox/mailboxes")), ["1 mailbox", "2 mailboxes"]);
    }
}
