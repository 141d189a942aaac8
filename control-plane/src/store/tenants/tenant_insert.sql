INSERT INTO tenants (id, display_name, broadcast_allowed)
VALUES ($1, $2, $3)
RETURNING id, display_name, broadcast_allowed, create_time
