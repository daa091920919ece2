"""`--web.config.file`: TLS, basic authentication and headers, in the exporter toolkit's format.

Follows docs/web-configuration.md of prometheus/exporter-toolkit. Paths are relative to the file.
What Python's ssl cannot do (a client certificate that is asked for and not verified) and what is
left to OpenSSL's own choice (ciphers, curves) is refused, with what to write instead, rather than
passed over.
"""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from agent.config.exposed import warn_of_files
from agent.config.fields import Strict
from agent.config.file import ConfigError, read_model
from parsers.sentences import tr
from parsers.values import dataclass

_BCRYPT: Final = re.compile(r"\$2[abxy]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}")
_VERIFY: Final = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
# What the toolkit knows and is not done here: value or key -> what to write instead.
_NO_VALUE: Final = {
    "RequestClientCert": tr("it lets everybody in: write NoClientCert, or VerifyClientCertIfGiven"),
    "RequireAnyClientCert": tr(
        "any certificate would do, also one that a stranger made for "
        "himself: write RequireAndVerifyClientCert and a client_ca_file"
    ),
    "TLS10": tr("no client needs it any more (RFC 8996): write TLS12 or TLS13"),
    "TLS11": tr("no client needs it any more (RFC 8996): write TLS12 or TLS13"),
}
_NO_KEY: Final = {
    "cert": tr("write it into a file, and name that as cert_file"),
    "key": tr("write it into a file, and name that as key_file"),
    "client_ca": tr("write it into a file, and name that as client_ca_file"),
    "client_allowed_sans": tr("let client_ca_file be an authority for these clients alone"),
    "cipher_suites": tr("OpenSSL's own choice holds (openssl.cnf): leave it out"),
    "prefer_server_cipher_suites": tr("OpenSSL's own choice holds (openssl.cnf): leave it out"),
    "curve_preferences": tr("OpenSSL's own choice holds (openssl.cnf): leave it out"),
    "rate_limit": tr("limit requests where they come from: leave it out"),
}
_VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_HEADERS: Final = frozenset(
    {
        "Strict-Transport-Security", "X-Content-Type-Options", "X-Frame-Options",
        "X-XSS-Protection", "Content-Security-Policy",
    }
)  # fmt: skip


class TlsConfig(Strict):
    """tls_server_config."""

    cert_file: Path
    key_file: Path
    client_auth_type: Literal[
        "NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"
    ] = "NoClientCert"
    client_ca_file: Path | None = None
    min_version: Literal["TLS12", "TLS13"] = "TLS12"
    max_version: Literal["TLS12", "TLS13"] = "TLS13"

    @model_validator(mode="before")
    @classmethod
    def _is_done_here(cls, given: Any) -> Any:
        _refuse_what_is_not_done(given)
        return given

    @model_validator(mode="after")
    def _goes_together(self) -> TlsConfig:
        if (self.client_ca_file is None) != (self.client_auth_type == "NoClientCert"):
            raise ValueError(tr("client_ca_file and a client_auth_type that verifies go together"))
        if self.min_version > self.max_version:
            raise ValueError(tr("min_version is above max_version"))
        return self


