-- Orders that asked, with the instants at which they first did.
CREATE TABLE decision_order (
    decision_id TEXT COLLATE "C" NOT NULL REFERENCES decision (decision_id),
    order_id TEXT COLLATE "C" NOT NULL,
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (decision_id, order_id)
);
