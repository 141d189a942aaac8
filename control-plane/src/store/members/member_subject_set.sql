UPDATE members SET subject = $2 WHERE id = $1 AND subject IS NULL
