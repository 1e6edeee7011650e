//! MariaDB, and MySQL: information_schema and the tables through the server's client, each value in hexadecimal digits, so that any
//! bytes survive and nothing depends on how the client escapes.

use std::collections::BTreeMap;

use engine::exec::text;
use judge::store::ObjectSeen;
use regex::Regex;
use serde_json::Value;

use super::cell;
use super::choice::{Column, Plan, Shape};
use super::client::{Checked, Client, END, Failed, QUERY_BYTES, ask_whole};
use super::store::Store;
use crate::error::Result;

const CATALOG: &str = include_str!("mariadb/catalog.sql");
/// CHECK constraints, which MariaDB numbers by table and MySQL by database.
const CHECKS: &str = "UNION ALL SELECT 0, 'O', 'constraint', CONCAT(TABLE_NAME, '.', CONSTRAINT_NAME), 'definition', \
                      CONCAT('CHECK ', CHECK_CLAUSE), TABLE_NAME FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE()";
const MYSQL_CHECKS: &str = "UNION ALL SELECT 0, 'O', 'constraint', CONCAT(t.TABLE_NAME, '.', t.CONSTRAINT_NAME), 'definition', \
                            CONCAT('CHECK ', CHECK_CLAUSE, IF(ENFORCED = 'NO', ' not enforced', '')), t.TABLE_NAME FROM information_schema.CHECK_CONSTRAINTS AS c \
                            JOIN information_schema.TABLE_CONSTRAINTS AS t USING (CONSTRAINT_SCHEMA, CONSTRAINT_NAME) \
                            WHERE t.CONSTRAINT_SCHEMA = DATABASE()";
/// Users, of whose passwords only a hash of the hash is told, and who is in which role.
const USERS: &str = "UNION ALL SELECT 0, 'O', 'role', CONCAT(User, '@', Host), 'account', SHA2(JSON_REMOVE(Priv, '$.password_last_changed', '$.version_id'), 256), '' FROM mysql.global_priv \
                     WHERE User NOT IN ('mariadb.sys', 'PUBLIC') \
                     UNION ALL SELECT 0, 'O', 'role', CONCAT(User, '@', Host), CONCAT('member of ', Role), CONCAT('admin ', Admin_option), '' \
                     FROM mysql.roles_mapping";
const MYSQL_USERS: &str = "UNION ALL SELECT 0, 'O', 'role', CONCAT(User, '@', Host), 'account', \
                           SHA2(JSON_ARRAY(plugin, authentication_string, account_locked, ssl_type, HEX(ssl_cipher), HEX(x509_issuer), HEX(x509_subject), \
                           max_questions, max_updates, max_connections, max_user_connections, password_expired, password_lifetime, \
                           Password_reuse_history, Password_reuse_time, Password_require_current, User_attributes), 256), '' FROM mysql.user \
                           WHERE User NOT IN ('mysql.sys', 'mysql.session', 'mysql.infoschema') \
                           UNION ALL SELECT 0, 'O', 'role', CONCAT(TO_USER, '@', TO_HOST), CONCAT('member of ', FROM_USER, IF(FROM_HOST = '%', '', CONCAT('@', FROM_HOST))), \
                           CONCAT('admin ', WITH_ADMIN_OPTION), '' FROM mysql.role_edges \
                           UNION ALL SELECT 0, 'O', 'role', CONCAT(USER, '@', HOST), CONCAT('default role ', DEFAULT_ROLE_USER, '@', DEFAULT_ROLE_HOST), 'yes', '' \
                           FROM mysql.default_roles";
