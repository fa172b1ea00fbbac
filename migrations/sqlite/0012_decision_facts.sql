-- Which decisions refer to facts: asked when a decision goes that may have been the last to do so, by the
-- foreign key too.
CREATE INDEX decision_facts ON decision (facts);
