SELECT sequence FROM projections WHERE stream = $1
