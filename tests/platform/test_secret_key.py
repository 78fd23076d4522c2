"""One secret, and keys of its own for each purpose."""

import base64
import pathlib
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixieai import errors
from fixieai.platform import secret_key
from fixieai.platform.secret_key import SecretKey

KEY = SecretKey(bytes(range(32)))
OTHER = SecretKey(bytes(32))


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_what_is_encrypted_comes_back_and_never_looks_the_same(text: str) -> None:
    sealed = KEY.encrypt("tokens", text)

    assert KEY.decrypt("tokens", sealed) == text
    assert sealed != KEY.encrypt("tokens", text)
    assert sealed.isascii()
    assert sealed.isprintable()


def test_nothing_else_decrypts_it() -> None:
    sealed = KEY.encrypt("tokens", "hello")
    changed = sealed[:-6] + ("A" if sealed[-6] != "A" else "B") + sealed[-5:]

    for key, purpose, text in (
        (OTHER, "tokens", sealed),
        (KEY, "links", sealed),
        (KEY, "tokens", changed),
        (KEY, "tokens", sealed[:10]),
        (KEY, "tokens", ""),
        (KEY, "tokens", "é"),
    ):
        with pytest.raises(errors.ConfigurationError, match="another secret key"):
            key.decrypt(purpose, text)


def test_a_mac_belongs_to_its_key_purpose_and_content() -> None:
    macs = {
        KEY.mac("links", b"a"),
        KEY.mac("links", b"b"),
        KEY.mac("tokens", b"a"),
        OTHER.mac("links", b"a"),
    }

    assert len(macs) == 4
    assert KEY.mac("links", b"a") in macs
    assert {len(mac) for mac in macs} == {32}


def test_a_home_keeps_its_secret_for_its_owner_alone(tmp_path: pathlib.Path) -> None:
    made = secret_key.load_or_create(tmp_path)

    file = tmp_path / secret_key.FILE_NAME
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert secret_key.load_or_create(tmp_path).decrypt("x", made.encrypt("x", "same")) == "same"
    file.chmod(0o644)
    with pytest.raises(errors.ConfigurationError, match="chmod 600"):
        secret_key.load_or_create(tmp_path)


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_secret_that_is_given_needs_no_file(tmp_path: pathlib.Path, encode) -> None:
    secret = bytes(range(224, 256))  # holds the characters in which the two alphabets differ
    made = secret_key.load_or_create(tmp_path, encode(secret).decode())

    assert made.mac("x", b"") == SecretKey(secret).mac("x", b"")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "short", "é" * 43, "A" * 42 + "!", "A" * 80])
def test_what_is_no_secret_is_refused_and_not_quoted(tmp_path: pathlib.Path, text: str) -> None:
    with pytest.raises(errors.ConfigurationError, match="FIXIE_SECRET_KEY is not") as raised:
        secret_key.load_or_create(tmp_path, text)

    assert not text or text not in str(raised.value)
