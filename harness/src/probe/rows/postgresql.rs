//! PostgreSQL: the catalog and the tables through `psql`, as COPY sends them, so that any bytes survive and nothing is held in
//! memory as a whole.

use engine::exec::text;
use judge::store::ObjectSeen;
use judge::{AS_QUERIED, NOT_FILLED};
use regex::bytes::Regex;
use serde_json::{Value, json};

use super::cell;
use super::choice::{Column, Plan, Shape};
use super::client::{Checked, Client, END, Failed, QUERY_BYTES, ask_whole};
use super::store::Store;
use crate::error::Result;

const CATALOG: &str = include_str!("postgresql/catalog.sql");
/// Who may connect from where, in the order in which it counts (`pg_hba.conf`).
const ACCESS: &str = "UNION ALL SELECT 'O', '', '', 'access rules', string_agg(concat_ws(' ', type, database::text, user_name::text, \
                      address, netmask, auth_method, options::text, error), '; ' ORDER BY line_number), '' FROM pg_hba_file_rules";
/// What the server's files say of the settings that [`SESSION`] hides.
const FILES: &str = "UNION ALL SELECT 'O', '', '', 'server setting ' || s.name, f.setting, '' FROM pg_file_settings AS f \
                     JOIN pg_settings AS s ON lower(s.name) = lower(f.name) WHERE f.applied AND s.source = 'session'";
const PASSWORD: &str = include_str!("postgresql/password.sql");
/// From version 15 on.
const PARAMETERS: &str = include_str!("postgresql/parameters.sql");
/// The hash of a large object's content: page by page for who may read all of them, else as its owner reads it.
const LARGE_OBJECT: &str = "(SELECT encode(sha256(coalesce(string_agg(sha256(int4send(pageno) || data), ''::bytea ORDER BY pageno), \
                            ''::bytea)), 'hex') FROM pg_largeobject WHERE loid = m.oid)";
const OWN_LARGE_OBJECT: &str = "encode(sha256(lo_get(m.oid)), 'hex')";

/// So that values are written in one way, whatever the settings of database and role are, and no lock is waited for for ever.
const SESSION: &str = "SET search_path = pg_catalog; SET TIME ZONE 'UTC'; SET DateStyle = ISO; SET IntervalStyle = postgres; \
                       SET extra_float_digits = 3; SET bytea_output = hex; SET lc_monetary = 'C'; SET row_security = off; \
                       SET lock_timeout = '60s'; ";

/// Reads a database.
pub(super) async fn read(client: &dyn Client, store: &mut Store<'_>) -> Result<Result<(), Failed>> {
    let catalog = match catalog(client, store).await? {
        Ok(catalog) => catalog,
        Err(failed) => return Ok(Err(failed)),
    };
    for object in catalog.objects {
        store.object(object);
    }
    for name in &catalog.others {
        store.other_database(name);
    }
    let plans: Vec<Plan> = catalog.shapes.iter().map(|shape| store.table(shape)).collect();
    let mut parts: Vec<String> = plans.iter().enumerate().filter(|(_, p)| p.has_rows).map(|(n, p)| copy(n, p)).collect();
    for (n, sequence) in catalog.sequences.iter().enumerate() {
        if !plans.iter().any(|p| p.left_out && p.seen.table == sequence.owner) {
            parts.push(format!("COPY (SELECT 's', '{n}', last_value, is_called FROM {}) TO STDOUT; ", sequence.sql));
        }
    }
    for batch in batches(parts) {
        let read = rows(client, &batch, &plans, &catalog.sequences, store).await?;
        store.taken()?;
        if let Err(failed) = read {
            return Ok(Err(failed));
        }
    }
    materialized(client, catalog.views, store).await
}

/// Statements put together into queries that are short enough for a command's argument.
fn batches(parts: Vec<String>) -> Vec<String> {
    let mut batches: Vec<String> = Vec::new();
    for part in parts {
        match batches.last_mut().filter(|batch| batch.len() + part.len() < QUERY_BYTES) {
            Some(batch) => batch.push_str(&part),
            None => batches.push(part),
        }
    }
    batches
}

struct Sequence {
    name: String,
    sql: String,
    /// The table whose column it numbers.
    owner: String,
}

/// A materialized view.
struct Materialized {
    /// Its name in findings.
    name: String,
    /// Its name in SQL.
    sql: String,
    /// Whether it was filled since it was made.
    filled: bool,
    /// The query that fills it.
    query: String,
}

#[derive(Default)]
struct Catalog {
    shapes: Vec<Shape>,
    sequences: Vec<Sequence>,
    views: Vec<Materialized>,
    objects: Vec<ObjectSeen>,
    /// The server's other databases.
    others: Vec<String>,
}

