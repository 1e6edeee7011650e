//! Profiles: how much of everything. The built-in ones are `profiles/*.toml`.

use serde::Deserialize;

/// The size of a corpus.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name; set from the file's.
    #[serde(skip)]
    pub name: String,
    /// Mailboxes that receive mail and can be logged in to.
    pub mailboxes: u32,
    /// Messages to submit.
    pub messages: u64,
    /// The largest attachment, in bytes before base64.
    pub max_attachment_bytes: u64,
    /// The most recipients one message has in its envelope.
    pub max_recipients: u32,
}

/// A profile that is not there or not valid.
#[derive(Debug, thiserror::Error)]
#[error("profile {name:?}: {message}")]
pub struct ProfileError {
    name: String,
    message: String,
}

const BUILT_IN: &[(&str, &str)] = &[
    ("tiny", include_str!("../profiles/tiny.toml")),
    ("smoke", include_str!("../profiles/smoke.toml")),
    ("default", include_str!("../profiles/default.toml")),
    ("large", include_str!("../profiles/large.toml")),
];

impl Profile {
    /// The names of the built-in profiles, smallest first.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The built-in profile of that name.
    pub fn named(name: &str) -> Result<Self, ProfileError> {
        let text = BUILT_IN.iter().find(|(n, _)| *n == name).map(|(_, text)| *text).ok_or_else(|| ProfileError {
            name: name.to_owned(),
            message: format!("no such profile; there are {}", Self::names().collect::<Vec<_>>().join(", ")),
        })?;
        Self::parse(name, text)
    }

    /// Parses and checks the text of a profile.
    pub fn parse(name: &str, text: &str) -> Result<Self, ProfileError> {
        let error = |message: String| ProfileError { name: name.to_owned(), message };
        let profile = Self { name: name.to_owned(), ..toml::from_str(text).map_err(|e| error(e.to_string()))? };
        if profile.mailboxes < 2 {
            return Err(error(format!("mailboxes = {}: at least 2 are needed, to send and to receive", profile.mailboxes)));
        }
        if profile.max_recipients == 0 || profile.max_recipients > 50 {
            return Err(error(format!("max_recipients = {}: expected 1 to 50", profile.max_recipients)));
        }
        Ok(profile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_profile_parses() {
        for name in Profile::names() {
            assert_eq!(Profile::named(name).expect("valid").name, name);
        }
    }

    #[test]
    fn a_wrong_name_lists_the_right_ones() {
        let error = Profile::named("smok").expect_err("no such profile").to_string();
        assert_eq!(error, "profile \"smok\": no such profile; there are tiny, smoke, default, large");
    }

    #[test]
    fn a_field_out_of_range_or_unknown_is_named() {
        let text = "mailboxes = 1\nmessages = 1\nmax_attachment_bytes = 1\nmax_recipients = 1";
        let error = Profile::parse("p", text).expect_err("too few").to_string();
        assert!(error.contains("mailboxes = 1"), "{error}");
        let error = Profile::parse("p", &format!("{text}\nmesages = 2")).expect_err("unknown").to_string();
        assert!(error.contains("mesages") && error.contains("line 5"), "{error}");
    }
}
