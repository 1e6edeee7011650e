//! MySQL, on a real server in a container: what it has otherwise than MariaDB, changed in one way after the other, found, and put back; and
//! a dump that is loaded again.
//!
//! Needs Docker; builds an image with MySQL from Debian's sid, which changes from day to day: `make mysql` runs it, `make test` does not.

use std::collections::BTreeSet;

mod common;

use common::server::{Case, Server};

const MYSQL: &str = r"
[[table]]
name = 'page'
secret = ['token']
";

const SEED: &str = r#"
CREATE TABLE page (id int AUTO_INCREMENT PRIMARY KEY, title varchar(40) NOT NULL DEFAULT 'new', body blob, size decimal(9, 2), at timestamp NULL,
  rough float, flags bit(9), token text, data json, hidden int DEFAULT 5 INVISIBLE, place point NOT NULL SRID 4326, made datetime DEFAULT (now()),
  loud varchar(40) GENERATED ALWAYS AS (upper(title)) STORED, quiet varchar(40) AS (lower(title)), old varchar(20) CHARACTER SET ascii,
  UNIQUE KEY page_title (title), KEY page_at (at), KEY page_low ((lower(title))), KEY page_many ((CAST(data->'$.n' AS UNSIGNED ARRAY))),
  SPATIAL KEY page_place (place), CONSTRAINT small CHECK (size < 1000));
