# Copies a database that can be read, in use or not, its write-ahead log with it.
import sqlite3, sys
a, b = map(sqlite3.connect, sys.argv[1:])
a.backup(b)
b.close()
