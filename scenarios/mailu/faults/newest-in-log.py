# What the database's file has is old, and what is new is in its write-ahead log alone, as long as the app keeps it open.
import pathlib, sqlite3, time
in_log, over = pathlib.Path("/tmp/in-log"), pathlib.Path("/tmp/over")
over.unlink(missing_ok=True)
db = sqlite3.connect("/data/roundcube.db", isolation_level=None)
db.execute("PRAGMA journal_mode = WAL").fetchall()
db.execute("PRAGMA wal_autocheckpoint = 0").fetchall()
(signature,) = db.execute("SELECT signature FROM identities WHERE identity_id = 1").fetchone()
write = "UPDATE identities SET signature = ? WHERE identity_id = 1"
db.execute(write, ["as it was yesterday"])
db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
db.execute(write, [signature])
in_log.touch()
while not over.exists():
    time.sleep(0.05)
in_log.unlink()
