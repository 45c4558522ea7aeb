"""The logo of invoices: an image that a PDF can hold, made once when a program starts.

Functions raise ValueError with the rest of a sentence that begins with the setting's name.
"""

import warnings
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image as Pictures

from accounts.installation import brand

FORMATS: Final = ("PNG", "JPEG")
MOST_PIXELS: Final = 16_000_000  # they are all unpacked, at four bytes each
SIZE: Final = (750, 240)  # at most: what 50 × 16 millimetres of paper show
PAPER: Final = "white"
LEAST_INK: Final = 26
"""How much darker than white something in it must be, of 255, to be seen on paper."""
ORIENTATION: Final = 0x0112
Turn = Pictures.Transpose
TURNS: Final = {
    2: Turn.FLIP_LEFT_RIGHT,
    3: Turn.ROTATE_180,
    4: Turn.FLIP_TOP_BOTTOM,
    5: Turn.TRANSPOSE,
    6: Turn.ROTATE_270,
    7: Turn.TRANSVERSE,
    8: Turn.ROTATE_90,
}
"""Exif's orientations → what makes them upright."""
ON_ITS_SIDE: Final = (5, 6, 7, 8)


def of_file(path: str) -> brand.Image:
    """What is in a file, for paper. What `brand.image` refuses, this refuses as well."""
    found = brand.image(path)
    try:
        return on_paper(found)
    except ValueError as error:
        raise ValueError(f"is “{Path(path)}”: {error}") from None


def of_logo(logo: brand.Image | None) -> brand.Image | None:
    """The pages' logo for paper, if it can be there."""
    try:
        return logo and on_paper(logo)
    except ValueError:
        return None


def on_paper(image: brand.Image) -> brand.Image:
    """A PNG of at most SIZE pixels without transparency, nor anything else that the file held beside the picture."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of damage; it would be printed at every start
            paper = _drawn(image.body)
    except Exception:  # noqa: BLE001 - what a decoder raises at a damaged file is anything
        raise ValueError("that file is no PNG or JPEG that can be drawn.") from None
    if min(low for low, _ in _bands(paper)) > 255 - LEAST_INK:
        raise ValueError("nothing in that image is seen on white paper.")
    drawn = BytesIO()
    paper.convert("RGB").save(drawn, "PNG", optimize=True)
    return brand.Image(drawn.getvalue(), "image/png")


def _drawn(body: bytes) -> Pictures.Image:
    """The picture upright and small, on paper. Its size is known, and looked at, before anything is unpacked."""
    picture: Pictures.Image = Pictures.open(BytesIO(body), formats=FORMATS)
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise ValueError
    picture = _smooth(picture)
    orientation = _orientation(picture)
    picture.thumbnail(SIZE[::-1] if orientation in ON_ITS_SIDE else SIZE)
    picture = picture.convert("RGBA")
    if orientation in TURNS:
        picture = picture.transpose(TURNS[orientation])
    paper = Pictures.new("RGBA", picture.size, PAPER)
    paper.alpha_composite(picture)
    return paper


def _orientation(picture: Pictures.Image) -> int:
    """As Exif says it; upright where that cannot be read: the picture beside it may be whole."""
    try:
        return int(picture.getexif().get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - what reading damaged Exif raises is anything
        return 1


def _smooth(picture: Pictures.Image) -> Pictures.Image:
    """In a mode that can be made smaller without loss. A JPEG is in one already, and is then unpacked small."""
    if picture.mode.startswith("I"):  # sixteen bits of grey, which a conversion would cut off
        return picture.convert("I").point(lambda grey: grey * (1 / 256)).convert("L")
    return picture if picture.format == "JPEG" else picture.convert("RGBA")


def _bands(picture: Pictures.Image) -> list[tuple[int, int]]:
    """The lowest and the highest value of red, green and blue."""
    found = picture.convert("RGB").getextrema()
    return list(found)  # type: ignore[arg-type] # pairs of numbers, as there is more than one band