async fn ask(client: &dyn Client, query: &str, line: Checked<'_>) -> Result<Result<(), Failed>> {
    let query =
        format!("{SESSION}BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {query}COPY (SELECT '{END}') TO STDOUT; COMMIT");
    ask_whole(client, &query, line, is_absent).await
}

/// Whether the server answered, and has no such database.
fn is_absent(said: &str) -> bool {
    said.lines().any(|line| line.contains("FATAL") && line.contains("database \"") && line.contains("does not exist"))
}

/// The texts of a line that COPY sent; NULL is none.
fn fields(line: &[u8]) -> Vec<Option<Vec<u8>>> {
    line.split(|b| *b == b'\t').map(|field| (field != b"\\N").then(|| unescaped(field))).collect()
}

/// A text without the escapes of COPY's text format.
fn unescaped(field: &[u8]) -> Vec<u8> {
    if !field.contains(&b'\\') {
        return field.to_vec();
    }
    let mut text = Vec::with_capacity(field.len());
    let mut bytes = field.iter();
    while let Some(byte) = bytes.next() {
        text.push(match (byte, byte == &b'\\') {
            (byte, false) => *byte,
            (_, true) => match bytes.next() {
                Some(b'n') => b'\n',
                Some(b't') => b'\t',
                Some(b'r') => b'\r',
                Some(b'b') => 8,
                Some(b'f') => 12,
                Some(b'v') => 11,
                Some(other) => *other,
                None => b'\\',
            },
        });
    }
    text
}

fn unexpected(line: &[u8]) -> String {
    let shown: String = String::from_utf8_lossy(line).chars().take(200).collect();
    format!("expected rows only, found {shown:?}; the command needs psql's --quiet")
}

async fn catalog(client: &dyn Client, store: &Store<'_>) -> Result<Result<Catalog, Failed>> {
    let mut may = Vec::new();
    let asked = "COPY (SELECT 'may', has_table_privilege('pg_authid', 'SELECT'), has_table_privilege('pg_largeobject', 'SELECT'), \
                 to_regclass('pg_parameter_acl') IS NOT NULL, \
                 coalesce(has_table_privilege(to_regclass('pg_hba_file_rules'), 'SELECT'), FALSE) \
                 AND coalesce(has_function_privilege(to_regprocedure('pg_hba_file_rules()'), 'EXECUTE'), FALSE), \
                 has_table_privilege('pg_file_settings', 'SELECT') \
                 AND has_function_privilege('pg_show_all_file_settings()', 'EXECUTE')) TO STDOUT; ";
    let mut line = |line: &[u8]| match line.strip_prefix(b"may\t") {
        Some(rest) => {
            may = rest.split(|b| *b == b'\t').map(|b| b == b"t").collect();
            Ok(())
        }
        None => Err(unexpected(line)),
    };
    if let Err(failed) = ask(client, asked, &mut line).await? {
        return Ok(Err(failed));
    }
    let all = may.get(1) == Some(&true);
    let query = CATALOG
        .lines()
        .filter(|line| !line.starts_with("--"))
        .collect::<Vec<_>>()
        .join("\n")
        .replace("{access}", if may.get(3) == Some(&true) { ACCESS } else { "" })
        .replace("{files}", if may.get(4) == Some(&true) { FILES } else { "" })
        .replace("{password}", if may.first() == Some(&true) { PASSWORD } else { "" })
        .replace("{parameters}", if may.get(2) == Some(&true) { PARAMETERS } else { "" })
        .replace("{large_object}", if all { LARGE_OBJECT } else { OWN_LARGE_OBJECT });
    let mut catalog = Catalog::default();
    let mut line = |line: &[u8]| {
        let fields: Vec<String> = fields(line).into_iter().map(|f| text(&f.unwrap_or_default())).collect();
        let [kind, a, b, c, d, e] = <[String; 6]>::try_from(fields).map_err(|_| unexpected(line))?;
        catalog.take(&kind, [a, b, c, d, e]).ok_or_else(|| unexpected(line))
    };
    let asked = ask(client, &format!("COPY ({query}) TO STDOUT; "), &mut line).await?;
    tracing::debug!(database = store.spec.name, tables = catalog.shapes.len(), objects = catalog.objects.len(), "catalog read");
    Ok(asked.map(|()| catalog))
}

