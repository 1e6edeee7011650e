//! Recipes in the shapes that are published: lint blames none that is sound, and finds each mistake that is made in one.

use recipe::labels::lint::lint_files;
use recipe::labels::recipe::RecipeFiles;
use recipe::labels::suggest::suggest;

/// A recipe: its files.
type Files = &'static [(&'static str, &'static str)];

const PG_BACKUP: &str = r#"#!/bin/bash
set -e
BACKUP_FILE='/var/lib/postgresql/data/backup.sql'
function backup {
  export PGPASSWORD=$(cat /run/secrets/db_password)
  pg_dump -U ${POSTGRES_USER} ${POSTGRES_DB} > $BACKUP_FILE
}
function restore {
  cd /var/lib/postgresql/data/
  psql -U ${POSTGRES_USER} -d postgres -c "DROP DATABASE ${POSTGRES_DB} WITH (FORCE);"
  createdb -U ${POSTGRES_USER} ${POSTGRES_DB}
  psql -U ${POSTGRES_USER} -d ${POSTGRES_DB} -1 -f $BACKUP_FILE
}
$@
"#;

/// Photos, with a database whose script is a config.
const IMMICH: Files = &[
    (
        "compose.yml",
        r#"version: "3.8"
services:
  app:
    image: ghcr.io/immich-app/immich-server:v1.135.3
    networks: [proxy, internal]
    volumes:
      - uploads:/usr/src/app/upload
    deploy:
      labels:
        - "traefik.enable=true"
        - "coop-cloud.${STACK_NAME}.version=1.3.0+v1.135.3"
        - "backupbot.backup=${ENABLE_BACKUPS:-true}"
        - "backupbot.backup.volumes.models=false"
  machine-learning:
    image: ghcr.io/immich-app/immich-machine-learning:v1.135.3
    volumes: ["models:/cache"]
  database:
    image: ghcr.io/immich-app/postgres:14-vectorchord0.3.0-pgvectors0.2.0
    environment:
      POSTGRES_PASSWORD_FILE: /run/secrets/db_password
      POSTGRES_USER: postgres
      POSTGRES_DB: immich
    secrets: [db_password]
    volumes:
      - postgres:/var/lib/postgresql/data
    configs:
      - source: pg_backup
        target: /pg_backup.sh
        mode: 0555
    deploy:
      labels:
        backupbot.backup.pre-hook: "/pg_backup.sh backup"
        backupbot.backup.volumes.postgres.path: "backup.sql"
        backupbot.restore.post-hook: "/pg_backup.sh restore"
networks:
  proxy: {external: true}
  internal:
volumes:
  uploads:
  models:
  postgres:
configs:
  pg_backup:
    name: ${STACK_NAME}_pg_backup_${PG_BACKUP_VERSION}
    file: pg_backup.sh
secrets:
  db_password: {external: true, name: "${STACK_NAME}_db_password_${SECRET_DB_PASSWORD_VERSION}"}
"#,
    ),
    ("pg_backup.sh", PG_BACKUP),
    ("abra.sh", "export PG_BACKUP_VERSION=v2\n"),
    (
        ".env.sample",
        "TYPE=immich\nDOMAIN=immich.example.com\nENABLE_BACKUPS=true # for backupbot\nSECRET_DB_PASSWORD_VERSION=v1 # length=32\n",
    ),
];

/// A blog: MariaDB without a script, its hooks in one line.
const WORDPRESS: Files = &[(
    "compose.yml",
    r#"services:
  app:
    image: wordpress:6.5.2-fpm-alpine
    volumes: ["wordpress_content:/var/www/html/wp-content/"]
    configs:
      - source: entrypoint_conf
        target: /docker-entrypoint.sh
        mode: 0555
    deploy:
      labels:
        - 'coop-cloud.${STACK_NAME}.version=3.0.1+6.5.2'
        - 'backupbot.backup=true'
  db:
    image: mariadb:11.4
    volumes: ["mariadb:/var/lib/mysql"]
    deploy:
      labels:
        backupbot.backup.pre-hook: sh -c 'mariadb-dump -u root -p"$$(cat /run/secrets/db_root_password)" wordpress > /var/lib/mysql/dump.sql && gzip -f /var/lib/mysql/dump.sql'
        backupbot.backup.volumes.mariadb.path: "dump.sql.gz"
        backupbot.restore.post-hook: sh -c 'gunzip -c /var/lib/mysql/dump.sql.gz > /tmp/dump.sql && mariadb -u root -p"$$(cat /run/secrets/db_root_password)" wordpress < /tmp/dump.sql'
volumes:
  wordpress_content:
  mariadb:
configs:
  entrypoint_conf:
    name: ${STACK_NAME}_entrypoint_conf_${ENTRYPOINT_VERSION}
    file: entrypoint.sh.tmpl
    template_driver: golang
"#,
)];

