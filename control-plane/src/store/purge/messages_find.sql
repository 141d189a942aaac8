SELECT m.id FROM campaigns c JOIN messages m ON m.campaign_id = c.id WHERE c.tenant_id = $1 LIMIT $2
