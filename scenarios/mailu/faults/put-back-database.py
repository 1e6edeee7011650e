# Others have the database open, and go by the change counter in its header (bytes 24 to 27, and 92 to 95) whether what they
# have read of it is still true: it has to be one that no state of the database had.
import pathlib
last = pathlib.Path("/tmp/counter")
counter = (int(last.read_text()) if last.exists() else 1_000_000) + 1000
last.write_text(str(counter))
data = bytearray(open("/tmp/saved.db", "rb").read())
data[24:28] = data[92:96] = counter.to_bytes(4, "big")
with open("/data/main.db", "r+b") as file:
    file.write(data)
    file.truncate()