/// Chat: the database has the switch too, in an overlay that the sample has off.
const BONFIRE: Files = &[
    (
        "compose.yml",
        r#"x-common: &common
  networks: [internal]
services:
  app:
    <<: *common
    image: bonfirenetworks/bonfire:1.0.0-social-amd64
    volumes: ["upload-data:/opt/app/data/uploads"]
    deploy:
      labels:
        - "coop-cloud.${STACK_NAME}.version=0.5.0+1.0.0"
        - "backupbot.backup=true"
  db:
    <<: *common
    image: postgis/postgis:${DB_DOCKER_VERSION:-17-3.5-alpine}
    environment: {POSTGRES_USER: postgres, POSTGRES_DB: bonfire}
    volumes: ["db-data:/var/lib/postgresql/data"]
    configs:
      - source: pg_backup
        target: /pg_backup.sh
        mode: 0555
    deploy:
      labels:
        - "backupbot.backup.pre-hook=/pg_backup.sh backup"
        - "backupbot.backup.volumes.db-data.path=backup.sql"
        - "backupbot.restore.post-hook=/pg_backup.sh restore"
networks:
  internal:
volumes:
  upload-data:
  db-data:
configs:
  pg_backup: {name: "${STACK_NAME}_pg_backup_${PG_BACKUP_VERSION}", file: pg_backup.sh}
"#,
    ),
    (
        "compose.search.yml",
        r#"services:
  search:
    image: getmeili/meilisearch:v1.11
    volumes: ["search-data:/meili_data"]
    deploy:
      labels:
        - "backupbot.backup.volumes.search-data.path=dumps"
volumes:
  search-data:
"#,
    ),
    ("pg_backup.sh", PG_BACKUP),
    (".env.sample", "COMPOSE_FILE=\"compose.yml\"\n#COMPOSE_FILE=\"$COMPOSE_FILE:compose.search.yml\"\n"),
];

/// A cloud: maintenance mode around the backup, Redis as a cache.
const NEXTCLOUD: Files = &[(
    "compose.yml",
    r#"services:
  app:
    image: nextcloud:29.0.4-fpm-alpine
    volumes: ["nextcloud:/var/www/html", "nextdata:/var/www/html/data"]
    deploy:
      labels:
        - "coop-cloud.${STACK_NAME}.version=8.0.1+29.0.4-fpm"
        - "backupbot.backup=true"
        - "backupbot.backup.volumes.redis=false"
        - "backupbot.backup.pre-hook=occ maintenance:mode --on"
        - "backupbot.backup.post-hook=occ maintenance:mode --off"
  cache:
    image: redis:7.4-alpine
    volumes: ["redis:/data"]
volumes:
  nextcloud:
  nextdata:
  redis:
"#,
)];

/// A page without any state.
const STATELESS: Files = &[(
    "compose.yml",
    "services:\n  app:\n    image: nginx:1.27\n    deploy:\n      labels:\n        - \"coop-cloud.${STACK_NAME}.version=1.0.0+1.27\"\n",
)];

const SOUND: [(&str, Files); 5] =
    [("immich", IMMICH), ("wordpress", WORDPRESS), ("bonfire", BONFIRE), ("nextcloud", NEXTCLOUD), ("stateless", STATELESS)];

/// The recipe with `from` replaced by `to`, in whichever file has it.
fn written(files: Files, from: &str, to: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let has = files.iter().any(|(_, text)| text.contains(from));
    assert!(has, "{from:?} is in no file");
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text.replace(from, to)).expect("written");
    }
    dir
}

fn codes(dir: &tempfile::TempDir) -> Vec<String> {
    let sources = RecipeFiles::find(&[dir.path().to_owned()]).expect("found");
    let found = lint_files(&sources, None).expect("linted");
    found.iter().map(|m| format!("{} {}", m.rule.lesson().code, m.message)).collect()
}

#[test]
fn sound_recipes_are_not_blamed_and_nothing_is_suggested() {
    for (name, files) in SOUND {
        let dir = written(files, "", "");
        assert_eq!(codes(&dir), Vec::<String>::new(), "{name}");
        let sources = RecipeFiles::find(&[dir.path().to_owned()]).expect("found");
        let suggestion = suggest(&sources).expect("a suggestion");
        assert_eq!((suggestion.diff(), suggestion.by_hand.len()), (String::new(), 0), "{name}");
    }
}

