-- The tenants' other texts from the same numbers to the same phones: found by the lists of a tenant's campaigns, each of
-- which has a phone once.
SELECT wanted.message_id, s.status, (SELECT max(e.provider_message_id) FROM message_events e
                                     WHERE e.message_id = m.id AND e.provider_message_id <> '') AS provider_message_id
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[]) AS wanted (message_id, tenant_id, phone, number_id)
JOIN campaigns c ON c.tenant_id = wanted.tenant_id
JOIN contacts k ON k.list_id = c.list_id AND k.phone = wanted.phone
JOIN messages m ON m.campaign_id = c.id AND m.contact_id = k.id
JOIN message_states s ON s.message_id = m.id
WHERE m.number_id = wanted.number_id AND m.id <> wanted.message_id
