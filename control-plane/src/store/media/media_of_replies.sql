SELECT id, reply_id, state, reason, object_key, coalesce(content_type, '') AS content_type,
       coalesce(size_bytes, 0) AS size_bytes
FROM reply_media
WHERE tenant_id = current_setting('muster.tenant_id')::uuid AND reply_id = ANY ($1)
ORDER BY reply_id, place
