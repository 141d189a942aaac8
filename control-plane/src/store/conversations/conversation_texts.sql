-- Texts are found by the lists of the tenant's campaigns, each of which has a phone once.
SELECT said.time, said.id, said.sent
FROM (
    SELECT e.time, m.id, true AS sent
    FROM campaigns c
    JOIN contacts k ON k.list_id = c.list_id AND k.phone = $1
    JOIN messages m ON m.campaign_id = c.id AND m.contact_id = k.id
    JOIN phone_numbers n ON n.id = m.number_id AND n.phone = $2
    CROSS JOIN LATERAL (SELECT max(time) AS time FROM message_events WHERE message_id = m.id AND status = $6) e
    WHERE c.tenant_id = current_setting('muster.tenant_id')::uuid AND c.start_time IS NOT NULL AND e.time IS NOT NULL
    UNION ALL
    SELECT receive_time, id, false
    FROM replies
    WHERE tenant_id = current_setting('muster.tenant_id')::uuid AND phone_from = $1 AND phone_to = $2
) said
WHERE (said.time, said.id) > ($3, $4)
ORDER BY said.time, said.id
LIMIT $5