/// What MySQL alone keeps beside a database. A setting that may be a secret is told as its hash.
const MYSQL_SERVER: &str = "UNION ALL SELECT 0, 'O', '', '', CONCAT('server setting ', VARIABLE_NAME), \
                            IF(VARIABLE_NAME REGEXP 'secret|passw|token|key', SHA2(VARIABLE_VALUE, 256), VARIABLE_VALUE), '' FROM performance_schema.persisted_variables \
                            UNION ALL SELECT 0, 'O', 'component', component_urn, '', '', '' FROM mysql.component \
                            UNION ALL SELECT 0, 'O', 'spatial reference system', SRS_ID, 'definition', CONCAT_WS(' ', SRS_NAME, ORGANIZATION, ORGANIZATION_COORDSYS_ID, DEFINITION, DESCRIPTION), '' \
                            FROM information_schema.ST_SPATIAL_REFERENCE_SYSTEMS WHERE SRS_ID > 0 AND COALESCE(ORGANIZATION, '') <> 'EPSG' \
                            UNION ALL SELECT 0, 'O', 'resource group', RESOURCE_GROUP_NAME, 'definition', \
                            CONCAT_WS(' ', RESOURCE_GROUP_TYPE, RESOURCE_GROUP_ENABLED, CONVERT(VCPU_IDS USING utf8mb4), THREAD_PRIORITY), '' \
                            FROM information_schema.RESOURCE_GROUPS WHERE RESOURCE_GROUP_NAME NOT IN ('SYS_default', 'USR_default') \
                            UNION ALL SELECT 0, 'O', '', '', 'options', OPTIONS, '' FROM information_schema.SCHEMATA_EXTENSIONS WHERE SCHEMA_NAME = DATABASE() AND OPTIONS <> '' \
                            UNION ALL SELECT 0, 'O', '', '', 'encryption', DEFAULT_ENCRYPTION, '' FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = DATABASE()";
/// Accounts of the server itself.
const SYSTEM: &str = "'^.(mariadb[.]sys|mysql[.](sys|session|infoschema)).@'";
/// So that texts are sent as they are, instants are written in one time zone, and lists are not cut off.
const SESSION: &str = "SET NAMES utf8mb4; SET SESSION time_zone = '+00:00', group_concat_max_len = 16777216, lock_wait_timeout = 60, sql_mode = ''; ";
/// Tables whose definitions are asked for at once.
const TABLES: usize = 200;
const SNAPSHOT: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY; ";

/// Reads a database.
pub(super) async fn read(client: &dyn Client, store: &mut Store<'_>) -> Result<Result<(), Failed>> {
    let catalog = match catalog(client).await? {
        Ok(catalog) => catalog,
        Err(failed) => return Ok(Err(failed)),
    };
    let plans: Vec<Plan> = catalog.shapes.iter().map(|shape| store.table(shape)).collect();
    for object in catalog.objects {
        // The counter of a table whose rows are left out changes with them.
        let counter = object.property == "auto_increment" && plans.iter().any(|p| p.left_out && p.seen.table == object.name);
        if !counter {
            store.object(object);
        }
    }
    for name in catalog.others {
        store.other_database(&name);
    }
    let sequence = |name: &String| ("sequence", name.clone(), "value", last_value(name));
    let kept =
        |plan: &Plan| Some(("table", plan.seen.table.clone(), "history", history(plan, catalog.ends.get(&plan.seen.table)?)));
    let histories = plans.iter().filter(|p| p.has_rows).filter_map(kept);
    for (what, name, property, query) in catalog.sequences.iter().map(sequence).chain(histories) {
        let value = match one(client, &query).await? {
            Ok(value) => value,
            Err(failed) => return Ok(Err(failed)),
        };
        store.object(ObjectSeen { what: what.into(), name, property: property.into(), value, part_of: String::new() });
    }
    let made = catalog.shapes.iter().map(|shape| ("table", &shape.name)).chain(catalog.sequences.iter().map(|s| ("sequence", s)));
    if let Err(failed) = definitions(client, &made.collect::<Vec<_>>(), store).await? {
        return Ok(Err(failed));
    }
    let statements = plans.iter().enumerate().filter(|(_, p)| p.has_rows && !p.columns.is_empty()).map(|(n, p)| select(n, p));
    let mut batch = String::new();
    for statement in statements.map(Some).chain([None]) {
        let full = statement.as_ref().is_none_or(|s| batch.len() + s.len() > QUERY_BYTES);
        if full && !batch.is_empty() {
            let read = rows(client, &std::mem::take(&mut batch), &plans, store).await?;
            store.taken()?;
            if let Err(failed) = read {
                return Ok(Err(failed));
            }
        }
        batch.push_str(statement.as_deref().unwrap_or_default());
    }
    Ok(Ok(()))
}

