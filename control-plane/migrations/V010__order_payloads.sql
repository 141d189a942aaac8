-- An order frame says more than ids now: which numbers its messages are sent from, and how fast those may send. It is
-- kept as it will be published; the ids stay beside it for the sweeper. Frames without one were written before this,
-- or by a control-plane that is still to be upgraded.
ALTER TABLE order_frames ADD COLUMN payload bytea;
-- Random ids do not compress; trying to costs more than it saves.
ALTER TABLE order_frames ALTER COLUMN payload SET STORAGE EXTERNAL;
ALTER TABLE order_frames ALTER COLUMN message_ids SET STORAGE EXTERNAL;
