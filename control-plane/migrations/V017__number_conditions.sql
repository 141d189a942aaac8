-- How each number does, as watchers were told last: whoever judges next goes on from there, in whichever process.
ALTER TABLE phone_numbers
    -- 1: well, 2: poor, 3: refused, 4: unreachable.
    ADD COLUMN condition smallint NOT NULL DEFAULT 1 CHECK (condition BETWEEN 1 AND 4),
    -- When a sign of its trouble was last seen.
    ADD COLUMN sign_time timestamptz;
-- Few rows.
CREATE INDEX phone_numbers_in_trouble ON phone_numbers (id) WHERE condition <> 1;
