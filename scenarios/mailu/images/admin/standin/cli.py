"""`flask mailu …`: the commands of Mailu 2024.06 that recipes and operators use."""

import argparse
import json
import sys

import yaml
from passlib import hash as schemes

from . import store

LISTS = {"forward_destination", "destination", "folders"}


def hashed(password):
    return schemes.sha512_crypt.hash(password)


def flat(values):
    return {k: ",".join(v) if k in LISTS and isinstance(v, list) else v for k, v in values.items()}


def put_domain(db, item):
    name = store.idna(item["name"])
    store.upsert(db, "domain", ["name"], {**item, "name": name})
    for alternative in item.get("alternatives", []):
        alternative = alternative if isinstance(alternative, dict) else {"name": alternative}
        store.upsert(db, "alternative", ["name"],
                     {**alternative, "name": store.idna(alternative["name"]), "domain_name": name})
    key = item.get("dkim_key")
    if key == "-generate-":
        store.generate_key(name)
    elif key:
        store.write_key(name, "\n".join(key) + "\n" if isinstance(key, list) else key)


def put_user(db, item):
    localpart, domain = item["email"].rsplit("@", 1)
    email = store.address(localpart, domain)
    values = flat(item)
    if "password" in values and values.get("hash_password"):
        values["password"] = hashed(values["password"])
    values.update(email=email, localpart=localpart.lower(), domain_name=store.idna(domain))
    store.upsert(db, "user", ["email"], values)
    for managed in item.get("manager_of", []):
        row = (store.idna(managed), email)
        if not db.execute("SELECT 1 FROM manager WHERE domain_name = ? AND user_email = ?", row).fetchone():
            db.execute("INSERT INTO manager VALUES (?, ?)", row)
    for table, key in (("token", "tokens"), ("fetch", "fetches")):
        if key in item:
            db.execute(f"DELETE FROM {table} WHERE user_email = ?", (email,))
        for row in item.get(key, []):
            row = flat(row)
            if isinstance(row.get("ip"), list):
                row["ip"] = ",".join(row["ip"])
            cols = {k: v for k, v in row.items() if k in store.COLUMNS[table] or k == "comment"}
            names = list(cols) + ["user_email", "created_at"]
            db.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
                       list(cols.values()) + [email, "2024-06-01"])


def put_alias(db, item):
    localpart, domain = item["email"].rsplit("@", 1)
    store.upsert(db, "alias", ["email"], {
        **flat(item), "email": store.address(localpart, domain),
        "localpart": localpart.lower(), "domain_name": store.idna(domain)})


def config_import(args):
    with (sys.stdin if args.source == "-" else open(args.source)) as source:
        config = yaml.safe_load(source) or {}
    unknown = set(config) - {"domain", "user", "alias", "relay", "config"}
    if unknown:
        sys.exit(f"ERROR: [ValidationError] unknown object: {', '.join(sorted(unknown))}")
    db = store.connect()
    with db:
        if not args.update:
            for table in ("manager", "token", "fetch", "alias", "user", "alternative", "domain", "relay"):
                db.execute(f"DELETE FROM {table}")
        for item in config.get("domain", []):
            put_domain(db, item)
        for item in config.get("relay", []):
            store.upsert(db, "relay", ["name"], {**item, "name": store.idna(item["name"])})
        for item in config.get("user", []):
            put_user(db, item)
        for item in config.get("alias", []):
            put_alias(db, item)
        for item in config.get("config", []):
            store.upsert(db, "config", ["name"], item)
        if args.dry_run:
            db.rollback()
    print(f"Config imported: {', '.join(f'{len(v)} {k}' for k, v in config.items())}")


def config_export(args):
    db = store.connect(writable=False)
    skip = set() if args.secrets else {"password"}
    rows = lambda sql, *p: [{k: r[k] for k in r.keys() if k not in skip} for r in db.execute(sql, p)]
    config = {
        "domain": rows("SELECT * FROM domain ORDER BY name"),
        "user": rows("SELECT * FROM user ORDER BY email"),
        "alias": rows("SELECT * FROM alias ORDER BY email"),
        "relay": rows("SELECT * FROM relay ORDER BY name"),
        "config": rows("SELECT * FROM config ORDER BY name"),
    }
    for domain in config["domain"]:
        domain["alternatives"] = rows("SELECT * FROM alternative WHERE domain_name = ?", domain["name"])
        path = store.key_path(domain["name"])
        if args.secrets and path.exists():
            domain["dkim_key"] = path.read_text()
    for user in config["user"]:
        user["tokens"] = rows("SELECT * FROM token WHERE user_email = ?", user["email"])
        user["fetches"] = rows("SELECT * FROM fetch WHERE user_email = ?", user["email"])
        user["manager_of"] = [r[0] for r in db.execute(
            "SELECT domain_name FROM manager WHERE user_email = ?", (user["email"],))]
    json.dump(config, sys.stdout, indent=2) if args.json else yaml.safe_dump(config, sys.stdout)


