-- One row for each write that changed anything, numbered from 1 in commit order.
-- Instants are microseconds since 1970-01-01T00:00:00Z, here and in every table.
CREATE TABLE revision (
    revision BIGINT NOT NULL PRIMARY KEY,
    committed_at BIGINT NOT NULL,
    -- Identifier of its first row in record_version; the others follow without a gap.
    first_version BIGINT NOT NULL
);

-- The newest numbers, in one row that a write locks until it commits, so that the next write gets
-- its number after the commit of the one before. A sequence would not do: it hands out 7 and 8 to
-- two writes at once, 8 may commit first, and a reader who has seen 8 would never look for 7; and
-- it leaves a gap where a write fails.
CREATE TABLE revision_counter (
    single BOOLEAN NOT NULL PRIMARY KEY DEFAULT TRUE CHECK (single),
    revision BIGINT NOT NULL,
    version BIGINT NOT NULL,
    -- Tells this store from every other one. A replica of the database has the same; an address
    -- that leads to another store is noticed by it, whatever that store holds.
    store UUID NOT NULL DEFAULT gen_random_uuid()
) WITH (fillfactor = 10);

INSERT INTO revision_counter (revision, version) VALUES (0, 0);
