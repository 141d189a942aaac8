UPDATE reply_media SET reason = $2, next_try_time = $3 WHERE id = $1
