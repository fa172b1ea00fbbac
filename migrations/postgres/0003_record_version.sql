-- Every version of every record, in the order of writing: the records, their history and the
-- change log at once. Rows are added and never changed or removed.
-- No foreign keys here: one transaction writes the row and what it points to, and the checks
-- would cost every row of an import two look-ups.
CREATE TABLE record_version (
    id BIGINT NOT NULL PRIMARY KEY,
    revision BIGINT NOT NULL,
    observed_at BIGINT NOT NULL,
    -- The version that this one replaced.
    previous BIGINT,
    -- Number of the kind; the numbers are fixed.
    kind SMALLINT NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    -- Key as shown to people; NULL where it is the key itself.
    shown_key TEXT,
    source TEXT NOT NULL,
    -- Handles of the records that this one leads to; NULL where there are none.
    leads BYTEA[],
    payload BYTEA NOT NULL
);
