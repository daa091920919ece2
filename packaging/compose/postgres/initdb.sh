#!/bin/sh
# Run once by the image, as postgres, before the server starts for good: the settings, and a
# database for the traffic.
set -eu
echo "include '/tour/tour.conf'" >>"$PGDATA/postgresql.conf"
createdb --username=postgres tour
pgbench --username=postgres --initialize --quiet --init-steps=dtgp tour
