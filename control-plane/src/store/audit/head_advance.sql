-- Takes the next numbers of a tenant's chain, and locks its end until the commit. No row where there is no such tenant.
INSERT INTO audit_heads (tenant_id, sequence, hash)
SELECT id, $2, $3 FROM tenants WHERE id = $1
ON CONFLICT (tenant_id) DO UPDATE SET sequence = audit_heads.sequence + $2
RETURNING sequence, hash
