-- Tells this store from all others, also from those that were made with the same key.
INSERT INTO setting (name, value) VALUES ('store_id', gen_random_uuid()::text);
