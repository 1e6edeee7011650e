"""The HTTP side of Mailu's admin: nginx asks who may log in, rspamd asks for DKIM keys, users log in to the webmail."""

import hashlib
import hmac
import http.cookies
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
            "smtp": ("SMTP_ADDRESS", "smtp", 10025), "sieve": ("IMAP_ADDRESS", "imap", 4190)}
INVALID = {"imap": "[AUTHENTICATIONFAILED] Authentication credentials invalid",
           "pop3": "[AUTH] Authentication credentials invalid", "smtp": "Authentication credentials invalid",
           "sieve": "Authentication credentials invalid"}
UNAVAILABLE = {"imap": "[UNAVAILABLE] Temporary authentication failure",
               "pop3": "[SYS/TEMP] Temporary authentication failure", "smtp": "Temporary authentication failure",
               "sieve": "Temporary authentication failure"}


def allowed(networks, client):
    """Whether a token that is for some networks, or for all, may be used from that address."""
    networks = [n.strip() for n in (networks or "").split(",") if n.strip()]
    return not networks or any(ipaddress.ip_address(client) in ipaddress.ip_network(n) for n in networks)


def sealed(purpose, email):
    """What only this server can make of an address: a session's cookie, or a token for the webmail's way to the mail server."""
    return hmac.new(os.environ["SECRET_KEY"].encode(), f"{purpose} {email}".encode(), hashlib.sha256).hexdigest()


def verified(email, password, protocol, client):
    with store.connect(writable=False) as db:
        user = db.execute("SELECT * FROM user WHERE email = ?", (email.lower(),)).fetchone()
        tokens = db.execute("SELECT password, ip FROM token WHERE user_email = ?", (email.lower(),)).fetchall()
    if not user or not user["enabled"]:
        return False
    if protocol in ("imap", "pop3") and not user["enable_imap" if protocol == "imap" else "enable_pop"]:
        return False
    if hmac.compare_digest(password.encode(), f"token-{sealed('webmail', user['email'])}".encode()):
        return True
    if len(password) == 32 and any(allowed(row["ip"], client) and PASSWORDS.verify(password, row["password"]) for row in tokens):
        return True
    ok, better = PASSWORDS.verify_and_update(password, user["password"])
    if ok and better:
        with store.connect() as db:
            db.execute("UPDATE user SET password = ?, updated_at = date('now') WHERE email = ? AND password = ?",
                       (better, user["email"], user["password"]))
    return ok


LOGIN = b"""<!doctype html><title>Sign in</title><form method="post">
<input name="email" type="email"><input name="pw" type="password"><input name="submitWebmail" type="submit"></form>"""


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
        elif self.path.startswith("/internal/auth/user"):
            self.session()
        elif self.path.startswith("/sso/login"):
            self.answer(headers=[("Content-Type", "text/html; charset=utf-8")], body=LOGIN)
        elif self.path.startswith("/internal/rspamd/vault/v1/dkim/"):
            self.vault(self.path.rsplit("/", 1)[1].split("?")[0])
        else:
            self.answer(404)

    def do_POST(self):
        if not self.path.startswith("/sso/login"):
            return self.answer(404)
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode())
        email, password = (form.get(name, [""])[0] for name in ("email", "pw"))
        if not verified(email, password, "web", self.headers.get("X-Real-IP", "0.0.0.0")):
            return self.answer(headers=[("Content-Type", "text/html; charset=utf-8")],
                               body=LOGIN + b"<p>Wrong e-mail or password</p>")
        cookie = urllib.parse.quote(f"{email.lower()} {sealed('session', email.lower())}")
        self.answer(302, [("Location", "/webmail"), ("Set-Cookie", f"session={cookie}; Path=/; Secure; HttpOnly")])

    def session(self):
        """Who has logged in, and a token with which the webmail goes to the mail server."""
        cookie = http.cookies.SimpleCookie(self.headers.get("Cookie", "")).get("session")
        email, _, seal = urllib.parse.unquote(cookie.value).partition(" ") if cookie else ("", "", "")
        with store.connect(writable=False) as db:
            enabled = db.execute("SELECT 1 FROM user WHERE email = ? AND enabled", (email,)).fetchone()
        if not enabled or not hmac.compare_digest(seal.encode(), sealed("session", email).encode()):
            return self.answer(403)
        self.answer(headers=[("X-User", email), ("X-User-Token", f"token-{sealed('webmail', email)}")])

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
