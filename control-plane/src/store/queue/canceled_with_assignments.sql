SELECT c.id
FROM campaigns c
WHERE c.state = $1 AND EXISTS (SELECT FROM assignments a WHERE a.campaign_id = c.id)
