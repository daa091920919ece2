-- The agent's account: membership in pg_monitor and nothing else. Run it once a cluster, as a superuser:
--   psql -f packaging/sql/role.sql
-- It has no password: authenticate it by peer, a certificate, or one that you set with \password pitr_agent
-- and put into the agent's ~/.pgpass.
CREATE ROLE pitr_agent LOGIN
  NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
  CONNECTION LIMIT 6  -- two connections a cluster, and those that a broken network leaves behind
  IN ROLE pg_monitor;
ALTER ROLE pitr_agent SET default_transaction_read_only = on;
COMMENT ON ROLE pitr_agent IS 'PITR verification agent: reads statistics views, changes nothing';
