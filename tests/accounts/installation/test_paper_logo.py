"""The logo of invoices: any PNG or JPEG that can be seen on paper, small and opaque; the rest is refused with a sentence."""

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image as Pictures
from PIL import ImageFile, ImageOps

from accounts.installation import brand, paper_logo
from usage_dashboard.environment import Environment
from usage_dashboard.machine import your_name

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


def exif(orientation: int) -> Pictures.Exif:
    said = Pictures.Exif()
    said[0x0112], said[0x011A], said[0x8769] = orientation, 72.0, {0x9000: b"0232"}
    return said


def turned(orientation: int, kind: str = "JPEG", size: tuple[int, int] = (40, 20)) -> bytes:
    """A white picture with a dark first quarter, that says how it is to be turned."""
    picture = Pictures.new("RGB", size, "white")
    picture.paste(INK, (0, 0, size[0] // 2, size[1] // 2))
    file = BytesIO()
    picture.save(file, kind, exif=exif(orientation))
    return file.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_it_is_upright_however_it_was_held(tmp_path: Path, orientation: int, kind: str) -> None:
    body = turned(orientation, kind)
    expected = ImageOps.exif_transpose(Pictures.open(BytesIO(body))).convert("RGB")
    found = on_paper(tmp_path, body)
    assert (found.size, found.tobytes()) == (expected.size, expected.tobytes())


def test_a_large_one_fits_after_it_was_turned(tmp_path: Path) -> None:
    assert on_paper(tmp_path, turned(6, size=(400, 3000))).size == (750, 100)


def broken() -> Iterator[bytes]:
    """Pictures that are whole, with each byte of what is said beside them another, and all types of values."""
    for kind in ("JPEG", "PNG"):
        body = turned(6, kind)
        said = exif(6).tobytes().removeprefix(b"Exif\0\0")
        start = body.index(said)
        for place in range(start, start + len(said)):
            for value in (0, 2, 5, 7, 11, 255):
                changed = body[:place] + bytes([value]) + body[place + 1 :]
                yield with_sums(changed) if kind == "PNG" else changed


def with_sums(body: bytes) -> bytes:
    """The PNG with right checksums."""
    made, place = body[:8], 8
    while place < len(body):
        (length,) = struct.unpack_from(">I", body, place)
        part = body[place + 4 : place + 8 + length]
        made += body[place : place + 4] + part + struct.pack(">I", zlib.crc32(part))
        place += 12 + length
    return made


def test_damage_beside_a_picture_does_not_matter() -> None:
    for body in broken():
        assert paper_logo.of_logo(brand.Image(body, "image/png")) is not None


@pytest.mark.parametrize("error", [struct.error, TypeError, AttributeError, MemoryError])
def test_whatever_a_decoder_raises_is_an_image_that_cannot_be_drawn(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: type[Exception]
) -> None:
    def load(_self: object) -> None:
        raise error

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    assert paper_logo.of_logo(brand.Image(png(), "image/png")) is None
    with pytest.raises(ValueError, match="no PNG or JPEG that can be drawn"):
        on_paper(tmp_path, png())


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


def test_the_logo_of_pages_is_not_unpacked_where_paper_has_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("pages", "paper"):
        (tmp_path / name).write_bytes(png())
    values = {"SITE_LOGO": str(tmp_path / "pages")}
    assert your_name.brand(Environment(values), demo=False).paper_logo is not None
    monkeypatch.setattr(paper_logo, "of_logo", lambda _logo: pytest.fail("it was unpacked"))
    values["INVOICE_LOGO"] = str(tmp_path / "paper")
    assert your_name.brand(Environment(values), demo=False).paper_logo is not None
