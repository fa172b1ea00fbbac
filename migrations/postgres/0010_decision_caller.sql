-- Named callers who asked, each for which order, with the instants at which they first did. An empty
-- order: without one.
CREATE TABLE decision_caller (
    decision_id TEXT COLLATE "C" NOT NULL REFERENCES decision (decision_id),
    caller TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL,
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (decision_id, caller, order_id)
);
