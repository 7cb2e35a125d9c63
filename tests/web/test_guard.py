"""Who is turned away, and with what words."""

import pytest
from tests.web.served import TOKEN, Client

from chronomask.web.guard import POLICY


@pytest.fixture
def port(served):
    return served[0]


def test_the_token_is_asked_for_once_and_leaves_the_address(port):
    stranger = Client(port, token=None)
    assert stranger.status("GET", "/api/session") == (
        401,
        "token: is missing; open the address that chronomask web printed",
    )
    assert stranger.status("GET", "/static/main.js")[0] == 401
    assert stranger.status("GET", "/?token=guessed")[0] == 401
    status, headers, _ = stranger.request("GET", f"/?token={TOKEN}")
    assert (status, headers["location"]) == (303, "/")
    assert "HttpOnly" in headers["set-cookie"]
    assert stranger.status("GET", "/static/main.js")[0] == 200


def test_foreign_hosts_and_origins_are_refused(port):
    client = Client(port)
    assert client.status("GET", "/api/session", host=f"evil.example:{port}")[0] == 421
    assert client.status("GET", "/api/session", host="127.0.0.1:1")[0] == 421
    for origin in ("http://evil.example", "null", f"https://127.0.0.1:{port}", "http://127.0.0.1:1"):
        status, sentence = client.status("POST", "/api/sample", origin=origin)
        assert (status, "another page may not" in sentence) == (403, True)
    assert client.status("GET", "/api/session", sec_fetch_site="same-site")[0] == 403
    assert client.status("GET", "/", sec_fetch_site="cross-site")[0] == 200
    assert client.status("GET", "/api/session", origin=f"http://localhost:{port}", host=f"localhost:{port}")[0] == 200


def test_pages_may_load_nothing_from_elsewhere(port):
    client = Client(port)
    for path in ("/", "/static/main.js", "/api/session", "/api/nothing"):
        _, headers, _ = client.request("GET", path)
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
    assert "http" not in POLICY


def test_requests_have_bounds(port):
    client = Client(port)
    assert client.status("POST", "/api/projects/0123456789abcdef/steps", b"x" * (2**22 + 1))[0] == 413
    assert client.status("POST", "/api/sample", iter([b"x"]))[0] == 411
    assert client.status("GET", "/static/../api.py")[0] == 404
    assert client.status("GET", "/static/%2e%2e/api.py")[0] == 404
    assert client.status("GET", "/api/projects/..%2f..%2f")[0] == 404
