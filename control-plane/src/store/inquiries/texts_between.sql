-- The tenant's other texts from the number to the phone: found by the lists of its campaigns, each of which has a phone
-- once.
SELECT s.status, (SELECT max(e.provider_message_id) FROM message_events e
                  WHERE e.message_id = m.id AND e.provider_message_id <> '') AS provider_message_id
FROM campaigns c
JOIN contacts k ON k.list_id = c.list_id AND k.phone = $2
JOIN messages m ON m.campaign_id = c.id AND m.contact_id = k.id
JOIN message_states s ON s.message_id = m.id
WHERE c.tenant_id = $1 AND m.number_id = $3 AND m.id <> $4
