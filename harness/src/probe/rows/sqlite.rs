//! SQLite: the file is read with the library itself.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use judge::store::ObjectSeen;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use super::cell;
use super::choice::{Column, Shape};
use super::store::Store;
use crate::error::Result;

/// Reads a database file. The inner error says why it cannot be read.
pub(super) fn read(file: &Path, store: &mut Store<'_>) -> Result<Result<(), String>> {
    // It is a copy: what a transaction left half done is undone in it, as the app would do.
    let opened = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE).map(|db| Reader { db });
    let ending = store.ending();
    let read = opened.and_then(|mut reader| {
        bound(&mut reader.db, ending)?;
        let shapes = reader.shapes()?;
        reader.checks(store)?;
        reader.whole(store)?;
        shapes.iter().try_for_each(|shape| reader.table(shape, store))
    });
    store.taken()?;
    Ok(read.map_err(|e| e.to_string()))
}

/// How long a file may take to read: what an app writes may make its own checks endless.
const PATIENCE: Duration = Duration::from_secs(1800);
/// How many steps SQLite takes before it asks whether to go on.
const STEPS: i32 = 100_000;

/// Ends whatever a connection does once it is asked to, or takes too long.
///
/// # Errors
/// SQLite's.
pub fn bound(db: &mut Connection, ending: Arc<AtomicBool>) -> rusqlite::Result<()> {
    let begin = Instant::now();
    db.progress_handler(STEPS, Some(move || ending.load(Ordering::Relaxed) || begin.elapsed() > PATIENCE))
}

struct Reader {
    db: Connection,
}

/// The check of a whole file.
pub(super) const INTEGRITY: &str = "integrity_check";

