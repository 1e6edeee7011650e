#!/usr/bin/env python3
"""Copies an SQLite database that is in use, whole, by SQLite's backup API.

sqlite.py backup FILE     FILE to FILE.backup
sqlite.py restore FILE    FILE.backup to FILE
"""
import contextlib
import os
import sqlite3
import sys


def copy(source, target):
    with contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as old:
        with contextlib.closing(sqlite3.connect(target)) as new:
            old.backup(new)


what, database = sys.argv[1:]
dump = database + ".backup"
if what == "backup":
    if os.path.exists(dump):
        os.remove(dump)
    copy(database, dump)
elif what == "restore":
    copy(dump, database)
else:
    sys.exit(f"{what} is neither backup nor restore")
