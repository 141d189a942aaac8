-- Judged once more, now that they are locked: by what was committed until then.
UPDATE contact_lists l
SET erase_time = $3
WHERE l.id = ANY ($1) AND l.erase_time IS NULL AND l.use_time < $2
  AND NOT EXISTS (SELECT FROM campaigns c WHERE c.list_id = l.id AND c.end_time IS NULL)