/// The query for the number that a sequence gives next.
fn last_value(sequence: &str) -> String {
    format!("SELECT CONCAT_WS(' ', 's', HEX(CAST(next_not_cached_value AS CHAR))) FROM {}; ", quoted(sequence))
}

/// The query for the rows that a table keeps of earlier times: how many, and a sum over all of them. Their end is in column `end`.
fn history(plan: &Plan, end: &str) -> String {
    let columns: String = plan.columns.iter().map(|c| format!(", COALESCE(HEX({}), '-')", quoted(&c.name))).collect();
    let (table, end) = (&plan.seen.sql, quoted(end));
    format!(
        "SELECT CONCAT_WS(' ', 's', HEX(CONCAT(COUNT(*), ' old rows, sum ', COALESCE(SUM(CAST(CONV(LEFT(SHA2(CONCAT_WS(',', {end}{columns}), 256), 12), 16, 10) AS UNSIGNED)), 0)))) \
         FROM {table} FOR SYSTEM_TIME ALL WHERE {end} < NOW(6); "
    )
}

/// The one value that a query gives.
async fn one(client: &dyn Client, query: &str) -> Result<Result<String, Failed>> {
    let mut seen = String::new();
    let mut line = |line: &[u8]| match line.strip_prefix(b"s ").and_then(|hex| hex::decode(hex).ok()) {
        Some(value) => {
            seen = text(&value);
            Ok(())
        }
        None => Err(unexpected(line)),
    };
    Ok(ask(client, query, &mut line).await?.map(|()| seen))
}

/// Each table or sequence as the server would make it anew, which has everything that the catalog does not.
async fn definitions(client: &dyn Client, made: &[(&str, &String)], store: &mut Store<'_>) -> Result<Result<(), Failed>> {
    for some in made.chunks(TABLES) {
        let query: String = some.iter().map(|(what, name)| format!("SHOW CREATE {what} {}; ", quoted(name))).collect();
        let mut left = some.iter();
        let mut line = |line: &[u8]| {
            let said = String::from_utf8_lossy(line);
            let (_, definition) = said.split_once('\t').ok_or_else(|| unexpected(line))?;
            let (what, name) = left.next().ok_or_else(|| unexpected(line))?;
            let (what, name, property) = ((*what).to_owned(), (*name).clone(), "definition".into());
            store.object(ObjectSeen { what, name, property, value: without_counter(definition), part_of: String::new() });
            Ok(())
        };
        if let Err(failed) = ask(client, &query, &mut line).await? {
            return Ok(Err(failed));
        }
        if let Some((what, name)) = left.next() {
            return Ok(Err(Failed::Unreadable(format!("the server did not say how {what} {name} is made"))));
        }
    }
    Ok(Ok(()))
}