def one_user(args, admin=False):
    db = store.connect()
    email = store.address(args.localpart, args.domain_name)
    exists = db.execute("SELECT 1 FROM user WHERE email = ?", (email,)).fetchone()
    mode = getattr(args, "mode", "create")
    if exists and mode == "create":
        sys.exit(f"user '{email}' already exists, not created")
    if exists and mode == "ifmissing":
        return
    with db:
        store.upsert(db, "domain", ["name"], {"name": store.idna(args.domain_name)})
        if exists:
            db.execute("UPDATE user SET password = ? WHERE email = ?", (hashed(args.password), email))
        else:
            put_user(db, {"email": email, "password": args.password, "hash_password": True, "global_admin": admin})


def password(args):
    email = store.address(args.localpart, args.domain_name)
    with store.connect() as db:
        if not db.execute("UPDATE user SET password = ? WHERE email = ?", (hashed(args.password), email)).rowcount:
            sys.exit(f"User {email} not found.")


def user_delete(args):
    with store.connect() as db:
        if args.really:
            for table, column in (("manager", "user_email"), ("token", "user_email"), ("fetch", "user_email")):
                db.execute(f"DELETE FROM {table} WHERE {column} = ?", (args.email,))
            db.execute("DELETE FROM user WHERE email = ?", (args.email,))
        else:
            db.execute("UPDATE user SET enabled = 0 WHERE email = ?", (args.email,))


def alias(args):
    localpart, domain = args.localpart, args.domain_name
    with store.connect() as db:
        put_alias(db, {"email": f"{localpart}@{domain}", "destination": args.destination, "wildcard": args.wildcard})


def alias_delete(args):
    with store.connect() as db:
        db.execute("DELETE FROM alias WHERE email = ?", (args.email,))


def domain(args):
    with store.connect() as db:
        put_domain(db, {"name": args.domain_name, "max_users": args.max_users,
                        "max_aliases": args.max_aliases, "max_quota_bytes": args.max_quota_bytes})


def main():
    root = argparse.ArgumentParser(prog="flask")
    mailu = root.add_subparsers(required=True).add_parser("mailu").add_subparsers(required=True)

    def command(name, run, *positional):
        parser = mailu.add_parser(name)
        parser.set_defaults(run=run)
        for argument in positional:
            parser.add_argument(argument)
        return parser

    parser = command("config-import", config_import)
    parser.add_argument("source", nargs="?", default="-")
    parser.add_argument("-u", "--update", action="store_true")
    parser.add_argument("-n", "--dry-run", action="store_true")
    for flag in ("-v", "--verbose", "-s", "--secrets", "-q", "--quiet"):
        parser.add_argument(flag, action="store_true")
    parser = command("config-export", config_export)
    for short, flag in (("-f", "--full"), ("-s", "--secrets"), ("-j", "--json")):
        parser.add_argument(short, flag, action="store_true")
    parser = command("domain", domain, "domain_name")
    for name, default in (("max_users", -1), ("max_aliases", -1), ("max_quota_bytes", 0)):
        parser.add_argument(f"--{name}".replace("_", "-"), dest=name, type=int, default=default)
    command("user", one_user, "localpart", "domain_name", "password")
    parser = command("admin", lambda args: one_user(args, admin=True), "localpart", "domain_name", "password")
    parser.add_argument("--mode", choices=["create", "ifmissing", "update"], default="create")
    command("password", password, "localpart", "domain_name", "password")
    command("user-delete", user_delete, "email").add_argument("-r", "--really", action="store_true")
    command("alias", alias, "localpart", "domain_name", "destination").add_argument(
        "-w", "--wildcard", action="store_true")
    command("alias-delete", alias_delete, "email")
    args = root.parse_args()
    args.run(args)


main()
