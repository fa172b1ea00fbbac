-- What the store was made with: one row a setting.
-- Texts that are keys compare by their bytes ("C"), here and in every table: a new version of
-- the system's collations must not make an index wrong.
CREATE TABLE setting (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
