INSERT INTO audit_entries
    (tenant_id, sequence, time, caller, method, resource, address, before, after, result, hash)
SELECT $1, * FROM unnest($2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                         $9::text[], $10::text[], $11::bytea[])
