-- One row for each write that changed anything, numbered from 1 in commit order.
-- Instants are microseconds since 1970-01-01T00:00:00Z, here and in every table.
CREATE TABLE revision (
    revision INTEGER NOT NULL PRIMARY KEY,
    committed_at INTEGER NOT NULL,
    -- Identifier of its first row in record_version; the others follow without a gap.
    first_version INTEGER NOT NULL
) STRICT;
