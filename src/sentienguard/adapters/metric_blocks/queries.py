"""Every statement of the store, each with its sentence."""

# Hosts, series and shapes are written once and named by number in all other tables.
# A clock is the times of a block; blocks of series that were read together share one.
# A tail belongs to a desk: a host, or what other systems say of it (`registry.desk`).
# A row of `windows` holds consecutive windows of one width, each standing for its readings.
SCHEMA = """
CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY, host TEXT NOT NULL, metric TEXT NOT NULL, subject TEXT NOT NULL,
    labels TEXT NOT NULL DEFAULT '', UNIQUE (host, metric, subject, labels)
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
CREATE TABLE IF NOT EXISTS windows (
    series_id INTEGER NOT NULL, width_ms INTEGER NOT NULL, start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL, count INTEGER NOT NULL, times BLOB NOT NULL, lasts BLOB NOT NULL,
    lowest BLOB NOT NULL, highest BLOB NOT NULL, sums BLOB NOT NULL, counts BLOB NOT NULL,
    PRIMARY KEY (series_id, width_ms, start_ms)
) WITHOUT ROWID;
"""
# The columns of the table of series, to tell whether the file is older than labels.
SERIES_COLUMNS = "SELECT name FROM pragma_table_info('series')"
# Give a file that is older than labels the table with them.
ADD_LABELS = """
BEGIN IMMEDIATE;
ALTER TABLE series RENAME TO series_before_labels;
CREATE TABLE series (
    id INTEGER PRIMARY KEY, host TEXT NOT NULL, metric TEXT NOT NULL, subject TEXT NOT NULL,
    labels TEXT NOT NULL DEFAULT '', UNIQUE (host, metric, subject, labels)
);
INSERT INTO series (id, host, metric, subject)
    SELECT id, host, metric, subject FROM series_before_labels;
DROP TABLE series_before_labels;
COMMIT;
"""

# The series that are known, for the table of numbers in memory.
ALL_SERIES = "SELECT id, host, metric, subject, labels FROM series"
# The series of one host that its agent reports.
SERIES_OF_HOST = (
    "SELECT id, metric, subject FROM series WHERE host = ? AND labels = '' ORDER BY metric, subject"
)
# The series of some hosts that their agents report; all, or those of some metrics.
SERIES_OF_HOSTS = (
    "SELECT id, host, metric, subject FROM series WHERE host IN ({}) AND labels = '' "
    "ORDER BY host, metric, subject"
)
SOME_OF_HOSTS = (
    "SELECT id, host, metric, subject FROM series WHERE host IN ({}) AND labels = '' "
    "AND metric IN ({}) ORDER BY host, metric, subject"
)
# Give a new series its number.
ADD_SERIES = (
    "INSERT INTO series (host, metric, subject, labels) VALUES (?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET host = excluded.host RETURNING id"  # another process may have
)  # The shapes that are known, for the table of numbers in memory.
ALL_SHAPES = "SELECT id, series_ids FROM shapes"
# Give a new shape its number.
ADD_SHAPE = (
    "INSERT INTO shapes (series_ids) VALUES (?) "
    "ON CONFLICT DO UPDATE SET series_ids = excluded.series_ids RETURNING id"
)

