-- When each source of records last wrote, unchanged records included.
CREATE TABLE source_sync (
    source TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    synced_at BIGINT NOT NULL
);
