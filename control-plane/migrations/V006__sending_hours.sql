-- The hours in which a tenant's texts may go out, in minutes after the recipient's midnight; the platform's own window
-- holds beside them.
ALTER TABLE tenants
    ADD COLUMN open_minute smallint NOT NULL DEFAULT 0,
    ADD COLUMN close_minute smallint NOT NULL DEFAULT 1440,
    ADD CHECK (0 <= open_minute AND open_minute < close_minute AND close_minute <= 1440);

-- In the order in which messages are due, so that those who wait for the morning are never read before it.
ALTER TABLE queue
    DROP CONSTRAINT queue_pkey,
    ADD PRIMARY KEY (campaign_id, number_id, due_time, message_id);