impl Catalog {
    /// Takes a line of the catalog, as `catalog.sql` says; none for one of another kind.
    fn take(&mut self, kind: &str, [a, b, c, d, e]: [String; 5]) -> Option<()> {
        match kind {
            "T" => self.shapes.push(Shape { name: a, sql: b, has_rows: c == "rows", columns: vec![] }),
            "C" => {
                let shape = self.shapes.iter_mut().find(|s| s.sql == a)?;
                shape.columns.push(Column { name: b, kind: c, key: d.parse().ok()?, computed: e == "computed" });
            }
            "D" => self.others.push(a),
            "M" => self.views.push(Materialized { name: a, sql: b, filled: c == "filled", query: d }),
            "S" => self.sequences.push(Sequence { name: a, sql: b, owner: c }),
            "O" => {
                let value = if c == "definition" { same_casts(&d) } else { d };
                self.objects.push(ObjectSeen { what: a, name: b, property: c, value, part_of: e });
            }
            _ => return None,
        }
        Some(())
    }
}

/// The statement that sends the rows of a table: `r`, its number, the columns.
fn copy(number: usize, plan: &Plan) -> String {
    let columns: String = plan.columns.iter().map(|c| format!(", \"{}\"", c.name.replace('"', "\"\""))).collect();
    let left: Vec<String> = plan.conditions.iter().map(|c| format!("NOT coalesce(({c}), false)")).collect();
    let condition = if left.is_empty() { String::new() } else { format!(" WHERE {}", left.join(" AND ")) };
    format!("COPY (SELECT 'r', '{number}'{columns} FROM ONLY {}{condition}) TO STDOUT; ", plan.seen.sql)
}

async fn rows(
    client: &dyn Client,
    query: &str,
    plans: &[Plan],
    sequences: &[Sequence],
    store: &mut Store<'_>,
) -> Result<Result<(), Failed>> {
    let mut line = |line: &[u8]| {
        let mut fields = fields(line).into_iter();
        let kind = fields.next().flatten();
        let number = fields.next().flatten().and_then(|n| std::str::from_utf8(&n).ok()?.parse::<usize>().ok());
        match (kind.as_deref(), number) {
            (Some(b"r"), Some(n)) if n < plans.len() && fields.len() == plans[n].columns.len() => {
                let values = plans[n].columns.iter().zip(fields).map(|(column, field)| value(&column.kind, field)).collect();
                store.row(plans[n].row(values));
                Ok(())
            }
            (Some(b"s"), Some(n)) if n < sequences.len() && fields.len() == 2 => {
                let mut next = || fields.next().flatten().map(|f| text(&f)).unwrap_or_default();
                let (last, called) = (next(), next());
                let value = if called == "t" { last } else { format!("{last}, not called yet") };
                let (what, name, property) = ("sequence".into(), sequences[n].name.clone(), "value".into());
                store.object(ObjectSeen { what, name, property, value, part_of: String::new() });
                Ok(())
            }
            _ => Err(unexpected(line)),
        }
    };
    ask(client, query, &mut line).await
}

/// Reads materialized views one by one. Their rows come from tables, which are compared; a dump has none of them, and loading it fills the
/// view anew. So it is told whether a view has what its query gives, and only if not, what it has.
async fn materialized(client: &dyn Client, views: Vec<Materialized>, store: &mut Store<'_>) -> Result<Result<(), Failed>> {
    for view in views {
        let mut seen = ObjectSeen {
            what: "materialized view".into(),
            name: view.name.clone(),
            property: "rows".into(),
            ..ObjectSeen::default()
        };
        if !store.compares(&seen) {
            continue;
        }
        seen.value = match view.filled {
            false => NOT_FILLED.to_owned(),
            true => match held(client, &view).await? {
                Ok(value) => value,
                Err(failed) => return Ok(Err(failed)),
            },
        };
        store.object(seen);
    }
    Ok(Ok(()))
}

/// What a materialized view holds, held against what its query gives.
async fn held(client: &dyn Client, view: &Materialized) -> Result<Result<String, Failed>> {
    let has = match sums(client, &view.sql).await? {
        Ok(has) => has,
        Err(failed) => return Ok(Err(failed)),
    };
    let query = format!("({})", view.query);
    let mut gives = Vec::new();
    // What its query needs may be there for the app alone, such as a path for names.
    while gives.len() < 2
        && let Ok(now) = sums(client, &query).await?
    {
        if now == has {
            return Ok(Ok(AS_QUERIED.to_owned()));
        }
        gives.push(now);
    }
    let (count, sum) = has;
    Ok(Ok(match gives.as_slice() {
        [one, two] if one == two => format!("{count} rows, sum {sum}, not what its query gives now"),
        // Filled anew, it would hold something else each time.
        [_, _] => format!("{count} rows, of a query that gives something else each time"),
        _ => format!("{count} rows, sum {sum}, of a query that cannot be asked"),
    }))
}

