#!/bin/sh
# Restore the newest base backup to TARGET_TIME (empty: to the end of the archive) beside the tour's
# server, and stay there for a look: psql --host=/restored, then SELECT pg_wal_replay_resume().
set -eu
newest=$(ls -d /backups/*/ | tail -n 1)
rm -rf /restored/data
cp -R "$newest" /restored/data
chmod 0700 /restored/data
cat >>/restored/data/postgresql.auto.conf <<END
restore_command = 'cp /archive/%f %p'
recovery_target_time = '${TARGET_TIME:-}'
recovery_target_action = 'pause'
archive_mode = off
log_directory = '/log/restored'
unix_socket_directories = '/restored'
END
touch /restored/data/recovery.signal
exec postgres -D /restored/data
