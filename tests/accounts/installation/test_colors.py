"""An accent can be read wherever it stands, or is refused with the reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.installation.colors import DARK_GROUNDS, LEAST_CONTRAST, LIGHT_GROUNDS, WHITE, accent, contrast, mixed

some_colors = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#ffffff", "#ffffff", 1.0),
        ("#777777", "#ffffff", 4.48),
        ("#ff0000", "#ffffff", 4.0),
    ],
)
def test_contrast_is_that_of_the_guidelines(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)
    assert contrast(other, one) == contrast(one, other)


def test_colors_are_mixed_by_their_shares() -> None:
    assert mixed("#000000", "#ffffff", 0.5) == "#808080"
    assert mixed("#102030", "#ffffff", 0) == "#102030"


@given(some_colors)
def test_an_accent_can_be_read_in_both_themes_or_is_refused(color: str) -> None:
    if min(contrast(color, ground) for ground in LIGHT_GROUNDS) < LEAST_CONTRAST:
        with pytest.raises(ValueError, match="contrast"):
            accent(color)
    else:
        found = accent(color)
        light, dark = (*LIGHT_GROUNDS, WHITE, found.light_ground), (*DARK_GROUNDS, found.dark_ground)
        assert min(contrast(found.light, ground) for ground in light) >= LEAST_CONTRAST
        assert min(contrast(found.dark, ground) for ground in dark) >= LEAST_CONTRAST


def test_a_second_color_is_for_the_dark_theme() -> None:
    found = accent(" #7C3AED , #b794f6 ")
    assert (found.light, found.dark) == ("#7c3aed", "#b794f6")
    assert accent("#7c3aed").version != found.version


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("purple", "has “purple”: a colour is written as in #0b6b5d"),
        ("#fff", "a colour is written as in"),
        ("", "a colour is written as in"),
        ("#7c3aed,#b794f6,#000000", "a colour is written as in"),
        ("#ffff00", r"contrast in the light theme is 1.0, and text needs 4.5. Choose a darker one"),
        ("#7c3aed, #222222", r"contrast in the dark theme is 1.\d, and text needs 4.5. Choose a lighter one"),
    ],
)
def test_what_is_no_readable_color_is_refused_with_the_reason(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        accent(text)
