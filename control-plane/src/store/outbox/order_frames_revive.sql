UPDATE order_frames SET publish_time = NULL WHERE publish_time < $1