type Read<T> = rusqlite::Result<T>;

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Reader {
    fn lines(&self, sql: &str) -> Read<Vec<String>> {
        self.db.prepare(sql)?.query_map([], |r| r.get_ref(0).map(|v| cell::shown(&value(v))))?.collect()
    }

    fn checks(&self, store: &mut Store<'_>) -> Read<()> {
        for check in [INTEGRITY, "foreign_key_check"] {
            match self.lines(&format!("PRAGMA {check}")) {
                Ok(said) => store.check(check, said.join("; ")),
                Err(e) if is_of_the_app(&e) => store.untold(check, &e.to_string()),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Its tables, but for those that SQLite keeps for itself.
    fn shapes(&self) -> Read<Vec<Shape>> {
        let mut shapes = Vec::new();
        let listed = "SELECT name, type FROM pragma_table_list WHERE schema = 'main' AND type <> 'view' ORDER BY name";
        let mut statement = self.db.prepare(listed)?;
        let mut found = statement.query([])?;
        while let Some(row) = found.next()? {
            let (name, kind): (String, String) = (row.get(0)?, row.get(1)?);
            if name.starts_with("sqlite_") {
                continue;
            }
            // What a virtual table shows is in its shadow tables; only its own module can read it.
            let has_rows = kind != "virtual";
            let columns = if has_rows { self.columns(&name)? } else { vec![] };
            shapes.push(Shape { sql: quoted(&name), name, columns, has_rows });
        }
        Ok(shapes)
    }

    fn columns(&self, table: &str) -> Read<Vec<Column>> {
        let sql = "SELECT name, type, pk, hidden FROM pragma_table_xinfo(?) ORDER BY cid";
        self.db
            .prepare(sql)?
            .query_map([table], |r| {
                let hidden: u32 = r.get(3)?;
                Ok(Column { name: r.get(0)?, kind: r.get(1)?, key: r.get(2)?, computed: hidden > 0 })
            })?
            .collect()
    }

    /// What is the database's own, and what is of no table.
    fn whole(&self, store: &mut Store<'_>) -> Read<()> {
        for pragma in ["user_version", "application_id", "encoding", "page_size", "auto_vacuum", "journal_mode"] {
            store.object(object("", "", pragma, self.lines(&format!("PRAGMA {pragma}"))?.join("; "), ""));
        }
        let listed = "SELECT s.type, s.name, s.sql, CASE t.type WHEN 'table' THEN s.tbl_name ELSE '' END
                      FROM sqlite_schema AS s LEFT JOIN sqlite_schema AS t ON t.type = 'table' AND t.name = s.tbl_name
                      WHERE s.sql IS NOT NULL AND s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
        let mut statement = self.db.prepare(listed)?;
        let mut found = statement.query([])?;
        while let Some(row) = found.next()? {
            let (what, name, sql): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let part_of: String = if what == "table" { String::new() } else { row.get(3)? };
            store.object(object(&what, &name, "definition", one_line(&sql), &part_of));
        }
        Ok(())
    }

    fn table(&self, shape: &Shape, store: &mut Store<'_>) -> Read<()> {
        let plan = store.table(shape);
        self.parts(shape, store)?;
        if !plan.left_out {
            self.counter(&shape.name, store)?;
        }
        if !plan.has_rows || plan.columns.is_empty() {
            return Ok(());
        }
        let columns: Vec<String> = plan.columns.iter().map(|c| quoted(&c.name)).collect();
        let left: String = plan.conditions.iter().map(|c| format!(" AND NOT coalesce(({c}), 0)")).collect();
        let sql = format!("SELECT {} FROM {} WHERE 1{left}", columns.join(", "), shape.sql);
        let mut statement = self.db.prepare(&sql)?;
        let mut found = statement.query([])?;
        while let Some(row) = found.next()? {
            let values = (0..columns.len()).map(|at| row.get_ref(at).map(value)).collect::<Read<Vec<_>>>()?;
            if !store.row(plan.row(values)) {
                break;
            }
        }
        Ok(())
    }

    /// Its columns and foreign keys.
    fn parts(&self, shape: &Shape, store: &mut Store<'_>) -> Read<()> {
        if !shape.has_rows {
            return Ok(());
        }
        let table = &shape.name;
        let sql = "SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_xinfo(?)";
        let mut statement = self.db.prepare(sql)?;
        let mut found = statement.query([table])?;
        while let Some(row) = found.next()? {
            let name = format!("{table}.{}", row.get::<_, String>(0)?);
            let mut add = |property: &str, value: String| store.object(object("column", &name, property, value, table));
            add("type", row.get(1)?);
            let (not_null, key): (bool, u32) = (row.get(2)?, row.get(4)?);
            if not_null {
                add("not null", "yes".into());
            }
            if let Some(default) = row.get::<_, Option<String>>(3)? {
                add("default", default);
            }
            if key > 0 {
                add("primary key", key.to_string());
            }
        }
        let sql =
            "SELECT group_concat(\"from\", ', '), \"table\", group_concat(coalesce(\"to\", '…'), ', '), on_update, on_delete
                   FROM (SELECT * FROM pragma_foreign_key_list(?) ORDER BY id, seq) GROUP BY id";
        let mut statement = self.db.prepare(sql)?;
        let mut found = statement.query([table])?;
        while let Some(row) = found.next()? {
            let (from, to, columns): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let (update, delete): (String, String) = (row.get(3)?, row.get(4)?);
            let references = format!("{to} ({columns}) on update {update} on delete {delete}");
            store.object(object("foreign key", &format!("{table} ({from}) to {to}"), "definition", references, table));
        }
        Ok(())
    }

    /// The number that AUTOINCREMENT gave out last.
    fn counter(&self, table: &str, store: &mut Store<'_>) -> Read<()> {
        let there = "SELECT count(*) FROM sqlite_schema WHERE name = 'sqlite_sequence'";
        if self.db.query_row(there, [], |r| r.get::<_, u32>(0))? == 0 {
            return Ok(());
        }
        let mut statement = self.db.prepare_cached("SELECT max(seq) FROM sqlite_sequence WHERE name = ?")?;
        if let Some(last) = statement.query_row([table], |r| r.get::<_, Option<i64>>(0))? {
            store.object(object("sequence", table, "value", last.to_string(), table));
        }
        Ok(())
    }
}

/// Whether a database needs something that only its app brings: a collation, a function.
fn is_of_the_app(error: &rusqlite::Error) -> bool {
    let said = error.to_string();
    ["no such collation sequence", "unknown function", "no such function"].iter().any(|needed| said.contains(needed))
}

fn object(what: &str, name: &str, property: &str, value: String, part_of: &str) -> ObjectSeen {
    let (what, name, property) = (what.to_owned(), name.to_owned(), property.to_owned());
    ObjectSeen { what, name, property, value, part_of: part_of.to_owned() }
}

/// A statement on one line: outside of quotes, any blank is one space.
fn one_line(sql: &str) -> String {
    let (mut line, mut quote) = (String::new(), None);
    for c in sql.chars() {
        if quote.is_none() && c.is_whitespace() {
            if !line.ends_with(' ') {
                line.push(' ');
            }
            continue;
        }
        quote = match (quote, c) {
            (None, '\'' | '"' | '`') => Some(c),
            (Some(open), c) if open == c => None,
            (other, _) => other,
        };
        line.push(c);
    }
    line.trim_end().to_owned()
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(n) => json!(n),
        ValueRef::Real(n) if n.is_finite() => json!(n),
        ValueRef::Real(n) => json!({"real": n.to_string()}),
        ValueRef::Text(bytes) => cell::text(bytes),
        ValueRef::Blob(bytes) => cell::blob(bytes),
    }
}
