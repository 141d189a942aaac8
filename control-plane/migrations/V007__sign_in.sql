-- Who signs in at the tenant's identity provider is known by the provider's own name of them, from the first time on.
CREATE UNIQUE INDEX ON members (tenant_id, subject) WHERE subject IS NOT NULL;
