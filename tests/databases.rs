//! PostgreSQL and MariaDB, each on a real server in a container: seeded, changed in one way after the other, and read; each change must
//! be found, and nothing else.
//!
//! Needs Docker; builds an image with MariaDB from Debian's packages.

use std::collections::BTreeSet;

mod common;

use common::server::Server;

const POSTGRESQL: &str = r"
[[table]]
name = 'page'
secret = ['token']
[[leave_out]]
table = 'page'
column = 'seen'
why = 'It changes by itself.'
[[leave_out]]
table = 'page'
where = 'draft'
why = 'Drafts are thrown away.'
[[leave_out]]
table = 'session'
why = 'Users log in again.'
[[leave_out]]
object = 'other database davical'
why = 'It is empty.'
";

const POSTGRESQL_SEED: &str = r"
CREATE SCHEMA old;
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE page (id serial PRIMARY KEY, title varchar(40) NOT NULL DEFAULT 'new', body bytea, size numeric, at timestamptz,
  draft boolean NOT NULL DEFAULT false, seen timestamptz, token text, mood mood, big int GENERATED ALWAYS AS (1) STORED,
  kind varchar(5) CHECK (kind IN ('a', 'b')), CONSTRAINT page_title UNIQUE (title));
CREATE TABLE old.page (a int, b text, PRIMARY KEY (b, a), FOREIGN KEY (a) REFERENCES page (id));
CREATE TABLE log (line text, data json);
CREATE TABLE session (id serial PRIMARY KEY, who text);
CREATE INDEX page_at ON page (at);
CREATE VIEW titles AS SELECT title FROM page;
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM page;
CREATE FUNCTION double(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n';
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER page_keep BEFORE UPDATE ON page FOR EACH ROW EXECUTE FUNCTION keep();
CREATE RULE no_log AS ON DELETE TO log WHERE old.line = 'x' DO INSTEAD NOTHING;
CREATE SEQUENCE invoice START 7;
CREATE ROLE reader LOGIN PASSWORD 'synthetic'; CREATE ROLE writers; GRANT writers TO reader;
GRANT SELECT ON page TO reader; GRANT UPDATE (title) ON page TO reader;
ALTER TABLE page ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON page FOR SELECT TO reader USING (id > 0);
ALTER DEFAULT PRIVILEGES IN SCHEMA old GRANT SELECT ON TABLES TO reader;
ALTER DATABASE wiki SET timezone TO 'Pacific/Auckland'; ALTER ROLE reader SET search_path TO old;
CREATE PUBLICATION news FOR TABLE log;
COMMENT ON COLUMN page.title IS 'As users read it';
SELECT lo_create(4711); SELECT lo_put(4711, 0, 'a letterhead');
INSERT INTO page (title, body, size, at, token, mood, draft) VALUES (E'a\tb\nc\\d', '\x00ff', 1.50, '2026-01-01 08:00+13', 'geheim', 'glad', false),
  ('1', NULL, NULL, NULL, NULL, NULL, false), ('draft', NULL, NULL, NULL, NULL, NULL, true);
INSERT INTO log VALUES ('same', '{}'), ('same', '{}'), (NULL, 'null'), ('NULL', NULL), ('\N', NULL);
INSERT INTO old.page VALUES (1, 'x,y');
INSERT INTO session (who) VALUES ('a');
";

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_is_compared_whole() {
    let server = Server::postgresql(POSTGRESQL).await;
    assert_eq!(
        server.check(server.observe("none").await, judge::FILE).as_deref(),
        Some(judge::ABSENT),
        "there is no such database"
    );
    assert_eq!(server.run(&["createdb", "--username=davical", "wiki"], "").await.code, 0);
    let before = server.seeded(POSTGRESQL_SEED).await;

    // Values have types, instants are in one time zone, drafts and what is left out are not there.
    server.has_two_pages(
        before,
        &[
            r#""body":{"blob":"00ff"}"#,
            r#""size":"1.50""#,
            r#""at":"2025-12-31 19:00:00+00""#,
            r#""title":"a\tb\nc\\d""#,
            r#""draft":false"#,
        ],
    );
    assert_eq!(server.rows(before, "old.page")[0].0, "x\\,y,1");
    assert_eq!((server.rows(before, "log").len(), server.rows(before, "session").len()), (5, 0));

    server
        .try_all(
            before,
            &[
                ("", "", &[]),
                ("INSERT INTO session (who) VALUES ('b'); UPDATE page SET seen = now()", "", &[]),
                (
                    "UPDATE page SET title = 'two' WHERE id = 2",
                    "UPDATE page SET title = '1' WHERE id = 2",
                    &[", table page, row 2: altered (title)"],
                ),
                (
                    "UPDATE page SET token = 'x' WHERE id = 1",
                    "UPDATE page SET token = 'geheim' WHERE id = 1",
                    &[", table page, row 1: altered (token)"],
                ),
                (
                    "ALTER DATABASE wiki RESET timezone",
                    "ALTER DATABASE wiki SET timezone TO 'Pacific/Auckland'",
                    &[": altered (setting TimeZone)"],
                ),
                (
                    "SELECT setval('invoice', 7, true)",
                    "SELECT setval('invoice', 7, false)",
                    &[", sequence invoice: altered (value)"],
                ),
                (
                    "SELECT setval('page_id_seq', 1, false)",
                    "SELECT setval('page_id_seq', 3)",
                    &[", sequence page_id_seq: altered (value)"],
                ),
                ("DROP INDEX page_at", "CREATE INDEX page_at ON page (at)", &[", index page_at: lost"]),
                (
                    "ALTER TABLE page DROP CONSTRAINT page_title",
                    "ALTER TABLE page ADD CONSTRAINT page_title UNIQUE (title)",
                    &[", constraint page.page_title: lost"],
                ),
                (
                    "ALTER TABLE old.page DROP CONSTRAINT page_a_fkey",
                    "ALTER TABLE old.page ADD FOREIGN KEY (a) REFERENCES page (id)",
                    &[", constraint old.page.page_a_fkey: lost"],
                ),
                (
                    "ALTER TABLE page DISABLE TRIGGER page_keep",
                    "ALTER TABLE page ENABLE TRIGGER page_keep",
                    &[", trigger page.page_keep: altered (enabled)"],
                ),
                (
                    "DROP TRIGGER page_keep ON page",
                    "CREATE TRIGGER page_keep BEFORE UPDATE ON page FOR EACH ROW EXECUTE FUNCTION keep()",
                    &[", trigger page.page_keep: lost"],
                ),
                (
                    "ALTER TABLE page ALTER title DROP DEFAULT",
                    "ALTER TABLE page ALTER title SET DEFAULT 'new'",
                    &[", column page.title: altered (default)"],
                ),
                (
                    "ALTER TABLE page ALTER title DROP NOT NULL",
                    "ALTER TABLE page ALTER title SET NOT NULL",
                    &[", column page.title: altered (not null)"],
                ),
                ("DROP VIEW titles", "CREATE VIEW titles AS SELECT title FROM page", &[", view titles: lost"]),
                (
                    "CREATE OR REPLACE FUNCTION double(n int) RETURNS int LANGUAGE sql AS 'SELECT 3 * n'",
                    "CREATE OR REPLACE FUNCTION double(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n'",
                    &[", function double(n integer): altered (definition)"],
                ),
                (
                    "DROP RULE no_log ON log",
                    "CREATE RULE no_log AS ON DELETE TO log WHERE old.line = 'x' DO INSTEAD NOTHING",
                    &[", rule log.no_log: lost"],
                ),
                (
                    "DROP POLICY own ON page",
                    "CREATE POLICY own ON page FOR SELECT TO reader USING (id > 0)",
                    &[", policy page.own: lost"],
                ),
                ("GRANT ALL ON page TO PUBLIC", "REVOKE ALL ON page FROM PUBLIC", &[", table page: altered (grants)"]),
                (
                    "REVOKE UPDATE (title) ON page FROM reader",
                    "GRANT UPDATE (title) ON page TO reader",
                    &[", column page.title: altered (grants)"],
                ),
                (
                    "ALTER TABLE log OWNER TO writers",
                    "ALTER TABLE log OWNER TO davical",
                    &[", table log: altered (owner)", ", table log: altered (grants)"],
                ),
                ("REVOKE writers FROM reader", "GRANT writers TO reader", &[", role reader: altered (member of writers)"]),
                (
                    "ALTER ROLE reader RESET search_path",
                    "ALTER ROLE reader SET search_path TO old",
                    &[", role reader: altered (setting search_path)"],
                ),
                ("ALTER ROLE writers SUPERUSER", "ALTER ROLE writers NOSUPERUSER", &[", role writers: altered (superuser)"]),
                ("ALTER ROLE writers PASSWORD 'x'", "ALTER ROLE writers PASSWORD NULL", &[", role writers: altered (password)"]),
                ("CREATE ROLE stranger", "DROP ROLE stranger", &[", role stranger: unexpected"]),
                (
                    "ALTER TYPE mood RENAME VALUE 'sad' TO 'bad'",
                    "ALTER TYPE mood RENAME VALUE 'bad' TO 'sad'",
                    &[", type mood: altered (labels)"],
                ),
                (
                    "ALTER DEFAULT PRIVILEGES IN SCHEMA old REVOKE SELECT ON TABLES FROM reader",
                    "ALTER DEFAULT PRIVILEGES IN SCHEMA old GRANT SELECT ON TABLES TO reader",
                    &[", default privileges of davical in schema old on tables: lost"],
                ),
                ("SELECT lo_put(4711, 0, 'A')", "SELECT lo_put(4711, 0, 'a')", &[", large object 4711: altered (content)"]),
                (
                    "COMMENT ON COLUMN page.title IS NULL",
                    "COMMENT ON COLUMN page.title IS 'As users read it'",
                    &[", column page.title: altered (comment)"],
                ),
                ("DROP PUBLICATION news", "CREATE PUBLICATION news FOR TABLE log", &[", publication news: lost"]),
                ("CREATE TABLE more (a int)", "DROP TABLE more", &[", table more: unexpected"]),
                (
                    "ALTER TABLE session RENAME TO visit",
                    "ALTER TABLE visit RENAME TO session",
                    &[
                        ", table session: lost",
                        ", table visit: unexpected",
                        ", sequence session_id_seq: altered (owned by)",
                        ", sequence session_id_seq: altered (value)",
                    ],
                ),
            ],
        )
        .await;

    // A row that is there twice, in a table without a key.
    server.sql("INSERT INTO log VALUES ('NULL', NULL)").await;
    let doubled = server.found(before).await;
    assert!(doubled.len() == 1 && doubled.iter().all(|f| f.ends_with(" (2): unexpected")), "{doubled:?}");
    // Dumped, dropped and loaded, it is the same, though PostgreSQL writes some definitions in another way then.
    let before = server.observe("before").await;
    server.dump_and_load().await;
    assert_eq!(server.found(before).await, BTreeSet::new());
    // What the scenario leaves out and the database has no more.
    server.sql("DROP TABLE session").await;
    let settings = server.check(server.observe("renamed").await, judge::SETTINGS);
    assert_eq!(
        settings.as_deref(),
        Some("[[database.leave_out]] with table = \"session\": the database has no table \"session\"")
    );
}

const MARIADB: &str = r"
[[table]]
name = 'page'
secret = ['token']
[[leave_out]]
table = 'session'
why = 'Users log in again.'
";

const MARIADB_SEED: &str = r"
CREATE TABLE page (id int AUTO_INCREMENT PRIMARY KEY, title varchar(40) NOT NULL DEFAULT 'new', body blob, size decimal(9, 2), at timestamp NULL,
  rough float, flags bit(9), token text, loud varchar(40) GENERATED ALWAYS AS (upper(title)) STORED, UNIQUE KEY page_title (title), KEY page_at (at),
  CONSTRAINT small CHECK (size < 1000));
CREATE TABLE part (a int, b varchar(20), PRIMARY KEY (b, a), CONSTRAINT part_page FOREIGN KEY (a) REFERENCES page (id));
CREATE TABLE log (line varchar(20));
CREATE TABLE session (id int AUTO_INCREMENT PRIMARY KEY, who text);
CREATE VIEW titles AS SELECT title FROM page;
CREATE TRIGGER page_log AFTER DELETE ON page FOR EACH ROW INSERT INTO log VALUES ('gone');
CREATE FUNCTION twice(n int) RETURNS int DETERMINISTIC RETURN 2 * n;
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM log;
CREATE SEQUENCE invoice;
CREATE USER reader@localhost IDENTIFIED BY 'synthetic'; GRANT SELECT ON wiki.page TO reader@localhost;
CREATE ROLE writers;
INSERT INTO page (title, body, size, at, rough, flags, token) VALUES ('a\tb\nc\\d', x'00ff', 1.50, '2026-01-01 08:00:00', 0.1, b'101', 'geheim'),
  ('1', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO log VALUES ('same'), ('same'), (NULL), ('NULL'), ('');
INSERT INTO part VALUES (1, 'x,y');
INSERT INTO session (who) VALUES ('a');
";

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_is_compared_whole() {
    let server = Server::mariadb(MARIADB).await;
    assert_eq!(
        server.check(server.observe("none").await, judge::FILE).as_deref(),
        Some(judge::ABSENT),
        "there is no such database"
    );
    assert_eq!(server.run(&["mariadb", "--execute=CREATE DATABASE wiki CHARACTER SET utf8mb4"], "").await.code, 0);
    let before = server.seeded(MARIADB_SEED).await;
    server.has_two_pages(
        before,
        &[
            r#""body":{"blob":"00ff"}"#,
            r#""size":"1.50""#,
            r#""title":"a\tb\nc\\d""#,
            r#""flags":5"#,
            r#""rough":"0.10000000149011612""#,
        ],
    );
    assert_eq!(server.rows(before, "part")[0].0, "x\\,y,1");
    assert_eq!((server.rows(before, "log").len(), server.rows(before, "session").len()), (5, 0));

    server
        .try_all(
            before,
            &[
                ("", "", &[]),
                ("INSERT INTO session (who) VALUES ('b')", "", &[]),
                ("SET GLOBAL time_zone = '+05:00'", "SET GLOBAL time_zone = 'SYSTEM'", &[]),
                (
                    "UPDATE page SET title = 'two' WHERE id = 2",
                    "UPDATE page SET title = '1' WHERE id = 2",
                    &[", table page, row 2: altered (title)", ", table page, row 2: altered (loud)"],
                ),
                (
                    "UPDATE page SET rough = 0.10000001 WHERE id = 1",
                    "UPDATE page SET rough = 0.1 WHERE id = 1",
                    &[", table page, row 1: altered (rough)"],
                ),
                (
                    "ALTER TABLE page AUTO_INCREMENT = 50",
                    "ALTER TABLE page AUTO_INCREMENT = 3",
                    &[", table page: altered (auto_increment)"],
                ),
                ("ALTER TABLE page DROP KEY page_at", "ALTER TABLE page ADD KEY page_at (at)", &[", index page.page_at: lost"]),
                (
                    "ALTER TABLE page DROP KEY page_title",
                    "ALTER TABLE page ADD UNIQUE KEY page_title (title)",
                    &[", index page.page_title: lost"],
                ),
                (
                    "ALTER TABLE part DROP FOREIGN KEY part_page",
                    "ALTER TABLE part ADD CONSTRAINT part_page FOREIGN KEY (a) REFERENCES page (id)",
                    &[", constraint part.part_page: lost"],
                ),
                (
                    "ALTER TABLE page DROP CONSTRAINT small",
                    "ALTER TABLE page ADD CONSTRAINT small CHECK (size < 1000)",
                    &[", constraint page.small: lost"],
                ),
                (
                    "ALTER TABLE page ALTER title DROP DEFAULT",
                    "ALTER TABLE page ALTER title SET DEFAULT 'new'",
                    &[", column page.title: altered (default)"],
                ),
                ("DROP VIEW titles", "CREATE VIEW titles AS SELECT title FROM page", &[", view titles: lost"]),
                (
                    "DROP TRIGGER page_log",
                    "CREATE TRIGGER page_log AFTER DELETE ON page FOR EACH ROW INSERT INTO log VALUES ('gone')",
                    &[", trigger page_log: lost"],
                ),
                (
                    "DROP FUNCTION twice",
                    "CREATE FUNCTION twice(n int) RETURNS int DETERMINISTIC RETURN 2 * n",
                    &[", function twice: lost"],
                ),
                ("ALTER EVENT nightly ENABLE", "ALTER EVENT nightly DISABLE", &[", event nightly: altered (definition)"]),
                (
                    "SELECT SETVAL(invoice, 4000)",
                    "DROP SEQUENCE invoice; CREATE SEQUENCE invoice",
                    &[", sequence invoice: altered (value)"],
                ),
                (
                    "REVOKE SELECT ON wiki.page FROM reader@localhost",
                    "GRANT SELECT ON wiki.page TO reader@localhost",
                    &[", role reader@localhost: altered (rights on wiki.page)"],
                ),
                ("CREATE USER stranger", "DROP USER stranger", &[", role stranger@%: unexpected"]),
                (
                    "GRANT writers TO reader@localhost",
                    "REVOKE writers FROM reader@localhost",
                    &[", role reader@localhost: altered (member of writers)"],
                ),
                (
                    "ALTER DATABASE wiki COLLATE utf8mb4_bin",
                    "ALTER DATABASE wiki COLLATE utf8mb4_general_ci",
                    &[": altered (collation)"],
                ),
                ("CREATE TABLE more (a int)", "DROP TABLE more", &[", table more: unexpected"]),
            ],
        )
        .await;
    server.sql("INSERT INTO log VALUES ('NULL')").await;
    let doubled = server.found(before).await;
    assert!(doubled.len() == 1 && doubled.iter().all(|f| f.ends_with(" (2): unexpected")), "{doubled:?}");
}
