SELECT s.message_id, s.attempt, m.number_id, c.state, s.expire_time <= $4 OR m.phone IS NULL AS expired,
       coalesce(m.phone, '') AS phone, t.open_minute, t.close_minute,
       EXISTS (SELECT FROM opt_outs o WHERE o.tenant_id = m.tenant_id AND o.phone = m.phone) AS opted_out
FROM unnest($1::uuid[], $2::smallint[], $5::uuid[]) AS wanted (message_id, attempt, number_id)
JOIN message_states s ON s.message_id = wanted.message_id AND s.attempt = wanted.attempt
-- What has moved to another number has another order, which is not judged here.
JOIN messages m ON m.id = wanted.message_id AND m.number_id = coalesce(wanted.number_id, m.number_id)
JOIN campaigns c ON c.id = m.campaign_id
JOIN tenants t ON t.id = m.tenant_id
WHERE s.status = $3
ORDER BY s.message_id
