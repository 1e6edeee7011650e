# A transaction larger than SQLite's cache, some pages of which are in the database's file long before it ends, and it ends
# well: it is taken back. Until then the journal alone tells what the file should be.
import pathlib, sqlite3, time
under_way, over = pathlib.Path("/tmp/under-way"), pathlib.Path("/tmp/over")
over.unlink(missing_ok=True)
db = sqlite3.connect("/data/main.db", isolation_level=None)
db.execute("PRAGMA cache_size = 4")
db.execute("BEGIN IMMEDIATE")
rows = [(f"under-way-{n}", "x" * 500) for n in range(500)]
db.executemany("INSERT INTO config (created_at, name, value) VALUES (date('now'), ?, ?)", rows)
# Another table's pages take the place of the first one's in the cache, its root among them.
db.executemany("INSERT INTO alias (created_at, localpart, email, destination) VALUES (date('now'), 'x', ?, ?)", rows)
under_way.touch()
while not over.exists():
    time.sleep(0.05)
db.execute("ROLLBACK")
under_way.unlink()
