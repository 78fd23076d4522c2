"""Packages are read no further than allowed, and nothing lands outside of their folder."""

import contextlib
import gzip
import io
import pathlib
import stat
import tarfile
import tempfile
import time
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixieai import errors
from fixieai.platform.deployments import packages
from fixieai.platform.deployments.packages import PackageLimits


def entry(name: str, kind: bytes = tarfile.REGTYPE, **changes: object) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    for attribute, value in changes.items():
        setattr(member, attribute, value)
    return member


@pytest.fixture
def pack(tmp_path: pathlib.Path) -> Callable[..., pathlib.Path]:
    """Makes a package of `main.py` and whatever is given."""

    def make(*members: tarfile.TarInfo | tuple[str, bytes], pax: bool = True) -> pathlib.Path:
        path = tmp_path / "package.tar.gz"
        archive_format = tarfile.PAX_FORMAT if pax else tarfile.GNU_FORMAT
        with tarfile.open(path, "w:gz", format=archive_format, errors="surrogateescape") as archive:
            for member in (("main.py", b"print()"), *members):
                if isinstance(member, tarfile.TarInfo):
                    archive.addfile(member, io.BytesIO(bytes(member.size)))
                else:
                    archive.addfile(entry(member[0], size=len(member[1])), io.BytesIO(member[1]))
        return path

    return make


def raw(tmp_path: pathlib.Path, content: bytes) -> pathlib.Path:
    path = tmp_path / "raw.tar.gz"
    path.write_bytes(gzip.compress(content))
    return path


def test_a_package_is_unpacked_as_it_was_packed_for_its_owner_alone(pack, tmp_path) -> None:
    archive = pack(
        ("agent/agent.yaml", b"handle: dice"),
        ("./agent/lib/ünï code.py", b"x" * 70_000),
        entry("agent/run", mode=0o4777),
        entry("agent/empty", tarfile.DIRTYPE),
        (f"agent/{'long/' * 25}name", b"deep"),
    )

    packages.check(archive, "PYTHON")
    packages.unpack(archive, tmp_path / "code")

    code = tmp_path / "code"
    assert (code / "agent/agent.yaml").read_bytes() == b"handle: dice"
    assert (code / "agent/lib/ünï code.py").stat().st_size == 70_000
    assert (code / "agent" / ("long/" * 25) / "name").read_bytes() == b"deep"
    assert (code / "agent/empty").is_dir()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in [code, *code.rglob("*")] if path.is_dir()}
    assert modes == {0o700}
    assert stat.S_IMODE((code / "agent/agent.yaml").stat().st_mode) == 0o600
    assert stat.S_IMODE((code / "agent/run").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (entry("../evil"), "leads out"),
        (entry("agent/../../evil"), "leads out"),
        (entry("/etc/evil"), "slash"),
        (entry("agent/link", tarfile.SYMTYPE, linkname="/etc/passwd"), "a link"),
        (entry("agent/hard", tarfile.LNKTYPE, linkname="main.py"), "a link"),
        (entry("agent/null", tarfile.CHRTYPE, devmajor=1, devminor=3), "no regular file"),
        (entry("agent/disk", tarfile.BLKTYPE), "no regular file"),
        (entry("agent/pipe", tarfile.FIFOTYPE), "no regular file"),
        (entry("agent/odd", b"V"), "no regular file"),
        (entry("agent\\..\\evil"), "backslash"),
        (entry("agent/\x1b[31mred"), "control"),
        (entry("agent/new\nline"), "control"),
        (entry("n" * 256), "255 bytes"),
        (entry("/".join("d" * 40)), "32 parts"),
        (entry("main.py"), "twice"),
        (entry("./main.py"), "twice"),
        (entry("main.py/below"), "twice"),
        (entry("main.py", tarfile.DIRTYPE), "twice"),
    ],
    ids=lambda value: ascii(value.name)[:30] if isinstance(value, tarfile.TarInfo) else value,
)
@pytest.mark.parametrize("pax", [True, False])
def test_what_a_package_must_not_hold_is_named_and_nothing_of_it_is_taken(
    pack, tmp_path, member: tarfile.TarInfo, said: str, pax: bool
) -> None:
    archive = pack(member, pax=pax)
    inside = tmp_path / "in"
    inside.mkdir()

    with pytest.raises(errors.UnprocessableContent, match=said):
        packages.check(archive, "PYTHON")
    with pytest.raises(errors.UnprocessableContent, match=said):
        packages.unpack(archive, inside / "code")

    written = {str(path.relative_to(inside)) for path in inside.rglob("*")}
    assert written <= {"code", "code/main.py"}


