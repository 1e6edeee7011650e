//! What lint says, and does not say, of hooks and labels as recipes have them.

use recipe::labels::lint::lint;
use recipe::labels::recipe::RecipeFiles;

/// The codes and messages for a service with one volume and these labels.
fn said(image: &str, mount: &str, extra: &str, labels: &[&str]) -> Vec<String> {
    let labels: String = labels.iter().map(|l| format!("        - {}\n", serde_json::json!(l))).collect();
    let text = format!(
        "services:\n  app:\n    image: {image}\n    volumes: ['data:{mount}', 'cache:/cache']\n{extra}    deploy:\n      labels:\n        - \
         coop-cloud.${{STACK_NAME}}.version=1.0.0+1\n        - backupbot.backup=true\n{labels}volumes:\n  data:\n  cache:\n"
    );
    let recipe = RecipeFiles::default().parse(vec![("compose.yml".into(), text)]).expect("a recipe");
    lint(&recipe, None).into_iter().map(|m| format!("{} {}", m.rule.lesson().code, m.message)).collect()
}

const PGDATA: &str = "/var/lib/postgresql/data";

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
        ("pg_dump -f $D/b app", "b", "pg_restore -d app $D/b", Some("BB039")),
        ("pg_dump -f $D/b app && gzip -f $D/b", "b.gz", "psql -f $D/b.gz app", Some("BB039")),
        ("pg_dump -Fc -f $D/b.part app && mv $D/b.part $D/b", "b", "psql app < $D/b", Some("BB039")),
        ("pg_dump --format custom -f $D/b app", "b", "pg_restore -d app $D/b", None),
        ("pg_dump -f $D/b app && gzip -f $D/b", "b.gz", "gunzip -f $D/b.gz && psql -f $D/b app", None),
        ("pg_dump -Z9 -f $D/b.gz app", "b.gz", "gunzip -f $D/b.gz && psql -f $D/b app", None),
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
    let found = postgres(&format!("pg_dump -f {file} app; rm -f {file}"), "b", &load);
    assert_eq!(found, ["BB032 backupbot.backup.pre-hook writes b of volume data, and removes it before the files are copied"]);
    assert_eq!(postgres(&format!("pg_dump -f {file} app || rm -f {file}"), "b", &load), Vec::<String>::new());
}

#[test]
fn a_dump_at_a_relative_path_is_in_no_volume() {
    let found = postgres("pg_dump -U app app > b.sql", "b.sql", "psql -U app -f b.sql app");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("BB018 backupbot.backup.pre-hook: /b.sql is in the container's writable layer"), "{found:?}");
    let pre = format!("cd {PGDATA} && pg_dump -U app app > b.sql");
    assert_eq!(postgres(&pre, "b.sql", &format!("psql -U app -f {PGDATA}/b.sql app")), Vec::<String>::new());
    let labels = ["backupbot.backup.pre-hook=pg_dump app > b", "backupbot.restore.post-hook=psql -f b app"];
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
    let pre = format!("pg_dump -f {PGDATA}/a a && pg_dump -f {PGDATA}/b b && cp /etc/x.conf {PGDATA}/x.conf");
    let found = postgres(&pre, "a,b,x.conf", &format!("psql -f {PGDATA}/a a"));
    assert_eq!(found, ["BB031 backupbot.backup.pre-hook writes b of volume data, which no hook loads"]);
    for post in [format!("psql -f {PGDATA}/a a && psql -f {PGDATA}/b b"), format!("for f in {PGDATA}/*; do load $$f; done")] {
        assert_eq!(postgres(&pre, "a,b,x.conf", &post), Vec::<String>::new(), "{post}");
    }
}

#[test]
fn a_path_that_begins_with_a_dot_is_the_same_path() {
    let (pre, post) = (format!("pg_dump -f {PGDATA}/b app"), format!("psql -f {PGDATA}/b app"));
    for path in ["./b", ".", "b/."] {
        assert_eq!(postgres(&pre, path, &post), Vec::<String>::new(), "{path}");
    }
}

#[test]
fn a_hook_cannot_write_into_a_volume_that_is_mounted_read_only() {
    let labels = ["backupbot.backup.pre-hook=pg_dump -f /dumps/b app", "backupbot.restore.post-hook=psql -f /dumps/b app"];
    let found = said("postgres:16", "/dumps:ro", "", &labels);
    assert!(
        found[0].starts_with("BB018 backupbot.backup.pre-hook: /dumps/b is in a volume that is mounted read-only"),
        "{found:?}"
    );
}

#[test]
fn a_dump_of_mongodump_is_somewhere_also_without_an_option() {
    let labels = ["backupbot.backup.pre-hook=mongodump", "backupbot.restore.post-hook=mongorestore --drop"];
    let found = said("mongo:7", "/data/db", "", &labels);
    assert!(found.iter().any(|m| m.starts_with("BB018 backupbot.backup.pre-hook: /dump is")), "{found:?}");
    let printed = [
        "backupbot.backup.pre-hook=mongodump --archive > /data/db/b",
        "backupbot.restore.post-hook=mongorestore --archive=/data/db/b",
    ];
    assert_eq!(said("mongo:7", "/data/db", "", &printed), Vec::<String>::new());
}
