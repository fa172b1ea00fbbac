-- Recorded decisions, with what replays them.
CREATE TABLE decision (
    decision_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    answer BYTEA NOT NULL,
    profile BYTEA NOT NULL,
    facts BYTEA NOT NULL REFERENCES content (digest),
    policy BYTEA NOT NULL REFERENCES content (digest),
    decided_at BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL
);
