"""Blobs as objects of a bucket, at Amazon or at any service that speaks S3 (MinIO, R2, Ceph, ...)."""

import contextlib
import pathlib
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from fixieai import errors

if TYPE_CHECKING:
    from obstore.store import S3Store

_PIECE_BYTES = 1024 * 1024
_LISTED_AT_ONCE = 1_000
_VARIABLES = {
    "AWS_ACCESS_KEY_ID": "access_key_id",
    "AWS_SECRET_ACCESS_KEY": "secret_access_key",
    "AWS_SESSION_TOKEN": "session_token",
    "AWS_REGION": "region",
    "AWS_ENDPOINT_URL": "endpoint",
}
_RETRY_SECONDS = 10
_REQUEST_SECONDS = 60


class BlobBucket:
    """See `BlobStore`. Without keys in the environment, those of the machine it runs on are used."""

    def __init__(self, bucket: str, prefix: str, environment: Mapping[str, str]) -> None:
        self._bucket = bucket
        self._store = _open(bucket, prefix, environment)

    async def write(self, name: str, content: bytes | pathlib.Path) -> None:
        try:
            with self._explained():
                await self._store.put_async(name, content)
        except FileNotFoundError as error:
            raise errors.ConfigurationError(
                f"There is no bucket {self._bucket}. Check FIXIE_BLOBS_URL, AWS_ENDPOINT_URL and AWS_REGION."
            ) from error

    async def read(self, name: str) -> AsyncIterator[bytes]:
        with self._explained():
            found = await self._store.get_async(name)
            async for piece in found.stream(_PIECE_BYTES):
                yield bytes(piece)

    async def remove(self, name: str) -> None:
        with self._explained(), contextlib.suppress(FileNotFoundError):
            await self._store.delete_async(name)

    async def has(self, name: str) -> bool:
        try:
            with self._explained():
                await self._store.head_async(name)
        except FileNotFoundError:
            return False
        return True

    async def listing(self, area: str) -> AsyncIterator[tuple[str, int, float]]:
        with self._explained():
            async for page in self._store.list(f"{area}/", chunk_size=_LISTED_AT_ONCE):
                for found in page:
                    yield found["path"], found["size"], found["last_modified"].timestamp()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        from obstore.exceptions import (  # noqa: PLC0415 - an optional extra
            BaseError,
            PermissionDeniedError,
            UnauthenticatedError,
        )

        try:
            yield
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise errors.ConfigurationError(
                f"The bucket {self._bucket} refuses this platform's key. Check AWS_ACCESS_KEY_ID, "
                "AWS_SECRET_ACCESS_KEY and what the key may do."
            ) from error
        except (BaseError, OSError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise errors.ServiceUnavailable(f"The bucket {self._bucket} does not answer properly.") from error


def _open(bucket: str, prefix: str, environment: Mapping[str, str]) -> "S3Store":
    try:
        from obstore.store import S3Store  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise errors.ConfigurationError(
            "FIXIE_BLOBS_URL names a bucket, for which a library is missing: pip install 'fixieai[s3]'"
        ) from error
    known = {
        name: environment[variable] for variable, name in _VARIABLES.items() if environment.get(variable)
    }
    known.setdefault("region", "us-east-1")
    return S3Store(
        bucket,
        prefix=prefix or None,
        config=known,  # type: ignore[arg-type]  # its keys are those of S3Config
        client_options={
            "allow_http": known.get("endpoint", "").startswith("http://"),
            "timeout": timedelta(seconds=_REQUEST_SECONDS),
        },
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=_RETRY_SECONDS)},
    )
