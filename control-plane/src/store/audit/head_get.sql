-- The end of a tenant's chain, and the last entry that is there, in one snapshot.
SELECT coalesce(head.sequence, 0) AS sequence, head.hash, coalesce(last.sequence, 0) AS last
FROM (SELECT max(sequence) AS sequence FROM audit_entries WHERE tenant_id = $1) AS last
LEFT JOIN audit_heads AS head ON head.tenant_id = $1
