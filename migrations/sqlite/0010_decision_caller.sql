-- Named callers who asked, each for which order, with the instants at which they first did. An empty
-- order: without one.
CREATE TABLE decision_caller (
    decision_id TEXT NOT NULL REFERENCES decision (decision_id),
    caller TEXT NOT NULL,
    order_id TEXT NOT NULL,
    recorded_at INTEGER NOT NULL,
    PRIMARY KEY (decision_id, caller, order_id)
) STRICT, WITHOUT ROWID;
