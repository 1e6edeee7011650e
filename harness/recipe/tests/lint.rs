//! What lint says, and does not say, of hooks and labels as recipes have them.

mod linted;

use recipe::labels::lint::lint;
use recipe::labels::recipe::RecipeFiles;

use linted::{PGDATA, all_said as said, lints};

fn postgres(pre: &str, path: &str, post: &str) -> Vec<String> {
    let labels = [
        format!("backupbot.backup.pre-hook={pre}"),
        format!("backupbot.backup.volumes.data.path={path}"),
        format!("backupbot.restore.post-hook={post}"),
    ];
    said("postgres:16", PGDATA, "", &labels.each_ref().map(String::as_str))
}

#[test]
fn the_form_of_a_dump_is_one_that_the_restore_reads() {
    for (pre, path, post, code) in [
        ("pg_dump -Fc -f $D/b app", "b", "psql -f $D/b app", Some("BB039")),
        ("pg_dump -c -f $D/b app", "b", "pg_restore -c -d app $D/b", Some("BB039")),
        ("pg_dump -c -f $D/b app && gzip -f $D/b", "b.gz", "psql -f $D/b.gz app", Some("BB039")),
        ("pg_dump -Fc -f $D/b.part app && mv $D/b.part $D/b", "b", "psql app < $D/b", Some("BB039")),
        ("pg_dump --format custom -f $D/b app", "b", "pg_restore -c -d app $D/b", None),
        ("pg_dump -c -f $D/b app && gzip -f $D/b", "b.gz", "gunzip -f $D/b.gz && psql -f $D/b app", None),
        ("pg_dump -c -Z9 -f $D/b.gz app", "b.gz", "gunzip -f $D/b.gz && psql -f $D/b app", None),
        ("pg_dump -Fc -f $D/b app", "b", "pg_restore -f $D/b.sql $D/b && psql -f $D/b.sql app", None),
    ] {
        let filled = |text: &str| text.replace("$D", PGDATA);
        let found = postgres(&filled(pre), path, &filled(post));
        assert_eq!(found.iter().map(|m| &m[..5]).collect::<Vec<_>>(), code.into_iter().collect::<Vec<_>>(), "{pre}: {found:?}");
    }
}

#[test]
fn a_dump_that_is_removed_before_the_copy_is_lost() {
    let (file, load) = (format!("{PGDATA}/b"), format!("psql -f {PGDATA}/b app"));
    let found = postgres(&format!("pg_dump -c -f {file} app && rm -f {file}"), "b", &load);
    assert_eq!(found, ["BB032 backupbot.backup.pre-hook writes b of volume data, and removes it before the files are copied"]);
    assert_eq!(postgres(&format!("pg_dump -c -f {file} app || rm -f {file}"), "b", &load), Vec::<String>::new());
}

#[test]
fn a_dump_at_a_relative_path_is_in_no_volume() {
    let found = postgres("pg_dump -c -U app app > b.sql", "b.sql", "psql -U app -f b.sql app");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("BB018 backupbot.backup.pre-hook: /b.sql is in the container's writable layer"), "{found:?}");
    let pre = format!("cd {PGDATA} && pg_dump -c -U app app > b.sql");
    assert_eq!(postgres(&pre, "b.sql", &format!("psql -U app -f {PGDATA}/b.sql app")), Vec::<String>::new());
    let labels = ["backupbot.backup.pre-hook=pg_dump -c app > b", "backupbot.restore.post-hook=psql -f b app"];
    let in_data = said("postgres:16", PGDATA, &format!("    working_dir: {PGDATA}\n"), &labels);
    assert_eq!(in_data, Vec::<String>::new());
    assert_eq!(said("x/postgres-tools:1", PGDATA, "", &labels), Vec::<String>::new());
}

#[test]
fn a_hook_that_does_nothing_is_no_dump() {
    for hook in ["", "echo start", "sync; sleep 5", "rm -f /old", "sh -c \"pg_isready\""] {
        let found = said("postgres:16", PGDATA, "", &[&format!("backupbot.backup.pre-hook={hook}")]);
        assert!(found.iter().any(|m| m.starts_with("BB030")), "{hook}: {found:?}");
    }
    for hook in ["/backup.sh", "psql -c \"SELECT pg_backup_start('a')\"", "own-tool"] {
        let found = said("postgres:16", PGDATA, "", &[&format!("backupbot.backup.pre-hook={hook}")]);
        assert!(!found.iter().any(|m| m.starts_with("BB030")), "{hook}: {found:?}");
    }
}

