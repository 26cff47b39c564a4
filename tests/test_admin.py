from pathlib import Path

import pytest
from django.contrib.admin.utils import quote
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from sequence import build, coded
from sequence.coding import ZSTD
from sequence.models import Segment
from sequence.text.format import FORMATS

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def statics() -> None:
    """The admin's pages name the static files by their hashes."""
    call_command("collectstatic", interactive=False, verbosity=0)


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    return client


LIST = "/admin/sequence/segment/"


def test_the_list_shows_the_segments_and_their_totals(data_dir: Path, operator: Client) -> None:
    first, second = build.build(0), build.build(1)
    page = operator.get(LIST).content.decode()
    for segment in (first, second):
        assert f"{segment.first_term:,} – {segment.last_term:,}" in page
        assert f"{segment.length_bytes:,}" in page
        assert f"{segment.digits:,}" in page
        assert f"{segment.created_at:%Y}" in page
    assert f"<strong>{first.length_bytes + second.length_bytes:,}</strong> bytes" in page
    assert f"<strong>{first.term_count + second.term_count:,}</strong> terms" in page


def test_an_empty_store_has_a_list_too(data_dir: Path, operator: Client) -> None:
    assert "<strong>0</strong> segments" in operator.get(LIST).content.decode()


def test_a_segment_has_a_page_without_a_form_to_save(data_dir: Path, operator: Client) -> None:
    build.build(0)
    page = operator.get(f"{LIST}0/change/").content.decode()
    assert "00000000.txt" in page
    assert 'name="_save"' not in page


@pytest.mark.parametrize("address", ["add/", "0/delete/"])
def test_nothing_can_be_added_or_deleted(data_dir: Path, operator: Client, address: str) -> None:
    build.build(0)
    assert operator.get(LIST + address).status_code == 403
    assert operator.post(LIST + address, {"post": "yes"}).status_code == 403
    assert Segment.objects.count() == 1


def test_coded_segments_are_shown_and_cannot_be_changed(data_dir: Path, operator: Client) -> None:
    kept = coded.soon(0, FORMATS["text"], ZSTD).result()
    assert kept
    page = operator.get("/admin/sequence/codedsegment/").content.decode()
    assert kept.name in page
    assert f"{kept.length_bytes:,}" in page
    address = f"/admin/sequence/codedsegment/{quote(kept.name)}/change/"
    assert 'name="_save"' not in operator.get(address).content.decode()
    assert operator.post(address, {"name": "other"}).status_code == 403


def test_nothing_can_be_changed(data_dir: Path, operator: Client) -> None:
    build.build(0)
    assert operator.post(f"{LIST}0/change/", {"name": "other"}).status_code == 403
    deletion = {"action": "delete_selected", "_selected_action": "0", "post": "yes"}
    operator.post(LIST, deletion)
    assert Segment.objects.get().name == "00000000.txt"


def test_a_stranger_is_asked_to_log_in(client: Client) -> None:
    response = client.get(LIST)
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/admin/login/")
