//! What databases have besides rows, tables and what everybody uses: each thing on a real server, changed, found, and put back. And what
//! a dump that is loaded brings back in another form must not be found.
//!
//! Needs Docker; builds an image with MariaDB from Debian's packages.

use std::collections::BTreeSet;

use restore_drill::probe::redis;
use testcontainers::core::WaitFor;

mod common;

use common::server::{Case, Server, context};

const POSTGRESQL_SEED: &str = r"
CREATE EXTENSION hstore; COMMENT ON EXTENSION hstore IS 'pairs';
CREATE ROLE reader; CREATE ROLE writers;
CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE TYPE pair AS (a int, b text); CREATE TYPE span AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE TABLE page (id int PRIMARY KEY, title text, CONSTRAINT once UNIQUE (title)); COMMENT ON CONSTRAINT once ON page IS 'once';
CREATE TABLE child (id int PRIMARY KEY, page int REFERENCES page (id));
CREATE TABLE log (line text, data json); CREATE RULE no_log AS ON DELETE TO log WHERE old.line = 'x' DO INSTEAD NOTHING;
CREATE TABLE typed OF pair;
ALTER TABLE page CLUSTER ON page_pkey;
ALTER TABLE log ALTER line SET NOT NULL; CREATE UNIQUE INDEX log_line ON log (line); CREATE UNIQUE INDEX log_other ON log (line DESC);
ALTER TABLE log REPLICA IDENTITY USING INDEX log_line;
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM page;
CREATE MATERIALIZED VIEW stamped AS SELECT clock_timestamp() AS made, count(*) FROM page;
CREATE VIEW editable AS SELECT id, title FROM page; ALTER VIEW editable ALTER title SET DEFAULT 'new';
CREATE POLICY own ON page TO writers, reader USING (true); COMMENT ON POLICY own ON page IS 'mine';
CREATE FUNCTION one(int, text) RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION other(int, text) RETURNS bool LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR @@@ (leftarg = int, rightarg = text, function = one);
CREATE AGGREGATE total(int) (sfunc = int4pl, stype = int, initcond = '0');
CREATE CAST (mood AS int) WITH INOUT;
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE STATISTICS together (dependencies) ON line, (data::text) FROM log;
CREATE TEXT SEARCH CONFIGURATION de (COPY = german);
CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER watch ON ddl_command_end WHEN TAG IN ('DROP SCHEMA') EXECUTE FUNCTION on_ddl();
CREATE FOREIGN DATA WRAPPER wrapper; CREATE SERVER far FOREIGN DATA WRAPPER wrapper OPTIONS (port '1', host 'a.example');
CREATE USER MAPPING FOR reader SERVER far OPTIONS (user 'x', password 'synthetic');
CREATE FOREIGN TABLE remote (a int OPTIONS (col 'b')) SERVER far OPTIONS (tab 'x');
CREATE PUBLICATION news FOR TABLE log;
SELECT lo_create(4711); COMMENT ON LARGE OBJECT 4711 IS 'a letterhead';
";