class HttpConfig(Strict):
    """http_server_config. HTTP/2 is not spoken, whatever `http2` says."""

    http2: bool = True
    headers: dict[str, str] = Field(default_factory=dict)

    @field_validator("headers")
    @classmethod
    def _may_be_set(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if name not in _HEADERS:
                raise ValueError(
                    tr(
                        "{name!r} cannot be set: expected {known}",
                        name=name,
                        known=", ".join(sorted(_HEADERS)),
                    )
                )
            if not (value.isascii() and value.isprintable()):
                raise ValueError(
                    tr("{name}: the value has characters that no header may have", name=name)
                )
        return headers


class WebFile(Strict):
    """The whole file."""

    tls_server_config: TlsConfig | None = None
    http_server_config: HttpConfig = HttpConfig()
    basic_auth_users: dict[str, SecretStr] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _are_hashes(cls, given: Any) -> Any:
        _refuse_what_is_not_done(given)
        users = given.get("basic_auth_users") if isinstance(given, dict) else None
        for user, password in users.items() if isinstance(users, dict) else ():
            if not _BCRYPT.fullmatch(str(password)):
                raise ValueError(
                    tr(
                        "basic_auth_users: the value of {user!r} is not a bcrypt hash: make "
                        "one with  htpasswd -nBC 10 ''",
                        user=user,
                    )
                )
        return given


def _refuse_what_is_not_done(given: Any) -> None:
    for key, value in given.items() if isinstance(given, dict) else ():
        if key in _NO_KEY:
            raise ValueError(
                tr("{key!r} is not done here: {instead}", key=key, instead=_NO_KEY[key])
            )
        if isinstance(value, str) and value in _NO_VALUE:
            raise ValueError(
                tr(
                    "{key} {value!r} is not done here: {instead}",
                    key=key,
                    value=value,
                    instead=_NO_VALUE[value],
                )
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class WebConfig:
    """What the server does with it."""

    tls: TlsConfig | None = None  # its paths are absolute or relative to the working directory
    headers: tuple[tuple[str, str], ...] = ()
    users: tuple[tuple[str, SecretStr], ...] = ()  # name, bcrypt hash

    def apply_tls(self, context: ssl.SSLContext) -> None:
        """Have this context, live or new, use what the files hold now. Raises OSError."""
        assert self.tls is not None
        context.load_cert_chain(self.tls.cert_file, self.tls.key_file, password="")
        if self.tls.client_ca_file is not None:
            context.load_verify_locations(self.tls.client_ca_file)
        context.verify_mode = _VERIFY[self.tls.client_auth_type]
        context.minimum_version = _VERSIONS[self.tls.min_version]
        context.maximum_version = _VERSIONS[self.tls.max_version]


def load_web_config(path: Path | None) -> WebConfig:
    """Read the file, and try the certificate with its key. Raises ConfigError."""
    if path is None:
        return WebConfig()
    read, _ = read_model(path, WebFile)
    tls = read.tls_server_config
    if tls is not None:
        named = {name: getattr(tls, name) for name in ("cert_file", "key_file", "client_ca_file")}
        found = {name: path.parent / given for name, given in named.items() if given is not None}
        for name, at in found.items():
            _must_be_readable(path, name, at)
        warn_of_files([found["key_file"]], "is a private key")
        tls = tls.model_copy(update=found)
    config = WebConfig(
        tls=tls,
        headers=tuple(read.http_server_config.headers.items()),
        users=tuple(read.basic_auth_users.items()),
    )
    if config.tls is not None:
        _try_tls(path, config, config.tls)
    return config


def _must_be_readable(path: Path, name: str, at: Path) -> None:
    try:
        at.read_bytes()
    except OSError as error:
        raise ConfigError(
            tr(
                "{path}: {name} {at} cannot be read: {reason}",
                path=path,
                name=name,
                at=at,
                reason=error.strerror,
            )
        ) from None


def _try_tls(path: Path, config: WebConfig, tls: TlsConfig) -> None:
    try:
        config.apply_tls(new_context())
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError(
                tr(
                    "{path}: key_file {key_file} does not belong to cert_file {cert_file}",
                    path=path,
                    key_file=tls.key_file,
                    cert_file=tls.cert_file,
                )
            ) from None
        named = f"cert_file {tls.cert_file}, key_file {tls.key_file}"
        if tls.client_ca_file is not None:
            named += f", client_ca_file {tls.client_ca_file}"
        reason = error.reason.replace("_", " ").lower() if error.reason else tr("not pem")
        said = tr("{path}: {named}: {reason}", path=path, named=named, reason=reason)
        raise ConfigError(said) from None


def new_context() -> ssl.SSLContext:
    """A server's context without a certificate yet."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
