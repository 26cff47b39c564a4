"""What people type into the forms becomes plain digits, or is quoted as it was typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequence.errors import ParameterError
from sequence.web import forms
from sequence.web.forms import Window


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("0", "0"),
        ("10946", "10946"),
        ("10,946", "10946"),
        ("10 946", "10946"),
        ("10\u00a0946", "10946"),
        ("10\u202f946", "10946"),
        ("10_946", "10946"),
        ("10.946", "10946"),
        ("1.000.000", "1000000"),
        ("10'946", "10946"),
        ("10’946", "10946"),
        (" 7 ", "7"),
        ("007", "7"),
        ("000", "0"),
        ("F(777)", "777"),
        ("f( 10,946 )", "10946"),
        ("10^18", "1" + "0" * 18),
        ("2^64", "18446744073709551616"),
        ("2**64", "18446744073709551616"),
        ("1e6", "1000000"),
        ("5E3", "5000"),
        ("0^0", "1"),
    ],
)
def test_numbers_are_understood_as_people_write_them(typed: str, number: str) -> None:
    assert forms.plain(typed) == number


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " ",
        "ten",
        "-5",
        "+5",
        "1.5",
        "0x10",
        "1e",
        "e6",
        "٣",
        "²",
        "1^2^3",
        "F()",
        "10.9460",
        "0.500",
    ],
)
def test_what_is_no_number_is_quoted_as_it_was_typed(typed: str) -> None:
    assert forms.plain(typed) == typed


@given(st.integers(0, 10**40))
def test_every_number_is_understood_with_and_without_commas(number: int) -> None:
    assert forms.plain(str(number)) == forms.plain(f"{number:,}") == str(number)


@given(st.text())
def test_a_number_that_is_understood_is_one_in_plain_digits(typed: str) -> None:
    found = forms.plain(typed)
    assert found == typed or str(int(found)) == found


@pytest.mark.parametrize(
    ("window", "sent"),
    [
        (Window("20"), "sn=20"),
        (Window("50,000", "1 000", "bfile"), "sn=50000&start=1000&format=bfile"),
        (Window("a&b"), "sn=a%26b"),
    ],
)
def test_a_window_has_the_query_of_its_download(window: Window, sent: str) -> None:
    assert window.query == sent


def test_a_form_holds_what_it_sent_and_what_its_download_was_asked_by() -> None:
    filled = Window("50,000", "7", "csv")
    assert forms.window("ask=50%2C000&start=7&format=csv", 1000) == filled
    assert forms.window("sn=50%2C000&start=7&format=csv", 1000) == filled
    assert forms.window("", 1000) == Window("1000", "0", "text")


@pytest.mark.parametrize(
    ("typed", "target"),
    [
        ({"n": "10,946"}, "/terms/10946"),
        ({"n": "777", "mod": "10^9"}, "/terms/777?mod=1000000000"),
        ({"value": "6,765"}, "/terms?value=6765"),
        ({"digits": "31.12.1990"}, "/terms?contains=31121990"),
        ({"digits": "0007"}, "/terms?contains=0007"),
    ],
)
def test_a_form_leads_to_the_address_of_its_answer(typed: dict[str, str], target: str) -> None:
    assert forms.target(typed, 100) == target


@pytest.mark.parametrize(
    "typed",
    [
        {},
        {"n": "10^19"},
        {"n": "7", "mod": "0"},
        {"value": "1" * 8001},
        {"digits": "123"},
        {"digits": "1" * 41},
    ],
)
def test_a_form_leads_nowhere_with_what_no_address_has(typed: dict[str, str]) -> None:
    with pytest.raises(ParameterError):
        forms.target(typed, 100)


@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_a_random_term_is_among_those_that_there_are(count: int) -> None:
    found = {forms.target({"n": forms.RANDOM}, count) for _ in range(20)}
    assert found <= {f"/terms/{n}" for n in range(max(count, 1))}


def test_a_term_by_its_name_is_no_value() -> None:
    assert forms.target({"value": "F(10)"}, 100) == "/terms/10"
    assert forms.target({"value": "(10)"}, 100) == "/terms?value=10"
