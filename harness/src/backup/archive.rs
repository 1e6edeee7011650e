//! What `download` hands over: an archive, perhaps packed, perhaps of archives. Which it is, its bytes tell; bots name it as they like.

use std::io::{self, Cursor, Read};

use bot::contract;
use flate2::read::MultiGzDecoder;

use crate::stack::volumes::{Kind, entries};

/// How deep archives may be within each other: packed, of archives, each of which is packed.
const DEPTH: u8 = 4;
/// A block of a tar archive.
const BLOCK: usize = 512;

/// Gets each entry: its whole path, escaped ([`inside::name`]), and the content of a regular file.
pub type Sink<'a> = dyn FnMut(&str, Option<&mut dyn Read>) -> io::Result<()> + 'a;

/// What bytes begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Gzip,
    Tar,
    Other,
}

/// Hands over what is in the archive.
///
/// # Errors
/// It is no archive, or cut off, or `sink` failed.
pub fn each(archive: &mut dyn Read, sink: &mut Sink<'_>) -> io::Result<()> {
    unpack(archive, None, DEPTH, sink)
}

fn unpack(content: &mut dyn Read, name: Option<&str>, depth: u8, sink: &mut Sink<'_>) -> io::Result<()> {
    let head = head(content)?;
    let form = form(&head);
    let mut whole = Cursor::new(head).chain(content);
    match form {
        Form::Gzip if depth > 0 => unpack(&mut MultiGzDecoder::new(&mut whole), name, depth - 1, sink),
        Form::Tar => {
            tar(&mut whole, name, depth, sink)?;
            // What packed it has a checksum at its end.
            io::copy(&mut whole, &mut io::sink()).map(drop)
        }
        _ => Err(io::Error::other("it is neither a tar archive nor packed by gzip")),
    }
}

fn tar(archive: &mut dyn Read, name: Option<&str>, depth: u8, sink: &mut Sink<'_>) -> io::Result<()> {
    entries(archive, |entry| {
        let path = match name {
            Some(archive) => contract::whole_path_in(archive, &entry.name),
            None => contract::whole_path(&entry.name),
        };
        match entry.kind {
            // No file of a volume is at the top of an archive.
            Kind::File if depth > 0 && !entry.name.contains('/') => within(entry.content, &entry.name, depth - 1, &path, sink),
            Kind::File => sink(&path, Some(entry.content)),
            // Its content is under its other name.
            Kind::HardLink(_) => Ok(()),
            _ => sink(&path, None),
        }
    })
}

/// A file at the top of an archive: an archive itself, or not.
fn within(content: &mut dyn Read, name: &str, depth: u8, path: &str, sink: &mut Sink<'_>) -> io::Result<()> {
    let head = head(content)?;
    let form = form(&head);
    let mut whole = Cursor::new(head).chain(content);
    match form {
        Form::Other => sink(path, Some(&mut whole)),
        Form::Gzip | Form::Tar => {
            let stem = [".tar.gz", ".tgz", ".tar", ".gz"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
            unpack(&mut whole, Some(stem), depth, sink)
        }
    }
}

fn head(content: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    content.take(BLOCK as u64).read_to_end(&mut head)?;
    Ok(head)
}

fn form(head: &[u8]) -> Form {
    const MAGIC: usize = 257;
    match head {
        [0x1f, 0x8b, ..] => Form::Gzip,
        // An archive without entries is of zeros.
        _ if head.len() == BLOCK && (head[MAGIC..].starts_with(b"ustar") || head.iter().all(|b| *b == 0)) => Form::Tar,
        _ => Form::Other,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const ROOT: &str = "/var/lib/docker/volumes";

    fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            if name.ends_with('/') {
                header.set_entry_type(tar::EntryType::Directory);
            }
            tar.append_data(&mut header, name, *content).expect("appended");
        }
        tar.into_inner().expect("a tar")
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(bytes).expect("packed");
        packed.finish().expect("packed")
    }

    fn read(archive: &[u8]) -> io::Result<Vec<(String, Option<String>)>> {
        let mut found = Vec::new();
        each(&mut &archive[..], &mut |path, content| {
            let mut text = String::new();
            let content = content.map(|c| c.read_to_string(&mut text)).transpose()?;
            found.push((path.to_owned(), content.map(|_| text)));
            Ok(())
        })?;
        Ok(found)
    }

    /// One file, in every form in which a bot may hand it over.
    #[test]
    fn the_form_is_told_by_the_bytes() {
        // A user's own archive in a volume is a file like any other.
        let users = tar_of(&[("x", b"y")]);
        let users = String::from_utf8(users).expect("text");
        let whole = tar_of(&[
            ("var/lib/docker/volumes/s_data/_data/", b""),
            ("var/lib/docker/volumes/s_data/_data/a.tar", users.as_bytes()),
        ]);
        let of_volume = tar_of(&[("_data/", b""), ("_data/a.tar", users.as_bytes())]);
        let folder = (format!("{ROOT}/s_data/_data"), None);
        let expected = [folder, (format!("{ROOT}/s_data/_data/a.tar"), Some(users.clone()))];
        for archive in [
            whole.clone(),
            gzip(&whole),
            tar_of(&[("volumes.tar", &whole)]),
            gzip(&tar_of(&[("volumes.tar", &whole)])),
            gzip(&tar_of(&[("volumes.tar.gz", &gzip(&whole))])),
            gzip(&tar_of(&[("s_data.tar", &of_volume)])),
        ] {
            assert_eq!(read(&archive).expect("read"), expected);
        }
    }

    #[test]
    fn what_is_beside_the_archives_is_no_archive() {
        let volume = tar_of(&[("_data/a", b"1")]);
        let found = read(&gzip(&tar_of(&[("s_a.tar", &volume), ("s.json", b"{}"), ("s_b.tar", &tar_of(&[]))]))).expect("read");
        let expected = [(format!("{ROOT}/s_a/_data/a"), Some("1".to_owned())), (format!("{ROOT}/s.json"), Some("{}".to_owned()))];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_cut_off_or_no_archive_is_an_error() {
        let whole = gzip(&tar_of(&[("volumes.tar", &tar_of(&[("s_a/_data/a", &[b'1'; 5000])]))]));
        for cut in [0, 1, 20, whole.len() / 2, whole.len() - 9] {
            assert!(read(&whole[..cut]).is_err(), "{cut} of {}", whole.len());
        }
        assert!(read(b"no archive").is_err());
        let mut nested = tar_of(&[("a/b", b"")]);
        for _ in 0..9 {
            nested = gzip(&nested);
        }
        assert!(read(&nested).is_err(), "as deep as somebody likes");
    }
}
