-- Values under which the versions that hold are found.
CREATE TABLE handle (
    value BLOB NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (value, version)
) STRICT, WITHOUT ROWID;
