//! What restic lists of a snapshot.

use bot::contract;

/// Whether what restic lists is one snapshot of a stack and of nothing else: by its tags, or by the folders of its volumes. A deployed bot
/// may put all stacks of the engine into one snapshot.
pub(super) fn is_of(stack: &str, listed: &str) -> bool {
    let Ok(serde_json::Value::Array(all)) = serde_json::from_str(listed.trim()) else { return false };
    let [one] = all.as_slice() else { return false };
    let texts = |key: &str| one[key].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
    let (tag, volume) = (format!("{stack}:"), format!("/{stack}_"));
    let is_tag = |t: &str| t == stack || t.starts_with(&tag);
    let of_tags = texts("tags").any(is_tag);
    // Tags of others are those that name a version, as the stack's own does.
    let of_others = texts("tags").any(|t| !is_tag(t) && t.contains(':'));
    let volumes =
        || texts("paths").filter(|p| p.starts_with(contract::VOLUMES_ROOT) && p.len() > contract::VOLUMES_ROOT.len() + 1);
    let others_volumes = volumes().any(|p| !p.contains(&volume));
    !of_others && !others_volumes && (of_tags || volumes().next().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_a_stacks_by_its_tag_or_its_paths() {
        let one = |tags: &str, paths: &str| format!("[{{\"id\": \"a\", \"tags\": {tags}, \"paths\": {paths}}}]\n");
        assert!(is_of("rd-1", &one("[\"rd-1:1.0.0+1\"]", "[]")));
        assert!(is_of("rd-1", &one("null", "[\"/var/lib/docker/volumes/rd-1_data/_data\"]")));
        assert!(!is_of("rd-1", &one("[\"rd-11:1.0.0+1\", \"app\"]", "[\"/var/lib/docker/volumes/rd-11_data/_data\"]")));
        let both = "[\"/var/lib/docker/volumes/rd-1_data/_data\", \"/var/lib/docker/volumes/cloud_data/_data\", \"/secrets\"]";
        assert!(!is_of("rd-1", &one("[\"rd-1:1.0.0+1\"]", both)), "another stack's volume is in it");
        assert!(!is_of("rd-1", &one("[\"rd-1:1.0.0+1\", \"cloud_example_org:2.0.0+1\"]", "[]")), "another stack is in it");
        let two = one("[\"rd-1:1\"]", "[]").replace("]}]", "]}, {\"id\": \"b\"}]");
        for none in ["", "[]", "null", "{}", two.as_str()] {
            assert!(!is_of("rd-1", none), "{none}");
        }
    }
}
