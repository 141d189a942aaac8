DELETE FROM campaign_counters
WHERE ctid = ANY (ARRAY(
    SELECT x.ctid FROM campaigns c JOIN campaign_counters x ON x.campaign_id = c.id WHERE c.tenant_id = $1 LIMIT $2
))