CREATE TABLE part (a int, b varchar(20), PRIMARY KEY (b, a), CONSTRAINT part_page FOREIGN KEY (a) REFERENCES page (id));
CREATE TABLE log (line varchar(20) COMMENT 'short');
CREATE TABLE years (y int PRIMARY KEY, v text) PARTITION BY RANGE (y) (PARTITION p0 VALUES LESS THAN (2000), PARTITION p1 VALUES LESS THAN MAXVALUE);
CREATE VIEW titles AS SELECT title FROM page;
CREATE TRIGGER page_log AFTER DELETE ON page FOR EACH ROW INSERT INTO log VALUES ('gone');
CREATE FUNCTION twice(n int) RETURNS int DETERMINISTIC RETURN 2 * n;
CREATE PROCEDURE look(a int) COMMENT 'it' SELECT a;
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM log;
CREATE USER reader@localhost IDENTIFIED BY 'synthetic'; GRANT SELECT ON wiki.page TO reader@localhost; GRANT SELECT (line) ON wiki.log TO reader@localhost;
CREATE ROLE writers; GRANT writers TO reader@localhost; SET DEFAULT ROLE writers TO reader@localhost;
GRANT EXECUTE ON PROCEDURE wiki.look TO reader@localhost; GRANT BACKUP_ADMIN ON *.* TO writers;
CREATE USER 'mysql.app'@localhost IDENTIFIED BY 'synthetic';
CREATE SERVER far FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'a.example', DATABASE 'x', USER 'u', PASSWORD 'p');
SET PERSIST max_connections = 99;
INSERT INTO page (title, body, size, at, rough, flags, token, data, place, made) VALUES
  ('a\tb\nc\\d', x'00ff', 1.50, '2026-01-01 08:00:00', 0.1, b'101', 'geheim', '{"n": [1, 2]}', ST_SRID(POINT(1, 2), 4326), '2026-01-01'),
  ('1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, ST_SRID(POINT(1, 2), 4326), '2026-01-01');
INSERT INTO log VALUES ('same'), ('same'), (NULL), ('NULL'), ('');
INSERT INTO part VALUES (1, 'x,y'); INSERT INTO years VALUES (1990, 'a'), (2020, 'b');
"#;

/// Rows, and what is part of a table.
const OF_TABLES: &[Case] = &[
    ("", "", &[]),
    (
        "UPDATE page SET title = 'two' WHERE id = 2",
        "UPDATE page SET title = '1' WHERE id = 2",
        &[", table page, row 2: altered (title)", ", table page, row 2: altered (loud)", ", table page, row 2: altered (quiet)"],
    ),
    (
        "UPDATE page SET hidden = 6, token = 'x' WHERE id = 1",
        "UPDATE page SET hidden = 5, token = 'geheim' WHERE id = 1",
        &[", table page, row 1: altered (hidden)", ", table page, row 1: altered (token)"],
    ),
    (
        "UPDATE page SET data = '{\"n\": [1, 3]}', rough = 0.10000001 WHERE id = 1",
        "UPDATE page SET data = '{\"n\": [1, 2]}', rough = 0.1 WHERE id = 1",
        &[", table page, row 1: altered (data)", ", table page, row 1: altered (rough)"],
    ),
    (
        "UPDATE page SET place = ST_SRID(POINT(1, 3), 4326) WHERE id = 1",
        "UPDATE page SET place = ST_SRID(POINT(1, 2), 4326) WHERE id = 1",
        &[", table page, row 1: altered (place)"],
    ),
    (
        "UPDATE years SET v = 'c' WHERE y = 2020; ALTER TABLE page AUTO_INCREMENT = 50",
        "UPDATE years SET v = 'b' WHERE y = 2020; ALTER TABLE page AUTO_INCREMENT = 3",
        &[", table page: altered (auto_increment)", ", table years, row 2020: altered (v)"],
    ),
    (
        "ALTER TABLE page ALTER COLUMN hidden SET VISIBLE",
        "ALTER TABLE page ALTER COLUMN hidden SET INVISIBLE",
        &[", column page.hidden: altered (extra)"],
    ),
    (
        "ALTER TABLE page ALTER INDEX page_at INVISIBLE",
        "ALTER TABLE page ALTER INDEX page_at VISIBLE",
        &[", index page.page_at: altered (definition)"],
    ),
    (
        "ALTER TABLE page DROP KEY page_low, ADD KEY page_low ((upper(title)))",
        // In the order in which they were made, which a definition keeps.
        "ALTER TABLE page DROP KEY page_low, DROP KEY page_many;
         ALTER TABLE page ADD KEY page_low ((lower(title))), ADD KEY page_many ((CAST(data->'$.n' AS UNSIGNED ARRAY)))",
        &[", index page.page_low: altered (definition)"],
    ),
    (
        "ALTER TABLE page DROP KEY page_many",
        "ALTER TABLE page ADD KEY page_many ((CAST(data->'$.n' AS UNSIGNED ARRAY)))",
        &[", index page.page_many: lost"],
    ),
    (
        "ALTER TABLE page ALTER CHECK small NOT ENFORCED",
        "ALTER TABLE page ALTER CHECK small ENFORCED",
        &[", constraint page.small: altered (definition)"],
    ),
    (
        "ALTER TABLE part DROP FOREIGN KEY part_page",
        "ALTER TABLE part ADD CONSTRAINT part_page FOREIGN KEY (a) REFERENCES page (id)",
        &[", constraint part.part_page: lost"],
    ),
    (
        "ALTER TABLE page ALTER made DROP DEFAULT",
        "ALTER TABLE page ALTER made SET DEFAULT (now())",
        &[", column page.made: altered (default)", ", column page.made: altered (extra)"],
    ),
    (
        "ALTER TABLE log MODIFY line varchar(20) COMMENT 'long'",
        "ALTER TABLE log MODIFY line varchar(20) COMMENT 'short'",
        &[", column log.line: altered (comment)"],
    ),
    ("ALTER TABLE years TRUNCATE PARTITION p0", "INSERT INTO years VALUES (1990, 'a')", &[", table years, row 1990: lost"]),
    ("DROP VIEW titles", "CREATE VIEW titles AS SELECT title FROM page", &[", view titles: lost"]),
    (
        "DROP TRIGGER page_log",
        "CREATE TRIGGER page_log AFTER DELETE ON page FOR EACH ROW INSERT INTO log VALUES ('gone')",
        &[", trigger page_log: lost"],
    ),
];

/// What belongs to the database or the server.
const OF_SERVER: &[Case] = &[
    ("DROP FUNCTION twice", "CREATE FUNCTION twice(n int) RETURNS int DETERMINISTIC RETURN 2 * n", &[", function twice: lost"]),
    ("ALTER PROCEDURE look COMMENT 'other'", "ALTER PROCEDURE look COMMENT 'it'", &[", procedure look: altered (comment)"]),
    ("ALTER EVENT nightly ENABLE", "ALTER EVENT nightly DISABLE", &[", event nightly: altered (definition)"]),
    (
        "ALTER USER reader@localhost ACCOUNT LOCK PASSWORD EXPIRE INTERVAL 9 DAY",
        "ALTER USER reader@localhost ACCOUNT UNLOCK PASSWORD EXPIRE DEFAULT",
        &[", role reader@localhost: altered (account)"],
    ),
    (
        "ALTER USER reader@localhost REQUIRE SSL WITH MAX_USER_CONNECTIONS 3",
        "ALTER USER reader@localhost REQUIRE NONE WITH MAX_USER_CONNECTIONS 0",
        &[", role reader@localhost: altered (account)"],
    ),
    // An app's own account, whose name begins as those of the server do.
    (
        "GRANT SELECT ON wiki.log TO 'mysql.app'@localhost",
        "REVOKE SELECT ON wiki.log FROM 'mysql.app'@localhost",
        &[", role mysql.app@localhost: altered (rights on wiki.log)"],
    ),
    (
        "REVOKE writers FROM reader@localhost",
        "GRANT writers TO reader@localhost; SET DEFAULT ROLE writers TO reader@localhost",
        &[", role reader@localhost: altered (member of writers)", ", role reader@localhost: altered (default role writers@%)"],
    ),
    (
        "SET DEFAULT ROLE NONE TO reader@localhost",
        "SET DEFAULT ROLE writers TO reader@localhost",
        &[", role reader@localhost: altered (default role writers@%)"],
    ),
    (
        "REVOKE BACKUP_ADMIN ON *.* FROM writers",
        "GRANT BACKUP_ADMIN ON *.* TO writers",
        &[", role writers@%: altered (rights on all databases)"],
    ),
    (
        "REVOKE EXECUTE ON PROCEDURE wiki.look FROM reader@localhost",
        "GRANT EXECUTE ON PROCEDURE wiki.look TO reader@localhost",
        &[", role reader@localhost: altered (rights on procedure wiki.look)"],
    ),
    ("CREATE USER stranger", "DROP USER stranger", &[", role stranger@%: unexpected"]),
    (
        "ALTER SERVER far OPTIONS (HOST 'b.example')",
        "ALTER SERVER far OPTIONS (HOST 'a.example')",
        &[", server far: altered (definition)"],
    ),
    ("SET PERSIST max_connections = 98", "SET PERSIST max_connections = 99", &[": altered (server setting max_connections)"]),
    (
        "INSTALL COMPONENT 'file://component_validate_password'",
        "UNINSTALL COMPONENT 'file://component_validate_password'",
        &[", component file://component_validate_password: unexpected"],
    ),
    (
        "CREATE SPATIAL REFERENCE SYSTEM 990001 NAME 'own' DEFINITION 'GEOGCS[\"own\",DATUM[\"own\",SPHEROID[\"own\",6378137,298.257223563]],\
         PRIMEM[\"Greenwich\",0],UNIT[\"degree\",0.017453292519943278],AXIS[\"Lat\",NORTH],AXIS[\"Lon\",EAST]]'",
        "DROP SPATIAL REFERENCE SYSTEM 990001",
        &[", spatial reference system 990001: unexpected"],
    ),
    ("ALTER DATABASE wiki COLLATE utf8mb4_bin", "ALTER DATABASE wiki COLLATE utf8mb4_0900_ai_ci", &[": altered (collation)"]),
    ("CREATE DATABASE more; CREATE TABLE more.t (a int)", "DROP DATABASE more", &[", other database more: unexpected"]),
    ("CREATE TABLE mysql.more (a int)", "DROP TABLE mysql.more", &[", server table mysql.more: unexpected"]),
    ("CREATE TABLE more (a int)", "DROP TABLE more", &[", table more: unexpected"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn mysql_is_compared_whole() {
    let server = Server::mysql(MYSQL).await;
    let none = server.observe("none").await;
    assert_eq!(server.check(none, judge::FILE).as_deref(), Some(judge::ABSENT), "there is no such database");
    server.must("mysql --execute='CREATE DATABASE wiki'").await;
    let before = server.seeded(SEED).await;
    server.has_two_pages(
        before,
        &[
            r#""body":{"blob":"00ff"}"#,
            r#""size":"1.50""#,
            r#""title":"a\tb\nc\\d""#,
            r#""flags":5"#,
            r#""rough":"0.10000000149011612""#,
            r#""data":"{\"n\": [1, 2]}""#,
            r#""hidden":5"#,
        ],
    );
    assert_eq!((server.rows(before, "log").len(), server.rows(before, "part")[0].0.as_str()), (5, "x\\,y,1"));

    server.try_all(before, OF_TABLES).await;
    server.try_all(before, OF_SERVER).await;
    let again = "mysqldump --set-gtid-purged=OFF --routines --events wiki > /tmp/wiki.sql
                 mysql --execute='DROP DATABASE wiki; CREATE DATABASE wiki'; mysql wiki < /tmp/wiki.sql";
    server.must(again).await;
    assert_eq!(server.found(before).await, BTreeSet::new());
}
