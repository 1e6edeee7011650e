"""The HTTP lookups of Mailu's admin: nginx asks who may log in, rspamd asks for DKIM keys."""

import http.server
import ipaddress
import json
import os
import signal
import socket
import sqlite3
import sys
import urllib.parse

from passlib.context import CryptContext

from . import store

# New hashes are bcrypt-sha256; whatever else verifies is rewritten at the first
# login, as Mailu does: a drill has to cope with that.
PASSWORDS = CryptContext(
    schemes=["bcrypt_sha256", "sha512_crypt", "sha256_crypt", "pbkdf2_sha256"], default="bcrypt_sha256",
    deprecated="auto", bcrypt_sha256__rounds=int(os.environ.get("CREDENTIAL_ROUNDS", "12")))

BACKENDS = {"imap": ("IMAP_ADDRESS", "imap", 143), "pop3": ("IMAP_ADDRESS", "imap", 110),
            "smtp": ("SMTP_ADDRESS", "smtp", 10025)}
INVALID = {"imap": "[AUTHENTICATIONFAILED] Authentication credentials invalid",
           "pop3": "[AUTH] Authentication credentials invalid", "smtp": "Authentication credentials invalid"}
UNAVAILABLE = {"imap": "[UNAVAILABLE] Temporary authentication failure",
               "pop3": "[SYS/TEMP] Temporary authentication failure", "smtp": "Temporary authentication failure"}


def allowed(networks, client):
    """Whether a token that is for some networks, or for all, may be used from that address."""
    networks = [n.strip() for n in (networks or "").split(",") if n.strip()]
    return not networks or any(ipaddress.ip_address(client) in ipaddress.ip_network(n) for n in networks)


def verified(email, password, protocol, client):
    with store.connect(writable=False) as db:
        user = db.execute("SELECT * FROM user WHERE email = ?", (email.lower(),)).fetchone()
        tokens = db.execute("SELECT password, ip FROM token WHERE user_email = ?", (email.lower(),)).fetchall()
    if not user or not user["enabled"]:
        return False
    if protocol in ("imap", "pop3") and not user["enable_imap" if protocol == "imap" else "enable_pop"]:
        return False
    if len(password) == 32 and any(allowed(row["ip"], client) and PASSWORDS.verify(password, row["password"]) for row in tokens):
        return True
    ok, better = PASSWORDS.verify_and_update(password, user["password"])
    if ok and better:
        with store.connect() as db:
            db.execute("UPDATE user SET password = ?, updated_at = date('now') WHERE email = ? AND password = ?",
                       (better, user["email"], user["password"]))
    return ok


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status=200, headers=(), body=b""):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/ping":
            self.answer()
        elif self.path.startswith("/internal/auth/email"):
            self.auth()
        elif self.path.startswith("/internal/rspamd/vault/v1/dkim/"):
            self.vault(self.path.rsplit("/", 1)[1].split("?")[0])
        else:
            self.answer(404)

    def auth(self):
        protocol = self.headers.get("Auth-Protocol", "")
        variable, name, port = BACKENDS.get(protocol, BACKENDS["smtp"])
        try:
            if self.headers.get("Auth-Method") == "none":
                port, ok = 25, protocol == "smtp"
            else:
                ok = verified(urllib.parse.unquote(self.headers.get("Auth-User", "")),
                              urllib.parse.unquote(self.headers.get("Auth-Pass", "")), protocol,
                              self.headers.get("Client-IP", "0.0.0.0"))
            if not ok:
                return self.answer(headers=[("Auth-Status", INVALID[protocol]), ("Auth-Error-Code", "535 5.7.8"),
                                            ("Auth-Wait", "0")])
            server = socket.gethostbyname(os.environ.get(variable, name))
        except (sqlite3.Error, OSError) as error:
            print(f"auth: {error}", file=sys.stderr, flush=True)
            return self.answer(headers=[("Auth-Status", UNAVAILABLE[protocol]), ("Auth-Error-Code", "451 4.3.0"),
                                        ("Auth-Wait", "0")])
        self.answer(headers=[("Auth-Status", "OK"), ("Auth-Server", server), ("Auth-Port", str(port))])

    def vault(self, domain):
        path = store.key_path(urllib.parse.unquote(domain))
        selectors = []
        if "/" not in domain and path.exists():
            selectors = [{"domain": domain, "selector": store.SELECTOR, "key": path.read_text()}]
        self.answer(headers=[("Content-Type", "application/json")],
                    body=json.dumps({"data": {"selectors": selectors}}).encode())


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


if "--migrate" in sys.argv:
    store.migrate()
else:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    Server(("0.0.0.0", 8080), Handler).serve_forever()
