-- Decisions under each policy, in the order in which they were recorded: the oldest are what goes first,
-- and the newest tells at once whether a policy is still referred to, by the foreign key too. Policies are
-- few, so that an index by instants alone is not needed beside it.
CREATE INDEX decision_policy ON decision (policy, recorded_at);
