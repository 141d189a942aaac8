-- A number whose provider or carrier says that a daily cap was reached is held: to call it again and again would be refused
-- again and again.
ALTER TABLE phone_numbers ADD COLUMN hold_time timestamptz NOT NULL DEFAULT '-infinity';
GRANT UPDATE (hold_time) ON phone_numbers TO muster_system;

-- Texts that wait for another attempt: few, and looked for among all that wait while a provider does not answer.
CREATE INDEX queue_again ON queue (campaign_id, number_id, due_time) WHERE attempt > 1;
