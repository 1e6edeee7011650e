"""Mailu's schema on SQLite: /data/main.db, and the DKIM keys in /dkim."""

import datetime
import os
import pathlib
import sqlite3
import uuid

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

DATA = pathlib.Path(os.environ.get("DATA_PATH", "/data"))
DKIM = pathlib.Path(os.environ.get("DKIM_KEYS_PATH", "/dkim"))
SELECTOR = "dkim"
# The heads of the migrations of Mailu 2.0 and 2024.06: the newer one adds a column.
OLD_REVISION, REVISION = "6b8f5e8caaa9", "0ba45693748d"
OLD = os.environ.get("MAILU_VERSION", "").startswith(("1.", "2.0"))

_COMMON = "created_at DATE NOT NULL, updated_at DATE, comment VARCHAR(255)"
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
CREATE TABLE IF NOT EXISTS config ({_COMMON}, name VARCHAR(255) NOT NULL PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS domain ({_COMMON}, name VARCHAR(80) NOT NULL PRIMARY KEY,
  max_users INTEGER NOT NULL DEFAULT -1, max_aliases INTEGER NOT NULL DEFAULT -1,
  max_quota_bytes BIGINT NOT NULL DEFAULT 0, signup_enabled BOOLEAN NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS alternative ({_COMMON}, name VARCHAR(80) NOT NULL PRIMARY KEY,
  domain_name VARCHAR(80) REFERENCES domain (name));
CREATE TABLE IF NOT EXISTS relay ({_COMMON}, name VARCHAR(80) NOT NULL PRIMARY KEY, smtp VARCHAR(80));
CREATE TABLE IF NOT EXISTS user ({_COMMON}, localpart VARCHAR(80) NOT NULL, password VARCHAR(255) NOT NULL,
  quota_bytes BIGINT NOT NULL DEFAULT 0, quota_bytes_used BIGINT NOT NULL DEFAULT 0,
  global_admin BOOLEAN NOT NULL DEFAULT 0, enabled BOOLEAN NOT NULL DEFAULT 1,
  enable_imap BOOLEAN NOT NULL DEFAULT 1, enable_pop BOOLEAN NOT NULL DEFAULT 1,
  allow_spoofing BOOLEAN NOT NULL DEFAULT 0, forward_enabled BOOLEAN NOT NULL DEFAULT 0,
  forward_destination VARCHAR(255) DEFAULT '', forward_keep BOOLEAN NOT NULL DEFAULT 1,
  reply_enabled BOOLEAN NOT NULL DEFAULT 0, reply_subject VARCHAR(255), reply_body TEXT,
  reply_startdate DATE NOT NULL DEFAULT '1900-01-01', reply_enddate DATE NOT NULL DEFAULT '2999-12-31',
  displayed_name VARCHAR(160) NOT NULL DEFAULT '', spam_enabled BOOLEAN NOT NULL DEFAULT 1,
  spam_mark_as_read BOOLEAN NOT NULL DEFAULT 1, spam_threshold INTEGER NOT NULL DEFAULT 80, email VARCHAR(255) NOT NULL PRIMARY KEY,
  domain_name VARCHAR(80) REFERENCES domain (name));
CREATE TABLE IF NOT EXISTS alias ({_COMMON}, localpart VARCHAR(80) NOT NULL,
  wildcard BOOLEAN NOT NULL DEFAULT 0, destination VARCHAR(1023) NOT NULL DEFAULT '',
  email VARCHAR(255) NOT NULL PRIMARY KEY, domain_name VARCHAR(80) REFERENCES domain (name));
CREATE TABLE IF NOT EXISTS manager (domain_name VARCHAR(80) REFERENCES domain (name),
  user_email VARCHAR(255) REFERENCES user (email));
CREATE TABLE IF NOT EXISTS token ({_COMMON}, id INTEGER NOT NULL PRIMARY KEY,
  user_email VARCHAR(255) NOT NULL REFERENCES user (email), password VARCHAR(255) NOT NULL, ip VARCHAR(255));
CREATE TABLE IF NOT EXISTS fetch ({_COMMON}, id INTEGER NOT NULL PRIMARY KEY,
  user_email VARCHAR(255) NOT NULL REFERENCES user (email), protocol VARCHAR(4) NOT NULL,
  host VARCHAR(255) NOT NULL, port INTEGER NOT NULL, tls BOOLEAN NOT NULL DEFAULT 0,
  username VARCHAR(255) NOT NULL, password VARCHAR(255) NOT NULL, keep BOOLEAN NOT NULL DEFAULT 0,
  scan BOOLEAN NOT NULL DEFAULT 0, folders VARCHAR(255), last_check DATETIME, error VARCHAR(1023));
"""

COLUMNS = {
    "config": ["name", "value"],
    "domain": ["name", "max_users", "max_aliases", "max_quota_bytes", "signup_enabled"],
    "alternative": ["name", "domain_name"],
    "relay": ["name", "smtp"],
    "user": ["email", "localpart", "domain_name", "password", "quota_bytes", "global_admin", "enabled",
             "enable_imap", "enable_pop", "allow_spoofing", "forward_enabled", "forward_destination",
             "forward_keep", "reply_enabled", "reply_subject", "reply_body", "reply_startdate",
             "reply_enddate", "displayed_name", "spam_enabled", "spam_mark_as_read", "spam_threshold",
             "change_pw_next_login"],
    "alias": ["email", "localpart", "domain_name", "wildcard", "destination"],
    "token": ["user_email", "password", "ip"],
    "fetch": ["user_email", "protocol", "host", "port", "tls", "username", "password", "keep", "scan", "folders"],
}


def connect(writable=True):
    """The database; SQLite's own journal mode (delete) is kept, as in Mailu."""
    mode = "rwc" if writable else "ro"
    db = sqlite3.connect(f"file:{DATA}/main.db?mode={mode}", uri=True, timeout=15)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA foreign_keys = ON")
    return db


def migrate():
    with connect() as db:
        db.executescript(SCHEMA)
        if not db.execute("SELECT 1 FROM alembic_version").fetchone():
            db.execute("INSERT INTO alembic_version VALUES (?)", (OLD_REVISION,))
        # Another revision than the one before is none of ours to change.
        if not OLD and db.execute("SELECT version_num FROM alembic_version").fetchone()[0] == OLD_REVISION:
            db.execute("ALTER TABLE user ADD COLUMN change_pw_next_login BOOLEAN NOT NULL DEFAULT 0")
            db.execute("UPDATE alembic_version SET version_num = ?", (REVISION,))
    instance = DATA / "instance"
    if not instance.exists():
        instance.write_text(str(uuid.uuid4()))


def address(localpart, domain):
    """Mailu stores domains in IDNA, everything in lower case."""
    return f"{localpart.lower()}@{idna(domain)}"


def idna(domain):
    return domain.lower().encode("idna").decode("ascii")


def upsert(db, table, key, values):
    """Inserts a row, or changes the columns given of the row that has the key."""
    today = datetime.date.today().isoformat()
    known = {k: v for k, v in values.items() if k in COLUMNS[table] or k == "comment"}
    names = [k for k in known if k not in key]
    where = " AND ".join(f"{k} = ?" for k in key)
    keys = [values[k] for k in key]
    if db.execute(f"SELECT 1 FROM {table} WHERE {where}", keys).fetchone():
        if names:
            sets = ", ".join(f"{n} = ?" for n in names)
            db.execute(f"UPDATE {table} SET {sets}, updated_at = ? WHERE {where}",
                       [known[n] for n in names] + [today] + keys)
    else:
        cols = list(known) + ["created_at"]
        db.execute(f"INSERT INTO {table} ({', '.join(cols)}) VALUES ({', '.join('?' * len(cols))})",
                   list(known.values()) + [today])


def key_path(domain):
    return DKIM / f"{domain}.{SELECTOR}.key"


def generate_key(domain):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    write_key(domain, key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()))


def write_key(domain, pem):
    path = key_path(domain)
    path.write_bytes(pem if isinstance(pem, bytes) else pem.encode())
    path.chmod(0o600)
