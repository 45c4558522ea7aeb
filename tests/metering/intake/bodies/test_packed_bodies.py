"""`POST /v1/usage/events`: bodies packed with gzip or zstd, honest ones and bombs."""

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Final

import pytest
from backports import zstd
from django.conf import settings

from apikeys.models import APIKey
from metering.intake.bodies import bodies
from metering.intake.bodies.encodings import unpacker_of
from metering.intake.formats.events import UnreadableError
from tests.engine import error_of, make_event, post

Pack = Callable[[bytes], bytes]
ENCODINGS: Final = ("gzip", "zstd")
PACKS: Final[dict[str, Pack]] = {"gzip": gzip.compress, "zstd": zstd.compress}
BOMB_BYTES: Final = 512 << 20
SKIPPABLE_FRAME: Final = b"\x50\x2a\x4d\x18\x04\x00\x00\x00skip"


def gzip_bomb() -> bytes:
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    return b"".join([packer.compress(bytes(1 << 20)) for _ in range(BOMB_BYTES >> 20)]) + packer.flush()


def zstd_bomb(**options: int) -> bytes:
    packer = zstd.ZstdCompressor(options={getattr(zstd.CompressionParameter, name): options[name] for name in options})
    return b"".join([packer.compress(bytes(1 << 20)) for _ in range(BOMB_BYTES >> 20)]) + packer.flush()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_packed_body_is_unpacked_whatever_its_size(token: str, key: APIKey, encoding: str) -> None:
    event = json.dumps(make_event(api_key_id=key.public_id), default=str).encode()
    for size in (len(event), bodies.LARGE_BYTES, 2 * bodies.LARGE_BYTES, settings.EVENTS_BODY_MAX_BYTES):
        response = post(PACKS[encoding](event.ljust(size)), token, **{"Content-Encoding": encoding.upper()})
        assert (response.status_code, len(json.loads(response.content)["results"])) == (200, 1), size
    packed = PACKS[encoding](event.ljust(settings.EVENTS_BODY_MAX_BYTES + 1))
    assert error_of(packed, token, **{"Content-Encoding": encoding}) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("encoding", "bomb"), [("gzip", gzip_bomb), ("zstd", zstd_bomb)], ids=["gzip of 512 MiB", "zstd of 512 MiB"]
)
def test_a_bomb_is_refused_by_its_unpacked_size_and_unpacked_no_further(
    token: str, encoding: str, bomb: Callable[[], bytes]
) -> None:
    packed = bomb()
    assert len(packed) < 600_000
    assert error_of(packed, token, **{"Content-Encoding": encoding}) == (413, "body_too_large")
    unpacker = unpacker_of({"HTTP_CONTENT_ENCODING": encoding}, packed)
    assert [len(unpacker.more(most)) for most in (1, 10, 1 << 20)] == [1, 10, 1 << 20]
    with pytest.raises(UnreadableError):
        unpacker.require_end()


@pytest.mark.parametrize("window_log", [24, 27, 31])
def test_a_zstd_frame_that_asks_for_a_large_window_is_refused_however_small_it_is(token: str, window_log: int) -> None:
    packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: window_log})
    packed = packer.compress(b"[]") + packer.flush()
    assert error_of(packed, token, **{"Content-Encoding": "zstd"}) == (400, "invalid_zstd")


def test_a_zstd_frame_with_the_largest_window_of_http_is_read(token: str) -> None:
    packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 23})
    packed = packer.compress(b"[]") + packer.flush()
    assert post(packed, token, **{"Content-Encoding": "zstd"}).status_code == 200


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_is_no_whole_packed_body_is_refused(token: str, encoding: str) -> None:
    small, large = PACKS[encoding](b"[]"), PACKS[encoding](b"[" + b" " * bodies.LARGE_BYTES + b"]")
    other = PACKS["gzip" if encoding == "zstd" else "zstd"](b"[]")
    wrong = [b"", b"[]", other, small + b"more", small + small]
    for whole in (small, large):
        wrong.extend(whole[:-cut] for cut in (1, 3, len(whole) - 8))
    for body in wrong:
        assert error_of(body, token, **{"Content-Encoding": encoding}) == (400, f"invalid_{encoding}"), body[:80]


def test_a_zstd_frame_behind_one_that_is_skipped_is_refused_and_not_read_as_an_empty_body(token: str) -> None:
    packed = SKIPPABLE_FRAME + zstd.compress(b"[]")
    assert error_of(packed, token, **{"Content-Encoding": "zstd"}) == (400, "invalid_zstd")


def test_a_zstd_body_with_a_broken_checksum_is_refused(token: str) -> None:
    packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.checksum_flag: 1})
    packed = packer.compress(b"[]") + packer.flush()
    broken = packed[:-1] + bytes([packed[-1] ^ 1])
    assert error_of(broken, token, **{"Content-Encoding": "zstd"}) == (400, "invalid_zstd")
