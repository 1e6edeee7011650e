//! What comes out of a volume: names, the lines of `inside`, archives.

use std::io::Read as _;

use bollard::container::LogOutput;
use futures_util::stream;
use inside::Line;
use inside::name::{escape, unescape};
use restore_drill::stack::reader::{self, Read};
use restore_drill::stack::volumes::{digest, entries};

use super::{Target, text};

/// Names of files, which may be any bytes.
pub const NAME: Target = Target {
    name: "name",
    feed: name,
    seeds: &[
        "Entwürfe/cur/1,S=2:2,S".as_bytes(),
        b"r\xe9sum\xe9\n",
        b"a\\x0ab\\\\",
        "\u{202e}\u{2028}\\xe2\\x80".as_bytes(),
        b"\\x+f\\xAF",
    ],
};

fn name(data: &[u8]) {
    let escaped = escape(data);
    assert!(!escaped.chars().any(char::is_control), "{escaped:?}");
    assert_eq!(unescape(&escaped).as_deref(), Some(data));
    // No two texts stand for one name.
    let text = text(data);
    if let Some(name) = unescape(&text) {
        assert_eq!(escape(&name), text);
    }
}

/// The lines that the program in the container writes, in pieces whose length the first byte says.
pub const LINES: Target = Target {
    name: "lines",
    feed: lines,
    seeds: &[
        b"\x07{\"entry\":{\"path\":\".\",\"kind\":\"folder\",\"size\":0,\"allocated\":0,\"uid\":0,\"gid\":0,\"mode\":493,\"mtime\":-1}}\n\
          {\"entry\":{\"path\":\"a\",\"kind\":\"file\",\"size\":1,\"allocated\":512,\"uid\":0,\"gid\":0,\"mode\":420,\"mtime\":0,\"inode\":7,\"xattrs\":{\"user.a\":\"00\"},\"content\":{\"sha256\":\"aa\"}}}\n\
          {\"unread\":[\"b\",\"why\"]}\n{\"end\":2}\n",
        b"\xff{\"end\":0}\n",
        b"\x01\n{\"end\":1}\n{\"end\":0}",
    ],
};

fn lines(data: &[u8]) {
    let Some((size, data)) = data.split_first() else { return };
    let chunks = data.chunks(usize::from(*size).max(1));
    let output = chunks.map(|chunk| Ok(LogOutput::StdOut { message: chunk.to_vec().into() }));
    let (mut whole, mut unread) = (0, 0);
    let mut sink = |read| {
        match read {
            Read::Whole(_) => whole += 1,
            Read::Unread(..) => unread += 1,
            Read::InPart(_) => panic!("lines have whole entries"),
        }
        Ok(())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let read = runtime.block_on(reader::lines(stream::iter(output), "v", &mut sink));
    if read.is_ok() {
        let written = data.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice::<Line>(line).ok());
        let ends: Vec<u64> = written.filter_map(|line| if let Line::End(n) = line { Some(n) } else { None }).collect();
        assert!(ends.contains(&whole), "{whole} entries, but {ends:?}");
    }
}

/// Archives of a volume.
pub const ARCHIVE: Target = Target { name: "archive", feed: archive, seeds: &[ARCHIVE_SEED] };

const ARCHIVE_SEED: &[u8] = include_bytes!("volume.tar");

fn archive(data: &[u8]) {
    let mut read = 0;
    let _ = entries(&mut &data[..], |entry| {
        assert!(!entry.name.chars().any(char::is_control), "{:?}", entry.name);
        let _ = (entry.header.uid(), entry.header.mtime(), entry.header.device_major());
        read += digest(&mut entry.content.take(data.len() as u64 + 1))?.1;
        // A sparse file has more bytes than its archive, and no more than its header says.
        assert!(read <= data.len() as u64 || entry.header.entry_type().is_gnu_sparse(), "{read} bytes");
        Ok(())
    });
}
