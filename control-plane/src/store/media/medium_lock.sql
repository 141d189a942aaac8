SELECT tries FROM reply_media WHERE id = $1 AND state = $2 FOR UPDATE
