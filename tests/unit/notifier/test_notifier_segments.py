import pytest
from hypothesis import given
from hypothesis import strategies as st

from npms_notifier.domain.segments import Size, fit, measure, plain


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", Size("gsm7", 0, 1)),
        ("a" * 160, Size("gsm7", 160, 1)),
        ("a" * 161, Size("gsm7", 161, 2)),
        ("a" * 306, Size("gsm7", 306, 2)),
        ("a" * 307, Size("gsm7", 307, 3)),
        ("€" * 80, Size("gsm7", 160, 1)),
        ("€" * 81, Size("gsm7", 162, 2)),
        ("a" * 152 + "€" + "a" * 152, Size("gsm7", 306, 3)),
        ("ą" * 70, Size("ucs2", 70, 1)),
        ("ą" * 71, Size("ucs2", 71, 2)),
        ("ą" * 134, Size("ucs2", 134, 2)),
        ("ą" * 135, Size("ucs2", 135, 3)),
        ("💡" * 35, Size("ucs2", 70, 1)),
        ("💡" * 36, Size("ucs2", 72, 2)),
        ("💡" * 67, Size("ucs2", 134, 3)),
    ],
)
def test_what_a_text_costs(text: str, size: Size) -> None:
    assert measure(text) == size


def test_typographic_characters_do_not_double_the_price() -> None:
    text = plain("Ksh\u00a01,234.50 – “today”\n\u202f it’s…")
    assert text == 'Ksh 1,234.50 - "today" it\'s...'
    assert measure(text).encoding == "gsm7"


@given(st.text(max_size=600), st.integers(1, 3))
def test_a_text_is_cut_to_fit(text: str, segments: int) -> None:
    fitted = fit(text, segments=segments)
    assert measure(fitted).segments <= segments
    if measure(text).segments <= segments:
        assert fitted == text
    else:
        assert fitted.endswith("...")
        assert text.startswith(fitted.removesuffix("..."))