#[test]
fn databases_without_a_customary_script_need_a_dump_too() {
    let found = said("clickhouse/clickhouse-server:24.3-alpine", "/var/lib/clickhouse", "", &[]);
    assert_eq!(found, ["BB030 service app: the files of ClickHouse in volume data are copied while it writes them"]);
    let excluded = said("clickhouse/clickhouse-server:24", "/var/lib/clickhouse", "", &["backupbot.backup.volumes.data=false"]);
    assert_eq!(excluded, ["BB041 service app: volume data with ClickHouse is excluded, and no hook writes a dump"]);
}

#[test]
fn what_to_write_instead_is_what_suggest_writes() {
    for (label, expected) in [
        (
            "backupbot.backup.path=/data/a,/cache/b",
            "BB006 backupbot.backup.path=/data/a,/cache/b; expected backupbot.backup.volumes.data.path=a and backupbot.backup.volumes.cache.path=b",
        ),
        ("backupbot.backup.path=/data/a,/elsewhere", "BB006 backupbot.backup.path=/data/a,/elsewhere"),
        (
            "backupbot.backup.volumes.${STACK_NAME}_data.path=/data/a",
            "BB011 backupbot.backup.volumes.${STACK_NAME}_data.path=/data/a: /data is where the volume is mounted; expected .path=a",
        ),
        (
            "backupbot.backup.volumes.data.path=/data/a /data/b",
            "BB011 backupbot.backup.volumes.data.path=/data/a /data/b: \"/data/a /data/b\" is not a path within the volume",
        ),
        ("Backupbot.Backup=true", "BB008 backupbot has no label Backupbot.Backup; the closest one is backupbot.backup"),
    ] {
        let found = said("x/y:1", "/data", "", &[label]);
        assert!(found.iter().any(|m| m == expected), "{label}: {found:#?}");
    }
}

#[test]
fn one_label_with_two_values_is_found_in_a_list_and_on_two_services() {
    let path = |value: &str| format!("backupbot.backup.volumes.data.path={value}");
    let found = said("x/y:1", "/data", "", &[&path("a"), &path("b")]);
    assert_eq!(found, ["BB038 backupbot.backup.volumes.data.path=a has no effect: line 10 of the same list says b"]);
    assert_eq!(said("x/y:1", "/data", "", &[&path("a"), &path("a")]), Vec::<String>::new());
    let service = |name: &str, label: &str| {
        format!("  {name}:\n    image: x/y:1\n    volumes: ['data:/data']\n    deploy:\n      labels: ['{label}']\n")
    };
    let version = "coop-cloud.${STACK_NAME}.version=1.0.0+1', 'backupbot.backup=true";
    let text = |other: &str| {
        format!(
            "services:\n{}{}{}volumes:\n  data:\n",
            service("app", version),
            service("a", &path("a")),
            service("b", &path(other))
        )
    };
    let codes = |other: &str| {
        let recipe = RecipeFiles::default().parse(vec![("compose.yml".into(), text(other))]).expect("a recipe");
        lint(&recipe, None).into_iter().map(|m| m.message).collect::<Vec<_>>()
    };
    assert_eq!(codes("a"), Vec::<String>::new());
    assert_eq!(codes("b"), ["backupbot.backup.volumes.data.path=b, but service a says a"]);
}

#[test]
fn each_of_several_dumps_is_loaded() {
    let pre = format!("pg_dump -c -f {PGDATA}/a a && pg_dump -c -f {PGDATA}/b b && cp /etc/x.conf {PGDATA}/x.conf");
    let found = postgres(&pre, "a,b,x.conf", &format!("psql -f {PGDATA}/a a"));
    assert_eq!(found, ["BB031 backupbot.backup.pre-hook writes b of volume data, which no hook loads"]);
    for post in [format!("psql -f {PGDATA}/a a && psql -f {PGDATA}/b b"), format!("for f in {PGDATA}/*; do load $$f; done")] {
        assert_eq!(postgres(&pre, "a,b,x.conf", &post), Vec::<String>::new(), "{post}");
    }
}

#[test]
fn a_path_that_begins_with_a_dot_is_the_same_path() {
    let (pre, post) = (format!("pg_dump -c -f {PGDATA}/b app"), format!("psql -f {PGDATA}/b app"));
    for path in ["./b", ".", "b/."] {
        assert_eq!(postgres(&pre, path, &post), Vec::<String>::new(), "{path}");
    }
}

