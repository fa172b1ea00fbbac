-- The version of each record that holds.
CREATE TABLE record (
    version BIGINT NOT NULL,
    kind SMALLINT NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (kind, key)
);
