import socket
import threading

import pytest

from fixieai import errors
from fixieai.client import connection, failures
from fixieai.client.client import FixieClient


def test_the_key_goes_as_bearer(scripted_platform, client):
    scripted_platform.will({"username": "ann"})
    assert client.get_current_username() == "ann"
    assert scripted_platform.seen[0].headers["Authorization"] == "Bearer a-key"


def test_no_netrc_entry_and_no_proxy_comes_between(scripted_platform, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    scripted_platform.will({"username": "ann"})
    assert FixieClient("a-key", api_url=scripted_platform.url).get_current_username() == "ann"
    assert scripted_platform.seen[0].headers["Authorization"] == "Bearer a-key"


def test_without_a_key_there_is_a_permission_error_that_says_what_to_do():
    with pytest.raises(PermissionError, match="fixie platform serve"):
        FixieClient()


@pytest.mark.parametrize(
    "url", ["http://example.org/", "{base}.example.org/api", "{base}@example.org/", "/api", ""]
)
def test_urls_elsewhere_are_refused_before_anything_is_sent(scripted_platform, client, url):
    elsewhere = url.format(base=scripted_platform.url)
    for send in (client.post, client.streaming_post, client.get):
        with pytest.raises(ValueError, match="is not below"):
            send(elsewhere)
    assert scripted_platform.seen == []


def test_redirects_are_not_followed(scripted_platform, client):
    scripted_platform.will(b"", status=302, Location="http://example.org/")
    with pytest.raises(errors.FixieError, match="302"):
        client.post(f"{client.url}/api/user")


def test_what_is_no_platform_is_said_to_be_none(scripted_platform, client):
    scripted_platform.will({"error": {"code": "not_found", "message": "Nothing here."}}, status=404)
    with pytest.raises(errors.ConfigurationError, match="no Fixie platform: check FIXIE_API_URL"):
        client.get_current_user()


def test_a_name_that_nobody_has_is_no_broken_connection(monkeypatch):
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr(connection, "_RETRY_PAUSES", ())
    with pytest.raises(failures.PlatformUnreachable, match=r"no server of the name in http://fixie\.example"):
        FixieClient("a-key", api_url="http://fixie.example").get_current_user()


def test_https_where_only_http_is_spoken_is_said_and_not_tried_again():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer_in_plain_text() -> None:
            with server.accept()[0] as connected:
                connected.recv(1024)
                connected.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        answering = threading.Thread(target=answer_in_plain_text)
        answering.start()
        with pytest.raises(failures.PlatformUnreachable, match="https:// or http://") as caught:
            FixieClient("a-key", api_url=f"https://127.0.0.1:{server.getsockname()[1]}").get_current_user()
        answering.join()
    assert not caught.value.may_pass


def test_a_get_is_repeated_when_the_failure_may_pass(scripted_platform, client):
    scripted_platform.will({}, status=503)
    scripted_platform.will({}, status=429, Retry_After="0.1")
    scripted_platform.will({"username": "ann"})
    assert client.get_current_username() == "ann"
    assert len(scripted_platform.seen) == 3


def test_a_get_is_not_repeated_when_it_would_have_to_wait_for_long(scripted_platform, client):
    scripted_platform.will({}, status=429, Retry_After="3600")
    with pytest.raises(errors.TooManyRequests) as caught:
        client.get_current_user()
    assert caught.value.retry_after == 3600
    assert len(scripted_platform.seen) == 1


def test_a_get_is_not_repeated_when_the_failure_stays(scripted_platform, client):
    scripted_platform.will(
        {"error": {"code": "forbidden", "message": "Not you.", "reference": "r1"}}, status=403
    )
    with pytest.raises(errors.Forbidden, match=r"Not you\. \(reference r1\)"):
        client.get_current_user()
    assert len(scripted_platform.seen) == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_what_changes_something_is_sent_once(scripted_platform, client, method):
    scripted_platform.will({}, status=503)
    url = f"{client.url}/api/x"
    send = {"POST": client.post, "PUT": lambda url: client.put(url, {}), "DELETE": client.delete}[method]
    with pytest.raises(errors.ServiceUnavailable):
        send(url)
    assert [seen.method for seen in scripted_platform.seen] == [method]


def test_a_refused_key_says_how_to_get_another(scripted_platform, client):
    scripted_platform.will({"errors": [{"message": "expired"}], "data": None}, status=401)
    with pytest.raises(errors.Unauthenticated, match=r"expired.*fixie platform key"):
        client.get_current_user()


def test_nobody_at_the_local_address_says_how_to_start_one(monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(connection.time, "sleep", pauses.append)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with pytest.raises(
            failures.PlatformUnreachable, match=r"No platform is running at .*fixie platform serve"
        ):
            FixieClient("a-key", api_url=url).get_current_user()
    assert pauses == []  # nobody starts it meanwhile: no attempts to wait for


def test_a_platform_that_keeps_silent_times_out(monkeypatch):
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(failures.PlatformUnreachable, match="too long"):
            FixieClient("a-key", api_url=url).post(f"{url}/api/x")


def test_something_that_is_no_platform_is_named(scripted_platform, client):
    scripted_platform.will(b"<html>Welcome to nginx</html>")
    with pytest.raises(errors.UpstreamError, match="not JSON"):
        client.post(f"{client.url}/api/x")


def test_an_empty_answer_is_none(scripted_platform, client):
    scripted_platform.will(b"", status=200)
    assert client.post(f"{client.url}/api/x") is None


def test_an_endless_body_is_cut_off(scripted_platform, client, monkeypatch):
    monkeypatch.setattr(connection, "MAX_BODY_BYTES", 1 << 20)
    scripted_platform.will(b"[" + b" " * (2 << 20) + b"]")
    with pytest.raises(errors.UpstreamError, match="more than 1 MiB"):
        client.post(f"{client.url}/api/x")


def test_streams_skip_blank_lines_and_need_no_last_newline(scripted_platform, client):
    scripted_platform.will(b'\n{"a": 1}\n\n  \r\n{"a": "\xc3\xa9"}\r\n\n{"a": 3}')
    lines = list(client.streaming_post(f"{client.url}/api/x"))
    assert [line["a"] for line in lines] == [1, "é", 3]


def test_a_stream_that_breaks_off_is_an_error_after_the_lines_that_came(scripted_platform, client):
    scripted_platform.will(b'{"a": 1}\n{"a"')
    scripted_platform.replies[0].breaks_off = True
    stream = client.streaming_post(f"{client.url}/api/x")
    assert next(stream) == {"a": 1}
    with pytest.raises(failures.PlatformUnreachable, match="broke"):
        next(stream)


@pytest.mark.parametrize("segment", ["", ".", ".."])
def test_segments_that_would_lead_elsewhere_are_refused(segment):
    with pytest.raises(ValueError, match="not a handle"):
        connection.quoted("owner", segment)


def test_bytes_that_are_no_text_are_no_handle():
    with pytest.raises(ValueError, match="not a handle"):
        connection.quoted(b"bytes \xff".decode("utf-8", "surrogateescape"))


def test_segments_stay_in_their_place():
    assert connection.quoted("a/b", "c?d#e", "%2e%2e", "é") == "a%2Fb/c%3Fd%23e/%252e%252e/%C3%A9"


@pytest.mark.parametrize(
    "url", ["nonsense", "ftp://127.0.0.1", "http://", "http://[::1", "http://127.0.0.1:99999"]
)
def test_an_address_that_cannot_be_one_is_named_before_a_key_is_looked_for(url):
    with pytest.raises(errors.ConfigurationError, match="FIXIE_API_URL must be a URL"):
        connection.PlatformConnection(api_url=url)