#[test]
fn a_hook_cannot_write_into_a_volume_that_is_mounted_read_only() {
    let labels = ["backupbot.backup.pre-hook=pg_dump -c -f /dumps/b app", "backupbot.restore.post-hook=psql -f /dumps/b app"];
    let found = said("postgres:16", "/dumps:ro", "", &labels);
    let says = "BB018 backupbot.backup.pre-hook: /dumps/b is in a volume that is mounted read-only";
    assert!(found.iter().any(|m| m.starts_with(says)), "{found:?}");
}

#[test]
fn a_dump_of_mongodump_is_somewhere_also_without_an_option() {
    let labels = ["backupbot.backup.pre-hook=mongodump", "backupbot.restore.post-hook=mongorestore --drop"];
    let found = said("mongo:7", "/data/db", "", &labels);
    assert!(found.iter().any(|m| m.starts_with("BB018 backupbot.backup.pre-hook: /dump is")), "{found:?}");
    let printed = [
        "backupbot.backup.pre-hook=mongodump --archive > /data/db/b",
        "backupbot.restore.post-hook=mongorestore --drop --archive=/data/db/b",
    ];
    assert_eq!(said("mongo:7", "/data/db", "", &printed), Vec::<String>::new());
}

#[test]
fn a_dump_of_one_server_is_none_of_another_one() {
    let app = |pre: &str| -> Vec<String> {
        let labels =
            ["coop-cloud.${STACK_NAME}.version=1.0.0+1", "backupbot.backup=true", pre, "backupbot.restore.post-hook=load"];
        let server = |name, volume: &'static str| (name, "postgres:16", volume, &[][..]);
        let (one, two) = (server("one", "one:/var/lib/postgresql/data"), server("two", "two:/var/lib/postgresql/data"));
        let found = lints(&[("app", "x/y:1", "data:/data", &labels[..]), one, two]);
        found.into_iter().filter_map(|m| m.strip_prefix("BB030 service ").map(|m| m[..3].to_owned())).collect()
    };
    for (pre, without) in [
        ("pg_dump -c -h one app > /data/b", &["two"][..]),
        ("pg_dump -c -h ${STACK_NAME}_two app > /data/b", &["one"]),
        ("pg_dump -c -h $DB_HOST app > /data/b", &[]),
        ("PGHOST=one pg_dump -c app > /data/b", &["two"]),
        ("pg_dump -c app > /data/b", &["one", "two"]),
        ("mysqldump -h one app > /data/b", &["one", "two"]),
    ] {
        assert_eq!(app(&format!("backupbot.backup.pre-hook={pre}")), without, "{pre}");
    }
    let own = ["backupbot.backup.pre-hook=pg_dump -c -f /var/lib/postgresql/data/b app", "backupbot.restore.post-hook=load"];
    let switch = ["coop-cloud.${STACK_NAME}.version=1.0.0+1", "backupbot.backup=true", "backupbot.backup.volumes.two=false"];
    let found = lints(&[
        ("app", "x/y:1", "data:/data", &switch[..]),
        ("one", "postgres:16", "one:/var/lib/postgresql/data", &own[..]),
        ("two", "postgres:16", "two:/var/lib/postgresql/data", &[]),
    ]);
    let excluded = "BB041 service two: volume two with PostgreSQL is excluded, and no hook writes a dump";
    assert_eq!(found, [excluded]);
}

#[test]
fn only_a_hook_that_may_load_the_dump_is_its_restore() {
    let pre = format!("pg_dump -c -f {PGDATA}/b app");
    for (post, is_loaded) in [
        (format!("rm -f {PGDATA}/b"), false),
        ("chown -R postgres /var/lib".to_owned(), false),
        ("psql -c \"REINDEX DATABASE app\" app".to_owned(), false),
        (format!("psql -f {PGDATA}/b app"), true),
        ("psql -f $FILE app".to_owned(), true),
        ("/usr/local/bin/load".to_owned(), true),
    ] {
        let found = postgres(&pre, "b", &post);
        assert_eq!(!found.iter().any(|m| m.starts_with("BB031")), is_loaded, "{post}: {found:?}");
    }
}

