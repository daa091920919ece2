"""A running restore, or the next start of its server, will fail, or surprise.

Why it matters
    What is seen before the server comes to it can be mended in a minute. Seen afterwards, it costs
    the restore: the hours of copying and replaying the WAL again.
How to look
    pitr-watch --pgdata DIRECTORY, before the first start and while it replays; with --archive, it
    also predicts where recovery will stop.
What to do
    Correct what the finding names, in postgresql.auto.conf or in the data directory, and restart
    the server: a restore that is replaying takes new settings from its next start on.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Final

from parsers.errors import ParseError
from parsers.files.backup_label import parse_backup_label
from parsers.files.pg_control import ControlFile
from parsers.sentences import joined, tr
from rules.live.facts import LiveRestore
from rules.live.forecast import Forecast
from rules.live.observation import Observation
from rules.live.phase import Phase
from rules.live.places import Places
from rules.live.settings import TARGET_SETTINGS, is_off, target_in
from rules.model.findings import Severity
from rules.model.goal import read_goal
from rules.model.restore_inputs import parameter_defaults
from rules.recovery import server_messages as messages
from rules.recovery.configuration import PLACES
from rules.verdict.check import Found, Note, check

_OTHERS_BITS: Final = 0o027  # neither write for the group nor anything for others
_OVER: Final = (Phase.ENDED, Phase.FAILED, Phase.SHUT_DOWN)
_COMBINE: Final = tr("combine it with the backups before it: pg_combinebackup, the full one first")
_SETTINGS, _PREDICTION = "settings", "prediction"  # whence it is known


@check(severity=Severity.CRITICAL)
def restore_foreseen(
    restore: LiveRestore, look: Observation, forecast: Forecast | None
) -> Iterator[Found]:
    """What the directory shows goes first: the prediction would only say the same again."""
    phase = restore.attempt.phase
    if phase in _OVER or look.running is None or (look.running and phase is Phase.PAUSED_AT_TARGET):
        return
    known = list(_foresee(look, restore.places))
    yield from known
    if forecast is not None and all(isinstance(each, Note) for each in known):
        yield from _foresee_from(forecast, restore.places.check(restore.attempt))


def _foresee(look: Observation, places: Places) -> Iterator[Found]:
    """What will fail, and as a note what will surprise.

    The parameters are those of CheckRequiredParameterValues, the refusals those of
    validateRecoveryParameters and read_backup_label in
    src/backend/access/transam/xlogrecovery.c, and of checkDataDir in miscinit.c.
    """
    if look.complaint:
        yield Found(
            tr("the server will refuse its configuration: {complaint}", complaint=look.complaint),
            remedy=tr("correct that line, then start the server"),
            source=_SETTINGS,
        )
        return
    if not look.running:
        yield from _foresee_refusals(look, places)
    yield from _foresee_targets(look, places)
    if look.recovery_signal or look.standby_signal:
        yield from _foresee_restore_command(look, places)
        yield from _foresee_archiving(look.configured, places)
        if look.configured_known:
            yield from _foresee_parameters(look.configured, look.control, places)
        yield from _foresee_action(look.configured)
    elif look.label is not None:
        yield Found(
            tr(
                "backup_label is there and recovery.signal is not: the server would "
                "take nothing from the archive, and replay the WAL in pg_wal alone"
            ),
            remedy=tr(
                "touch {signal}, before the first start", signal=places.inside("recovery.signal")
            ),
            source=_SETTINGS,
        )


# -- before the first record ----------------------------------------------------------------------


def _foresee_refusals(look: Observation, places: Places) -> Iterator[Found]:
    mode = look.mode
    if mode is not None and mode & _OTHERS_BITS:
        yield Found(
            tr("the data directory has mode {mode:04o}: the server will refuse it", mode=mode),
            remedy=joined(" ", ("chmod 0700", places.data_directory)),
            source=_SETTINGS,
        )
    if look.recovery_conf:
        yield Found(
            tr("recovery.conf is there: the server refuses it since release 12"),
            remedy=tr(
                "move its settings to {settings}, delete it, touch recovery.signal",
                settings=places.settings,
            ),
            source=_SETTINGS,
        )
    yield from _foresee_configuration(look, places)
    if look.label is not None:
        yield from _foresee_label(look.label)


def _foresee_configuration(look: Observation, places: Places) -> Iterator[Found]:
    """Debian and Ubuntu keep it in /etc/postgresql: a backup brings postgresql.auto.conf alone."""
    version = (look.control.major if look.control else None) or "VERSION"
    debians = f"/etc/postgresql/{version}/main"
    if look.elsewhere is not None:
        yield Found(
            tr(
                "the configuration sets data_directory = {elsewhere}: the server "
                "will start on that directory, not on this one",
                elsewhere=look.elsewhere,
            ),
            remedy=f"sed -i -E '/^ *({'|'.join(PLACES)})/d' {places.inside('postgresql.conf')}",
            source=_SETTINGS,
        )
    for path in look.absent_files:
        name = path.rpartition("/")[2]
        copied = joined(" ", (f"cp -r {debians}/conf.d {debians}/pg_*.conf", places.data_directory))
        if name == "postgresql.conf":
            lines = f"grep -vE '^ *({'|'.join(PLACES)})' {debians}/{name} > {places.inside(name)}"
            copied = joined("; ", (lines, copied))
        yield Found(
            tr(
                "there is no {name} in {directory}: the server will not start",
                name=name,
                directory=path.rpartition("/")[0],
            ),
            remedy=tr("with Debian's or Ubuntu's packages: {copied}", copied=copied),
            source=_SETTINGS,
        )


def _foresee_label(label: bytes) -> Iterator[Found]:
    try:
        read = parse_backup_label(label)
    except ParseError as error:
        yield Found(
            tr("the server will refuse backup_label: {error}", error=error),
            remedy=tr("copy the backup again, unchanged"),
            source=_SETTINGS,
        )
        return
    if read.incremental_from_lsn is not None:
        yield Found(
            tr("this is an incremental backup, which the server will refuse"),
            remedy=_COMBINE,
            source=_SETTINGS,
        )


def _foresee_targets(look: Observation, places: Places) -> Iterator[Found]:
    given = [name for name in TARGET_SETTINGS if look.configured.get(name)]
    if len(given) > 1:
        yield Found(
            tr(
                "more than one target is set ({given}): the server will refuse",
                given=", ".join(sorted(given)),
            ),
            remedy=tr("leave one of them in {settings}", settings=places.settings),
            source=_SETTINGS,
        )
        return
    try:
        zone = look.find_zone(look.configured.get("timezone", "UTC")) if look.find_zone else None
        read_goal(
            target_in(look.configured),
            zone=zone or UTC,
            find_zone=look.find_zone,
            major=look.control.major if look.control is not None else None,
        )
    except ParseError as error:
        setting = given[0] if given else "recovery_target_timeline"
        yield Found(
            tr(
                "the recovery target cannot be read: {message}; the server refuses "
                "it, or takes it for another",
                message=error.message,
            ),
            remedy=tr("correct {setting} in {settings}", setting=setting, settings=places.settings),
            source=_SETTINGS,
        )


# -- while it recovers ----------------------------------------------------------------------------


def _foresee_restore_command(look: Observation, places: Places) -> Iterator[Found]:
    command = look.configured.get("restore_command", "")
    if not command:
        if not look.standby_signal and look.configured_known:
            yield Found(
                tr(
                    "recovery.signal is there and restore_command is not set: the server "
                    "will refuse"
                ),
                remedy=tr(
                    "set restore_command in {settings} to what copies %f to %p",
                    settings=places.settings,
                ),
                source=_SETTINGS,
            )
        return
    unused = [word for word in ("%f", "%p") if word not in command]
    if unused and "%" in command:
        yield Found(
            tr(
                "restore_command does not use {unused}: it cannot bring the file "
                "asked for to its place",
                unused=tr("%f or %p") if len(unused) > 1 else unused[0],
            ),
            remedy=tr("correct restore_command in {settings}", settings=places.settings),
            source=_SETTINGS,
        )
    for place in look.absent_places:
        yield Found(
            tr(
                "restore_command copies from {place}, and there is no such directory "
                "here: the server will take that for the end of the WAL",
                place=place,
            ),
            remedy=tr(
                "mount it, or correct restore_command in {settings}", settings=places.settings
            ),
            source=_SETTINGS,
        )


def _foresee_archiving(settings: Mapping[str, str], places: Places) -> Iterator[Found]:
    archive, restore = settings.get("archive_command", ""), settings.get("restore_command", "")
    if is_off(settings.get("archive_mode", "off")) or not archive:
        return
    sources = {word[: -len("/%f")] for word in restore.split() if word.endswith("/%f")}
    for place in sources:
        if f"{place}/%f" in archive.replace("'", " ").replace('"', " "):
            yield Note(
                tr(
                    "once promoted, the server will archive into {place}, from which it "
                    "is restored",
                    place=place,
                ),
                remedy=tr(
                    "echo \"archive_mode = 'off'\" >> {settings}, before the start",
                    settings=places.settings,
                ),
                source=_SETTINGS,
            )


def _foresee_parameters(
    settings: Mapping[str, str], control: ControlFile | None, places: Places
) -> Iterator[Found]:
    if control is None or is_off(settings.get("hot_standby", "on")):
        return
    # Of a catalog that no release of 13 to 16 has; their defaults are the same.
    for name, default in parameter_defaults(control.major or 16).items():
        needed: int = getattr(control, name)
        text = settings.get(name, str(default))
        if text.isdigit() and int(text) < needed:
            yield Found(
                tr(
                    "{name} = {text} is lower than on the primary ({needed}): recovery will stop",
                    name=name,
                    text=text,
                    needed=needed,
                ),
                remedy=tr(
                    'echo "{name} = {needed}" >> {settings}, then start the server',
                    name=name,
                    needed=needed,
                    settings=places.settings,
                ),
                source=_SETTINGS,
            )


def _foresee_action(settings: Mapping[str, str]) -> Iterator[Found]:
    """A pause takes a hot standby: without one, recovery_target_action = pause shuts down."""
    target = target_in(settings)
    if target.type == "none" or target.action != "pause":
        return
    if is_off(settings.get("hot_standby", "on")):
        yield Note(
            tr("hot_standby is off: at its target the server will shut down, not pause"),
            remedy=tr("set recovery_target_action to promote or shutdown, or hot_standby = on"),
            source=_SETTINGS,
        )


# -- by the WAL itself ----------------------------------------------------------------------------

_NEXT: Final = {
    messages.STOP_BEFORE_CONSISTENCY: tr("restore an older backup, or choose a later target"),
    messages.TARGET_NOT_REACHED: tr("choose an earlier target, or bring the missing WAL: {check}"),
    messages.INCREMENTAL: _COMBINE,
    messages.PARAMETERS_SHORT: tr("raise the setting in postgresql.auto.conf, then restart"),
    messages.PREPARED_FULL: tr("raise max_prepared_transactions, then restart"),
}

_READING_AHEAD: Final = tr(
    "reading ahead, the server may die of a damaged file that its target does not need"
)
_OF_A_RESTARTPOINT: Final = tr(
    "the server may die of a restartpoint on its way, which looks for "
    "prepared transactions by a history file that cannot be used"
)


def _foresee_from(forecast: Forecast, ask: str) -> Iterator[Found]:
    """What the prediction warns of."""
    outcome = forecast.outcome
    if forecast.waits or outcome.outcome == "unknown":
        return
    if outcome.outcome == "fails":
        fatal = f" ({outcome.severity}: {outcome.fatal})" if outcome.fatal else ""
        will_fail = (
            tr("the restore will fail: {reason}{fatal}", reason=outcome.reason, fatal=fatal)
            if outcome.paused_lsn is None
            else tr(
                "the restore will pause, and then fail: {reason}{fatal}",
                reason=outcome.reason,
                fatal=fatal,
            )
        )
        yield Found(
            will_fail,
            remedy=outcome.remedy or tr(_NEXT.get(outcome.fatal or "", "{check}"), check=ask),
            source=_PREDICTION,
        )
    elif outcome.reachable is False:
        yield Note(
            tr(
                "the server will open, but not with the state asked for: {reason}",
                reason=outcome.reason,
            ),
            remedy=ask,
            source=_PREDICTION,
        )
    elif outcome.needs:
        wanted = ", ".join(f"{name} = {value}" for name, value in outcome.needs.items())
        yield Note(
            _OF_A_RESTARTPOINT if "checkpoint_timeout" in outcome.needs else _READING_AHEAD,
            remedy=tr("set {wanted} in postgresql.auto.conf, then restart", wanted=wanted),
            source=_PREDICTION,
        )
