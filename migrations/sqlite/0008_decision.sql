-- Recorded decisions, with what replays them.
CREATE TABLE decision (
    decision_id TEXT NOT NULL PRIMARY KEY,
    answer BLOB NOT NULL,
    profile BLOB NOT NULL,
    facts BLOB NOT NULL REFERENCES content (digest),
    policy BLOB NOT NULL REFERENCES content (digest),
    decided_at INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL
) STRICT;
