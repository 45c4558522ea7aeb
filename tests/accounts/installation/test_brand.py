"""The operator's name, images and links: what is taken, and what is refused with a sentence."""

from pathlib import Path

import pytest

from accounts.installation import brand

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8">{}</svg>'
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


def image_of(directory: Path, body: bytes) -> brand.Image:
    path = directory / "logo"
    path.write_bytes(body)
    return brand.image(str(path))


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (SVG.format('<rect width="8" height="8" fill="url(#a)"/><use href="#b"/>').encode(), "image/svg+xml"),
    ],
)
def test_images_are_known_by_what_is_in_them(tmp_path: Path, body: bytes, media_type: str) -> None:
    found = image_of(tmp_path, body)
    assert (found.body, found.media_type) == (body, media_type)
    assert found.version != image_of(tmp_path, body + b" ").version


@pytest.mark.parametrize(
    ("inside", "reason"),
    [
        ("<script>alert(1)</script>", "an element <script>"),
        ("<foreignObject/>", "an element <foreignobject>"),
        ('<rect onload="alert(1)"/>', "an attribute onload"),
        ('<image href="https://elsewhere.test/x.png"/>', "an attribute href"),
        ('<a xmlns:x="http://www.w3.org/1999/xlink" x:href="javascript:alert(1)"/>', "an attribute href"),
        ('<rect style="fill:url(https://elsewhere.test)"/>', "an address that is loaded"),
        ('<style>@import "https://elsewhere.test";</style>', "styles that load something"),
        ("<style>rect { fill: url(https://elsewhere.test) }</style>", "styles that load something"),
        ("<rect", "XML that cannot be read"),
    ],
)
def test_an_svg_that_runs_or_loads_something_is_refused(tmp_path: Path, inside: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"that SVG has {reason}"):
        image_of(tmp_path, SVG.format(inside).encode())


def test_an_svg_with_entities_is_refused_before_it_is_read(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>' + SVG.format("&b;")
    with pytest.raises(ValueError, match="a document type"):
        image_of(tmp_path, bomb.encode())


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (PNG + b"\0" * brand.MAX_IMAGE_BYTES, "larger than 256 KiB"),
        (b"", "no PNG, JPEG, WebP or SVG"),
        (b"GIF89a", "no PNG, JPEG, WebP or SVG"),
    ],
)
def test_what_is_no_small_image_is_refused(tmp_path: Path, body: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        image_of(tmp_path, body)


@pytest.mark.parametrize("path", ["/nowhere/logo.png", "/", "~nobody-here/logo.png"])
def test_a_file_that_cannot_be_read_is_named(path: str) -> None:
    with pytest.raises(ValueError, match="that file cannot be read"):
        brand.image(path)


@pytest.mark.parametrize("text", ["https://example.com/help", "mailto:help@example.com"])
def test_people_can_be_led_to_pages_and_mailboxes(text: str) -> None:
    assert brand.link(text) == text


@pytest.mark.parametrize(
    "text", ["javascript:alert(1)", "http://example.com", "example.com", "mailto:", "data:text/html,x", "https://"]
)
def test_people_are_led_nowhere_else(text: str) -> None:
    with pytest.raises(ValueError, match="must begin with https://"):
        brand.link(text)


def test_a_name_is_one_line() -> None:
    assert brand.name("Ünïcode 云 Ltd.") == "Ünïcode 云 Ltd."
    for text in ("two\nlines", "x" * 61, "tab\t"):
        with pytest.raises(ValueError, match="one line"):
            brand.name(text)


def test_links_that_are_not_set_are_not_shown() -> None:
    assert brand.Brand("Us").links == []
    assert brand.Brand("Us", privacy_url="https://us.test/p", support_url="mailto:a@us.test").links == [
        ("Support", "mailto:a@us.test"),
        ("Privacy", "https://us.test/p"),
    ]
