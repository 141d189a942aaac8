-- Has the providers of a page of a campaign's messages asked, where these have been SENT for long, and not for too long.
WITH page AS (
    SELECT id, contact_id FROM messages WHERE campaign_id = $1 AND contact_id > $2 ORDER BY contact_id LIMIT $3
), missing AS (
    INSERT INTO inquiries (message_id, tenant_id, since, due_time, asked)
    SELECT s.message_id, s.tenant_id, s.update_time, $6, $8
    FROM page JOIN message_states s ON s.message_id = page.id
    WHERE s.status = $7 AND s.update_time > $4 AND s.update_time <= $5
    ON CONFLICT (message_id) DO NOTHING
    RETURNING 1
)
SELECT (SELECT count(*) FROM page) AS messages, (SELECT count(*) FROM missing) AS missing,
       (SELECT contact_id FROM page ORDER BY contact_id DESC LIMIT 1) AS last
