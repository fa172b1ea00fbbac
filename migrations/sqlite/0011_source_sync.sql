-- When each source of records last wrote, unchanged records included.
CREATE TABLE source_sync (
    source TEXT NOT NULL PRIMARY KEY,
    synced_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
