#!/bin/sh
# Directories that the server writes and the group of readers ($READERS, a number) may look into:
# what is made in them later belongs to that group too (the 2 of 2750).
set -eu
install -d -o postgres -g "$READERS" -m 2750 /archive /backups /log /log/tour /log/restored
install -d -o postgres -g postgres -m 0700 /restored
