UPDATE order_frames SET publish_time = $2 WHERE id = ANY ($1)
