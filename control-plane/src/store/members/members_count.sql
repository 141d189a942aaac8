SELECT (SELECT count(*) FROM members WHERE tenant_id = $1)
     + (SELECT count(*) FROM invitations WHERE tenant_id = $1 AND expire_time > $2)
