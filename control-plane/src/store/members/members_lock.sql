-- Whoever changes who has which role waits here for whoever does so at the same time.
SELECT FROM tenants WHERE id = $1 FOR UPDATE
