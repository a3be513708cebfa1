"""The configuration for nginx: its rules as text here, what it does in test_forwarding.py."""

import pytest

from server.gateway import Limits, nginx_configuration, write_nginx_configuration
from server.gateway.routes import FLEET_PATHS, REGISTRATION_PATHS
from shared.errors import InputError


def of(authority, listen="0.0.0.0:443", upstream="127.0.0.1:18000", **changes):
    given = {"upstream_ca": authority.ca, **changes}
    certificate = given.pop("certificate", authority.server)
    return nginx_configuration(listen, upstream, certificate, authority.server_key, **given)


def test_it_is_well_formed_and_holds_every_rule(authority, nginx_syntax):
    limits = Limits(body_bytes=123_456, head_s=1.5, requests=7)
    text = of(authority, listen="127.0.0.1:8443", limits=limits)
    assert text.count("{") == text.count("}")
    for line in (
        "listen 127.0.0.1:8443 ssl;",
        "ssl_protocols TLSv1.3;",
        "client_max_body_size 123456;",
        "client_header_timeout 1500ms;",
        "limit_conn all 7;",
        "limit_req_status 503;",
        "proxy_pass_request_headers off;",
        "proxy_set_header flwr-signature $http_flwr_signature;",
        "proxy_set_header X-Forwarded-For $remote_addr;",
        "proxy_ssl_verify on;",
        'proxy_ssl_name "localhost";',
        "access_log off;",
        "location / { proxy_pass https://127.0.0.1:18000; }",
    ):
        assert line in text
    assert f'"~^POST ({"|".join(FLEET_PATHS)})$" a_route;' in text
    assert f'"~^[A-Z]+ ({"|".join(REGISTRATION_PATHS)})$" registration;' in text
    assert "task-token" not in text
    assert "failed" not in nginx_syntax(text)


def test_the_syntax_check_can_fail(authority, nginx_syntax):
    broken = of(authority).replace("ssl_protocols", "ssl_protocol")
    said = nginx_syntax(broken)
    assert said == "" or 'unknown directive "ssl_protocol"' in said


def test_paths_with_blanks_are_quoted(authority, tmp_path, nginx_syntax):
    folder = tmp_path / "a folder; of {mine} it's"
    folder.mkdir()
    certificate = folder / "server.pem"
    certificate.write_bytes(authority.server.read_bytes())
    text = of(authority, "[::1]:8443", certificate=certificate, access_log=folder / "log")
    assert f'ssl_certificate "{certificate}";' in text
    assert f'access_log "{folder / "log"}" fedaffect;' in text
    assert "failed" not in nginx_syntax(text)


@pytest.mark.parametrize("name", ['a"b', "a$b", "a\\b", "a\nb"])
def test_a_path_that_means_something_to_nginx_is_refused(authority, tmp_path, name):
    with pytest.raises(InputError, match="move the server's folder to a plain path"):
        of(authority, certificate=tmp_path / name)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"listen": "443"}, "it has to read host:port"),
        ({"upstream": "0.0.0.0:1"}, "has to listen on loopback"),
        ({"upstream_name": "127.0.0.1"}, "checks names only"),
    ],
)
def test_what_nginx_could_not_do_is_refused(authority, changes, message):
    with pytest.raises(InputError, match=message):
        of(authority, **changes)


def test_it_is_written_to_a_file(authority, tmp_path):
    path = tmp_path / "deep" / "nginx.conf"
    write_nginx_configuration(
        path,
        "0.0.0.0:443",
        "127.0.0.1:18000",
        authority.server,
        authority.server_key,
        upstream_ca=authority.ca,
    )
    assert path.read_text() == of(authority)
