SELECT count(*) AS frames, (array_agg(id ORDER BY id))[1] AS oldest
FROM (SELECT id FROM order_frames WHERE publish_time IS NULL ORDER BY id LIMIT 10000) orders
UNION ALL
SELECT count(*) AS frames, (array_agg(id ORDER BY id))[1] AS oldest
FROM (SELECT id FROM status_frames ORDER BY id LIMIT 10000) statuses
