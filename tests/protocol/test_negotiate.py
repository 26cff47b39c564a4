"""Accept-Encoding and Accept: rows are of RFC 9110, or rows and contract of hostile-inputs.md."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequence.errors import NotAcceptable
from sequence.protocol import negotiate

OFFERED = ("zstd", "gzip", "identity")
FIELD_BYTES = 8190

ZSTD = ["zstd", "identity"]
GZIP = ["gzip", "identity"]
BOTH = ["zstd", "gzip", "identity"]
IDENTITY = ["identity"]
NOTHING: list[str] = []
"""Not acceptable."""


def accepted(header: str | None, offered: tuple[str, ...] = OFFERED) -> list[str]:
    """The codings that are accepted, the preferred first; none where all are refused."""
    try:
        return negotiate.codings(header, offered)
    except NotAcceptable:
        return NOTHING


WEIGHTS: dict[str, tuple[str | None, list[str]]] = {
    "12.5.3, absent": (None, IDENTITY),
    "12.5.3, empty": ("", IDENTITY),
    "12.5.3, white space": (" \t", IDENTITY),
    "5.6.1.2, empty elements only": (", ,", IDENTITY),
    "12.5.3, gzip": ("gzip", GZIP),
    "12.5.3, zstd": ("zstd", ZSTD),
    "12.5.3, identity": ("identity", IDENTITY),
    "12.5.3, unknown": ("br", IDENTITY),
    "12.5.3, unknown beside known": ("br, deflate, gzip", GZIP),
    "contract, zstd before gzip": ("gzip, zstd", BOTH),
    "contract, gzip before identity": ("identity, gzip", GZIP),
    "contract, zstd before gzip before identity": ("identity, gzip, zstd", BOTH),
    "contract, equal weights": ("identity;q=0.5, gzip;q=0.5, zstd;q=0.5", BOTH),
    "what browsers send": ("gzip, deflate, br, zstd", BOTH),
    "12.4.2, highest wins": ("zstd;q=0.5, gzip", ["gzip", "zstd", "identity"]),
    "12.4.2, by a thousandth": ("zstd;q=0.998, gzip;q=0.999", ["gzip", "zstd", "identity"]),
    "12.4.2, identity wins": ("gzip;q=0.9, identity", ["identity", "gzip"]),
    "12.4.2, identity between": (
        "zstd;q=0.1, identity;q=0.5, gzip;q=0.9",
        ["gzip", "identity", "zstd"],
    ),
    "12.4.2, least weight is no refusal": ("gzip;q=0.001", GZIP),
    "12.4.2, least weight of identity": ("identity;q=0.001", IDENTITY),
    "HOSTILE 19, gzip refused": ("gzip;q=0", IDENTITY),
    "12.5.3, gzip refused, zstd not": ("gzip;q=0, zstd", ZSTD),
    "HOSTILE 19, all but identity refused": ("*;q=0, identity", IDENTITY),
    "12.5.3, all but gzip refused": ("*;q=0, gzip", ["gzip"]),
    "12.5.3, identity refused, gzip not": ("identity;q=0, gzip", ["gzip"]),
    "12.5.3, identity refused": ("identity;q=0", NOTHING),
    "12.5.3, all refused": ("*;q=0", NOTHING),
    "12.5.3, each refused": ("identity;q=0, gzip;q=0, zstd;q=0", NOTHING),
    "12.5.3, all but an unknown one refused": ("br, *;q=0", NOTHING),
    "12.5.3, identity refused, unknown": ("br, identity;q=0", NOTHING),
    "12.5.3, any": ("*", BOTH),
    "12.5.3, any but zstd": ("zstd;q=0, *", GZIP),
    "12.5.3, any but identity": ("identity;q=0, *", ["zstd", "gzip"]),
    "12.5.3, any is for what is not named": ("gzip, *;q=0.5", ["gzip", "zstd", "identity"]),
    "12.5.3, any is first, and yet for the rest": (
        "*;q=0.5, gzip;q=0.1",
        ["zstd", "identity", "gzip"],
    ),
    "12.5.3, any with the least weight": ("*;q=0.001", BOTH),
}
NAMES: dict[str, tuple[str | None, list[str]]] = {
    "8.4.1.3, x-gzip": ("x-gzip", GZIP),
    "8.4.1.3, x-gzip in upper case": ("X-GZIP", GZIP),
    "8.4.1.3, x-gzip with a weight": ("x-gzip;q=0.5, zstd;q=0.6", BOTH),
    "8.4.1.3, x-gzip refused": ("x-gzip;q=0", IDENTITY),
    "8.4.1.3, x-gzip refused, any not": ("x-gzip;q=0, *", ZSTD),
    "8.4.1.3, x-gzip accepted, any not": ("x-gzip, *;q=0", ["gzip"]),
    "8.4.1, case": ("GZip", GZIP),
    "8.4.1, case of identity": ("gzip, IDENTITY;q=0", ["gzip"]),
    "8.4.1, x-zstd is no name": ("x-zstd", IDENTITY),
    "8.4.1, a longer name": ("gzipped", IDENTITY),
    "8.4.1, a shorter name": ("gzi", IDENTITY),
}
SPELLINGS: dict[str, tuple[str | None, list[str]]] = {
    "5.6.3, white space around elements": (" \tgzip\t , \tzstd ", BOTH),
    "5.6.1, no white space": ("gzip,zstd", BOTH),
    "5.6.1.2, empty elements": (",, gzip ,\t,", GZIP),
    "12.4.2, white space around the semicolon": ("gzip \t; \tq=0, *", ZSTD),
    "12.4.2, Q in upper case": ("gzip;Q=0, *", ZSTD),
    # A weight of 0 that is malformed would be that of "*".
    "12.4.2, 0": ("gzip;q=0, *", ZSTD),
    "12.4.2, 0.": ("gzip;q=0., *", ZSTD),
    "12.4.2, 0.0": ("gzip;q=0.0, *", ZSTD),
    "12.4.2, 0.000": ("gzip;q=0.000, *", ZSTD),
    "12.4.2, 1": ("gzip;q=1", GZIP),
    "12.4.2, 1.": ("gzip;q=1.", GZIP),
    "12.4.2, 1.000": ("gzip;q=1.000", GZIP),
    "12.4.2, one decimal": ("gzip;q=0.1", GZIP),
    "12.4.2, three decimals": ("gzip;q=0.123", GZIP),
}
# Each as if it were absent: "zstd;q=0.1" or identity is what is left.
MALFORMED = {
    "12.4.2, more than 1": "gzip;q=1.001",
    "12.4.2, 2": "gzip;q=2",
    "12.4.2, four decimals": "gzip;q=0.1234",
    "12.4.2, four decimals of 1": "gzip;q=1.0000",
    "12.4.2, no digit before the point": "gzip;q=.5",
    "12.4.2, leading nought": "gzip;q=00.5",
    "12.4.2, comma for a point": "gzip;q=0;5",
    "12.4.2, negative": "gzip;q=-1",
    "12.4.2, sign": "gzip;q=+1",
    "12.4.2, exponent": "gzip;q=1e0",
    "12.4.2, not a number": "gzip;q=nan",
    "12.4.2, infinity": "gzip;q=inf",
    "12.4.2, word": "gzip;q=high",
    "12.4.2, other digits": "gzip;q=\xb9",
    "12.4.2, empty weight": "gzip;q=",
    "12.4.2, quoted weight": 'gzip;q="1"',
    "12.4.2, two points": "gzip;q=0.5.5",
    "12.4.2, space after the equals sign": "gzip;q= 1",
    "12.4.2, line feed": "gzip;q=1\n",
    "12.5.3, no name": ";q=1",
    "5.6.2, two words": "gzip gzip",
    "12.5.3, equals sign": "gzip=1",
    "5.6.3, other white space": "\xa0gzip",
    "5.6.2, quoted name": '"gzip"',
    "12.4.2, q alone": "gzip;q",
    "12.4.2, any with q alone": "*;q",
    "12.4.2, space before the equals sign": "gzip;q =0",
    "12.4.2, colon": "gzip;q:0",
    "12.4.2, nothing after the semicolon": "gzip;",
    "12.5.3, another parameter": "gzip;level=9",
    "12.5.3, another parameter before the weight": "gzip;level=9;q=1",
    "12.5.3, another parameter after the weight": "gzip;q=1;level=9",
    "12.5.3, two weights": "gzip;q=1;q=0.5",
}
HEADERS = WEIGHTS | NAMES | SPELLINGS


@pytest.mark.parametrize(("header", "expected"), HEADERS.values(), ids=HEADERS)
def test_accept_encoding_accepts_these_in_this_order(
    header: str | None, expected: list[str]
) -> None:
    assert accepted(header) == expected


@pytest.mark.parametrize("element", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_element_is_as_if_absent(element: str) -> None:
    assert accepted(element) == IDENTITY
    assert accepted(f"{element}, zstd;q=0.1") == ZSTD
    assert accepted(f"zstd;q=0.1,{element}") == ZSTD
    assert accepted(f"identity;q=0, {element}") == NOTHING


@pytest.mark.parametrize("header", ["gzip", "zstd", "*", "gzip, zstd", "", None, "*;q=0, identity"])
def test_where_only_identity_is_offered_it_is_given(header: str | None) -> None:
    assert accepted(header, ("identity",)) == IDENTITY


@pytest.mark.parametrize(
    "header", ["identity;q=0", "*;q=0", "gzip, identity;q=0", "*, identity;q=0"]
)
def test_where_only_identity_is_offered_it_can_be_refused(header: str) -> None:
    assert accepted(header, ("identity",)) == NOTHING


def test_of_equal_weights_the_first_offered_comes_first() -> None:
    assert accepted("*", ("identity", "gzip", "zstd")) == ["identity", "gzip", "zstd"]


def test_the_refusal_is_a_short_sentence_that_names_what_there_is() -> None:
    header = "identity;q=0, \xe9" + "x" * 8000
    with pytest.raises(NotAcceptable) as caught:
        negotiate.codings(header, iter(OFFERED))
    sentence = str(caught.value)
    assert sentence.startswith(r"Accept-Encoding is 'identity;q=0, \xe9xxx")
    assert sentence.endswith("it must allow zstd or gzip or identity.")
    assert len(sentence) < 150
    assert (caught.value.accept_encoding, caught.value.offered) == (header, OFFERED)


def filled(pattern: str, before: str = "", after: str = "") -> str:
    """A header that repeats the pattern for as long as there is room."""
    room = FIELD_BYTES - len(before) - len(after)
    return before + (pattern * room)[:room] + after


# A pattern that backtracks would not return.
LONG = {
    "commas": (filled(","), IDENTITY),
    "commas, then gzip": (filled(",", after="gzip"), GZIP),
    "spaces": (filled(" "), IDENTITY),
    "spaces, then gzip": (filled(" \t", after="gzip"), GZIP),
    "commas and spaces in turn": (filled(", "), IDENTITY),
    "semicolons": (filled(";"), IDENTITY),
    "spaces before a semicolon": (filled(" ", "gzip", ";q=0, *"), ZSTD),
    "a name of thousands of letters": (filled("g", after=", gzip"), GZIP),
    "thousands of names": (filled("gz,"), IDENTITY),
    "thousands of gzips": (filled("gzip,"), GZIP),
    "thousands of asterisks": (filled("*,"), BOTH),
    "an asterisk of thousands": (filled("*"), IDENTITY),
    "a weight of noughts": (filled("0", "gzip;q=0."), IDENTITY),
    "a weight of nines": (filled("9", "gzip;q="), IDENTITY),
    "a weight of points": (filled(".", "gzip;q=0"), IDENTITY),
    "a weight of noughts, then a letter": (filled("0", "gzip;q=1.", "x"), IDENTITY),
    "weights without a name": (filled(";q=1,"), IDENTITY),
    "refused, over and over": (filled("*;q=0,", after="*;q=0"), NOTHING),
}


@pytest.mark.parametrize(("header", "expected"), LONG.values(), ids=LONG)
def test_long_headers_have_an_outcome(header: str, expected: list[str]) -> None:
    assert len(header) == FIELD_BYTES
    assert accepted(header) == expected


@given(st.text("gzipstd*identy;q=0.1, \t") | st.text())
def test_any_text_has_an_outcome(text: str) -> None:
    found = accepted(text)
    assert set(found) <= set(OFFERED)
    assert len(set(found)) == len(found)


names = st.sampled_from(["zstd", "gzip", "identity", "br", "*"])
thousandths = st.one_of(st.integers(0, 1000), st.sampled_from([0, 1000]))
spaces = st.text(" \t", max_size=2)


@st.composite
def weighed(draw: st.DrawFn) -> tuple[dict[str, int], str]:
    """A weight in thousandths for some names, and an Accept-Encoding that says so."""
    weights = draw(st.dictionaries(names, thousandths, min_size=1))
    elements = []
    for name, weight in weights.items():
        written = f"{weight // 1000}.{weight % 1000:03}"
        if draw(st.booleans()):
            written = written.rstrip("0").rstrip(".") or "0"
        spelled = draw(st.sampled_from([name, name.upper()]))
        elements.append(f"{spelled}{draw(spaces)};{draw(spaces)}q={written}")
    return weights, ",".join(draw(spaces) + element + draw(spaces) for element in elements)


@given(weighed())
def test_any_weights_are_obeyed(found: tuple[dict[str, int], str]) -> None:
    """Section 12.5.3: a coding has its weight, else that of "*"; else only identity is left."""
    weights, header = found
    rest = weights.get("*")
    expected = {
        "zstd": weights.get("zstd", rest or 0),
        "gzip": weights.get("gzip", rest or 0),
        "identity": weights.get("identity", 0.5 if rest is None else rest),
    }
    ordered = sorted(OFFERED, key=lambda coding: (-expected[coding], OFFERED.index(coding)))
    assert accepted(header) == [coding for coding in ordered if expected[coding]]


TEXT, PROBLEM, JSON = "text/plain", "application/problem+json", "application/json"
ACCEPT: dict[str, tuple[str | None, str]] = {
    "12.5.1, absent": (None, TEXT),
    "12.5.1, empty": ("", TEXT),
    "12.5.1, any": ("*/*", TEXT),
    "12.5.1, text": ("text/plain", TEXT),
    "12.5.1, JSON": ("application/json", JSON),
    "12.5.1, problem": ("application/problem+json", PROBLEM),
    "12.5.1, any of a type": ("application/*", PROBLEM),
    "12.5.1, any text": ("text/*", TEXT),
    "12.5.1, none of them": ("image/png", TEXT),
    "what browsers send": ("text/html,application/xhtml+xml,*/*;q=0.8", TEXT),
    "contract, JSON preferred": ("text/plain;q=0.5, application/json", JSON),
    "contract, text preferred": ("application/json;q=0.5, text/plain", TEXT),
    "contract, equal": ("application/json, text/plain", TEXT),
    "contract, equal but for problems": ("application/json, application/problem+json", PROBLEM),
    "12.5.1, JSON before the rest": ("application/json, */*;q=0.1", JSON),
    "12.5.1, most specific: text": ("text/*;q=0.9, text/plain;q=0.1, */*;q=0.5", PROBLEM),
    "12.5.1, most specific: type": ("*/*, text/*;q=0.5, application/*;q=0.6", PROBLEM),
    "12.5.1, text refused": ("text/plain;q=0, */*;q=0.1", PROBLEM),
    "12.5.1, all refused": ("*/*;q=0", TEXT),
    "8.3.1, case": ("APPLICATION/JSON", JSON),
    "12.4.2, white space": (" application/json\t;\tq=1 , text/plain ; q=0.9", JSON),
    "8.3.1, parameter": ("application/json;charset=utf-8", JSON),
    "12.5.1, parameter and weight": ("text/plain;format=fixed;q=0.4, application/json", JSON),
    "5.6.1.2, empty elements": (",, application/json ,", JSON),
    "12.4.2, malformed": ("application/json;q=2, text/plain;q=0.1", TEXT),
    "8.3.1, no subtype": ("application", TEXT),
    "12.5.1, subtype of any type": ("*/json", TEXT),
    "12.5.1, a suffix is no range": ("application/*+json", TEXT),
    "long": (filled("application/json,", after=",a/b"), JSON),
    "long, commas": (filled(","), TEXT),
    "long, parameters": (filled(";a=b", "application/json"), JSON),
    "long, semicolons and spaces": (filled(" ", "application/json;", "x"), JSON),
    "long, as gunicorn joins it": ('"' + '\\"' * 250_000, TEXT),
    "5.6.6, empty parameter": ("application/json;", JSON),
    "5.6.6, quoted parameter": ('application/json;charset="utf-8"', JSON),
    "5.6.6, comma in a quoted parameter": ('application/json;p="a,b"', JSON),
    "12.5.1, a q that is not the last": ("application/json;q=0.9;charset=utf-8", JSON),
}


@pytest.mark.parametrize(("header", "expected"), ACCEPT.values(), ids=ACCEPT)
def test_accept_prefers_this_media_type(header: str | None, expected: str) -> None:
    assert negotiate.media_type(header, (TEXT, PROBLEM, JSON)) == expected


@pytest.mark.parametrize("element", ["", "a/b", "*/*;q=0.1", "text/plain;a=b;q=1", " "])
def test_an_element_that_is_repeated_is_parsed_once(
    monkeypatch: pytest.MonkeyPatch, element: str
) -> None:
    parsed: list[str] = []
    match = re.fullmatch

    def noted(pattern: str, text: str, flags: int) -> re.Match[str] | None:
        parsed.append(text)
        return match(pattern, text, flags)

    monkeypatch.setattr(re, "fullmatch", noted)
    negotiate.media_type(",".join([element] * 100_000), (TEXT, JSON))
    assert len(parsed) == 1


@given(st.text("textplain/applicationjson*;q=0.1, ") | st.text())
def test_any_accept_is_answered_with_an_offered_type(text: str) -> None:
    assert negotiate.media_type(text, (TEXT, JSON)) in {TEXT, JSON}
