import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib import messages
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from sequence import admin, conf
from sequence.accounts import history
from sequence.models import Segment, Term
from sequence.operations import jobs, populate
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


def started(operator: Client, address: str, **form: str | list[str]) -> str:
    """The list after the job that the form starts has ended."""
    operator.post(f"{LIST}{address}", form)
    idle()
    return operator.get(LIST).content.decode()


def told(operator: Client, action: str, *numbers: int) -> str:
    """The list after the action on those segments."""
    return started(operator, "", action=action, _selected_action=[str(n) for n in numbers])


def level(page: str) -> int:
    """Of the latest job: 25 for success, 30 for a warning, 40 for an error."""
    found = re.search(r'<section id="job" class="level-(\d+)"', page)
    assert found
    return int(found[1])


def damage(path: Path) -> None:
    path.write_bytes(b"9" + path.read_bytes()[1:])


def test_verifying_tells_what_is_wrong_and_changes_nothing(
    data_dir: Path, operator: Client
) -> None:
    list(populate.segments([0, 1, 2], 1))
    path = data_dir / "segments" / "00000001.txt"
    damage(path)
    page = told(operator, "verify", 0, 1)
    assert "<strong>00000001.txt</strong>: Byte 0, of term " in page
    assert re.search(r"Verified 2 segments in \d+\.\d s: 1 right, 1 wrong\.", page)
    assert level(page) == messages.ERROR
    assert 'name="name" value="00000001.txt"' in page  # of the form to repair it
    assert path.read_bytes()[:1] == b"9"


def test_only_a_store_without_findings_is_green(data_dir: Path, operator: Client) -> None:
    list(populate.segments([0, 1, 2], 1))
    page = started(operator, "verify-all/")
    assert level(page) == messages.SUCCESS
    assert "Verified 3 segments in" in page
    assert "nothing is wrong" in page
    damage(data_dir / "segments" / "00000001.txt")
    assert level(started(operator, "verify-all/")) == messages.ERROR
    page = started(operator, "repair-all/")
    assert level(page) == messages.WARNING
    assert "2 right, 1 repaired." in page
    assert level(started(operator, "verify-all/")) == messages.SUCCESS


def test_verifying_all_finds_what_is_wrong_with_the_label(data_dir: Path, operator: Client) -> None:
    build.segment(0)
    label = data_dir / "segments" / "layout.json"
    label.write_bytes(b"")
    page = started(operator, "verify-all/")
    assert level(page) == messages.ERROR
    assert "1 right, 1 wrong in the index" in page
    assert "<strong>layout.json</strong>: It says nothing readable" in page
    page = started(operator, "repair-all/")
    assert level(page) == messages.WARNING
    assert "1 right, 1 repaired in the index" in page
    assert label.read_bytes()


def test_repairing_says_what_was_wrong_and_puts_it_right(data_dir: Path, operator: Client) -> None:
    list(populate.segments([0, 1, 2], 1))
    path = data_dir / "segments" / "00000001.txt"
    right = path.read_bytes()
    path.unlink()
    page = told(operator, "repair", 0, 1, 2)
    assert "<strong>00000001.txt</strong>: Byte 0, of term " in page
    assert "2 right, 1 repaired." in page
    assert path.read_bytes() == right


def test_repairing_goes_on_after_what_it_cannot_repair(data_dir: Path, operator: Client) -> None:
    list(populate.segments([0, 1, 2], 1))
    segments = data_dir / "segments"
    for path in segments.glob("0*.txt"):
        path.unlink()
    (segments / "00000000.txt" / "precious").mkdir(parents=True)
    page = told(operator, "repair", 0, 1, 2)
    assert "00000000.txt cannot be repaired: " in page
    assert "0 right, 2 repaired, 1 not repaired." in page
    assert level(page) == messages.ERROR
    assert (segments / "00000002.txt").is_file()


