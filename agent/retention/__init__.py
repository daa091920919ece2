"""`pitr-check retention`: what an archive must keep. It deletes nothing."""
