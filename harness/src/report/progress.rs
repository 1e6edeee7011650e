//! How far a phase is, in words that fit on a line: what is done, what is being done, how fast, and how long it may still take.

use std::time::Duration;

use console::{measure_text_width, truncate_str};
use judge::count::grouped;

/// How long a phase runs before anything is said of how long it may still take.
const SETTLED: Duration = Duration::from_secs(10);
/// The narrowest bar, and the widest, in columns.
const BAR: (usize, usize) = (10, 30);

/// How far a phase is.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    /// Units done.
    pub done: u64,
    /// Units in all; 0 where not known.
    pub total: u64,
    /// What a unit is; empty until that is known.
    pub unit: &'static str,
    /// What is being done.
    pub doing: Option<String>,
    /// The least that was said to be left.
    least: Option<Duration>,
}

/// Where it is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// In columns; none where lines may be as long as they are.
    pub width: Option<usize>,
    /// Whether it shows more than ASCII.
    pub is_utf8: bool,
}

impl Progress {
    /// The line of a phase that has run for so long.
    pub fn line(&mut self, phase: &str, took: Duration, place: Place) -> String {
        let begin = format!("  {phase:10} ");
        let mut parts = Vec::new();
        if !self.unit.is_empty() {
            let of = if self.total > 0 { format!(" of {}", grouped(self.total)) } else { String::new() };
            parts.push(format!("{}{of} {}", grouped(self.done), self.unit));
        }
        match self.doing.clone() {
            Some(doing) => parts.push(doing),
            None => {
                parts.extend(rate(self.done, took, self.unit));
                parts.extend(self.left(took).map(|left| format!("about {} left", rounded(left))));
            }
        }
        let Some(width) = place.width else { return begin + &parts.join(", ") };
        let room = width.saturating_sub(measure_text_width(&begin));
        while parts.len() > 1 && self.doing.is_none() && measure_text_width(&parts.join(", ")) > room {
            parts.pop();
        }
        let text = parts.join(", ");
        let bar = room.saturating_sub(measure_text_width(&text) + 1).min(BAR.1);
        let bar = if self.total > 0 && bar >= BAR.0 { self.bar(bar, place) + " " } else { String::new() };
        begin + &bar + &truncate_str(&text, room, if place.is_utf8 { "…" } else { "..." })
    }

    fn bar(&self, width: usize, place: Place) -> String {
        let (full, empty) = if place.is_utf8 { ("█", "░") } else { ("#", "-") };
        let filled = (self.done.min(self.total) as u128 * width as u128 / u128::from(self.total.max(1))) as usize;
        full.repeat(filled) + &empty.repeat(width - filled)
    }

    /// How long it may still take. Nothing is said that is more than what was said before: a guess that grows is none.
    fn left(&mut self, took: Duration) -> Option<Duration> {
        if self.done == 0 || self.done >= self.total || took < SETTLED {
            return None;
        }
        let left = took.mul_f64((self.total - self.done) as f64 / self.done as f64);
        if self.least.is_some_and(|least| left > least) {
            return None;
        }
        self.least = Some(left);
        Some(left)
    }
}

/// How fast it goes: `1,200 a second`, or `3 s a message` where that is less than one. Nothing until something is done.
fn rate(done: u64, took: Duration, unit: &str) -> Option<String> {
    let seconds = took.as_secs_f64();
    if done == 0 || seconds < 1.0 {
        return None;
    }
    let (each_second, each) = (done as f64 / seconds, seconds / done as f64);
    Some(match each_second {
        r if r >= 9.95 => format!("{} a second", grouped(r.round() as u64)),
        r if r >= 1.0 => format!("{r:.1} a second"),
        _ if each < 9.95 => format!("{each:.1} s {}", one(unit)),
        _ if each < 120.0 => format!("{each:.0} s {}", one(unit)),
        _ => format!("{:.0} min {}", each / 60.0, one(unit)),
    })
}

/// One of several: `a message`.
fn one(units: &str) -> String {
    let one = units.strip_suffix("xes").map(|x| format!("{x}x")).unwrap_or_else(|| units.trim_end_matches('s').to_owned());
    let article = if one.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {one}")
}

/// A time that is only about so long: the next ten seconds, or the next minute.
fn rounded(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds < 60 => format!("{} s", (seconds / 10 + 1) * 10),
        seconds => format!("{} min", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Place = Place { width: Some(80), is_utf8: true };

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_rate_is_never_zero() {
        for (done, took, unit, expected) in [
            (0, 5, "messages", None),
            (12_000, 10, "messages", Some("1,200 a second")),
            (25, 10, "messages", Some("2.5 a second")),
            (1, 3, "messages", Some("3.0 s a message")),
            (1, 40, "images", Some("40 s an image")),
            (2, 3, "mailboxes", Some("1.5 s a mailbox")),
            (1, 300, "users", Some("5 min a user")),
        ] {
            assert_eq!(rate(done, seconds(took), unit).as_deref(), expected, "{done} in {took} s");
        }
    }

    #[test]
    fn what_is_left_never_grows() {
        let mut progress = Progress { total: 100, unit: "messages", ..Progress::default() };
        let mut left = |done, took| {
            progress.done = done;
            progress.left(seconds(took)).map(rounded)
        };
        assert_eq!(left(50, 5), None, "it has just begun");
        assert_eq!(left(50, 300).as_deref(), Some("5 min"));
        assert_eq!(left(51, 600), None, "that would be 10 min");
        assert_eq!(left(90, 900).as_deref(), Some("2 min"));
        assert_eq!(left(98, 950).as_deref(), Some("20 s"));
        assert_eq!(left(100, 960), None);
    }

    #[test]
    fn a_line_fits_where_it_is_shown() {
        let progress = || Progress { done: 12_345, total: 20_000, unit: "messages", ..Progress::default() };
        let line = |place| progress().line("seed", seconds(10), place);
        assert_eq!(
            line(Place { width: None, is_utf8: false }),
            "  seed       12,345 of 20,000 messages, 1,235 a second, about 10 s left"
        );
        assert_eq!(line(Place { width: Some(40), is_utf8: true }), "  seed       12,345 of 20,000 messages");
        assert_eq!(
            line(Place { width: Some(90), is_utf8: false }),
            "  seed       ###########------- 12,345 of 20,000 messages, 1,235 a second, about 10 s left"
        );
        assert!(line(Place { width: Some(90), is_utf8: true }).starts_with("  seed       ███████████░░░░░░░ 12,345"));
        for width in 14..120 {
            let line = line(Place { width: Some(width), is_utf8: true });
            assert!(measure_text_width(&line) <= width, "{width}: {line}");
        }
    }

    #[test]
    fn a_line_says_what_is_being_done() {
        let doing = Some("building mailu-imap (3 of 9): apt-get install dovecot-imapd".to_owned());
        let mut progress = Progress { done: 1, total: 8, unit: "images", doing, ..Progress::default() };
        let mut line = |width, is_utf8| progress.line("images", seconds(20), Place { width: Some(width), is_utf8 });
        assert_eq!(line(40, false), "  images     1 of 8 images, building ...");
        assert_eq!(line(60, true), "  images     1 of 8 images, building mailu-imap (3 of 9): a…");
        assert_eq!(Progress::default().line("slot", seconds(1), WIDE), "  slot       ");
    }
}
