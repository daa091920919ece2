"""Repositories by the tools' own configuration: where each lies, and by what it is read.

What the environment says by a tool's own names goes before its files, as it does for the tool.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from agent.denied import reason
from agent.errors import UsageError
from agent.repositories.opening import RepoPlace
from agent.repositories.recognise import BARMAN, PGBACKREST, WALG
from agent.store.urls import StoreKeys, StoreSettings, address_of
from parsers.errors import ParseError
from parsers.repository.barman_config import BarmanConfig
from parsers.repository.pgbackrest_config import (
    ConfiguredRepository,
    Sections,
    parse_config,
    repositories,
    spool_of,
    stanzas,
)
from parsers.sentences import tr

Environment = Mapping[str, str]
T = TypeVar("T")
_LIMIT_BYTES: Final = 1 << 20
_PGBACKREST: Final = "/etc/pgbackrest"
_PGBACKREST_OLD: Final = "/etc/pgbackrest.conf"
_BARMAN: Final = ("~/.barman.conf", "/etc/barman.conf", "/etc/barman/barman.conf")
_WALG: Final = ("~/.walg.json", "~/.walg.yaml", "~/.walg.yml", "~/.walg.toml")
_WALG_PLACES: Final = ("FILE", "S3", "GS", "AZ", "SSH", "SWIFT")


def pgbackrest_places(
    config: str | None, stanza: str | None, environment: Environment = os.environ
) -> list[RepoPlace]:
    """The repositories of a stanza. Raises UsageError."""
    sections, where = _read_pgbackrest(config, environment)
    there = stanzas(sections)
    if stanza is None:
        stanza = environment.get("PGBACKREST_STANZA") or (there[0] if len(there) == 1 else None)
    found = repositories(sections, environment, stanza)
    spool = spool_of(sections, environment, stanza)
    return [replace(_pgbackrest_place(each, stanza, where), spool=spool) for each in found]


def barman_places(config: str | None, server: str | None) -> list[RepoPlace]:
    """The one repository of a server. Raises UsageError."""
    path, found = _read_barman(config)
    servers, there = found.servers(), ", ".join(found.servers())
    if server is None and len(servers) > 1:
        raise UsageError(
            tr(
                "--barman {path}: which server? --server NAME, one of {there}",
                path=path,
                there=there,
            )
        )
    if server is not None and server not in servers:
        raise UsageError(
            tr(
                "--barman {path}: no server {server!r}: it has {there}",
                path=path,
                server=server,
                there=there,
            )
        )
    name = server or servers[0]
    try:
        places = found.places(name)
    except ParseError as error:
        raise UsageError(tr("--barman {path}: {error}", path=path, error=error)) from None
    url = places.home.rpartition("/")[0]
    return [RepoPlace(url=url, name=name, tool=BARMAN, barman=places)]


def barman_servers(config: str | None) -> Sequence[str]:
    """Raises UsageError."""
    return _read_barman(config)[1].servers()


def walg_places(config: str | None, environment: Environment = os.environ) -> list[RepoPlace]:
    """The storage, and those that it fails over to. Raises UsageError."""
    path = config or next((name for name in map(_home, _WALG) if os.path.exists(name)), None)  # noqa: PTH110
    given = _parsed(path, "--walg", lambda text: _walg_settings(path, text)) if path else {}
    others = given.pop("WALG_FAILOVER_STORAGES", None) or {}
    settings = {name: str(value) for name, value in given.items()} | dict(environment)
    where = path or tr("the environment")
    told = [settings, *({**settings, **_upper(each)} for each in others.values())]
    return [_walg_place(each, number, where) for number, each in enumerate(told, start=1)]


# -- pgBackRest ------------------------------------------------------------------------------------


def _read_pgbackrest(config: str | None, environment: Environment) -> tuple[Sections, str]:
    """What the files say, and the name of the first.

    A file that is named is read alone; by default conf.d is, too (cfgFileLoad in config/parse.c).
    """
    named = config or environment.get("PGBACKREST_CONFIG")
    folder = environment.get("PGBACKREST_CONFIG_INCLUDE_PATH")
    above = environment.get("PGBACKREST_CONFIG_PATH")
    if named is None:
        base = above or _PGBACKREST
        folder = folder or f"{base}/conf.d"
        usual = [f"{base}/pgbackrest.conf", *(() if above else (_PGBACKREST_OLD,))]
        named = next((name for name in usual if os.path.exists(name)), None)  # noqa: PTH110
    elif folder is None and above is not None:
        folder = f"{above}/conf.d"
    files = [*([named] if named else ()), *(_files_of(folder) if folder else ())]
    if not files and not any(name.startswith("PGBACKREST_REPO") for name in environment):
        where = f"{above or _PGBACKREST}/pgbackrest.conf"
        raise UsageError(tr("--pgbackrest: there is no {path}: name the file", path=where))
    sections: Sections = {}
    for file in files:
        sections = _parsed(file, "--pgbackrest", partial(parse_config, before=sections))
    return sections, files[0] if files else tr("the environment")


def _pgbackrest_place(each: ConfiguredRepository, stanza: str | None, where: str) -> RepoPlace:
    options, name = each.options, f"repo{each.number}"
    url, settings, elsewhere = os.path.normpath(each.path), None, None
    if host := options.get("host"):
        elsewhere = tr(
            "{where}: {name} lies on the host {host}: ask there", where=where, name=name, host=host
        )
    elif each.type in _OF_STORES:
        place, settings = _OF_STORES[each.type](options)
        url = _address(
            f"{place}/{each.path.strip('/')}", tr("{where}: {name}", where=where, name=name)
        )
    elif each.type not in ("posix", "cifs"):
        elsewhere = tr(
            "{where}: {name} is of type {type}, which is not read",
            where=where,
            name=name,
            type=each.type,
        )
    passphrase = options.get("cipher-pass")
    return RepoPlace(
        url=url,
        name=stanza,
        number=each.number,
        passphrase=passphrase.encode() if passphrase else None,
        tool=PGBACKREST,
        settings=settings,
        elsewhere=elsewhere,
    )


def _s3(options: Mapping[str, str]) -> tuple[str, StoreSettings]:
    host = options.get("storage-host") or options.get("s3-host") or options.get("s3-endpoint")
    port = options.get("storage-port") or options.get("s3-port")
    endpoint = None
    if host:
        endpoint = host if "://" in host else f"https://{host}"
        endpoint += f":{port}" if port else ""
    keys = None
    if options.get("s3-key") and options.get("s3-key-secret"):
        keys = StoreKeys(options["s3-key"], options["s3-key-secret"], options.get("s3-token"))
    settings = StoreSettings(endpoint=endpoint, region=options.get("s3-region"), keys=keys)
    return f"s3://{options.get('s3-bucket', '')}", settings


def _azure(options: Mapping[str, str]) -> tuple[str, StoreSettings]:
    account, key = options.get("azure-account"), options.get("azure-key")
    keys = StoreKeys(account, key) if account and key else None
    return f"az://{options.get('azure-container', '')}", StoreSettings(keys=keys)


def _gcs(options: Mapping[str, str]) -> tuple[str, StoreSettings]:
    settings = StoreSettings(credentials_file=options.get("gcs-key"))
    return f"gs://{options.get('gcs-bucket', '')}", settings


_OF_STORES: Final = {"s3": _s3, "azure": _azure, "gcs": _gcs}


# -- Barman ----------------------------------------------------------------------------------------


def _read_barman(config: str | None) -> tuple[str, BarmanConfig]:
    """The name of the first file, and what they say."""
    path = config or next((name for name in map(_home, _BARMAN) if os.path.exists(name)), None)  # noqa: PTH110
    if path is None:
        raise UsageError(
            tr("--barman: there is no {paths}: name the file", paths=", ".join(_BARMAN))
        )
    found = BarmanConfig()
    _parsed(path, "--barman", found.read)
    folder = found.further_files
    for name in _files_of(_home(folder)) if folder else ():
        _parsed(name, "--barman", found.read)
    if not found.servers():
        raise UsageError(tr("--barman {path}: it has no server", path=path))
    return path, found


# -- WAL-G -----------------------------------------------------------------------------------------


def _walg_settings(path: str, text: str) -> dict[str, Any]:
    """Raises ParseError."""
    try:
        if path.endswith(".toml"):
            given = tomllib.loads(text)
        elif path.endswith((".yaml", ".yml")):
            import yaml

            given = yaml.safe_load(text)
        else:
            given = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise ParseError(tr("not written as its ending says"), line=line) from None
    except Exception as error:
        raise ParseError(
            tr("not written as its ending says ({error})", error=type(error).__name__)
        ) from None
    if not isinstance(given, dict):
        raise ParseError(tr("not names with their values"))
    return _upper(given)


def _upper(given: object) -> dict[str, Any]:
    """Its names are not told by their case."""
    items = given.items() if isinstance(given, dict) else ()
    return {str(name).upper(): value for name, value in items if value is not None}


def _walg_place(settings: Mapping[str, str], number: int, where: str) -> RepoPlace:
    kinds = [kind for kind in _WALG_PLACES if settings.get(f"WALG_{kind}_PREFIX")]
    if not kinds:
        raise UsageError(
            tr("{where}: no WALG_S3_PREFIX, WALG_FILE_PREFIX or the like in it", where=where)
        )
    kind = kinds[0]
    url, found, elsewhere = settings[f"WALG_{kind}_PREFIX"], None, None
    if kind in ("SSH", "SWIFT"):
        elsewhere = tr(
            "{where}: WALG_{kind}_PREFIX: a storage of this kind is not read",
            where=where,
            kind=kind,
        )
    elif kind == "FILE":
        url = os.path.normpath(url.removeprefix("file://localhost").removeprefix("file://"))
    else:
        url = _address(
            url.replace("azure://", "az://"),
            tr("{where}: WALG_{kind}_PREFIX", where=where, kind=kind),
        )
        found = _walg_store(kind, settings)
    return RepoPlace(
        url=url,
        number=number,
        tool=WALG,
        settings=found,
        environment=settings,
        elsewhere=elsewhere,
    )


def _walg_store(kind: str, settings: Mapping[str, str]) -> StoreSettings:
    if kind == "GS":
        return StoreSettings(credentials_file=settings.get("GOOGLE_APPLICATION_CREDENTIALS"))
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    if kind == "AZ":
        names = ("AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCESS_KEY")
    name, secret = (settings.get(each) for each in names)
    keys = StoreKeys(name, secret, settings.get("AWS_SESSION_TOKEN")) if name and secret else None
    if kind == "AZ":
        return StoreSettings(keys=keys)
    endpoint = settings.get("AWS_ENDPOINT")
    if endpoint and "://" not in endpoint:
        endpoint = f"https://{endpoint}"
    return StoreSettings(endpoint=endpoint, region=settings.get("AWS_REGION"), keys=keys)


# -- files -----------------------------------------------------------------------------------------


def _parsed(path: str, option: str, parse: Callable[[str], T]) -> T:
    """What a file says. Raises UsageError: one line, with none of its values."""
    try:
        with Path(path).open("rb") as file:
            text = file.read(_LIMIT_BYTES).decode()
        return parse(text)
    except OSError as error:
        raise UsageError(
            tr("{option} {path}: {reason}", option=option, path=path, reason=reason(error, path))
        ) from None
    except UnicodeDecodeError:
        raise UsageError(tr("{option} {path}: not text", option=option, path=path)) from None
    except ParseError as error:
        raise UsageError(
            tr("{option} {path}: {error}", option=option, path=path, error=error)
        ) from None


def _files_of(folder: str) -> Iterator[str]:
    """The *.conf of a directory of more; nothing where there is none."""
    yield from (str(path) for path in sorted(Path(folder).glob("*.conf")) if path.is_file())


def _address(url: str, where: str) -> str:
    try:
        return address_of(url)
    except ValueError as error:
        raise UsageError(tr("{where}: {error}", where=where, error=error)) from None


def _home(path: str) -> str:
    return str(Path(path).expanduser())
