SELECT count(*) FROM api_keys WHERE member_id = $1
