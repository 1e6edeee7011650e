//! The version of a Co-op Cloud recipe.

use std::fmt;

/// `<recipe>+<upstream>`, as in `3.0.1+2024.06.52`: the recipe's own version, then that of the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The recipe's own version: major, minor, patch.
    pub recipe: [u64; 3],
    /// The app's version, in whatever form its authors use.
    pub upstream: String,
}

impl Version {
    /// Parses a version; nothing if the text is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let (recipe, upstream) = text.split_once('+')?;
        let numbers: Vec<u64> = recipe.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
        let recipe = numbers.try_into().ok()?;
        (!upstream.is_empty()).then(|| Self { recipe, upstream: upstream.to_owned() })
    }

    /// The next patch version of the recipe, which a change of labels needs. The app's version stays.
    pub fn bumped(&self) -> Self {
        let [major, minor, patch] = self.recipe;
        Self { recipe: [major, minor, patch.saturating_add(1)], upstream: self.upstream.clone() }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.recipe;
        write!(f, "{major}.{minor}.{patch}+{}", self.upstream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (text, bumped) in [
            ("3.0.1+2024.06.52", Some("3.0.2+2024.06.52")),
            ("1.0.0+v1+x", Some("1.0.1+v1+x")),
            ("1.27", None),
            ("1.0.0+", None),
            ("1.0+1", None),
            ("1.0.0.0+1", None),
            ("a.0.0+1", None),
        ] {
            assert_eq!(Version::parse(text).map(|v| v.bumped().to_string()).as_deref(), bumped, "{text}");
        }
    }
}
