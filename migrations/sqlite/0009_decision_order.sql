-- Orders that asked, with the instants at which they first did.
CREATE TABLE decision_order (
    decision_id TEXT NOT NULL REFERENCES decision (decision_id),
    order_id TEXT NOT NULL,
    recorded_at INTEGER NOT NULL,
    PRIMARY KEY (decision_id, order_id)
) STRICT, WITHOUT ROWID;
