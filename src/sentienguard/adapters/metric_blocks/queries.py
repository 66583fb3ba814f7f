"""Every statement of the store, each with its sentence."""

# Hosts, series and shapes are written once and named by number in all other tables.
# A clock is the times of a block; blocks of series that were read together share one.
SCHEMA = """
CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY, host TEXT NOT NULL, metric TEXT NOT NULL, subject TEXT NOT NULL,
    UNIQUE (host, metric, subject)
);
CREATE TABLE IF NOT EXISTS shapes (id INTEGER PRIMARY KEY, series_ids BLOB NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS tail (
    host TEXT NOT NULL, at_ms INTEGER NOT NULL, shape_id INTEGER NOT NULL, readings BLOB NOT NULL,
    PRIMARY KEY (host, at_ms)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS clocks (id INTEGER PRIMARY KEY, times BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS blocks (
    series_id INTEGER NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL,
    count INTEGER NOT NULL, clock_id INTEGER NOT NULL, readings BLOB NOT NULL,
    PRIMARY KEY (series_id, start_ms)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS blocks_by_clock ON blocks (clock_id);
"""

# The series that are known, for the table of numbers in memory.
ALL_SERIES = "SELECT id, host, metric, subject FROM series"
# The series of one host.
SERIES_OF_HOST = "SELECT id, metric, subject FROM series WHERE host = ? ORDER BY metric, subject"
# Give a new series its number.
ADD_SERIES = "INSERT INTO series (host, metric, subject) VALUES (?, ?, ?) RETURNING id"
# The shapes that are known, for the table of numbers in memory.
ALL_SHAPES = "SELECT id, series_ids FROM shapes"
# Give a new shape its number.
ADD_SHAPE = "INSERT INTO shapes (series_ids) VALUES (?) RETURNING id"

# The readings of one moment, to merge with what comes for the same moment.
TAIL_ROW = "SELECT shape_id, readings FROM tail WHERE host = ? AND at_ms = ?"
# Keep the readings of one moment.
PUT_TAIL = "INSERT OR REPLACE INTO tail (host, at_ms, shape_id, readings) VALUES (?, ?, ?, ?)"
# The tail of one host in a span of time.
TAIL_SPAN = (
    "SELECT at_ms, shape_id, readings FROM tail WHERE host = ? AND at_ms >= ? AND at_ms < ? "
    "ORDER BY at_ms"
)
# The tail of one host, newest first.
TAIL_NEWEST = "SELECT at_ms, shape_id, readings FROM tail WHERE host = ? ORDER BY at_ms DESC"
# The series of one shape.
SHAPE = "SELECT series_ids FROM shapes WHERE id = ?"
# The shapes that are in use in any tail.
TAIL_SHAPES = "SELECT DISTINCT shape_id FROM tail"
# Hosts with a tail, and how long it is.
TAIL_SIZES = "SELECT host, count(*), min(at_ms), max(at_ms) FROM tail GROUP BY host ORDER BY host"
# Drop what was moved into blocks.
DROP_TAIL = "DELETE FROM tail WHERE host = ? AND at_ms >= ? AND at_ms < ?"
# The readings that are too old, to be counted before they go.
OLD_TAIL = "SELECT host, at_ms, length(readings) / 8 FROM tail WHERE at_ms < ?"
DROP_OLD_TAIL = "DELETE FROM tail WHERE at_ms < ?"

# The blocks of one series that reach into a span of time.
BLOCKS_SPAN = (
    "SELECT start_ms, count, times, readings FROM blocks JOIN clocks ON clocks.id = clock_id "
    "WHERE series_id = ? AND start_ms < ? AND end_ms >= ? ORDER BY start_ms"
)
# The newest block of one series.
LAST_BLOCK = (
    "SELECT count, times, readings FROM blocks JOIN clocks ON clocks.id = clock_id "
    "WHERE series_id = ? ORDER BY start_ms DESC LIMIT 1"
)
# Series with many small blocks, for folding into larger ones.
SMALL_BLOCKS = (
    "SELECT series_id, min(start_ms), max(end_ms) FROM blocks "
    "WHERE count < ? GROUP BY series_id HAVING count(*) >= ? ORDER BY series_id"
)
DROP_BLOCK = "DELETE FROM blocks WHERE series_id = ? AND start_ms = ?"
PUT_BLOCK = (
    "INSERT INTO blocks (series_id, start_ms, end_ms, count, clock_id, readings) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)
ADD_CLOCK = "INSERT INTO clocks (times) VALUES (?) RETURNING id"
# The readings in blocks that are too old, to be counted before they go.
OLD_BLOCKS = "SELECT coalesce(sum(count), 0) FROM blocks WHERE end_ms < ?"
DROP_OLD_BLOCKS = "DELETE FROM blocks WHERE end_ms < ?"
# Times that no block uses any more.
DROP_CLOCKS = "DELETE FROM clocks WHERE id NOT IN (SELECT clock_id FROM blocks)"
# Series that have no reading left in any block; the caller spares those in the tail.
EMPTY_SERIES = "SELECT id FROM series WHERE id NOT IN (SELECT series_id FROM blocks)"
DROP_SERIES = "DELETE FROM series WHERE id = ?"
