DELETE FROM invitations
WHERE ctid = ANY (ARRAY(SELECT ctid FROM invitations WHERE tenant_id = $1 LIMIT $2))
