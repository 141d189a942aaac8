UPDATE reply_media
SET state = $2, reason = $3, content_type = $4, size_bytes = $5, sha256 = $6
WHERE id = $1
