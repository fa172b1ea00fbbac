-- Facts and policy documents of decisions, each kept once. A table with row numbers: the bytes
-- are too long for the tree of the digests.
CREATE TABLE content (
    digest BLOB NOT NULL PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;
