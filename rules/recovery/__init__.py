"""The one predictor: how PostgreSQL recovers, and where it stops.

What each function of the server is here, and since which major it does so (13: in all that are
known). To 14 what is in xlogrecovery.c was in xlog.c, most of it in StartupXLOG.

===========================================  =============================================  =====
PostgreSQL                                   here                                           since
===========================================  =============================================  =====
validateRecoveryParameters                   start.find_start                               13
check_recovery_target_xid: no special xids   start.find_start                               19
findNewestTimeLine                           start.known_histories                          13
InitWalRecovery                              start.find_start                               13
InitWalRecovery without a backup_label       unlabelled.before_the_archive                  13
ArchiveRecoveryRequested: no signal file     unsignalled.without_signal                     13
read_backup_label: INCREMENTAL FROM LSN      start.find_start                               17
XLOG_CHECKPOINT_REDO at the redo location    start.find_start                               17
the label's own timeline, not the record's   start.find_start                               15
read_tablespace_map                          tablespaces.directory_in_the_way               13
PerformWalRecovery                           predictor.simulate                             13
XLogFileReadAnyTLI                           replay.serve                                   13
XLogPageRead, XLogReaderValidatePageHeader   replay.replay                                  13
ReadRecord: the page's timeline, read late   replay.replay                                  13
recovery_prefetch: reading ahead             predictor.simulate                             15
recoveryStopsBefore, recoveryStopsAfter      stop_point.find_stop                           13
CheckRecoveryConsistency                     progress.ReplayProgress.meet_consistency       13
CheckTablespaceDirectory                     tablespaces.Tablespaces.meet_consistency       13
tblspc_redo, create_tablespace_directories   tablespaces.Tablespaces.meet                   13
CheckRequiredParameterValues                 settings.Settings.meet                         13
RecoveryRequiresIntParameter: it pauses      settings.Settings.meet                         14
checkTimeLineSwitch                          hazards.HazardTracker.first                    13
xlog_redo: a shutdown cancels the backup     hazards.HazardTracker.first                    13
PrepareRedoAdd, XlogReadTwoPhaseData         hazards.HazardTracker.first                    13
RecoverPreparedTransactions                  hazards.HazardTracker.at_promotion             13
ProcArrayApplyRecoveryInfo                   hazards.Snapshot.meet                          13
FinishWalRecovery                            predictor.simulate                             13
===========================================  =============================================  =====

What the server does not ask is ours: whether the state is the one that was meant (`reachable`,
`left_branches`), which backup serves best (`restorable`), windows and a target in a report's terms
(`prediction`), why a target is missed (`target_cause`), what a clock set back leaves out
(`clock_skew`), what WAL outside the archives adds (`outside_wal`), the lines to paste
(`settings_block`) and those that undo others' (`undo`).

Where WAL lies is behind `rules.model.restore_inputs.Wal`, and so is that whole stretches of it may
be at hand: `replay` gives one in a single piece where it cannot contain the goal. `server_messages`
are the FATAL messages word for word.
"""
