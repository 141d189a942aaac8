UPDATE projections SET sequence = $3 WHERE stream = $1 AND sequence = $2 AND sequence <= $3
