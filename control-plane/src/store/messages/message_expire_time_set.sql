UPDATE message_states SET expire_time = $2 WHERE message_id = $1