def test_a_name_that_is_not_utf_8_is_refused(pack) -> None:
    archive = pack(entry("agent/caf\udce9"), pax=False)

    with pytest.raises(errors.UnprocessableContent, match="not UTF-8"):
        packages.check(archive, "PYTHON")


def test_ten_gigabytes_of_zeros_are_left_at_the_limit(tmp_path) -> None:
    path = tmp_path / "bomb.tar.gz"
    size = 10 * 1024**3
    with path.open("wb") as file:
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=9) as packed:
            packed.write(entry("zeros", size=size).tobuf())
            packed.write(bytes(1024 * 1024))
        # A gzip file may have many parts: the same one over and over is quick to make.
        part = gzip.compress(bytes(16 * 1024 * 1024), 9)
        for _ in range(640):
            file.write(part)
    tracemalloc.start()
    began = time.monotonic()

    with pytest.raises(errors.ContentTooLarge, match="unpacks to more than"):
        packages.check(path, "PYTHON")
    with pytest.raises(errors.ContentTooLarge, match="unpacks to more than"):
        packages.unpack(path, tmp_path / "code", PackageLimits(unpacked_bytes=1024 * 1024))

    assert time.monotonic() - began < 20
    assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    tracemalloc.stop()
    written = sum(file.stat().st_size for file in (tmp_path / "code").rglob("*") if file.is_file())
    assert written < 20 * 1024 * 1024


def test_a_million_names_are_left_at_the_limit(tmp_path) -> None:
    path = tmp_path / "names.tar.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for number in range(1_000_000):
            if number < 20_000:
                block = entry(f"n{number}").tobuf()
            file.write(block)

    with pytest.raises(errors.ContentTooLarge, match="10000 files"):
        packages.check(path, "PYTHON")


def test_headers_that_claim_to_be_huge_are_not_read(tmp_path) -> None:
    for kind in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK):
        huge = entry("x", kind, size=8 * 1024**3).tobuf(tarfile.GNU_FORMAT)
        with pytest.raises(errors.UnprocessableContent, match="headers that are too large"):
            packages.check(raw(tmp_path, huge + bytes(1024 * 1024)), "PYTHON")


def header(kind: bytes, content: bytes) -> bytes:
    """A header with a content of its own, in whole blocks."""
    padded = content + bytes(-len(content) % 512)
    return entry("x", kind, size=len(content)).tobuf(tarfile.GNU_FORMAT) + padded


def records(first: int, count: int) -> bytes:
    return b"".join(b"12 %06x=\n" % number for number in range(first, first + count)).replace(b"12 ", b"11 ")


@pytest.mark.parametrize(
    "headers",
    [
        lambda number: header(tarfile.XHDTYPE, b"5 a=\n" * 100_000),
        lambda number: header(tarfile.XHDTYPE, b"12 path=abc\n") * 5_000,
        lambda number: header(tarfile.XGLTYPE, b"12 path=abc\n") * 5_000,
        lambda number: header(tarfile.XHDTYPE, b"5 a=\n" * 1_000),
        lambda number: header(tarfile.XGLTYPE, records(number * 150, 150)),
        lambda number: header(tarfile.XGLTYPE, records(number * 15, 15)),
    ],
    ids=["large", "chained", "global and chained", "many", "global and many", "global, ever more"],
)
def test_headers_are_bounded_in_bytes_in_number_and_in_what_they_cost(
    tmp_path, headers: Callable[[int], bytes]
) -> None:
    """`tarfile` keeps what global headers say once for every name: kilobytes become gigabytes."""
    content = bytearray()
    for number in range(3_000):
        content += headers(number) + entry(f"n{number}").tobuf()
        if len(content) > 6_000_000:
            break
    path = raw(tmp_path, bytes(content) + entry("main.py").tobuf() + bytes(10_240))
    tracemalloc.start()
    began = time.monotonic()

    with pytest.raises(errors.UnprocessableContent):
        packages.check(path, "PYTHON")

    assert time.monotonic() - began < 5
    assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    tracemalloc.stop()


