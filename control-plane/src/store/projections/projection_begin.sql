INSERT INTO projections (stream, stream_create_time, sequence) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING
