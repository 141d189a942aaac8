SELECT count(*) FROM members WHERE built_in_role = $1