def test_the_history_of_a_segment_says_who_found_and_repaired_what(
    data_dir: Path, operator: Client
) -> None:
    list(populate.segments([0, 1], 1))
    started(operator, "verify-all/")
    damage(data_dir / "segments" / "00000001.txt")
    told(operator, "verify", 1)
    other = Client()
    other.force_login(User.objects.create_superuser("mender"))
    started(other, "repair-all/")
    rows = re.findall(
        r"<td>(\w+)</td>\s*<td>(.*?)</td>\s*<td><span class=\"level-(\d+)\">(.*?)</span>",
        operator.get(f"{LIST}1/history/").content.decode(),
    )
    assert [(by, what, int(flag)) for by, what, flag, _ in rows] == [
        ("mender", "00000001.txt", messages.WARNING),
        ("mender", "all segments", messages.WARNING),
        ("operator", "00000001.txt", messages.ERROR),
        ("operator", "all segments", messages.SUCCESS),
    ]
    assert rows[0][3].startswith("Byte 0, of term ")
    assert rows[0][3].endswith(" Repaired.")
    others = operator.get(f"{LIST}0/history/").content.decode()
    assert "00000001.txt" not in others
    assert others.count("<td>all segments</td>") == 2


def test_what_is_verified_and_right_is_noted_with_the_segment(
    data_dir: Path, operator: Client
) -> None:
    list(populate.segments([0, 1], 1))
    told(operator, "verify", 0)
    assert "Verified: right." in operator.get(f"{LIST}0/history/").content.decode()
    assert "Nothing was started yet." in operator.get(f"{LIST}1/history/").content.decode()


def test_recent_actions_and_the_log_say_what_was_done(data_dir: Path, operator: Client) -> None:
    build.segment(0)
    damage(data_dir / "segments" / "00000000.txt")
    started(operator, "verify-all/")
    for address in ("/admin/", "/admin/admin/logentry/"):
        page = operator.get(address).content.decode()
        assert f'<span class="level-{messages.ERROR}">Byte 0, of term 0, is wrong.</span>' in page
        assert "0 right, 1 wrong." in page
        assert f'href="{LIST}0/change/"' in page


def test_the_log_can_only_be_read(data_dir: Path, operator: Client) -> None:
    started(operator, "verify-all/")
    for address in ("add/", f"{LogEntry.objects.get().pk}/delete/"):
        assert operator.post(f"/admin/admin/logentry/{address}", {"post": "yes"}).status_code == 403
    assert LogEntry.objects.exists()


@pytest.mark.parametrize("upto", ["1000", "1,000", " 1 000", "1e3"])
def test_the_first_terms_can_be_stored_from_the_list(
    data_dir: Path, operator: Client, upto: str
) -> None:
    assert 'name="upto"' in operator.get(LIST).content.decode()
    page = started(operator, "populate/", upto=upto)
    segments = len(list(conf.layout().numbers(Span(0, 1000))))
    assert f"The first 1,000 terms are stored: built {segments} segments" in page
    assert level(page) == messages.SUCCESS
    assert Segment.objects.count() == segments


def test_what_there_is_no_room_for_is_told_as_a_warning(
    data_dir: Path, operator: Client, settings: Settings
) -> None:
    settings.FIBO_SEGMENT_BYTES = 2**20
    settings.FIBO_STORE_BYTES = conf.MIN_STORE_BYTES
    page = started(operator, "populate/", upto=str(conf.max_sn()))
    assert level(page) == messages.WARNING
    assert "There is no room for the other " in page


