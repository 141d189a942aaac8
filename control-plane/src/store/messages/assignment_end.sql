DELETE FROM assignments WHERE campaign_id = $1 AND message_id = $2 AND texter = $3
