from pathlib import Path

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from sequence import admin, conf
from sequence.models import Segment
from sequence.operations import populate
from sequence.segments import build
from sequence.text.span import Span
from tests.support.waiting import idle

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    return client


LIST = "/admin/sequence/segment/"


def test_the_list_shows_the_segments_and_their_totals(data_dir: Path, operator: Client) -> None:
    first, second = build.segment(0), build.segment(1)
    page = operator.get(LIST).content.decode()
    for segment in (first, second):
        assert f"{segment.first_term:,} – {segment.last_term:,}" in page
        assert f"{segment.length_bytes:,}" in page
        assert f"{segment.created_at:%Y}" in page
    assert f"<strong>{first.length_bytes + second.length_bytes:,}</strong> bytes" in page
    assert f"<strong>{first.term_count + second.term_count:,}</strong> terms" in page


def test_an_empty_store_has_a_list_too(data_dir: Path, operator: Client) -> None:
    assert "<strong>0</strong> segments" in operator.get(LIST).content.decode()


def test_a_segment_has_a_page_without_a_form_to_save(data_dir: Path, operator: Client) -> None:
    build.segment(0)
    page = operator.get(f"{LIST}0/change/").content.decode()
    assert "00000000.txt" in page
    assert f"{Segment.objects.get().digits:,}" in page
    assert 'name="_save"' not in page


def told(operator: Client, action: str, *numbers: int) -> str:
    """The page that comes after the action on those segments."""
    form = {"action": action, "_selected_action": [str(number) for number in numbers]}
    return operator.post(LIST, form, follow=True).content.decode()


def test_verifying_tells_what_is_wrong_and_changes_nothing(
    data_dir: Path, operator: Client
) -> None:
    list(populate.segments([0, 1, 2], 1))
    path = data_dir / "segments" / "00000001.txt"
    path.write_bytes(b"9" + path.read_bytes()[1:])
    page = told(operator, "verify", 0, 1)
    assert "00000001.txt: Byte 0, of term " in page
    assert "Verified 2: 1 right, 1 wrong." in page
    assert path.read_bytes()[:1] == b"9"


def test_repairing_says_what_was_wrong_and_puts_it_right(data_dir: Path, operator: Client) -> None:
    list(populate.segments([0, 1, 2], 1))
    path = data_dir / "segments" / "00000001.txt"
    right = path.read_bytes()
    path.unlink()
    page = told(operator, "repair", 0, 1, 2)
    assert "00000001.txt: Byte 0, of term " in page
    assert "Repaired 1 of 3." in page
    assert path.read_bytes() == right


def test_repairing_goes_on_after_what_it_cannot_repair(data_dir: Path, operator: Client) -> None:
    list(populate.segments([0, 1, 2], 1))
    segments = data_dir / "segments"
    for path in segments.glob("0*.txt"):
        path.unlink()
    (segments / "00000000.txt" / "precious").mkdir(parents=True)
    page = told(operator, "repair", 0, 1, 2)
    assert "00000000.txt cannot be repaired: " in page
    assert "Repaired 2 of 3." in page
    assert (segments / "00000002.txt").is_file()


def test_the_first_terms_can_be_stored_from_the_list(data_dir: Path, operator: Client) -> None:
    assert 'name="upto"' in operator.get(LIST).content.decode()
    page = operator.post(f"{LIST}populate/", {"upto": "1000"}, follow=True).content.decode()
    segments = len(list(conf.layout().numbers(Span(0, 1000))))
    assert f"The first 1,000 terms are stored: built {segments} segments" in page
    assert Segment.objects.count() == segments


def test_populating_that_takes_long_goes_on(
    data_dir: Path, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin, "PATIENCE_S", 0)
    page = operator.post(f"{LIST}populate/", {"upto": "3000"}, follow=True).content.decode()
    assert "segments are still to be built" in page
    idle()
    assert populate.missing(3000) == []


@pytest.mark.parametrize("upto", ["", "x", "-1", "1e3", "100001", "٣"])
def test_what_is_no_number_of_terms_is_refused(data_dir: Path, operator: Client, upto: str) -> None:
    page = operator.post(f"{LIST}populate/", {"upto": upto}, follow=True).content.decode()
    assert "it must be a whole number from 0 to 100000" in page
    assert not Segment.objects.exists()


def test_what_is_allowed_is_asked_of_the_accounts(data_dir: Path) -> None:
    build.segment(0)
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_segment"))
    client = Client()
    client.force_login(viewer)
    page = client.get(LIST).content.decode()
    assert 'name="upto"' not in page
    assert 'value="repair"' not in page
    assert 'value="verify"' not in page
    (data_dir / "segments" / "00000000.txt").unlink()
    told(client, "repair", 0)
    assert not (data_dir / "segments" / "00000000.txt").exists()
    assert client.post(f"{LIST}populate/", {"upto": "1000"}).status_code == 403
    assert client.get(f"{LIST}populate/").status_code == 403
    for act in ("verify", "repair", "populate"):
        viewer.user_permissions.add(Permission.objects.get(codename=f"{act}_segment"))
    page = client.get(LIST).content.decode()
    assert 'name="upto"' in page
    assert 'value="repair"' in page


def test_the_list_shows_what_has_become_of_a_segment(data_dir: Path, operator: Client) -> None:
    build.segment(0)
    Segment.objects.update(served=4711, checked_blocks=815, repaired=42)
    page = operator.get(LIST).content.decode()
    for cell in ("served", "checked_blocks", "repaired"):
        assert f'class="field-{cell}"' in page
    assert ">4711<" in page
    assert "<strong>42</strong> times" in page
    assert 'aria-labelledby="coverage-summary"' in page


def test_the_list_takes_no_more_queries_for_more_segments(
    data_dir: Path, operator: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    list(populate.segments(list(range(30)), 2))
    with django_assert_max_num_queries(12):
        operator.get(LIST)


@pytest.mark.parametrize("address", ["add/", "0/delete/"])
def test_nothing_can_be_added_or_deleted(data_dir: Path, operator: Client, address: str) -> None:
    build.segment(0)
    assert operator.get(LIST + address).status_code == 403
    assert operator.post(LIST + address, {"post": "yes"}).status_code == 403
    assert Segment.objects.count() == 1


def test_nothing_can_be_changed(data_dir: Path, operator: Client) -> None:
    build.segment(0)
    assert operator.post(f"{LIST}0/change/", {"name": "other"}).status_code == 403
    deletion = {"action": "delete_selected", "_selected_action": "0", "post": "yes"}
    operator.post(LIST, deletion)
    assert Segment.objects.get().name == "00000000.txt"


def test_a_stranger_is_asked_to_log_in(client: Client) -> None:
    response = client.get(LIST)
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/admin/login/")