class Held:
    """A job that is held after the first of three segments."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()
        monkeypatch.setattr(admin, "PATIENCE_S", 0)
        monkeypatch.setattr(populate, "segments", self.segments)

    def segments(self, numbers: list[int], _: int) -> Iterator[Segment]:
        for number in numbers:
            if number == 1:
                self.reached.set()
                assert self.go_on.wait(60)
            yield build.segment(number)

    def start(self, operator: Client) -> None:
        operator.post(f"{LIST}populate/", {"upto": str(conf.layout().terms(2).stop)})
        assert self.reached.wait(60)


@pytest.fixture
def held(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    held = Held(monkeypatch)
    yield held
    held.go_on.set()
    idle()


def test_the_list_shows_how_far_a_job_is_until_it_has_ended(held: Held, operator: Client) -> None:
    held.start(operator)
    page = operator.get(LIST).content.decode()
    assert "data-running" in page
    assert "<strong>1 of 3</strong> segments" in page
    assert "left" in page
    assert "by operator" in page
    assert 'http-equiv="refresh"' in page
    held.go_on.set()
    idle()
    page = operator.get(LIST).content.decode()
    assert "data-running" not in page
    assert "refresh" not in page
    assert level(page) == messages.SUCCESS


def test_another_process_of_the_host_shows_how_far_a_job_is(held: Held, operator: Client) -> None:
    held.start(operator)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, repr(jobs.progress()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 1000).decode() == repr(jobs.progress())
    assert (found := jobs.progress())
    assert (found.done, found.total) == (1, 3)
    os.close(read)
    os.close(write)


def test_one_job_runs_at_a_time(held: Held, operator: Client) -> None:
    held.start(operator)
    page = operator.post(f"{LIST}verify-all/", follow=True).content.decode()
    assert "A job is running." in page
    assert LogEntry.objects.count() == 1


def test_a_job_that_is_stopped_says_so_and_what_is_stored_stays(
    held: Held, operator: Client
) -> None:
    held.start(operator)
    page = operator.post(f"{LIST}stop/", follow=True).content.decode()
    assert "It stops after what it is at." in page
    held.go_on.set()
    idle()
    page = operator.get(LIST).content.decode()
    assert level(page) == messages.WARNING
    assert "Stopped: built 2 segments" in page
    assert "1 segments are still to be built" in page
    assert Segment.objects.count() == 2


def test_a_job_whose_process_died_is_told_as_cut_off(data_dir: Path, operator: Client) -> None:
    build.segment(0)
    user = User.objects.get(username="operator")
    history.write(user.pk, history.ALL, history.UNFINISHED, "Verifying all segments.")
    # What the kernel leaves of the file of a process that was killed.
    (data_dir / "job.lock").write_bytes(b"1 2 3".rjust(63) + b".")
    page = operator.get(LIST).content.decode()
    assert "It has not said that it ended" in page
    assert level(page) == messages.WARNING
    assert level(started(operator, "verify-all/")) == messages.SUCCESS
    assert not (data_dir / "job.lock").exists()


def test_a_job_that_fails_says_why(
    data_dir: Path, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(populate, "missing", fail)
    page = started(operator, "populate/", upto="10")
    assert level(page) == messages.ERROR
    assert "No space left on device" in page


def test_a_bug_in_a_job_leaves_no_job_that_seems_to_run(
    data_dir: Path, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(populate, "missing", lambda _: 1 // 0)
    page = started(operator, "populate/", upto="10")
    assert level(page) == messages.ERROR
    assert "the log of the service says why" in page


def test_a_store_with_all_segments_wrong_does_not_flood_the_log(
    data_dir: Path, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(populate.segments(list(range(6)), 2))
    for path in (data_dir / "segments").glob("0*.txt"):
        path.unlink()
    monkeypatch.setattr(jobs, "MAX_NOTED", 4)
    page = started(operator, "verify-all/")
    assert "0 right, 6 wrong." in page
    assert LogEntry.objects.count() == 5


@pytest.mark.parametrize("written", ["F(1777)", "f1777", "F 1777", "F(1,777)", " F( 1_777 ) "])
def test_a_term_is_searched_for_by_its_name(data_dir: Path, operator: Client, written: str) -> None:
    list(populate.segments(populate.missing(1778), 2))
    segment = Segment.objects.get(terms__n=1777)
    position = Term.objects.get(n=1777).position
    page = operator.get(LIST, {"q": written}).content.decode()
    assert f"<strong>segment {segment.number}</strong>" in page
    assert f"from its byte {position:,} on" in page
    assert page.count('class="action-select"') == 1
    assert f'href="{LIST}{segment.number}/change/' in page


@pytest.mark.parametrize("n", [0, 1, 776, 1500])
def test_the_segment_found_for_a_term_is_the_one_whose_rows_have_it(
    data_dir: Path, operator: Client, n: int
) -> None:
    list(populate.segments(populate.missing(1501), 2))
    page = operator.get(f"{LIST}holder/", {"n": f"{n:,}"}, follow=True).content.decode()
    assert f"<strong>segment {Term.objects.get(n=n).segment_id}</strong>" in page


def test_a_term_of_a_segment_that_is_not_stored_says_so(data_dir: Path, operator: Client) -> None:
    page = operator.get(LIST, {"q": "F(99999)"}).content.decode()
    assert "That segment is not stored" in page


@pytest.mark.parametrize("n", ["", "x", "-1", "100000", "1e9", "٣", "9" * 400])
def test_what_is_no_term_is_found_nowhere(data_dir: Path, operator: Client, n: str) -> None:
    build.segment(0)
    page = operator.get(f"{LIST}holder/", {"n": n}, follow=True).content.decode()
    assert "n is a whole number from 0 to 99,999" in page
    assert 'class="action-select"' not in page


def test_a_number_alone_is_searched_for_as_that_of_a_segment(
    data_dir: Path, operator: Client
) -> None:
    list(populate.segments([0, 1, 2], 1))
    page = operator.get(LIST, {"q": "2"}).content.decode()
    assert f'href="{LIST}2/change/' in page
    assert page.count('class="action-select"') == 1


@pytest.mark.parametrize("upto", ["", "x", "-1", "1e", "100001", "٣"])
def test_what_is_no_number_of_terms_is_refused(data_dir: Path, operator: Client, upto: str) -> None:
    page = operator.post(f"{LIST}populate/", {"upto": upto}, follow=True).content.decode()
    assert "it must be a whole number from 0 to 100000" in page
    assert not Segment.objects.exists()


def test_what_was_found_is_repaired_from_the_list(data_dir: Path, operator: Client) -> None:
    list(populate.segments([0, 1, 2], 1))
    damage(data_dir / "segments" / "00000001.txt")
    Segment.objects.filter(number=2).delete()  # its file is left
    page = started(operator, "verify-all/")
    assert f'action="{LIST}repair-found/"' in page
    names = re.findall('name="name" value="(.*?)"', page)
    assert names == ["00000001.txt", "00000002.txt"]
    page = started(operator, "repair-found/", name=[*names, "../secret_key"])
    assert "0 right, 2 repaired." in page
    assert Segment.objects.filter(number=2).exists()


def test_what_is_gone_is_not_told_as_verified(data_dir: Path, operator: Client) -> None:
    form = {"action": "verify", "_selected_action": "7"}
    page = operator.post(LIST, form, follow=True).content.decode()
    assert "there is nothing to do" in page
    assert not LogEntry.objects.exists()


FORMS = ("populate/", "verify-all/", "repair-all/", "repair-found/", "stop/", "remove-strays/")


@pytest.mark.parametrize("address", FORMS)
def test_a_form_is_sent_by_those_who_may_and_not_by_a_link(
    data_dir: Path, operator: Client, address: str
) -> None:
    assert operator.get(LIST + address).status_code == 403
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_segment"))
    client = Client()
    client.force_login(viewer)
    assert client.post(LIST + address, {"upto": "10"}).status_code == 403
    assert not LogEntry.objects.exists()


def test_who_may_not_see_the_log_sees_only_what_they_did_themselves(
    data_dir: Path, operator: Client
) -> None:
    started(operator, "verify-all/")
    client = Client()
    client.force_login(User.objects.create_user("viewer", is_staff=True))
    page = client.get("/admin/").content.decode()
    assert "all segments" not in page
    assert client.get("/admin/admin/logentry/").status_code == 403


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
