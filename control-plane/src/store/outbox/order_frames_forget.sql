DELETE FROM order_frames f
WHERE f.publish_time < $1
  AND NOT EXISTS (
      SELECT
      FROM unnest(f.message_ids, f.attempts) AS o (message_id, attempt)
      JOIN message_states s ON s.message_id = o.message_id AND s.attempt = o.attempt
      WHERE s.status = $2
  )
