-- Holds the numbers of messages until each time that one of them was told; the latest counts.
UPDATE phone_numbers n
SET hold_time = held.hold_time
FROM (
    SELECT m.number_id, max(told.hold_time) AS hold_time
    FROM unnest($1::uuid[], $2::timestamptz[]) AS told (message_id, hold_time)
    JOIN messages m ON m.id = told.message_id
    GROUP BY m.number_id
    ORDER BY m.number_id
) held
WHERE n.id = held.number_id AND n.hold_time < held.hold_time
