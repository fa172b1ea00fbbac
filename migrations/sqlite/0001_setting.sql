-- What the store was made with: one row a setting.
CREATE TABLE setting (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Tells this store from all others, also from those that were made with the same key.
INSERT INTO setting (name, value) VALUES ('store_id', lower(hex(randomblob(16))));