const POSTGRESQL_CASES: &[Case] = &[
    ("", "", &[]),
    // It holds something else each time, also after a restore.
    ("REFRESH MATERIALIZED VIEW stamped", "", &[]),
    (
        "ALTER TABLE child DISABLE TRIGGER ALL",
        "ALTER TABLE child ENABLE TRIGGER ALL",
        &[", constraint child.child_page_fkey: altered (enforced)"],
    ),
    ("ALTER TABLE log DISABLE RULE no_log", "ALTER TABLE log ENABLE RULE no_log", &[", rule log.no_log: altered (enabled)"]),
    (
        r#"COPY (SELECT 1) TO PROGRAM 'cat >/dev/null; echo local all reader reject >> pg_hba.conf'"#,
        r#"COPY (SELECT 1) TO PROGRAM 'cat >/dev/null; sed -i "\$d" pg_hba.conf'"#,
        &[": altered (access rules)"],
    ),
    // What the drill's own session sets hides what the file says.
    (
        r#"COPY (SELECT 1) TO PROGRAM 'cat >/dev/null; echo TimeZone = Pacific/Auckland >> postgresql.conf'; SELECT pg_reload_conf()"#,
        r#"COPY (SELECT 1) TO PROGRAM 'cat >/dev/null; sed -i "\$d" postgresql.conf'; SELECT pg_reload_conf()"#,
        &[": altered (server setting TimeZone)"],
    ),
    (
        "SELECT pg_replication_origin_create('far')",
        "SELECT pg_replication_origin_drop('far')",
        &[", replication origin far: unexpected"],
    ),
    (
        r#"COPY (SELECT 1) TO PROGRAM 'cat >/dev/null; echo work_mem = 5MB >> postgresql.conf'; SELECT pg_reload_conf()"#,
        r#"COPY (SELECT 1) TO PROGRAM 'cat >/dev/null; sed -i "\$d" postgresql.conf'; SELECT pg_reload_conf()"#,
        &[": altered (server setting work_mem)"],
    ),
    ("ALTER EVENT TRIGGER watch DISABLE", "ALTER EVENT TRIGGER watch ENABLE", &[", event trigger watch: altered (definition)"]),
    (
        "REFRESH MATERIALIZED VIEW counted WITH NO DATA",
        "REFRESH MATERIALIZED VIEW counted",
        &[", materialized view counted: altered (rows)"],
    ),
    // Its rows are from before the tables' last change.
    (
        "INSERT INTO page VALUES (9, 'x'); REFRESH MATERIALIZED VIEW counted; DELETE FROM page WHERE id = 9",
        "REFRESH MATERIALIZED VIEW counted",
        &[", materialized view counted: altered (rows)"],
    ),
    (
        "ALTER FUNCTION hstore(text, text) COST 7",
        "ALTER FUNCTION hstore(text, text) COST 1",
        &[", extension hstore: altered (functions)"],
    ),
    (
        "ALTER TEXT SEARCH CONFIGURATION de DROP MAPPING FOR word",
        "ALTER TEXT SEARCH CONFIGURATION de ADD MAPPING FOR word WITH german_stem",
        &[", text search configuration public.de: altered (definition)"],
    ),
    (
        "ALTER SERVER far OPTIONS (SET host 'b.example'); ALTER SERVER far OWNER TO writers",
        "ALTER SERVER far OPTIONS (SET host 'a.example'); ALTER SERVER far OWNER TO davical",
        &[", server far: altered (definition)", ", server far: altered (owner)"],
    ),
    (
        "ALTER USER MAPPING FOR reader SERVER far OPTIONS (SET password 'x')",
        "ALTER USER MAPPING FOR reader SERVER far OPTIONS (SET password 'synthetic')",
        &[", user mapping of far for reader: altered (options)"],
    ),
    (
        "ALTER FOREIGN TABLE remote OPTIONS (SET tab 'y'); ALTER FOREIGN TABLE remote ALTER a OPTIONS (SET col 'c')",
        "ALTER FOREIGN TABLE remote OPTIONS (SET tab 'x'); ALTER FOREIGN TABLE remote ALTER a OPTIONS (SET col 'b')",
        &[", table remote: altered (server)", ", column remote.a: altered (server options)"],
    ),
    (
        "DROP STATISTICS together; CREATE STATISTICS together (ndistinct) ON line, (data::text) FROM log",
        "DROP STATISTICS together; CREATE STATISTICS together (dependencies) ON line, (data::text) FROM log",
        &[", statistics object public.together: altered (definition)"],
    ),
    (
        "DROP COLLATION nocase; CREATE COLLATION nocase (provider = icu, locale = 'und')",
        "DROP COLLATION nocase; CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        &[", collation public.nocase: altered (definition)"],
    ),
    (
        "DROP CAST (mood AS int); CREATE CAST (mood AS int) WITH INOUT AS IMPLICIT",
        "DROP CAST (mood AS int); CREATE CAST (mood AS int) WITH INOUT",
        &[", cast (public.mood AS integer): altered (definition)"],
    ),
    (
        "DROP OPERATOR @@@ (int, text); CREATE OPERATOR @@@ (leftarg = int, rightarg = text, function = other)",
        "DROP OPERATOR @@@ (int, text); CREATE OPERATOR @@@ (leftarg = int, rightarg = text, function = one)",
        &[", operator public.@@@(integer,pg_catalog.text): altered (definition)"],
    ),
    (
        "DROP AGGREGATE total(int); CREATE AGGREGATE total(int) (sfunc = int4pl, stype = int, initcond = '0', parallel = safe)",
        "DROP AGGREGATE total(int); CREATE AGGREGATE total(int) (sfunc = int4pl, stype = int, initcond = '0')",
        &[", aggregate total(integer): altered (definition)"],
    ),
    (
        "ALTER TABLE page SET WITHOUT CLUSTER",
        "ALTER TABLE page CLUSTER ON page_pkey",
        &[", constraint page.page_pkey: altered (clustered)"],
    ),
    (
        "ALTER TABLE log REPLICA IDENTITY USING INDEX log_other",
        "ALTER TABLE log REPLICA IDENTITY USING INDEX log_line",
        &[", table log: altered (replica identity)"],
    ),
    (
        "ALTER VIEW editable ALTER title DROP DEFAULT",
        "ALTER VIEW editable ALTER title SET DEFAULT 'new'",
        &[", column editable.title: lost"],
    ),
    (
        "COMMENT ON CONSTRAINT once ON page IS NULL; COMMENT ON POLICY own ON page IS NULL",
        "COMMENT ON CONSTRAINT once ON page IS 'once'; COMMENT ON POLICY own ON page IS 'mine'",
        &[", constraint page.once: altered (comment)", ", policy page.own: altered (comment)"],
    ),
    (
        "COMMENT ON EXTENSION hstore IS NULL; COMMENT ON LARGE OBJECT 4711 IS NULL",
        "COMMENT ON EXTENSION hstore IS 'pairs'; COMMENT ON LARGE OBJECT 4711 IS 'a letterhead'",
        &[", extension hstore: altered (comment)", ", large object 4711: altered (comment)"],
    ),
    (
        "ALTER TABLE page ALTER title SET STATISTICS 500, ALTER title SET (n_distinct = 5), ALTER title SET COMPRESSION pglz",
        "ALTER TABLE page ALTER title SET STATISTICS -1, ALTER title RESET (n_distinct), ALTER title SET COMPRESSION default",
        &[
            ", column page.title: altered (statistics target)",
            ", column page.title: altered (options)",
            ", column page.title: altered (compression)",
        ],
    ),
    (
        "ALTER TABLE page SET (toast.autovacuum_enabled = false)",
        "ALTER TABLE page RESET (toast.autovacuum_enabled)",
        &[", table page: altered (options of toast)"],
    ),
    (
        "ALTER PUBLICATION news SET TABLE log WHERE (line = 'x')",
        "ALTER PUBLICATION news SET TABLE log",
        &[", publication news: altered (definition)"],
    ),
    (
        "CREATE SUBSCRIPTION sub CONNECTION 'dbname=x' PUBLICATION news WITH (connect = false)",
        "ALTER SUBSCRIPTION sub SET (slot_name = NONE); DROP SUBSCRIPTION sub",
        &[", subscription sub: unexpected"],
    ),
    (
        "GRANT EXECUTE ON FUNCTION pg_read_file(text) TO reader",
        "REVOKE EXECUTE ON FUNCTION pg_read_file(text) FROM reader",
        &[", function pg_catalog.pg_read_file(pg_catalog.text): unexpected"],
    ),
    (
        "REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC",
        "GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC",
        &[", language plpgsql: unexpected"],
    ),
    (
        "GRANT SET ON PARAMETER log_min_messages TO reader",
        "REVOKE SET ON PARAMETER log_min_messages FROM reader",
        &[", parameter log_min_messages: unexpected"],
    ),
    ("ALTER TABLE typed NOT OF", "ALTER TABLE typed OF pair", &[", table typed: altered (of type)"]),
    ("ALTER DATABASE wiki IS_TEMPLATE true", "ALTER DATABASE wiki IS_TEMPLATE false", &[": altered (template)"]),
    (
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'page_pkey'::regclass",
        "UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'page_pkey'::regclass",
        &[", constraint page.page_pkey: altered (valid)"],
    ),
    // The order of its roles is not its own: a dump writes them in another one.
    (
        "DROP POLICY own ON page; CREATE POLICY own ON page TO reader, writers USING (true); COMMENT ON POLICY own ON page IS 'mine'",
        "",
        &[],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_postgresql_has_besides_is_compared() {
    let server = Server::postgresql("").await;
    server.observe("none").await;
    assert_eq!(server.run(&["createdb", "--username=davical", "wiki"], "").await.code, 0);
    server.sql(POSTGRESQL_SEED).await;
    let before = server.observe("before").await;
    assert_eq!(server.check(before, judge::FILE).as_deref(), Some(judge::READABLE));
    let known = server.check(before, judge::SETTINGS).expect("held against it");
    assert!(known.contains("another database, \"davical\"") && known.lines().count() == 1, "{known}");
    server.try_all(before, POSTGRESQL_CASES).await;
    // A dump has no rows of a view: loading it fills the view, also one that was out of date.
    server.sql("INSERT INTO page VALUES (9, 'x')").await;
    let before = server.observe("before").await;
    server.dump_and_load().await;
    assert_eq!(server.found(before).await, BTreeSet::new());
    // A table in a database that every server has.
    let elsewhere = async |statement: &str| {
        server.must(&format!("psql --username=davical --command='{statement}' postgres")).await;
        server.found(before).await
    };
    let other = BTreeSet::from(["database wiki, other database postgres: unexpected".to_owned()]);
    assert_eq!(elsewhere("CREATE TABLE t AS SELECT 1 AS a").await, other);
    assert_eq!(elsewhere("DROP TABLE t").await, BTreeSet::new());
}

const MARIADB_SEED: &str = r"
CREATE TABLE kept (id int PRIMARY KEY, v text) WITH SYSTEM VERSIONING;
INSERT INTO kept VALUES (1, 'a'), (2, 'b'); UPDATE kept SET v = 'c' WHERE id = 1;
CREATE TABLE plain (id int PRIMARY KEY, v varchar(20) CHARACTER SET ascii); INSERT INTO plain VALUES (1, _binary x'fe');
CREATE TABLE txt (id int PRIMARY KEY, body text, KEY b (body(10)) COMMENT 'short');
CREATE TABLE aria (id int AUTO_INCREMENT PRIMARY KEY) ENGINE=Aria; INSERT INTO aria VALUES (7);
CREATE SEQUENCE invoice START 5 INCREMENT 3;
CREATE PROCEDURE look(a int) COMMENT 'it' SELECT a;
CREATE ALGORITHM=MERGE VIEW ids AS SELECT id FROM txt;
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DISABLE COMMENT 'at night' DO DELETE FROM txt;
CREATE USER reader@localhost IDENTIFIED BY 'synthetic'; GRANT EXECUTE ON PROCEDURE wiki.look TO reader@localhost;
GRANT PROXY ON reader@localhost TO root@localhost;
CREATE SERVER far FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'a.example', DATABASE 'x', USER 'u', PASSWORD 'p');
";

const MARIADB_CASES: &[Case] = &[
    ("", "", &[]),
    // A password is the same, whenever it was set.
    ("ALTER USER reader@localhost IDENTIFIED BY 'synthetic'", "", &[]),
    (
        "ALTER USER reader@localhost IDENTIFIED BY 'other'",
        "ALTER USER reader@localhost IDENTIFIED BY 'synthetic'",
        &[", role reader@localhost: altered (account)"],
    ),
    ("UPDATE plain SET v = _binary x'ff'", "UPDATE plain SET v = _binary x'fe'", &[", table plain, row 1: altered (v)"]),
    (
        "ALTER TABLE txt ALTER INDEX b IGNORED",
        "ALTER TABLE txt ALTER INDEX b NOT IGNORED",
        &[", table txt: altered (definition)"],
    ),
    (
        "ALTER TABLE txt DROP KEY b, ADD KEY b (body(10))",
        "ALTER TABLE txt DROP KEY b, ADD KEY b (body(10)) COMMENT 'short'",
        &[", table txt: altered (definition)"],
    ),
    ("ALTER TABLE txt ROW_FORMAT=COMPRESSED", "ALTER TABLE txt ROW_FORMAT=DEFAULT", &[", table txt: altered (definition)"]),
    ("ALTER TABLE aria ENGINE=MyISAM", "ALTER TABLE aria ENGINE=Aria", &[", table aria: altered (engine)"]),
    ("ALTER SEQUENCE invoice CYCLE", "ALTER SEQUENCE invoice NOCYCLE", &[", sequence invoice: altered (definition)"]),
    ("ALTER PROCEDURE look COMMENT 'other'", "ALTER PROCEDURE look COMMENT 'it'", &[", procedure look: altered (comment)"]),
    ("ALTER EVENT nightly COMMENT 'x'", "ALTER EVENT nightly COMMENT 'at night'", &[", event nightly: altered (comment)"]),
    (
        "REVOKE EXECUTE ON PROCEDURE wiki.look FROM reader@localhost",
        "GRANT EXECUTE ON PROCEDURE wiki.look TO reader@localhost",
        &[", role reader@localhost: altered (rights on procedure wiki.look)"],
    ),
    (
        "REVOKE PROXY ON reader@localhost FROM root@localhost",
        "GRANT PROXY ON reader@localhost TO root@localhost",
        &[", role root@localhost: altered (proxy of reader@localhost)"],
    ),
    (
        "CREATE OR REPLACE ALGORITHM=TEMPTABLE VIEW ids AS SELECT id FROM txt",
        "CREATE OR REPLACE ALGORITHM=MERGE VIEW ids AS SELECT id FROM txt",
        &[", view ids: altered (definition)"],
    ),
    (
        "ALTER SERVER far OPTIONS (HOST 'b.example')",
        "ALTER SERVER far OPTIONS (HOST 'a.example')",
        &[", server far: altered (definition)"],
    ),
    ("INSTALL SONAME 'ha_blackhole'", "UNINSTALL SONAME 'ha_blackhole'", &[", plugin BLACKHOLE: unexpected"]),
    ("CREATE DATABASE more; CREATE TABLE more.t (a int)", "DROP DATABASE more", &[", other database more: unexpected"]),
    (
        "CREATE DATABASE more; CREATE FUNCTION more.one() RETURNS int RETURN 1",
        "DROP DATABASE more",
        &[", other database more: unexpected"],
    ),
    ("CREATE TABLE mysql.more (a int)", "DROP TABLE mysql.more", &[", server table mysql.more: unexpected"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_mariadb_has_besides_is_compared() {
    let server = Server::mariadb("").await;
    let create = "mariadb --execute='CREATE DATABASE wiki CHARACTER SET utf8mb4'";
    assert_eq!(server.run(&["sh", "-c", create], "").await.code, 0);
    let before = server.seeded(MARIADB_SEED).await;
    assert_eq!(server.rows(before, "kept").len(), 2, "a table that keeps old rows has rows too");
    server.try_all(before, MARIADB_CASES).await;
    // A dump has neither old rows, nor bytes that are no character of their column.
    let again = format!(
        "mariadb-dump --routines --events wiki > /tmp/wiki.sql; mariadb -e 'DROP DATABASE wiki'; {create}; mariadb wiki < /tmp/wiki.sql"
    );
    let output = server.run(&["sh", "-ec", &again], "").await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    let expected = ["table kept: altered (history)", "table plain, row 1: altered (v)"].map(|f| format!("database wiki, {f}"));
    assert_eq!(server.found(before).await, BTreeSet::from(expected));
    server.sql("DELETE FROM kept WHERE id = 2").await;
    assert!(server.found(before).await.contains("database wiki, table kept, row 2: lost"));
    server.sql("CREATE DATABASE more; CREATE TABLE more.t (a int)").await;
    let known = server.check(server.observe("more").await, judge::SETTINGS).expect("held against it");
    assert!(known.contains("another database, \"more\""), "{known}");
}

/// A stream, what was taken from it, and what numbers its next entry.
#[tokio::test(flavor = "multi_thread")]
async fn streams_of_redis_are_compared_with_what_was_taken() {
    let context = context("scenarios/mailu/images/db", "restore-drill/mailu-db");
    let ready = WaitFor::message_on_stdout("Ready to accept connections");
    let spec = "name = 'db'\ndialect = 'sqlite'\nvolume = 'data'\nfile = 'x.db'";
    let server = Server::start(context, ready, &[], spec).await;
    let redis = async |words: &[&str]| {
        let output = server.run(&[&["redis-cli", "-e"], words].concat(), "").await;
        assert_eq!(output.code, 0, "{words:?}: {}{}", output.stdout, output.stderr);
        output.stdout
    };
    let script = include_str!("../harness/src/probe/redis.lua");
    let seen = async || redis::parse(0, &redis(&["EVAL", script, "0", "0", "1000"]).await).expect("a page").1;
    for words in ["XADD s 1-1 a 1", "XADD s 2-1 a 2", "XGROUP CREATE s g 0", "XREADGROUP GROUP g one COUNT 1 STREAMS s >"] {
        redis(&words.split(' ').collect::<Vec<_>>()).await;
    }
    let mut before = seen().await;
    assert_eq!(before.len(), 1);
    for change in ["XCLAIM s g other 0 1-1", "XACK s g 1-1", "XGROUP CREATECONSUMER s g third", "XSETID s 9-9", "XDEL s 2-1"] {
        redis(&change.split(' ').collect::<Vec<_>>()).await;
        let after = seen().await;
        assert_ne!(before, after, "{change}");
        before = after;
    }
    redis(&["FUNCTION", "LOAD", "#!lua name=mine\nredis.register_function('f', function() return 1 end)"]).await;
    let [name] = &redis::names(&redis(&["FUNCTION", "LIST"]).await)[..] else { panic!("one library") };
    let code = "#!lua name=mine\nredis.register_function('f', function() return 1 end)\n";
    let library = redis::library(name, &redis(&["FUNCTION", "LIST", "LIBRARYNAME", name, "WITHCODE"]).await);
    assert_eq!(library, redis::library("mine", &format!("library_code\n{code}")));
    redis(&["COPY", "s", "again"]).await;
    let both = seen().await;
    assert!(both.len() == 2 && both[0].value == both[1].value, "a copy is the same: {both:?}");
}
