DELETE FROM assignments
WHERE ctid = ANY (ARRAY(
    SELECT x.ctid FROM campaigns c JOIN assignments x ON x.campaign_id = c.id WHERE c.tenant_id = $1 LIMIT $2
))