#[test]
fn a_load_in_a_hook_before_the_files_are_put_back_is_too_early() {
    let labels = |post: &str| {
        let pre = format!("backupbot.backup.pre-hook=pg_dump -c -f {PGDATA}/b app");
        let load = format!("backupbot.restore.pre-hook=psql -f {PGDATA}/b app");
        let post = format!("backupbot.restore.post-hook={post}");
        said("postgres:16", PGDATA, "", &[&pre, "backupbot.backup.volumes.data.path=b", &load, &post])
    };
    let found = labels("vacuumdb app");
    assert!(found.iter().any(|m| m.starts_with("BB033 backupbot.restore.pre-hook runs before")), "{found:?}");
    assert_eq!(labels(&format!("psql -f {PGDATA}/b app")), Vec::<String>::new());
}

#[test]
fn a_restore_replaces_what_is_there() {
    for (pre, post, code) in [
        ("pg_dump app > $D/b", "psql app < $D/b", Some("BB043")),
        ("pg_dump -c app > $D/b", "psql app < $D/b", None),
        ("pg_dump app > $D/b", "dropdb app && createdb app && psql app < $D/b", None),
        ("pg_dump app > $D/b", "psql -c \"DROP SCHEMA public CASCADE\" app && psql app < $D/b", None),
        ("pg_dump -Fc -f $D/b app", "pg_restore -d app $D/b", Some("BB043")),
        ("pg_dump -Fc -f $D/b app", "pg_restore --clean $D/b", Some("BB043")),
        ("pg_dump -Fc -f $D/b app", "pg_restore -cd app $D/b", None),
        ("pg_dump -Fc -f $D/b app", "dropdb app && createdb app && pg_restore -d app $D/b", None),
    ] {
        let filled = |text: &str| text.replace("$D", PGDATA);
        let found = postgres(&filled(pre), "b", &filled(post));
        assert_eq!(found.iter().map(|m| &m[..5]).collect::<Vec<_>>(), code.into_iter().collect::<Vec<_>>(), "{pre}: {found:?}");
    }
}

#[test]
fn a_dump_is_in_a_file_and_its_failure_is_seen() {
    let load = format!("psql -f {PGDATA}/b app");
    for (pre, code) in [
        ("pg_dump -c app", Some("BB042")),
        ("pg_dump -c app > $D/b || true", Some("BB020")),
        ("pg_dump -c app > $D/b; chmod 600 $D/b", Some("BB020")),
        ("pg_dump -c app > $D/b\nchmod 600 $D/b", Some("BB020")),
        ("pg_dump -c app > $D/b &", Some("BB020")),
        ("pg_dump -c app > $D/b && gzip -t $D/b; echo done", Some("BB020")),
        ("set -e; pg_dump -c app > $D/b; chmod 600 $D/b", None),
        ("sh -ec \"pg_dump -c app > $D/b; chmod 600 $D/b\"", None),
        ("pg_dump -c app > $D/b || exit 1", None),
        ("pg_dump -c app > $D/b || { echo failed; exit 1; }", None),
        ("pg_dump -c app > $D/b || (echo failed; exit 1)", None),
        ("pg_dump -c app > $D/b; test -s $D/b", None),
        ("pg_dump -c app > $D/b; exit $?", None),
        ("pg_dump -c app > $D/b & wait $!", None),
        ("if pg_dump -c app > $D/b; then echo done; fi", None),
        ("(cd / && pg_dump -c app > $D/b) && echo done", None),
        ("pg_dump -c -h localhost -p$(cat /port) app > $D/b", None),
        ("ls -t $D/old | tail -n +8 | xargs -r rm -f; pg_dump -c app > $D/b", None),
    ] {
        let found = postgres(&pre.replace("$D", PGDATA).replace('$', "$$"), "b", &load);
        assert_eq!(found.iter().map(|m| &m[..5]).collect::<Vec<_>>(), code.into_iter().collect::<Vec<_>>(), "{pre}: {found:?}");
    }
}

#[test]
fn a_check_of_the_dump_does_not_hide_where_it_is() {
    let load = format!("psql -f {PGDATA}/b app");
    for check in [
        "tail -n 3 $F | grep -q complete",
        "grep -q complete $F",
        "test -s $F",
        "wc -c $F",
        "sha256sum $F",
        "du -h $F",
        "stat -c %s $F",
        "head -n 1 $F",
        "ls -l $F",
    ] {
        let pre = |file: &str| format!("pg_dump -c app > {file} && {}", check.replace("$F", file));
        let found = postgres(&pre("/tmp/b"), "b", &load);
        assert!(found.iter().any(|m| m.starts_with("BB018 backupbot.backup.pre-hook: /tmp/b is")), "{check}: {found:?}");
        let found = postgres(&pre(&format!("{PGDATA}/c")), "b", &load);
        assert!(found.iter().any(|m| m.starts_with("BB032")), "{check}: {found:?}");
    }
}