/// How many rows a view or a query gives, and a sum over all of them, whatever their order.
async fn sums(client: &dyn Client, from: &str) -> Result<Result<(String, String), Failed>> {
    let mut said = (String::new(), String::new());
    let query =
        format!("COPY (SELECT count(*), coalesce(sum(hashtextextended(row_of::text, 0)), 0) FROM {from} AS row_of) TO STDOUT; ");
    let mut line = |line: &[u8]| {
        let text = |field: Option<Vec<u8>>| String::from_utf8(field?).ok();
        let texts: Option<Vec<String>> = fields(line).into_iter().map(text).collect();
        let [count, sum] = <[String; 2]>::try_from(texts.unwrap_or_default()).map_err(|_| unexpected(line))?;
        said = (count, sum);
        Ok(())
    };
    Ok(ask(client, &query, &mut line).await?.map(|()| said))
}

fn value(kind: &str, field: Option<Vec<u8>>) -> Value {
    let Some(bytes) = field else { return Value::Null };
    match kind {
        "number" => cell::number(&bytes),
        "bool" => json!(bytes == b"t"),
        "blob" => bytes
            .strip_prefix(b"\\x")
            .and_then(|digits| hex::decode(digits).ok())
            .map_or_else(|| cell::text(&bytes), |b| cell::blob(&b)),
        _ => cell::text(&bytes),
    }
}

/// A definition in the form that it has once it was dumped and loaded: PostgreSQL writes the casts of an array of texts in one way for
/// the statement that an app gave, and in another way for the one that its own dump has.
fn same_casts(definition: &str) -> String {
    static ARRAY: std::sync::LazyLock<Regex> = std::sync::LazyLock::new(|| {
        Regex::new(r"(?-u)\(ARRAY\[((?:'(?:[^']|'')*'::character varying(?:, )?)+)\]\)::text\[\]").expect("a constant")
    });
    static ELEMENT: std::sync::LazyLock<Regex> =
        std::sync::LazyLock::new(|| Regex::new(r"(?-u)'(?:[^']|'')*'::character varying").expect("a constant"));
    let whole = ARRAY.replace_all(definition.as_bytes(), |array: &regex::bytes::Captures<'_>| {
        let elements = ELEMENT.replace_all(&array[1], &b"($0)::text"[..]);
        [b"ARRAY[", &elements[..], b"]"].concat()
    });
    text(&whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_copy_are_read_byte_by_byte() {
        let fields = fields(b"a\\tb\t\\N\t\\\\N\t\xff\\n");
        assert_eq!(fields, [Some(b"a\tb".to_vec()), None, Some(b"\\N".to_vec()), Some(b"\xff\n".to_vec())]);
    }

    #[test]
    fn values_have_types() {
        let one = |kind: &str, text: &str| value(kind, Some(text.as_bytes().to_vec()));
        assert_eq!((one("number", "7"), one("number", "1.50")), (json!(7), json!("1.50")));
        assert_eq!((one("bool", "t"), one("blob", "\\x00ff")), (json!(true), json!({"blob": "00ff"})));
        assert_eq!((value("text", None), one("text", "7")), (Value::Null, json!("7")));
    }

    #[test]
    fn a_dumped_definition_is_as_the_given_one() {
        let given = "CHECK (((k)::text = ANY ((ARRAY['a'::character varying, 'b, ''c'::character varying])::text[])))";
        let loaded = "CHECK (((k)::text = ANY (ARRAY[('a'::character varying)::text, ('b, ''c'::character varying)::text])))";
        assert_eq!(same_casts(given), loaded);
        assert_eq!(same_casts(loaded), loaded);
    }

    #[test]
    fn a_database_that_is_not_there_is_told_from_a_server_that_is_not() {
        assert!(is_absent("psql: error: connection to server failed: FATAL:  database \"wiki\" does not exist"));
        assert!(!is_absent("psql: error: connection refused"));
        assert!(!is_absent("ERROR:  relation \"usr\" does not exist"));
        assert!(!is_absent("FATAL:  role \"wiki\" does not exist"));
    }

    #[test]
    fn queries_are_short_enough() {
        let parts: Vec<String> = (0..1000).map(|n| format!("{n}{}", "x".repeat(1000))).collect();
        let batches = batches(parts.clone());
        assert!(batches.iter().all(|b| b.len() <= QUERY_BYTES) && batches.len() > 5);
        assert_eq!(batches.concat(), parts.concat());
    }
}
