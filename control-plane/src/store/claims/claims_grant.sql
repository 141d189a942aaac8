UPDATE message_states s
SET status = $4, update_time = $5, error_class = 0, error_code = ''
FROM unnest($1::uuid[], $2::smallint[], $13::uuid[]) AS wanted (message_id, attempt, number_id)
JOIN messages m ON m.id = wanted.message_id AND m.number_id = coalesce(wanted.number_id, m.number_id)
JOIN campaigns c ON c.id = m.campaign_id
JOIN tenants t ON t.id = m.tenant_id
JOIN phone_numbers n ON n.id = m.number_id
WHERE s.message_id = wanted.message_id AND s.attempt = wanted.attempt AND s.status = $3
  AND s.expire_time > $5
  AND c.state = $6
  AND (c.mode = $12 OR t.broadcast_allowed)
  -- The clocks of the recipient's area code, all of them, are in the window. Arrays begin at 1.
  AND greatest(t.open_minute, $9) <= ($7::smallint[])[substr(m.phone, 3, 3)::integer + 1]
  AND ($8::smallint[])[substr(m.phone, 3, 3)::integer + 1] < least(t.close_minute, $10)
  AND t.state = $11
  AND NOT EXISTS (SELECT FROM opt_outs o WHERE o.tenant_id = m.tenant_id AND o.phone = m.phone)
RETURNING s.message_id, s.attempt, s.tenant_id, s.campaign_id, m.number_id, n.account_id, m.phone AS phone_to,
          n.phone AS phone_from, m.body, c.media_urls,
          greatest(1, extract(epoch FROM s.expire_time - $5))::integer AS validity_s
