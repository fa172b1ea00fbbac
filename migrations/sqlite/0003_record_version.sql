-- Every version of every record, in the order of writing: the records, their history and the
-- change log at once. Rows are added and never changed or removed.
-- No foreign keys here: one transaction writes the row and what it points to, and the checks
-- would cost every row of an import two look-ups.
CREATE TABLE record_version (
    id INTEGER NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL,
    -- Number of the kind; the numbers are fixed.
    kind INTEGER NOT NULL,
    key TEXT NOT NULL,
    -- Key as shown to people; NULL where it is the key itself.
    shown_key TEXT,
    source TEXT NOT NULL,
    observed_at INTEGER NOT NULL,
    -- The version that this one replaced.
    previous INTEGER,
    -- Handles of the records that this one leads to: a JSON array of hexadecimal values.
    leads TEXT,
    payload BLOB NOT NULL
) STRICT;
