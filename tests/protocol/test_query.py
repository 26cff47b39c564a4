import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequence.errors import ParameterError, UnknownParameter
from sequence.protocol import query

MOST = 100_000


@pytest.mark.parametrize("text", ["0", "1", "9", "10", "99999", "100000"])
def test_plain_digits_up_to_the_most_are_a_number(text: str) -> None:
    assert query.whole_number("sn", text, MOST) == int(text)


NO_NUMBERS = [
    *("", " ", "+5", " 5", "5 ", "5\n", "-0", "-5", "00005", "1_000", "1e3", "0x10", "5.0"),
    *("٣", "\uff15", "²", "\ufffd", "\0", "%zz", "five"),
]


@pytest.mark.parametrize("text", [*NO_NUMBERS, "100001", "9" * 5000])
def test_anything_else_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ParameterError) as caught:
        query.whole_number("sn", text, MOST)
    sentence = str(caught.value)
    assert sentence.startswith("sn is '")
    assert sentence.endswith("it must be a whole number from 0 to 100000 in plain decimal digits.")
    assert sentence.isascii() or "…" in sentence
    assert len(sentence) < 400
    assert caught.value.value == text


def test_a_missing_number_is_said_to_be_missing() -> None:
    with pytest.raises(ParameterError, match="sn is missing; it must be a whole number"):
        query.whole_number("sn", None, MOST)


@given(st.text(max_size=8))
def test_only_what_python_writes_is_read(text: str) -> None:
    try:
        assert str(query.whole_number("sn", text, MOST)) == text
    except ParameterError:
        assert text not in map(str, range(MOST + 1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sn=5", {"sn": "5"}),
        ("sn=", {"sn": ""}),
        ("sn", {"sn": ""}),
        ("", {}),
        ("sn=+5", {"sn": " 5"}),
        ("sn=%2B5", {"sn": "+5"}),
        ("sn=%35", {"sn": "5"}),
        ("sn=%zz", {"sn": "%zz"}),
        ("sn=%ff", {"sn": "\ufffd"}),
        ("sn=5&fbclid=a&utm_source=b&utm_source=c&gclid=&msclkid=d", {"sn": "5"}),
    ],
)
def test_parameters_are_decoded_as_forms_are(text: str, expected: dict[str, str]) -> None:
    assert query.parse(text, ("sn",)) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sn=1&sn=2", "sn is given more than once; it must be given once."),
        ("sn=1&sn=1", "sn is given more than once; it must be given once."),
        ("SN=1", "Parameter 'SN' is not known; it must be sn."),
        ("sn[]=1", "Parameter 'sn[]' is not known; it must be sn."),
        ("sn=1&start=2", "Parameter 'start' is not known; it must be sn."),
        ("sn=1;sn=2", None),
        ("utm_=1", "Parameter 'utm_' is not known; it must be sn."),
        ("fbclid2=1", "Parameter 'fbclid2' is not known; it must be sn."),
    ],
)
def test_a_parameter_is_known_and_comes_once(text: str, sentence: str | None) -> None:
    if sentence is None:
        assert query.parse(text, ("sn",)) == {"sn": "1;sn=2"}
    else:
        with pytest.raises((ParameterError, UnknownParameter)) as caught:
            query.parse(text, ("sn",))
        assert str(caught.value) == sentence