/// A definition on one line, without the number that AUTO_INCREMENT gives next, which is compared by itself.
fn without_counter(definition: &str) -> String {
    static COUNTER: std::sync::LazyLock<Regex> =
        std::sync::LazyLock::new(|| Regex::new(r"(\) ENGINE=\S+)( AUTO_INCREMENT=\d+)").expect("a constant"));
    let line = definition.replace("\\n ", " ").replace("\\n", " ");
    COUNTER.replace(&line, "$1").into_owned()
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

#[derive(Default)]
struct Catalog {
    shapes: Vec<Shape>,
    sequences: Vec<String>,
    /// Of tables that keep old rows, the column with the time until which a row was valid.
    ends: BTreeMap<String, String>,
    /// The server's other databases.
    others: Vec<String>,
    objects: Vec<ObjectSeen>,
}

async fn ask(client: &dyn Client, query: &str, line: Checked<'_>) -> Result<Result<(), Failed>> {
    let query = format!("{SESSION}{SNAPSHOT}{query}SELECT '{END}'; COMMIT");
    ask_whole(client, &query, line, is_absent).await
}

/// Whether the server answered, and has no such database.
fn is_absent(said: &str) -> bool {
    said.contains("ERROR 1049")
}

fn unexpected(line: &[u8]) -> String {
    let shown: String = String::from_utf8_lossy(line).chars().take(200).collect();
    format!("expected rows only, found {shown:?}; the command needs --batch --skip-column-names")
}

async fn catalog(client: &dyn Client) -> Result<Result<Catalog, Failed>> {
    let mut version = String::new();
    let mut line = |line: &[u8]| {
        version = String::from_utf8_lossy(line).into_owned();
        Ok(())
    };
    if let Err(failed) = ask(client, "SELECT VERSION(); ", &mut line).await? {
        return Ok(Err(failed));
    }
    let mariadb = version.contains("MariaDB");
    let sql = CATALOG.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
    let query = sql
        .replace("{system}", SYSTEM)
        .replace("{algorithm}", if mariadb { ", 'algorithm', ALGORITHM" } else { "" })
        .replace("{expression}", if mariadb { "'-'" } else { "EXPRESSION" })
        .replace("{visible}", if mariadb { "" } else { ", IF(MAX(IS_VISIBLE) = 'NO', ' invisible', '')" })
        .replace("{server}", if mariadb { "" } else { MYSQL_SERVER })
        .replace("{checks}", if mariadb { CHECKS } else { MYSQL_CHECKS })
        .replace("{users}", if mariadb { USERS } else { MYSQL_USERS });
    // MySQL caches counters for a day.
    let fresh = if mariadb { "" } else { "SET SESSION information_schema_stats_expiry = 0; " };
    let mut catalog = Catalog::default();
    let mut line = |line: &[u8]| {
        let texts: Option<Vec<String>> = line.split(|b| *b == b' ').map(|hex| Some(text(&hex::decode(hex).ok()?))).collect();
        let fields = texts.and_then(|texts| <[String; 6]>::try_from(texts).ok());
        fields.and_then(|fields| catalog.take(fields)).ok_or_else(|| unexpected(line))
    };
    let asked = ask(client, &format!("{fresh}{query}; "), &mut line).await?;
    if let Err(failed) = asked {
        return Ok(Err(failed));
    }
    if mariadb {
        let listed = "SELECT CONCAT('q ', HEX(TABLE_NAME)) FROM information_schema.TABLES \
                      WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'SEQUENCE'; ";
        let mut line = |line: &[u8]| match line.strip_prefix(b"q ").and_then(|hex| hex::decode(hex).ok()) {
            Some(name) => {
                catalog.sequences.push(String::from_utf8_lossy(&name).into_owned());
                Ok(())
            }
            None => Err(unexpected(line)),
        };
        if let Err(failed) = ask(client, listed, &mut line).await? {
            return Ok(Err(failed));
        }
    }
    Ok(Ok(catalog))
}

impl Catalog {
    /// Takes a line of the catalog, as `catalog.sql` says; none for one of another kind.
    fn take(&mut self, [kind, a, b, c, d, e]: [String; 6]) -> Option<()> {
        match kind.as_str() {
            "T" => {
                if !c.is_empty() {
                    self.ends.insert(a.clone(), c);
                }
                self.shapes.push(Shape { sql: quoted(&a), name: a, has_rows: b == "rows", columns: vec![] });
            }
            "D" => self.others.push(a),
            "C" => {
                // Columns of views are among them.
                if let Some(shape) = self.shapes.iter_mut().find(|s| s.name == a) {
                    shape.columns.push(Column { name: b, kind: c, key: d.parse().ok()?, computed: e == "computed" });
                }
            }
            "O" => self.objects.push(ObjectSeen { what: a, name: b, property: c, value: d, part_of: e }),
            _ => return None,
        }
        Some(())
    }
}

/// The statement that gives the rows of a table: `r`, its number, the columns; `-` is NULL.
fn select(number: usize, plan: &Plan) -> String {
    let cell = |c: &Column| {
        let name = quoted(&c.name);
        let bytes = match c.kind.as_str() {
            "number" | "shown" => format!("CAST({name} AS CHAR)"),
            // As a double, with all its digits.
            "float" => format!("CAST({name} + 0e0 AS CHAR)"),
            "bit" => format!("CAST({name} + 0 AS CHAR)"),
            text if text.starts_with("text utf8") => format!("CONVERT({name} USING utf8mb4)"),
            // Bytes that are no character of their set would all be the same question mark.
            text if text.starts_with("text ") => {
                let (set, said) = (&text["text ".len()..], format!("CONVERT({name} USING utf8mb4)"));
                format!("IF(BINARY CONVERT({said} USING {set}) = BINARY {name}, BINARY {said}, BINARY {name})")
            }
            _ => name,
        };
        format!(", COALESCE(HEX({bytes}), '-')")
    };
    let columns: String = plan.columns.iter().map(cell).collect();
    let left: Vec<String> = plan.conditions.iter().map(|c| format!("NOT COALESCE(({c}), FALSE)")).collect();
    let condition = if left.is_empty() { String::new() } else { format!(" WHERE {}", left.join(" AND ")) };
    format!("SELECT CONCAT_WS(' ', 'r', '{number}'{columns}) FROM {}{condition}; ", plan.seen.sql)
}

async fn rows(client: &dyn Client, query: &str, plans: &[Plan], store: &mut Store<'_>) -> Result<Result<(), Failed>> {
    let mut line = |line: &[u8]| {
        let mut fields = line.split(|b| *b == b' ');
        let kind = fields.next();
        let number = fields.next().and_then(|n| std::str::from_utf8(n).ok()?.parse::<usize>().ok());
        let plan = number.filter(|_| kind == Some(b"r")).and_then(|n| plans.get(n)).ok_or_else(|| unexpected(line))?;
        let values: Option<Vec<Value>> = plan.columns.iter().map(|column| value(&column.kind, fields.next()?)).collect();
        let values = values.filter(|_| fields.next().is_none()).ok_or_else(|| unexpected(line))?;
        store.row(plan.row(values));
        Ok(())
    };
    ask(client, query, &mut line).await
}

fn value(kind: &str, field: &[u8]) -> Option<Value> {
    if field == b"-" {
        return Some(Value::Null);
    }
    let bytes = hex::decode(field).ok()?;
    Some(match kind {
        "number" | "float" | "bit" => cell::number(&bytes),
        "blob" => cell::blob(&bytes),
        _ => cell::text(&bytes),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_have_types() {
        let one = |kind: &str, text: &str| value(kind, hex::encode(text).as_bytes()).expect("hexadecimal");
        assert_eq!(
            (one("number", "7"), one("text utf8mb4", "7"), one("blob", "7")),
            (json!(7), json!("7"), json!({"blob": "37"}))
        );
        assert_eq!((value("shown", b"-"), value("blob", b"")), (Some(Value::Null), Some(json!({"blob": ""}))));
        assert_eq!(value("text utf8mb4", b"zz"), None);
    }

    #[test]
    fn a_definition_is_one_line_without_its_counter() {
        let said = r"CREATE TABLE `t` (\n  `a` int COMMENT ' AUTO_INCREMENT=1'\n) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4";
        let line = "CREATE TABLE `t` (  `a` int COMMENT ' AUTO_INCREMENT=1' ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4";
        assert_eq!(without_counter(said).replace("( ", "("), line.replace("( ", "("));
    }

    #[test]
    fn a_database_that_is_not_there_is_told_from_a_server_that_is_not() {
        assert!(is_absent("ERROR 1049 (42000): Unknown database 'wiki'"));
        assert!(!is_absent("ERROR 2002 (HY000): Can't connect to local server through socket"));
    }
}
