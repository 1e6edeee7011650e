use super::*;

#[test]
fn what_hooks_of_real_recipes_do() {
    for (text, tools, writes, hiding) in [
        ("redis-cli save", &["redis-cli"][..], &[][..], None),
        (
            "sh -c 'PGPASSWORD=$(cat /run/secrets/db) pg_dump -U app db > /postgres.dump'",
            &["sh", "cat", "pg_dump"],
            &["/postgres.dump"],
            None,
        ),
        (
            "sh -c \"mysqldump -u root db | gzip > /var/lib/mysql/dump.gz\"",
            &["sh", "mysqldump", "gzip"],
            &["/var/lib/mysql/dump.gz"],
            Some("mysqldump"),
        ),
        ("bash -c 'set -o pipefail; a | b'", &["bash", "set", "a", "b"], &[], None),
        ("/usr/bin/pg_dump --file=/data/x db 2>/dev/null", &["pg_dump"], &["/data/x"], None),
        ("sh -c 'echo a >&2 && rm -f /dump || true'", &["sh", "echo", "rm", "true"], &[], None),
        ("sqlite3 /data/main.db \".backup '/tmp/x.db'\"", &["sqlite3"], &["/tmp/x.db"], None),
        ("tar -czf /srv/a.tgz /data", &["tar"], &["/srv/a.tgz"], None),
        ("sh -c 'if pg_dump db > /data/d; then gzip /data/d; fi'", &["sh", "pg_dump", "gzip"], &["/data/d", "/data/d.gz"], None),
        ("for f in a b; do tar -cf /data/$f.tar $f; done # a | b > /c", &["tar"], &["/data/$f.tar"], None),
        ("! { while a; do b | c > /d; done; }", &["a", "b", "c"], &["/d"], Some("b")),
        ("ls -t /old | tail -n +8 | xargs -r rm -f", &["ls", "tail", "xargs"], &[], None),
        ("psql -lqt | cut -d x -f 1 | grep -qw app", &["psql", "cut", "grep"], &[], None),
        ("gunzip -c /d | psql app", &["gunzip", "psql"], &[], Some("gunzip")),
        ("mysqldump app | aws s3 cp - s3://b", &["mysqldump", "aws"], &[], Some("mysqldump")),
        (
            "F=/data/d; cd /data && pg_dump > $F && pg_dumpall > all.sql",
            &["cd", "pg_dump", "pg_dumpall"],
            &["/data/d", "/data/all.sql"],
            None,
        ),
        ("", &[], &[], None),
        ("'unclosed", &["unclosed"], &[], None),
    ] {
        let found = read(text);
        assert_eq!(found.writes, writes, "{text}");
        assert_eq!(found.hiding.as_deref(), hiding, "{text}");
        assert_eq!(found.tools, tools, "{text}");
    }
}

#[test]
fn what_a_hook_leaves_and_what_it_reads() {
    for (text, results, reads) in [
        ("pg_dump > /tmp/d && gzip -c /tmp/d > /data/d.gz && rm /tmp/d", &["/data/d.gz"][..], &["/tmp/d"][..]),
        ("rm -f /dump && pg_dump > /dump", &["/dump"], &[]),
        ("pg_dump > /data/d 2>> /var/log/backup.log", &["/data/d"], &[]),
        ("sh -c 'gunzip -c /data/b.gz > /tmp/b && psql -f /tmp/b app'", &[], &["/data/b.gz", "/tmp/b"]),
        ("psql app < /data/d", &[], &["/data/d"]),
        ("echo done > /state", &[], &[]),
    ] {
        let found = read(text);
        assert_eq!(found.results().map(String::as_str).collect::<Vec<_>>(), results, "{text}");
        assert_eq!(found.reads, reads, "{text}");
    }
    let python = read("python3 -c \"import sqlite3; sqlite3.connect('file:/data/a.db?mode=ro')\"");
    assert_eq!(python.names, ["/data/a.db"]);
}

#[test]
fn what_is_called_by_its_path() {
    let called = |text: &str| read(text).called.pop().map(|c| (c.path, c.arguments.join(" "), c.shell));
    let all = |path: &str, arguments: &str, shell: Option<&str>| {
        Some((path.to_owned(), arguments.to_owned(), shell.map(str::to_owned)))
    };
    assert_eq!(called("/pg_backup.sh backup"), all("/pg_backup.sh", "backup", None));
    assert_eq!(called("sh /pg_backup.sh backup"), all("/pg_backup.sh", "backup", Some("sh")));
    assert_eq!(called("bash -c '/x.sh a'"), all("/x.sh", "a", None));
    assert_eq!(called("occ maintenance:mode --on"), None);
}