# The readings of some moments, to merge with what comes for the same moments.
TAIL_ROWS = (  # in this order, so that each is looked up by its key
    "SELECT host, at_ms, shape_id, readings FROM (VALUES {}) CROSS JOIN tail "
    "ON host = column1 AND at_ms = column2"
)
# Keep the readings of moments.
PUT_TAIL = "INSERT OR REPLACE INTO tail (host, at_ms, shape_id, readings) VALUES {}"
# The tail of one desk in a span of time.
TAIL_SPAN = (
    "SELECT at_ms, shape_id, readings FROM tail WHERE host = ? AND at_ms >= ? AND at_ms < ? "
    "ORDER BY at_ms"
)
# The newest row of the tail of some desks.
TAIL_HEADS = (  # in this order, so that each is looked up by its key
    "SELECT host, at_ms, shape_id, readings FROM (VALUES {}) CROSS JOIN tail "
    "ON host = column1 AND at_ms = (SELECT max(at_ms) FROM tail WHERE host = column1)"
)
# The tail of one desk before its newest row, newest first.
TAIL_EARLIER = (
    "SELECT at_ms, shape_id, readings FROM tail WHERE host = ? AND at_ms < ? ORDER BY at_ms DESC"
)
# The series of one shape.
SHAPE = "SELECT series_ids FROM shapes WHERE id = ?"
# The shapes that are in use in any tail.
TAIL_SHAPES = "SELECT DISTINCT shape_id FROM tail"
# Desks with a tail, and how long it is.
TAIL_SIZES = "SELECT host, count(*), min(at_ms), max(at_ms) FROM tail GROUP BY host ORDER BY host"
# Drop what was moved into blocks.
DROP_TAIL = "DELETE FROM tail WHERE host = ? AND at_ms >= ? AND at_ms < ?"
# The readings that are too old, to be counted before they go.
OLD_TAIL = "SELECT host, at_ms, length(readings) / 8 FROM tail WHERE at_ms < ?"
DROP_OLD_TAIL = "DELETE FROM tail WHERE at_ms < ?"
# A shape that no tail is written in any more; senders that cut batches anywhere make many.
DROP_SHAPE = "DELETE FROM shapes WHERE id = ?"

# The blocks of one series that reach into a span of time.
BLOCKS_SPAN = (
    "SELECT start_ms, count, clock_id, times, readings FROM blocks "
    "JOIN clocks ON clocks.id = clock_id "
    "WHERE series_id = ? AND start_ms < ? AND end_ms >= ? ORDER BY start_ms"
)
# Which blocks of one series reach into a span of time, without what they hold.
BLOCK_KEYS = (
    "SELECT start_ms, count, clock_id FROM blocks "
    "WHERE series_id = ? AND start_ms < ? AND end_ms >= ? ORDER BY start_ms"
)
# What one block holds.
BLOCK = (
    "SELECT times, readings FROM blocks JOIN clocks ON clocks.id = clock_id "
    "WHERE series_id = ? AND start_ms = ?"
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
# Series that have no reading left in any block or window; the caller spares those in the tail.
EMPTY_SERIES = (
    "SELECT id FROM series WHERE id NOT IN (SELECT series_id FROM blocks) "
    "AND id NOT IN (SELECT series_id FROM windows)"
)
DROP_SERIES = "DELETE FROM series WHERE id = ?"

# Series with readings in blocks before a time, to be folded into windows.
AGED_SERIES = "SELECT DISTINCT series_id FROM blocks WHERE start_ms < ? ORDER BY series_id"
# The windows of one series that reach into a span of time, narrow ones last.
WINDOWS_SPAN = (
    "SELECT width_ms, count, times, lasts, lowest, highest, sums, counts FROM windows "
    "WHERE series_id = ? AND start_ms < ? AND end_ms >= ? ORDER BY start_ms, width_ms DESC"
)
# The windows of one series and width that reach into a span of time.
WINDOWS_OF_WIDTH = (
    "SELECT start_ms, count, times, lasts, lowest, highest, sums, counts FROM windows "
    "WHERE series_id = ? AND width_ms = ? AND start_ms < ? AND end_ms >= ? ORDER BY start_ms"
)
# The start of the newest windows of a width that are few enough to be joined by more.
OPEN_WINDOWS = (
    "SELECT max(start_ms) FROM windows "
    "WHERE series_id = ? AND width_ms = ? AND start_ms < ? AND count < ?"
)
# Series with windows of a width before a time, to be folded into wider ones.
AGED_WINDOWS = (
    "SELECT DISTINCT series_id FROM windows WHERE width_ms = ? AND start_ms < ? ORDER BY series_id"
)
DROP_WINDOWS = "DELETE FROM windows WHERE series_id = ? AND width_ms = ? AND start_ms = ?"
PUT_WINDOWS = (
    "INSERT INTO windows (series_id, width_ms, start_ms, end_ms, count, times, lasts, lowest, "
    "highest, sums, counts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
# Whole rows of windows before a time; what they stood for is told before they go.
DROP_OLD_WINDOWS = "DELETE FROM windows WHERE end_ms < ?"
# Whether anything was ever folded, so that a young store is not asked for windows at each read.
ANY_WINDOWS = "SELECT EXISTS (SELECT 1 FROM windows)"
