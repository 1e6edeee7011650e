//! The build context of a stand-in image: a folder with a Dockerfile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};

/// What an image is built from.
#[derive(Debug, Clone)]
pub struct ImageContext {
    /// `restore-drill/SCENARIO-SERVICE`, without the tag.
    pub repository: String,
    /// The folder with the Dockerfile.
    pub context: PathBuf,
    /// More files: the name in the context, and the file.
    pub extra: Vec<(String, PathBuf)>,
    /// The version of the image that it replaces, if its Dockerfile has an `ARG VERSION`.
    pub version: Option<String>,
}

impl ImageContext {
    /// The image's full name. Its tag is a hash of the build context (`tar`) and of the version.
    pub fn image(&self, tar: &[u8]) -> String {
        let mut hash = Sha256::new_with_prefix(tar);
        hash.update(self.version.as_deref().unwrap_or_default());
        format!("{}:{}", self.repository, &hex::encode(hash.finalize())[..12])
    }

    /// Sets the version of the image that it replaces, if its Dockerfile asks for that.
    pub fn stand_for(&mut self, version: &str) -> Result<()> {
        let file = self.context.join("Dockerfile");
        let text = std::fs::read_to_string(&file).map_err(Error::unreadable(&file))?;
        self.version = text.lines().any(|l| l.trim() == "ARG VERSION").then(|| version.to_owned());
        Ok(())
    }

    /// The build context as a tar whose bytes depend on the files' names, modes and contents only.
    pub fn tar(&self) -> Result<Vec<u8>> {
        let mut files = Vec::new();
        collect(&self.context, Path::new(""), &mut files)?;
        files.extend(self.extra.iter().map(|(name, path)| (PathBuf::from(name), path.clone())));
        files.sort();
        let mut tar = tar::Builder::new(Vec::new());
        for (name, path) in files {
            let content = std::fs::read(&path).map_err(Error::unreadable(&path))?;
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(if executable(&path)? { 0o755 } else { 0o644 });
            tar.append_data(&mut header, &name, content.as_slice()).map_err(Error::unreadable(&path))?;
        }
        tar.into_inner().map_err(Error::unreadable(&self.context))
    }
}

fn executable(path: &Path) -> Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::metadata(path).map_err(Error::unreadable(path))?.permissions().mode() & 0o100 != 0)
}

fn collect(root: &Path, below: &Path, files: &mut Vec<(PathBuf, PathBuf)>) -> Result<()> {
    let dir = root.join(below);
    for entry in std::fs::read_dir(&dir).map_err(Error::unreadable(&dir))? {
        let entry = entry.map_err(Error::unreadable(&dir))?;
        let name = below.join(entry.file_name());
        if entry.path().is_dir() {
            collect(root, &name, files)?;
        } else {
            // A link may lead anywhere on the host, and what it leads to would be in the image.
            files.push((name, crate::fence::files::within(root, &entry.path())?));
        }
    }
    Ok(())
}

/// The build contexts in a folder that has one folder for each image, by the name of that folder. Image names begin with
/// `restore-drill/` and `prefix`.
pub fn contexts(images: &Path, prefix: &str) -> Result<BTreeMap<String, ImageContext>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(images).map_err(Error::unreadable(images))?.flatten() {
        if entry.path().join("Dockerfile").is_file() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let context = ImageContext {
                repository: format!("restore-drill/{prefix}-{name}"),
                context: entry.path(),
                extra: vec![],
                version: None,
            };
            found.insert(name, context);
        }
    }
    Ok(found)
}
