# ruff: noqa: E501 - one mistake and its complaint a line
"""`--web.config.file` as its clients see it: curl, Prometheus, and TLS handshakes by hand."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from pathlib import Path

import bcrypt
import pytest

from agent.config.file import ConfigError
from agent.web.config import load_web_config
from tests.fix_prometheus import Prometheus, ask
from tests.fix_tools import PATIENCE_SECONDS, need_program
from tests.fix_web import HASH, PASSWORD, guarded
from tests.waiting import wait_until

OTHER_HASH = bcrypt.hashpw(b"other", bcrypt.gensalt(4)).decode()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.pem, and of it server.pem (127.0.0.1) and client.pem with their keys; stray.pem is alone."""
    directory = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: str) -> None:
        program = need_program("openssl")
        subprocess.run([program, *arguments], cwd=directory, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    for name in ("ca", "stray"):
        openssl(
            "req", "-x509", *key, "-keyout", f"{name}.key", "-out", f"{name}.pem",
            "-subj", f"/CN={name}", "-days", "3650",
        )  # fmt: skip
    for name in ("server", "client", "renewed"):
        openssl(
            "req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}",
            "-addext", "subjectAltName=IP:127.0.0.1",
        )  # fmt: skip
        openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-out", f"{name}.pem", "-days", "3650", "-copy_extensions", "copy",
        )  # fmt: skip
    openssl("ec", "-aes256", "-passout", "pass:x", "-in", "server.key", "-out", "encrypted.key")
    return directory


def tls(certificates: Path, name: str = "server", **more: str) -> dict[str, str]:
    return {
        "cert_file": str(certificates / f"{name}.pem"),
        "key_file": str(certificates / f"{name}.key"),
        **more,
    }


@pytest.mark.slow
def test_tls_and_passwords_for_curl_and_a_real_prometheus(
    tmp_path: Path, certificates: Path, prometheus: Prometheus
) -> None:
    headers = {"Strict-Transport-Security": "max-age=31536000", "X-Frame-Options": "SAMEORIGIN"}
    web = {
        "tls_server_config": tls(certificates, min_version="TLS13"),
        "http_server_config": {"headers": headers},
        "basic_auth_users": {"prometheus": HASH},
    }
    ca = ("--cacert", certificates / "ca.pem")
    right = (*ca, "-u", f"prometheus:{PASSWORD}")
    with guarded(tmp_path, web) as agent:
        assert f"https://{agent.address}/metrics" in agent.log.read_text()
        for path in ("/", "/clusters/a", "/static/page.css", "/runbooks/PitrWalGap"):
            assert agent.curl(*ca, path=path).endswith("401"), path
            answer = agent.curl(*right, path=path)
            assert answer.endswith("200"), path
            assert answer.count("x-frame-options") == 1 and "SAMEORIGIN" in answer
        answer = agent.curl(*right)
        assert answer.endswith("200")
        assert "strict-transport-security: max-age=31536000" in answer.lower()
        assert agent.curl(*ca, "-u", "prometheus:wrong").endswith("401")
        assert agent.curl(*ca, "-u", f"nobody:{PASSWORD}").endswith("401")
        assert agent.curl(*ca, "-u", f"prometheus:{PASSWORD}{'x' * 80}").endswith("401")
        assert agent.curl(*ca, "-H", "Authorization: Basic !!!").endswith("401")
        assert "www-authenticate: basic" in agent.curl(*ca).lower()
        assert agent.curl(*right, "--tls-max", "1.2") == "000"
        assert agent.curl("-u", f"prometheus:{PASSWORD}") == "000", "its authority is not known"
        assert agent.curl(scheme="http") == "000"
        prometheus.start(
            agent.address,
            scheme="https",
            tls_config={"ca_file": str(certificates / "ca.pem")},
            basic_auth={"username": "prometheus", "password": PASSWORD},
        )
        target = f"{prometheus.url}/api/v1/query?query=pitr_build_info"
        wait_until(lambda: (ask(target) or {}).get("data", {}).get("result"), "it is scraped")

        web["tls_server_config"] = tls(certificates, "renewed")
        web["basic_auth_users"] = {"prometheus": OTHER_HASH}
        agent.write(web)
        assert agent.subject(certificates) == "server"
        agent.reload()
        assert agent.subject(certificates) == "renewed"
        assert agent.curl(*right).endswith("401")
        assert agent.curl(*ca, "-u", "prometheus:other").endswith("200")
        web["tls_server_config"] = tls(certificates, key_file=str(certificates / "stray.key"))
        agent.write(web)
        agent.reload()
        assert agent.subject(certificates) == "renewed", "what is wrong leaves what runs"
        assert agent.stop() == 0
    log = agent.log.read_text()
    assert "does not belong to cert_file" in log
    assert PASSWORD not in log
    assert HASH not in log


