SELECT sequence, stream_create_time FROM projections WHERE stream = $1
