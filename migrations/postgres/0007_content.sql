-- Facts and policy documents of decisions, each kept once.
CREATE TABLE content (
    digest BYTEA NOT NULL PRIMARY KEY,
    bytes BYTEA NOT NULL
);
