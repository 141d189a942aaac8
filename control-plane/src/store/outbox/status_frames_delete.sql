DELETE FROM status_frames WHERE id = ANY ($1)
