DELETE FROM invitations WHERE tenant_id = $1 AND expire_time <= $2