@pytest.mark.slow
def test_a_client_without_the_right_certificate_stays_outside(
    tmp_path: Path, certificates: Path
) -> None:
    ca = str(certificates / "ca.pem")
    wanted = {"client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": ca}

    def as_client(name: str) -> tuple[object, ...]:
        certificate, key = certificates / f"{name}.pem", certificates / f"{name}.key"
        return ("--cacert", ca, "--cert", certificate, "--key", key)

    with guarded(tmp_path, {"tls_server_config": tls(certificates, **wanted)}) as agent:
        assert agent.curl(*as_client("client")).endswith("200")
        assert agent.curl(*as_client("stray")) == "000"
        assert agent.curl("--cacert", ca) == "000"
        given = {"client_auth_type": "VerifyClientCertIfGiven", "client_ca_file": ca}
        newest = {**given, "min_version": "TLS13"}
        agent.write({"tls_server_config": tls(certificates, **newest)})
        agent.reload()
        assert agent.curl(*as_client("client")).endswith("200")
        assert agent.curl(*as_client("stray")) == "000"
        assert agent.curl("--cacert", ca).endswith("200")
        assert agent.curl("--cacert", ca, "--tls-max", "1.2") == "000"


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    with guarded(tmp_path, {}) as agent:
        with urllib.request.urlopen(f"http://{agent.address}/metrics") as answer:
            assert answer.status == 200
        agent.write({"tls_server_config": {"cert_file": "absent", "key_file": "absent"}})
        agent.reload()
        assert "cert_file" in agent.log.read_text()
        assert "cannot be read: No such file" in agent.log.read_text()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tls_server_config:\n  cert_file: server.pem\n", "F:1: 'key_file' is missing"),
        ("tls_server_config: {cert_file: absent.pem, key_file: server.key}\n", "F: cert_file D/absent.pem cannot be read: No such file"),
        ("tls_server_config: {cert_file: server.pem, key_file: stray.key}\n", "F: key_file D/stray.key does not belong to cert_file D/server.pem"),
        ("tls_server_config: {cert_file: server.key, key_file: server.key}\n", "F: cert_file D/server.key, key_file D/server.key: "),
        ("tls_server_config: {cert_file: server.pem, key_file: server.key, client_auth_type: RequireAndVerifyClientCert}\n", "F:1: tls_server_config: client_ca_file and a client_auth_type that verifies go together"),
        ("tls_server_config: {cert_file: server.pem, key_file: server.key, client_auth_type: RequestClientCert}\n", "F:1: tls_server_config: client_auth_type 'RequestClientCert' is not done here: it lets everybody in: write"),
        ("tls_server_config: {cert_file: server.pem, key_file: server.key, client_auth_type: RequireAnyClientCert, client_ca_file: ca.pem}\n", "client_auth_type 'RequireAnyClientCert' is not done here: any certificate would do"),
        ("tls_server_config: {cert_file: server.pem, key_file: server.key, client_auth_type: Sometimes}\n", "F:1: tls_server_config.client_auth_type: Input should be 'NoClientCert'"),
        ("tls_server_config: {cert_file: server.pem, key_file: server.key, cipher_suites: [TLS_AES_128_GCM_SHA256]}\n", "F:1: tls_server_config: 'cipher_suites' is not done here: OpenSSL"),
        ("tls_server_config: {cert_file: server.pem, key_file: server.key, client_ca_file: ca.pem}\n", "client_ca_file and a client_auth_type that verifies go together"),
        ("tls_server_config: {cert: abc, key: s3cret}\n", "F:1: tls_server_config: 'cert' is not done here: write it into a file"),
        ("rate_limit: {interval: 1s}\n", "'rate_limit' is not done here"),
        ("tls_server_config: {cert_file: server.pem, key_file: server.key, min_version: TLS13, max_version: TLS12}\n", "F:1: tls_server_config: min_version is above max_version"),
        ("tls_server_config: {cert_file: server.pem, key_file: encrypted.key}\n", "F: cert_file D/server.pem, key_file D/encrypted.key: "),
        ("tls_server_config: {cert_file: server.pem, key_file: server.key, min_version: TLS10}\n", "F:1: tls_server_config: min_version 'TLS10' is not done here: no client needs it any more (RFC 8996): write TLS12"),
        ("\nbasic_auth_user: {}\n", "F:2: unknown key 'basic_auth_user': did you mean basic_auth_users? expected one of tls_server_config"),
        ("basic_auth_users:\n  a: s3cret\n", "basic_auth_users: the value of 'a' is not a bcrypt hash"),
        ("http_server_config:\n  headers: {X-Other: a}\n", "F:2: http_server_config.headers: 'X-Other' cannot be set"),
        ("http_server_config:\n  headers: {X-Frame-Options: \"a\\r\\nb: c\"}\n", "characters that no header may have"),
        ("tls_server_config: [\n", "F:2: not YAML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_clear_line_and_exit_64(
    tmp_path: Path, certificates: Path, text: str, expected: str
) -> None:
    web_file = certificates / "web.yaml"
    web_file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_web_config(web_file)
    said = str(caught.value).replace(str(web_file), "F").replace(str(certificates), "D")
    assert expected in said
    assert "s3cret" not in said
    assert len(said.splitlines()) == 1


def test_a_key_that_is_anothers_ends_the_start_with_a_line(
    tmp_path: Path, certificates: Path
) -> None:
    config, web = tmp_path / "pitr.yaml", certificates / "mismatch.yaml"
    config.write_text("clusters: [{name: a, dsn: host=x}]\n")
    web.write_text("tls_server_config: {cert_file: server.pem, key_file: stray.key}\n")
    program = Path(sys.executable).parent / "pitr-agent"
    result = subprocess.run(
        [program, "run", "--config", config, "--web.config.file", web],
        capture_output=True, text=True, timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    assert result.returncode == 64
    assert f"{web}: key_file {certificates}/stray.key does not belong to cert_file" in result.stderr
    assert "Traceback" not in result.stderr


def test_it_ends_in_usage(tmp_path: Path) -> None:
    config = tmp_path / "pitr.yaml"
    config.write_text("clusters: [{name: a, dsn: host=x}]\n")
    program = Path(sys.executable).parent / "pitr-agent"
    result = subprocess.run(
        [program, "run", "--config", config, "--web.config.file", tmp_path / "absent.yaml"],
        capture_output=True, text=True, timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    assert result.returncode == 64
    assert f"{tmp_path}/absent.yaml: cannot be read: No such file" in result.stderr
    assert "Traceback" not in result.stderr