def test_sparse_files_are_refused(tmp_path) -> None:
    old = entry("agent/sparse", tarfile.GNUTYPE_SPARSE, size=0).tobuf(tarfile.GNU_FORMAT)
    records = b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n28 GNU.sparse.name=a/sparse\n"
    new = entry("x", tarfile.XHDTYPE, size=len(records)).tobuf() + records.ljust(512, b"\0")
    new += entry("agent/sparse", size=512).tobuf() + b"0\n".ljust(512, b"\0")

    for content in (old, new):
        with pytest.raises(errors.UnprocessableContent):
            packages.check(raw(tmp_path, content + bytes(1024)), "PYTHON")


def test_what_is_no_package_or_half_of_one_is_refused(pack, tmp_path) -> None:
    whole = pack(("agent/data", bytes(range(256)) * 400)).read_bytes()
    plain = gzip.decompress(whole)
    other = tmp_path / "other"

    for content in (
        b"",
        b"PK\x03\x04 a zip",
        plain,
        whole[: len(whole) // 2],
        gzip.compress(b""),
        gzip.compress(b"no tar" * 1000),
        gzip.compress(plain[: len(plain) // 2]),
        gzip.compress(plain[:1024] + b"\xff" * 512 + plain[1024:]),
        whole[:20] + b"\xff\xff" + whole[22:],
        whole[:-4],
        whole[:-8] + bytes(4) + whole[-4:],
        whole + b"more",
    ):
        other.write_bytes(content)
        with pytest.raises(errors.UnprocessableContent):
            packages.check(other, "PYTHON")


def test_a_package_needs_something_to_run(pack) -> None:
    packages.check(pack(), "PYTHON")
    packages.check(pack(("package/package.json", b"{}")), "NODEJS")

    with pytest.raises(errors.UnprocessableContent, match=r"package\.json"):
        packages.check(pack(), "NODEJS")


def test_a_package_that_is_too_large_is_not_read(pack) -> None:
    with pytest.raises(errors.ContentTooLarge, match="at most 10 bytes"):
        packages.check(pack(), "PYTHON", PackageLimits(packed_bytes=10))


PLAIN = io.BytesIO()
with tarfile.open(fileobj=PLAIN, mode="w") as _archive:
    for _name in ("main.py", "agent/agent.yaml", f"agent/{'long/' * 25}name", "agent/ünï"):
        _archive.addfile(entry(_name, size=700), io.BytesIO(bytes(700)))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.tuples(st.integers(0, len(PLAIN.getvalue()) - 1), st.integers(0, 255)), max_size=12),
    length=st.integers(0, len(PLAIN.getvalue())),
)
def test_whatever_the_bytes_are_a_package_is_taken_whole_or_refused(
    tmp_path, changes: list[tuple[int, int]], length: int
) -> None:
    content = bytearray(PLAIN.getvalue())
    for position, value in changes:
        # Mostly in headers, which are a small part of it.
        content[position % 512 + position // 512 * 512] = value
    archive = raw(tmp_path, bytes(content[: max(length, 512)]))
    inside = pathlib.Path(tempfile.mkdtemp(dir=tmp_path))

    try:
        packages.check(archive, "PYTHON")
    except errors.FixieError:
        with contextlib.suppress(errors.FixieError):
            packages.unpack(archive, inside / "code")
    else:
        packages.unpack(archive, inside / "code")

    assert {path.name for path in inside.iterdir()} <= {"code"}
    assert not any(path.is_symlink() for path in inside.rglob("*"))
