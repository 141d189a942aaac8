-- Conversations by name, with the last that was said in them on either side; and which text each reply answers.
ALTER TABLE conversations
    ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
    -- The last text in it that a texter sent or a reply answered.
    ADD COLUMN message_id uuid,
    ADD COLUMN campaign_id uuid,
    ADD COLUMN text_time timestamptz,
    ADD COLUMN reply_time timestamptz;
ALTER TABLE conversations ALTER COLUMN id DROP DEFAULT;
CREATE INDEX conversations_replied ON conversations (tenant_id, reply_time DESC, id DESC) WHERE reply_time IS NOT NULL;

ALTER TABLE replies
    ADD COLUMN message_id uuid,
    ADD COLUMN campaign_id uuid;
-- What was said between two phones.
CREATE INDEX ON replies (tenant_id, phone_from, phone_to) WHERE phone_from IS NOT NULL;

-- When the last reply of those that are there came. The owner sees rows of its own tables only where row-level security is
-- not forced on it.
ALTER TABLE conversations NO FORCE ROW LEVEL SECURITY;
ALTER TABLE replies NO FORCE ROW LEVEL SECURITY;
UPDATE conversations c
SET reply_time = r.receive_time
FROM (
    SELECT tenant_id, phone_from, phone_to, max(receive_time) AS receive_time
    FROM replies
    WHERE phone_from IS NOT NULL
    GROUP BY tenant_id, phone_from, phone_to
) r
WHERE c.tenant_id = r.tenant_id AND c.phone = r.phone_from AND c.number_phone = r.phone_to;
ALTER TABLE conversations FORCE ROW LEVEL SECURITY;
ALTER TABLE replies FORCE ROW LEVEL SECURITY;
