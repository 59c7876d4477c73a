"""Plain values as YAML text: the rules of YAML 1.2, what is refused, and the way back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videonet.config.text import TextError, read_document, read_value, write_value

SCALARS = {
    "1e-4": 1e-4,
    "1E3": 1000.0,
    ".5": 0.5,
    "-3": -3,
    "010": 10,
    "true": True,
    "~": None,
    "null": None,
    "yes": "yes",
    "1:30": "1:30",
    "1_000": "1_000",
    "0x10": "0x10",
    "2024-01-01": "2024-01-01",
    ".inf": ".inf",
    ".nan": ".nan",
    "1e999": "1e999",
    '"3"': "3",
    "'1e-4'": "1e-4",
    "[1, 2.5, a]": [1, 2.5, "a"],
}


@pytest.mark.parametrize(("text", "value"), SCALARS.items())
def test_scalars_are_those_of_yaml_1_2(text, value):
    from_file, from_option = read_document(f"key: {text}").tree["key"], read_value(text)
    assert from_file == from_option == value
    assert type(from_file) is type(from_option) is type(value)


@pytest.mark.parametrize("text", ["*.mp4", "@list", "C: data", "a #1", "%d.jpg", "!x", "- 1", "{a: 1}"])
def test_an_option_is_text_as_typed(text):
    assert read_value(text) == text


REFUSED = {
    "a: 1\nb: &x 2": (2, "anchors and aliases"),
    "a: *x": (1, "anchors and aliases"),
    "a: !!python/object/apply:os.system [exit]": (1, "tags"),
    "!!map {a: 1}": (1, "tags"),
    "a: 1\nb: !!int 3": (2, "tags"),
    "a: " + "[" * 10_000: (1, "nested deeper"),
    "a: 1\nb: [1, 2": (2, "expected"),
    "a: 1\nb: c: d": (2, "mapping values"),
    "a: 1\nb: \x00": (2, "special characters"),
    "a: 1\n---\nb: 2": (2, "single document"),
    "? [a, b]\n: 1": (1, "key must be"),
    "a:\n\tb: 1": (2, "cannot start any token"),
}


@pytest.mark.parametrize(("text", "fault"), REFUSED.items())
def test_refused_with_its_line(text, fault):
    with pytest.raises(TextError, match=fault[1]) as error:
        read_document(text)
    assert error.value.line == fault[0]


def test_lines_and_repetitions_are_kept():
    document = read_document("a: 1\nb:\n  c: 2\n  d: 3\n  c: 4\nb:\n  e: 5\n")
    assert document.tree == {"a": 1, "b": {"c": 4, "d": 3, "e": 5}}
    assert document.lines["b.d"] == 4
    assert document.repeated == {"b.c": [3, 5], "b": [2, 6]}


SCALAR = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(SCALAR | st.lists(SCALAR))
def test_written_values_are_read_back(value):
    text = write_value(value)
    assert "\n" not in text
    assert read_document(f"key: {text}  # comment").tree == {"key": value}
