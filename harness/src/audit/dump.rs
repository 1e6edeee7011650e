//! Checks whether a dump is complete, from the file alone: each format marks its own end.

use std::io::{Read, Seek as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use aho_corasick::AhoCorasick;
use recipe::inventory::DumpFormat;

use crate::probe::rows::bound;

/// Looks at a whole file; what is wrong with it, in a few words.
pub fn check(format: DumpFormat, file: &Path, ending: Arc<AtomicBool>) -> Result<(), String> {
    let size = std::fs::metadata(file).map_err(|e| e.to_string())?.len();
    if size == 0 {
        return Err("it is empty".into());
    }
    match format {
        DumpFormat::Sqlite => sqlite(file, ending).map_err(|e| e.to_string())?.map_or(Ok(()), Err),
        DumpFormat::Rdb => rdb(file, size).map_err(|e| e.to_string())?.map_or(Ok(()), Err),
        DumpFormat::PgDump => pg_dump(file, size).map_err(|e| e.to_string())?.map_or(Ok(()), Err),
    }
}

fn sqlite(file: &Path, ending: Arc<AtomicBool>) -> rusqlite::Result<Option<String>> {
    let mut db = rusqlite::Connection::open_with_flags(file, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    bound(&mut db, ending)?;
    let said: String = db.query_row("PRAGMA integrity_check(1)", [], |r| r.get(0))?;
    if said != "ok" {
        return Ok(Some(said));
    }
    let tables: u64 = db.query_row("SELECT count(*) FROM sqlite_master WHERE type = 'table'", [], |r| r.get(0))?;
    Ok((tables == 0).then(|| "it has no tables".into()))
}

/// A dump begins with `REDIS` and ends with a CRC-64 of all before it; zero says that none was made.
fn rdb(file: &Path, size: u64) -> std::io::Result<Option<String>> {
    let mut file = std::io::BufReader::new(std::fs::File::open(file)?);
    let mut start = [0; 9];
    if size < 18 || file.read_exact(&mut start).is_err() || !start.starts_with(b"REDIS") {
        return Ok(Some("it is not a Redis dump".into()));
    }
    let crc = crc::Crc::<u64>::new(&crc::CRC_64_REDIS);
    let mut digest = crc.digest();
    digest.update(&start);
    let mut body = file.by_ref().take(size - 17);
    let mut buffer = [0; 64 << 10];
    let mut last = 0;
    loop {
        let n = body.read(&mut buffer)?;
        let Some(byte) = n.checked_sub(1).map(|at| buffer[at]) else { break };
        last = byte;
        digest.update(&buffer[..n]);
    }
    let mut stored = [0; 8];
    file.read_exact(&mut stored)?;
    let stored = u64::from_le_bytes(stored);
    let whole = last == 0xff && (stored == 0 || stored == digest.finalize());
    Ok((!whole).then(|| "its checksum is wrong: it is cut off or altered".into()))
}

/// A dump says at its beginning what it is, and at its end that it is complete.
fn pg_dump(file: &Path, size: u64) -> std::io::Result<Option<String>> {
    const AROUND: u64 = 4 << 10;
    let mut file = std::fs::File::open(file)?;
    let mut part = |from: u64| {
        let mut bytes = Vec::new();
        file.seek(std::io::SeekFrom::Start(from))?;
        (&file).take(AROUND).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&bytes).into_owned())
    };
    // `pg_dump` writes a database, `pg_dumpall` a cluster of them.
    let begin = part(0)?;
    let Some(what) =
        ["database cluster", "database"].into_iter().find(|what| begin.contains(&format!("-- PostgreSQL {what} dump\n")))
    else {
        return Ok(Some("it is not a dump of PostgreSQL as text".into()));
    };
    if !part(size.saturating_sub(AROUND))?.contains(&format!("-- PostgreSQL {what} dump complete\n")) {
        return Ok(Some("it does not say at its end that it is complete: it is cut off".into()));
    }
    file.seek(std::io::SeekFrom::Start(0))?;
    let table = AhoCorasick::new(["\nCREATE TABLE "]).map_err(std::io::Error::other)?;
    let has_table = table.try_stream_find_iter(&file).map_err(std::io::Error::other)?.next().transpose()?.is_some();
    Ok((!has_table).then(|| "it has no table: it is the dump of an empty database".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), bytes).expect("written");
        file
    }

    #[test]
    fn dumps_of_redis_that_are_whole_cut_off_altered_and_empty() {
        let mut dump = b"REDIS0010\xfa\x09redis-ver\x067.0.15\xff".to_vec();
        let sum = crc::Crc::<u64>::new(&crc::CRC_64_REDIS).checksum(&dump);
        dump.extend(sum.to_le_bytes());
        let check = |bytes: &[u8]| super::check(DumpFormat::Rdb, written(bytes).path(), Arc::default());
        assert_eq!(check(&dump), Ok(()));
        for cut in 0..dump.len() {
            assert!(check(&dump[..cut]).is_err(), "cut at {cut}");
        }
        dump[14] ^= 1;
        assert!(check(&dump).is_err());
        assert_eq!(check(b""), Err("it is empty".into()));
    }

    #[test]
    fn dumps_of_sqlite_that_are_whole_cut_off_and_without_tables() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("main.db");
        let check = |format, file: &Path| super::check(format, file, Arc::default());
        let db = rusqlite::Connection::open(&path).expect("a database");
        db.execute_batch("PRAGMA user_version = 1").expect("a header");
        assert_eq!(check(DumpFormat::Sqlite, &path), Err("it has no tables".into()));
        db.execute_batch("CREATE TABLE a (b); INSERT INTO a VALUES (zeroblob(100000));").expect("a table");
        drop(db);
        assert_eq!(check(DumpFormat::Sqlite, &path), Ok(()));
        let bytes = std::fs::read(&path).expect("read");
        assert!(check(DumpFormat::Sqlite, written(&bytes[..bytes.len() / 2]).path()).is_err());
        assert!(check(DumpFormat::Sqlite, written(b"no database").path()).is_err());
    }

    #[test]
    fn dumps_of_postgresql_that_are_whole_cut_off_and_something_else() {
        let check = |text: &str| super::check(DumpFormat::PgDump, written(text.as_bytes()).path(), Arc::default());
        let dump = format!(
            "--\n-- PostgreSQL database dump\n--\n{}\n--\n-- PostgreSQL database dump complete\n--\n\n",
            "CREATE TABLE t ();\n".repeat(1000)
        );
        assert_eq!(check(&dump), Ok(()));
        assert!(check(&dump[..dump.len() - 20]).is_err());
        let cluster =
            format!("--\n-- PostgreSQL database cluster dump\n--\n{dump}--\n-- PostgreSQL database cluster dump complete\n--\n");
        assert_eq!(check(&cluster), Ok(()));
        assert!(check(&cluster[..cluster.len() - 40]).is_err(), "only one of its databases is complete");
        assert!(check("CREATE TABLE t ();\n").is_err());
        let empty = "--\n-- PostgreSQL database dump\n--\n\nSET x = 1;\n--\n-- PostgreSQL database dump complete\n--\n\n";
        assert_eq!(check(empty), Err("it has no table: it is the dump of an empty database".into()));
        assert!(check("").is_err());
    }
}
