-- When each kind was last written to, unchanged records included, and how many records it has.
CREATE TABLE sync (
    kind SMALLINT NOT NULL PRIMARY KEY,
    synced_at BIGINT NOT NULL,
    records BIGINT NOT NULL
);
