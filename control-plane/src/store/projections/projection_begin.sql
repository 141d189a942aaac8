INSERT INTO projections (stream, sequence) VALUES ($1, 0) ON CONFLICT DO NOTHING
