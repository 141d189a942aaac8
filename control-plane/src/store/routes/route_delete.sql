DELETE FROM routes WHERE id = $1
