SELECT max(caught_up_time) FROM projections
