UPDATE projections SET caught_up_time = greatest(caught_up_time, $2) WHERE stream = $1