#[test]
fn what_is_packed_and_then_removed_is_no_lost_dump() {
    for (pre, path, post) in [
        ("pg_dump -c app | gzip > $D/b.gz && gzip -t $D/b.gz", "b.gz", "gunzip -c $D/b.gz | psql app"),
        (
            "pg_dump -c -f $D/b app && tar -czf $D/b.tgz -C $D/ b && rm -f $D/b",
            "b.tgz",
            "tar -xzf $D/b.tgz -C $D/ && psql -f $D/b app",
        ),
        ("pg_dump -c -f $D/b app && zstd -f $D/b -o $D/b.zst && rm -f $D/b", "b.zst", "zstd -dc $D/b.zst | psql app"),
        (
            "mkdir -p /tmp/x && pg_dump -c -f /tmp/x/b app && tar -cf $D/b.tar -C /tmp/x .",
            "b.tar",
            "tar -xf $D/b.tar -C /tmp && load",
        ),
        ("install -d -m 0700 $D/tmp && pg_dump -c -f $D/b app", "b", "psql -f $D/b app"),
    ] {
        let filled = |text: &str| text.replace("$D", PGDATA);
        let found = postgres(&filled(pre), path, &filled(post));
        let found: Vec<_> = found.iter().filter(|m| !m.starts_with("BB020")).collect();
        assert_eq!(found, Vec::<&String>::new(), "{pre}");
    }
}

#[test]
fn what_a_server_answers_is_no_dump() {
    let ask = |file: &str| {
        let pre = format!("backupbot.backup.pre-hook=curl -fsS -o {file} http://localhost/maintenance/on");
        let post = format!("backupbot.backup.post-hook=curl -fsS -o {file} http://localhost/maintenance/off");
        said("x/y:1", "/data", "", &[&pre, &post])
    };
    assert_eq!(ask("/tmp/answer"), Vec::<String>::new());
    assert!(ask("/data/export.zip").iter().any(|m| m.starts_with("BB031")), "{:?}", ask("/data/export.zip"));
}

#[test]
fn an_image_that_nobody_knows_may_be_a_database() {
    let found = said("x/own:1", PGDATA, "", &[]);
    let says = "BB044 service app: volume data is mounted at /var/lib/postgresql/data, where PostgreSQL keeps its files, and no hook of the \
                service writes a dump";
    assert_eq!(found, [says]);
    assert_eq!(said("x/own:1", PGDATA, "", &["backupbot.backup.volumes.data=false"]), Vec::<String>::new());
    // It is the volume of a server that is known.
    let switch = ["coop-cloud.${STACK_NAME}.version=1.0.0+1", "backupbot.backup=true"];
    let dump = ["backupbot.backup.pre-hook=/usr/bin/dump", "backupbot.restore.post-hook=/usr/bin/load"];
    let found = lints(&[
        ("app", "x/own:1", "one:/var/lib/postgresql/data", &switch[..]),
        ("db", "postgres:16", "one:/var/lib/postgresql/data", &dump[..]),
    ]);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn what_is_the_hosts_own_is_no_state_of_the_app() {
    for (path, is_state) in [
        ("/dev/null", false),
        ("/dev/dri", false),
        ("/proc", false),
        ("/sys/fs/cgroup", false),
        ("/run/x", false),
        ("/var/run", false),
        ("/var/run/docker.sock", false),
        ("/devel", true),
        ("/srv/app", true),
    ] {
        let found = said("x/y:1", &format!("/data', '{path}:/a"), "", &[]);
        let codes: Vec<&str> = found.iter().map(|m| &m[..5]).collect();
        assert_eq!(codes == ["BB017"], is_state, "{path}: {codes:?}");
        assert_eq!(codes.is_empty(), !is_state, "{path}: {codes:?}");
    }
}

#[test]
fn paths_are_names_with_nothing_but_commas_between_them() {
    let path = |value: &str| said("x/y:1", "/data", "", &[&format!("backupbot.backup.volumes.data.path={value}")]);
    for (value, code) in [
        ("a*.sql", Some("BB011")),
        ("a,b?", Some("BB011")),
        ("[ab]", Some("BB011")),
        ("a, b", Some("BB045")),
        ("a ,b", Some("BB045")),
        ("a b", None),
        ("a,b", None),
    ] {
        assert_eq!(path(value).iter().map(|m| &m[..5]).collect::<Vec<_>>(), code.into_iter().collect::<Vec<_>>(), "{value}");
    }
}
