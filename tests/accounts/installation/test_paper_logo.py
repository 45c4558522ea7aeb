"""The logo of invoices: any PNG or JPEG that can be seen on paper, small and opaque; the rest is refused with a sentence."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image as Pictures

from accounts.installation import brand, paper_logo

INK = (11, 107, 93)


def png(size: tuple[int, int] = (300, 100), color: tuple[int, ...] = INK) -> bytes:
    return drawn("RGBA" if len(color) == 4 else "RGB", size, color)


def drawn(mode: str, size: tuple[int, int], color: object, kind: str = "PNG") -> bytes:
    file = BytesIO()
    Pictures.new(mode, size, color).save(file, kind)  # type: ignore[arg-type] # a colour of that mode
    return file.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG whose head promises so many pixels, with a body that would unpack to megabytes of zeros."""
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    chunks = (b"IHDR", head), (b"IDAT", zlib.compress(bytes(20_000_000), 9)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def on_paper(directory: Path, body: bytes) -> Pictures.Image:
    path = directory / "logo"
    path.write_bytes(body)
    found = paper_logo.of_file(str(path))
    assert found.media_type == "image/png"
    return Pictures.open(BytesIO(found.body))


def test_a_logo_is_small_and_as_wide_to_high_as_it_was(tmp_path: Path) -> None:
    assert on_paper(tmp_path, png((3000, 400))).size == (750, 100)
    assert on_paper(tmp_path, png((30, 10))).size == (30, 10)


def test_what_is_transparent_is_paper(tmp_path: Path) -> None:
    half = Pictures.new("RGBA", (20, 10), (*INK, 0))
    half.paste((*INK, 255), (0, 0, 10, 10))
    file = BytesIO()
    half.save(file, "PNG")
    found = on_paper(tmp_path, file.getvalue())
    assert (found.mode, found.getpixel((2, 2)), found.getpixel((18, 2))) == ("RGB", INK, (255, 255, 255))


@pytest.mark.parametrize(("mode", "color"), [("1", 0), ("L", 40), ("P", 0), ("LA", (40, 255)), ("I;16", 9000)])
def test_any_kind_of_png_can_be_drawn(tmp_path: Path, mode: str, color: object) -> None:
    assert on_paper(tmp_path, drawn(mode, (20, 10), color)).mode == "RGB"


@pytest.mark.parametrize(("mode", "color"), [("RGB", INK), ("L", 40), ("CMYK", (200, 50, 90, 30))])
def test_so_can_any_jpeg(tmp_path: Path, mode: str, color: object) -> None:
    assert on_paper(tmp_path, drawn(mode, (20, 10), color, "JPEG")).mode == "RGB"


def test_a_photograph_is_turned_as_it_says_and_loses_what_else_it_says(tmp_path: Path) -> None:
    said = Pictures.Exif()
    said[0x0112], said[0x010E] = 6, "where it was taken"
    file = BytesIO()
    Pictures.new("RGB", (20, 10), INK).save(file, "JPEG", exif=said)
    assert b"where it was taken" in file.getvalue()
    found = on_paper(tmp_path, file.getvalue())
    assert found.size == (10, 20)
    assert dict(found.getexif()) == {}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (png()[:-30], "no PNG or JPEG that can be drawn"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 20, "no PNG or JPEG that can be drawn"),
        (b"\xff\xd8\xff\xe0 and words", "no PNG or JPEG that can be drawn"),
        (bomb(60_000, 60_000), "no PNG or JPEG that can be drawn"),
        (bomb(10_000, 10_000), "no PNG or JPEG that can be drawn"),
        (bomb(4_001, 4_000), "no PNG or JPEG that can be drawn"),
        (drawn("RGB", (9, 9), INK, "WEBP"), "no PNG or JPEG that can be drawn"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "no PNG or JPEG that can be drawn"),
        (b"GIF89a", "no PNG, JPEG, WebP or SVG"),
        (png() + b"\0" * 20_000_000, "larger than 256 KiB"),
        (png(color=(255, 255, 255, 255)), "nothing in that image is seen on white paper"),
        (png(color=(0, 0, 0, 0)), "nothing in that image is seen on white paper"),
        (png(color=(255, 255, 240)), "nothing in that image is seen on white paper"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_on_paper_is_refused(tmp_path: Path, body: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        on_paper(tmp_path, body)


def test_a_bomb_is_never_unpacked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Pictures.Image, "load", lambda _self: pytest.fail("it was unpacked"))
    with pytest.raises(ValueError, match="no PNG or JPEG"):
        on_paper(tmp_path, bomb(4_001, 4_000))


def test_the_logo_of_pages_is_taken_if_it_can_be_on_paper() -> None:
    assert paper_logo.of_logo(brand.Image(png(), "image/png")) is not None
    for body in (b"<svg/>", png(color=(255, 255, 255)), png()[:40]):
        assert paper_logo.of_logo(brand.Image(body, "image/png")) is None
    assert paper_logo.of_logo(None) is None
