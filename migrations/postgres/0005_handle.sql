-- Values under which the versions that hold are found.
CREATE TABLE handle (
    version BIGINT NOT NULL,
    value BYTEA NOT NULL,
    PRIMARY KEY (value, version)
);
