//! What lint says of databases and their dumps, of secrets and of how labels are written.

mod linted;

use linted::{all_said, codes, lints};

#[test]
fn a_database_needs_a_named_volume_for_its_files() {
    for (mount, extra, code) in [
        ("/var/lib/postgresql/data", "", None),
        ("/data", "", Some("BB047")),
        ("/data", "    command: ['pg_dump', '-h', 'db']\n", None),
        ("/pgdata", "    environment: ['PGDATA=/pgdata']\n", None),
        ("/var/lib/postgresql/data", "    environment: ['PGDATA=/pgdata']\n", Some("BB047")),
    ] {
        let found = all_said(
            "postgres:16",
            mount,
            extra,
            &["backupbot.backup.pre-hook=own-tool", "backupbot.restore.post-hook=own-tool"],
        );
        assert_eq!(codes(&found), code.into_iter().collect::<Vec<_>>(), "{mount} {extra}: {found:?}");
    }
    let elsewhere = all_said("postgres:16", "/pgdata", "    environment: {PGDATA: /pgdata}\n", &[]);
    assert_eq!(elsewhere, ["BB030 service app: the files of PostgreSQL in volume data are copied while it writes them"]);
}

#[test]
fn a_hook_reads_only_secrets_of_its_service() {
    for (secrets, read, is_found) in [
        ("    secrets: [db_password]\n", "$(cat /run/secrets/db_password)", false),
        ("    secrets: [db_password]\n", "$(cat /var/run/secrets/db_password)", false),
        ("    secrets: [{source: x, target: db_password}]\n", "$(cat /run/secrets/db_password)", false),
        ("    secrets: [{source: db_password, target: pw}]\n", "$(cat /run/secrets/db_password)", true),
        ("    secrets: [db_password]\n", "$(cat /run/secrets/password)", true),
        ("", "$(cat /run/secrets/$NAME)", false),
        ("    secrets: [db_password]\n    environment: {PW_FILE: /run/secrets/pw}\n", "$(cat $PW_FILE)", true),
        // It may be another file that gives the service its secrets.
        ("", "$(cat /run/secrets/password)", false),
    ] {
        let hook = format!("backupbot.backup.pre-hook=own-tool -p{read}").replace('$', "$$");
        let found = all_said("x/y:1", "/data", secrets, &[&hook, "backupbot.restore.post-hook=own-tool"]);
        assert_eq!(codes(&found) == ["BB048"], is_found, "{secrets}{read}: {found:?}");
        assert_eq!(found.is_empty(), !is_found, "{secrets}{read}: {found:?}");
    }
    let asks = "backupbot.backup.pre-hook=if [ -f /run/secrets/pw ]; then own-tool $$(cat /run/secrets/pw); fi";
    assert_eq!(all_said("x/y:1", "/data", "", &[asks, "backupbot.restore.post-hook=own-tool"]), Vec::<String>::new());
}

#[test]
fn an_item_of_a_list_has_an_equals_sign_after_the_name() {
    for (item, meant) in [
        ("backupbot.backup.volumes.cache: false", "backupbot.backup.volumes.cache=false"),
        ("backupbot.backup.volumes.cache = false", "backupbot.backup.volumes.cache=false"),
        ("backupbot.backup.pre-hook: A=b own-tool", "backupbot.backup.pre-hook=A=b own-tool"),
    ] {
        let found = all_said("x/y:1", "/data", "", &[item]);
        assert!(
            found.len() == 1 && found[0].starts_with("BB049") && found[0].ends_with(&format!("expected {meant}")),
            "{found:?}"
        );
    }
}

#[test]
fn what_is_said_of_a_value_with_quotes_and_of_several_paths() {
    let found = all_said("x/y:1", "/data", "", &["backupbot.backup=${B:-\"true\"}", "backupbot.backup.volumes.data.path=/a,/b"]);
    assert!(found.iter().any(|m| m.ends_with(": the quotes are a part of the value; expected true")), "{found:?}");
    assert!(found.iter().any(|m| m.ends_with(": expected a,b")), "{found:?}");
}

#[test]
fn a_service_of_its_own_may_dump_a_database() {
    let switch = ["coop-cloud.${STACK_NAME}.version=1.0.0+1", "backupbot.backup=true", "backupbot.backup.volumes.two=false"];
    let of = |image: &str, mount: &str| {
        let found = lints(&[
            ("app", "x/y:1", "data:/data", &switch[..]),
            ("dumps", image, mount, &[]),
            ("two", "postgres:16", "two:/var/lib/postgresql/data", &[]),
        ]);
        codes(&found).contains(&"BB041")
    };
    assert!(!of("prodrigestivill/postgres-backup-local:16", "one:/backups"));
    assert!(of("x/web:1", "one:/backups"));
    assert!(of("prodrigestivill/postgres-backup-local:16", "two:/backups"));
}

/// What a shell does with a dump is found behind programs that start others, and what is no command is none.
#[test]
fn a_dump_is_found_however_it_is_started() {
    const FILES: &str = "/var/lib/postgresql/data";
    for (pre, post, expected) in [
        ("gosu postgres pg_dump -c -f DATA/b.sql app", "gosu postgres psql -f DATA/b.sql app", &[][..]),
        ("gosu postgres pg_dump -c -f DATA/other app", "gosu postgres psql -f DATA/other app", &["BB032"]),
        ("timeout 600 pg_dump -c -f /tmp/b.sql app", "psql -f DATA/b.sql app", &["BB018"]),
        ("sudo -u postgres pg_dump -c -f /tmp/b.sql app", "psql -f DATA/b.sql app", &["BB018"]),
        (
            "bash -o pipefail -c \"pg_dump -c app | gzip > DATA/b.sql\"",
            "bash -o pipefail -c \"gunzip -c DATA/b.sql | psql app\"",
            &[],
        ),
        ("bash -c \"pg_dump -c app | gzip > DATA/b.sql\"", "bash -o pipefail -c \"gunzip -c DATA/b.sql | psql app\"", &["BB020"]),
        ("sh -c \"pg_dump -c -f DATA/b.sql app || exit 0\"", "psql -f DATA/b.sql app", &["BB020"]),
    ] {
        let [pre, post] = [pre, post].map(|hook| hook.replace("DATA", FILES));
        let found = all_said(
            "postgres:16",
            FILES,
            "",
            &[
                &format!("backupbot.backup.pre-hook={pre}"),
                "backupbot.backup.volumes.data.path=b.sql",
                &format!("backupbot.restore.post-hook={post}"),
            ],
        );
        assert_eq!(codes(&found).into_iter().collect::<Vec<_>>(), expected, "{pre}: {found:?}");
    }
}

/// Docker refuses a service of another form. What is not read is not found to be right.
#[test]
fn a_service_of_another_form_is_refused() {
    for (service, says) in [
        ("nginx", "a service: \"nginx\"; expected a map"),
        ("{image: x, volumes: 'data:/data'}", "volumes: \"data:/data\"; expected a list"),
        ("{image: x, volumes: [5]}", "volumes: \"5\"; expected items"),
        ("{image: x, deploy: [labels]}", "deploy: a list or a map; expected a map"),
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("compose.yml");
        std::fs::write(&file, format!("services:\n  app: {service}\n")).expect("written");
        let files = recipe::labels::recipe::RecipeFiles { files: vec![file], ..Default::default() };
        let error = files.read().expect_err(service).to_string();
        assert!(error.contains("compose.yml:2: ") && error.contains(says), "{error}");
    }
}