#[test]
fn each_mistake_in_a_recipe_is_found_by_its_name() {
    for (files, from, to, expected) in [
        (IMMICH, "        backupbot.backup.pre-hook: \"/pg_backup.sh backup\"\n", "", "BB022"),
        (IMMICH, "        backupbot.restore.post-hook: \"/pg_backup.sh restore\"\n", "", "BB031"),
        (IMMICH, "path: \"backup.sql\"", "path: \"postgres.dump\"", "BB032"),
        (IMMICH, "volumes.models=false", "volumes.postgres=false", "BB032"),
        (IMMICH, "        mode: 0555\n", "", "BB035"),
        (IMMICH, "        target: /pg_backup.sh\n", "        target: /backup.sh\n", "BB034"),
        (IMMICH, "-1 -f $BACKUP_FILE", "-1 -f /var/lib/postgresql/data/dump.sql", "BB033"),
        (IMMICH, "BACKUP_FILE='/var/lib/postgresql/data/backup.sql'", "BACKUP_FILE=/backup.sql", "BB018"),
        (IMMICH, "backupbot.backup.volumes.models", "backupbot.volumes.models", "BB005"),
        (WORDPRESS, "image: mariadb:11.4", "image: mariadb:11.4 #", ""),
        (WORDPRESS, "mariadb-dump -u", "mysqldump -u", "BB019"),
        (
            WORDPRESS,
            "> /var/lib/mysql/dump.sql && gzip -f /var/lib/mysql/dump.sql",
            "| gzip > /var/lib/mysql/dump.sql.gz",
            "BB020",
        ),
        (WORDPRESS, "backupbot.backup.pre-hook: sh -c '", "backupbot.backup.pre-hook: echo 'x' && sh -c '", "BB036"),
        (BONFIRE, "search-data.path=dumps", "search-data.path=/meili_data/dumps", "BB011"),
        (BONFIRE, "volumes.search-data.path", "volumes.search.path", "BB007"),
        (NEXTCLOUD, "        - \"backupbot.backup.post-hook=occ maintenance:mode --off\"\n", "", "BB021"),
        (NEXTCLOUD, "image: nextcloud:29.0.4-fpm-alpine", "image: nginx:1.27-alpine", "BB037"),
        (STATELESS, "version=1.0.0+1.27", "app.version=1.0.0-1a2b3c4d", "BB029"),
    ] {
        let found = codes(&written(files, from, to));
        match expected {
            "" => assert_eq!(found, Vec::<String>::new(), "{to}"),
            code => assert!(found.iter().any(|f| f.starts_with(code)), "{from:?} as {to:?}: {found:?}"),
        }
    }
}

/// A database without hooks gets all that it needs: the script, the config, its version, the labels.
#[test]
fn databases_get_their_pairs_whole() {
    for (image, target, script, path) in [
        ("postgres:16-alpine", "/var/lib/postgresql/data", "pg_backup", "backup.sql"),
        ("mariadb:11.4", "/var/lib/mysql", "mariadb_backup", "backup.sql"),
        ("mysql:8.4", "/var/lib/mysql", "mysql_backup", "backup.sql"),
        ("mongo:7", "/data/db", "mongo_backup", "backup.archive"),
    ] {
        let compose = format!(
            "services:\n  app:\n    image: x/y:1\n    volumes: [\"files:/files\"]\n    deploy:\n      labels:\n        - \"coop-cloud.${{STACK_NAME}}.version=1.0.0+1\"\n        - \"backupbot.backup=true\"\n  db:\n    image: {image}\n    volumes:\n      - data:{target}\n    # the end of db\nvolumes:\n  files:\n  data:\n"
        );
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("compose.yml"), &compose).expect("written");
        std::fs::write(dir.path().join("abra.sh"), "export OTHER_VERSION=v3").expect("written");
        let found = || RecipeFiles::find(&[dir.path().to_owned()]).expect("found");
        let first = suggest(&found()).expect("a suggestion");
        assert_eq!((first.left.len(), first.by_hand.len()), (0, 0), "{image}: {:?} {:?}", first.left, first.by_hand);
        first.write().expect("written");
        let text = |name: &str| std::fs::read_to_string(dir.path().join(name)).expect("a file");
        assert_eq!(text("abra.sh"), format!("export OTHER_VERSION=v3\nexport {}_VERSION=v1\n", script.to_uppercase()));
        assert!(text(&format!("{script}.sh")).starts_with("#!/bin/sh\n"), "{image}");
        for line in [
            format!("      - source: {script}\n        target: /{script}.sh\n        mode: 0555\n"),
            format!("        - \"backupbot.backup.pre-hook=/{script}.sh backup\"\n"),
            format!("        - \"backupbot.restore.post-hook=/{script}.sh restore\"\n"),
            format!("        - \"backupbot.backup.volumes.data.path={path}\"\n"),
            format!(
                "configs:\n  {script}:\n    name: ${{STACK_NAME}}_{script}_${{{}_VERSION}}\n    file: {script}.sh\n",
                script.to_uppercase()
            ),
            "version=1.0.1+1\"".to_owned(),
            "    # the end of db\n".to_owned(),
        ] {
            assert!(text("compose.yml").contains(&line), "{image}: {line} is not in {}", text("compose.yml"));
        }
        assert_eq!(codes(&dir), Vec::<String>::new(), "{image}");
        assert_eq!(suggest(&found()).expect("again").diff(), "", "{image}");
    }
}