#[test]
fn what_a_script_does_when_it_is_called() {
    let script = "#!/bin/bash\nset -e\nBACKUP_FILE='/var/lib/postgresql/data/backup.sql'\nfunction backup {\n  export PGPASSWORD=$(cat /run/secrets/db)\n  pg_dump -U ${POSTGRES_USER} ${POSTGRES_DB} > $BACKUP_FILE\n}\nfunction restore {\n  psql -U ${POSTGRES_USER} -1 -f $BACKUP_FILE\n}\n$@\n";
    let backup = read_script(script, &["backup".into()], &Variables::new(), None);
    assert_eq!(backup.results().collect::<Vec<_>>(), ["/var/lib/postgresql/data/backup.sql"]);
    let restore = read_script(script, &["restore".into()], &Variables::new(), None);
    assert_eq!(restore.reads, ["/var/lib/postgresql/data/backup.sql"]);
    assert!(!restore.tools.contains(&"pg_dump".to_owned()));
    assert_eq!(interpreter(script), Some("bash"));
    assert_eq!(interpreter("#!/usr/bin/env -S python3\n"), Some("python3"));
    assert_eq!(interpreter("set -e\n"), None);
}

#[test]
fn what_a_hook_removes_again_in_any_case() {
    for (text, removed) in [
        ("pg_dump > /data/d; rm -f /data/d", &["/data/d"][..]),
        ("pg_dump > /data/d && gzip /data/d && rm /data/d.gz", &["/data/d.gz"]),
        ("rm -f /data/d; pg_dump > /data/d", &[]),
        ("pg_dump > /data/d || rm -f /data/d", &[]),
        ("if ! pg_dump > /data/d; then rm -f /data/d; exit 1; fi", &[]),
        ("pg_dump > /data/d; rm /data/d; pg_dump > /data/d", &[]),
        ("clean() {\n  rm -f /data/d\n}\npg_dump > /data/d\n", &[]),
        ("pg_dump > /data/d\nclean() {\n  rm -f /data/d\n}\n", &[]),
    ] {
        assert_eq!(read(text).removed, removed, "{text}");
    }
}

#[test]
fn relative_paths_begin_where_the_containers_commands_do() {
    for (text, writes) in [
        ("pg_dump app > b.sql", &["/b.sql"][..]),
        ("cd /data && pg_dump app > b.sql", &["/data/b.sql"]),
        ("cd $PGDATA && pg_dump app > b.sql", &[]),
        ("su - postgres -c \"pg_dump app > b.sql\"", &[]),
        ("su postgres -c \"pg_dump app > b.sql\"", &["/b.sql"]),
        ("pg_dump app > $FILE", &[]),
    ] {
        assert_eq!(read_in(text, &Variables::new(), Some("/")).writes, writes, "{text}");
        let known: Vec<&str> = writes.iter().copied().filter(|w| text.contains("cd /data") && w.starts_with("/data")).collect();
        assert_eq!(read(text).writes, known, "{text}");
    }
}

#[test]
fn in_which_form_a_dump_is_written_and_read() {
    for (text, written, read_as) in [
        ("pg_dump -Fc app > /d", &[("/d", "an archive of pg_dump")][..], &[][..]),
        ("pg_dump app | gzip > /d", &[("/d", "a gzip file")], &[]),
        ("pg_dump -f /d.part app && mv /d.part /d", &[("/d.part", "SQL text"), ("/d", "SQL text")], &[]),
        ("psql -f /d app", &[], &[("/d", "SQL text", "psql")]),
        ("gunzip -c /d | psql app", &[], &[("/d", "a gzip file", "gunzip")]),
        ("cat /d | psql app", &[], &[]),
    ] {
        let found = read(text);
        let own = |list: &[(&str, &'static str)]| list.iter().map(|(p, f)| ((*p).to_owned(), *f)).collect::<Vec<_>>();
        assert_eq!(found.written_as, own(written), "{text}");
        let read_as: Vec<_> = read_as.iter().map(|(p, f, t)| ((*p).to_owned(), *f, (*t).to_owned())).collect();
        assert_eq!(found.read_as, read_as, "{text}");
    }
}

#[test]
fn a_wrapper_may_run_programs() {
    for (argument, may) in
        [("backup", true), ("pg_dump", false), ("sh", false), ("-v", false), ("/bin/date", false), ("$1", false)]
    {
        assert_eq!(may_name_part(argument), may, "{argument}");
    }
}
