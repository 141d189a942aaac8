-- First what the texter has already and has not sent: the answer to an earlier call may have been lost. Then what
-- nobody has; then what another texter took long ago and left.
WITH own AS (
    SELECT campaign_id, message_id
    FROM assignments
    WHERE campaign_id = $1 AND texter = $2
    ORDER BY message_id
    LIMIT $4
    FOR UPDATE SKIP LOCKED
), free AS (
    SELECT campaign_id, message_id
    FROM assignments
    WHERE campaign_id = $1 AND texter IS NULL
    ORDER BY message_id
    LIMIT $4
    FOR UPDATE SKIP LOCKED
), left_behind AS (
    SELECT campaign_id, message_id
    FROM assignments
    WHERE campaign_id = $1 AND texter <> $2 AND assign_time < $5
    ORDER BY message_id
    LIMIT $4
    FOR UPDATE SKIP LOCKED
), taken AS (
    SELECT * FROM own UNION ALL SELECT * FROM free UNION ALL SELECT * FROM left_behind LIMIT $4
)
UPDATE assignments
SET texter = $2, assign_time = $3
FROM taken
WHERE assignments.campaign_id = taken.campaign_id AND assignments.message_id = taken.message_id
RETURNING assignments.message_id
