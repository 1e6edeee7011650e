//! The name of an image: what it is called, its version and its variant.

/// An image's name, in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageName<'a> {
    /// The name without a tag, and without what means Docker's own registry.
    pub name: &'a str,
    /// The tag, if there is one.
    pub tag: Option<&'a str>,
}

impl<'a> ImageName<'a> {
    /// Reads `registry:5000/name:tag@digest`.
    pub fn parse(image: &'a str) -> Self {
        let named = image.split('@').next().unwrap_or(image);
        // A colon before a slash is that of a registry's port.
        let (name, tag) = match named.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (named, None),
        };
        let name =
            ["docker.io/", "index.docker.io/", "registry-1.docker.io/"].iter().find_map(|r| name.strip_prefix(r)).unwrap_or(name);
        Self { name: name.strip_prefix("library/").unwrap_or(name), tag }
    }

    /// Whether this is the image `name`, or one of `project/*`.
    pub fn is(&self, name: &str) -> bool {
        name.strip_suffix('*').map_or(self.name == name, |project| self.name.starts_with(project))
    }

    /// The numbers that the tag begins with; none for a tag such as `latest`, and without a tag.
    pub fn version(&self) -> Option<Vec<u64>> {
        let tag = self.tag?;
        let tag = tag.strip_prefix('v').unwrap_or(tag);
        let numbers = tag.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
        let numbers: Vec<u64> = numbers.split('.').map_while(|n| n.parse().ok()).collect();
        (!numbers.is_empty()).then_some(numbers)
    }

    /// Whether the tag has a part such as `alpine` or `alpine3.20`.
    pub fn has_variant(&self, variant: &str) -> bool {
        self.tag.is_some_and(|tag| tag.split('-').any(|part| part.starts_with(variant)))
    }

    /// The tag as the version of an app: none if it has a variable without a value, or is no version's text.
    pub fn app_version(&self) -> Option<&'a str> {
        let fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        self.tag.filter(|tag| !tag.is_empty() && tag.chars().all(fit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_images() {
        let digest = "x/y@sha256:0123";
        for (image, name, tag, version) in [
            ("postgres:16-alpine", "postgres", Some("16-alpine"), Some(vec![16])),
            ("docker.io/library/mariadb:10.11.6", "mariadb", Some("10.11.6"), Some(vec![10, 11, 6])),
            ("registry.example.org:5000/x/y", "registry.example.org:5000/x/y", None, None),
            (digest, "x/y", None, None),
            ("x/y:v1.2@sha256:0123", "x/y", Some("v1.2"), Some(vec![1, 2])),
            ("mariadb:lts", "mariadb", Some("lts"), None),
            ("", "", None, None),
        ] {
            let parsed = ImageName::parse(image);
            assert_eq!((parsed.name, parsed.tag, parsed.version()), (name, tag, version), "{image}");
        }
        assert!(ImageName::parse("redis:7-alpine3.20").has_variant("alpine"));
        assert!(!ImageName::parse("redis:7-bookworm").has_variant("alpine"));
        assert_eq!(ImageName::parse("x:latest-${FLAVOUR}").app_version(), None);
        assert_eq!(ImageName::parse("x/y:1.2-a").app_version(), Some("1.2-a"));
    }
}
