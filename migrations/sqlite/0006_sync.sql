-- When each kind was last written to, unchanged records included, and how many records it has.
CREATE TABLE sync (
    kind INTEGER NOT NULL PRIMARY KEY,
    synced_at INTEGER NOT NULL,
    records INTEGER NOT NULL
) STRICT;
