-- The agent's account: membership in pg_monitor and nothing else. Run it once a cluster, as a superuser:
--   psql -f packaging/sql/role.sql
-- It has no password. A stock pg_hba.conf lets an account be the role of its own name and no other: for the
-- account pitr-agent, put above all others
--   pg_hba.conf    local  all  pitr_agent  peer map=pitr
--   pg_ident.conf  pitr  pitr-agent  pitr_agent
-- and SELECT pg_reload_conf(). Over TCP: a certificate, or a password that you set with \password pitr_agent
-- and put into the agent's ~/.pgpass. pitr-agent check-config --try says which of it is missing.
CREATE ROLE pitr_agent LOGIN
  NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
  CONNECTION LIMIT 6  -- two connections a cluster, and those that a broken network leaves open
  IN ROLE pg_monitor;
ALTER ROLE pitr_agent SET default_transaction_read_only = on;
COMMENT ON ROLE pitr_agent IS 'PITR verification agent: reads statistics views, changes nothing';
