"""How requests are written: addresses, versions, languages, methods, and the ids that clients give them."""

import pytest

from tests.api.caller import BASE, Caller
from vms.models import VM, Job

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["", "/", "//", "/v4", "/v4/", "//v4//vms", "/vms/", "//vms", "/vms;max=1"])
def test_addresses_are_answered_in_place_however_they_are_written(xml: Caller, vm: VM, path: str) -> None:
    assert xml.get(path).status == 200


def test_addresses_in_an_answer_begin_as_the_client_s_did(xml: Caller, vm: VM) -> None:
    assert xml.get(f"/vms/{vm.pk}").at("href") == f"{BASE}/vms/{vm.pk}"
    assert xml.get(f"/v4/vms/{vm.pk}").at("href") == f"{BASE}/v4/vms/{vm.pk}"


@pytest.mark.parametrize(("version", "status"), [("4", 200), ("3", 400), ("5", 400), ("x", 400)])
def test_version_4_is_served(xml: Caller, version: str, status: int) -> None:
    assert xml.get("/vms", Version=version).status == status


@pytest.mark.parametrize(
    ("accepted", "mime"),
    [
        ("application/xml", "application/xml; charset=UTF-8"),
        ("application/json", "application/json"),
        ("*/*", "application/xml; charset=UTF-8"),
        ("text/html,application/xml;q=0.9,*/*;q=0.8", "application/xml; charset=UTF-8"),
    ],
)
def test_the_answer_is_in_the_language_that_is_accepted(xml: Caller, accepted: str, mime: str) -> None:
    answer = xml.get("/vms", Accept=accepted)
    assert (answer.status, answer.response["Content-Type"]) == (200, mime)


def test_a_language_that_nobody_speaks_is_a_fault(xml: Caller, vm: VM) -> None:
    assert (xml.get("/vms", Accept="image/png").status, xml.get("/vms", Accept="image/png").root) == (406, "fault")
    answer = xml.send("post", f"/vms/{vm.pk}/start", "a=b", Content_Type="text/csv")
    assert answer.status in {400, 415}


@pytest.mark.parametrize("path", ["", "/vms", "/vms/{vm}", "/vms/{vm}/graphicsconsoles", "/jobs", "/nowhere"])
def test_a_method_that_there_is_not_is_a_405_and_options_tell(xml: Caller, vm: VM, path: str) -> None:
    address = path.format(vm=vm.pk)
    assert xml.send("patch", address, "<vm/>").status in ({404} if path == "/nowhere" else {405})
    options = xml.send("options", address)
    assert (options.status, "GET" in options.response["Allow"]) == (200, True)


@pytest.mark.parametrize("path", ["", "/vms", "/vms/{vm}"])
def test_head_is_a_get_without_a_body(xml: Caller, vm: VM, path: str) -> None:
    answer = xml.send("head", path.format(vm=vm.pk))
    assert (answer.status, answer.text) == (200, "")


@pytest.mark.parametrize("wished", [{"Correlation-Id": "abc-1"}, {}])
def test_a_correlation_id_is_echoed_and_recorded(xml: Caller, headless_vm: VM, wished: dict[str, str]) -> None:
    query = "" if wished else "?correlation_id=abc-1"
    answer = xml.send("post", f"/vms/{headless_vm.pk}/start{query}", "<action/>", **wished)
    assert answer.response["Correlation-Id"] == "abc-1"
    assert Job.objects.get().correlation_id == "abc-1"
    assert len(xml.get("/jobs?search=correlation_id%3Dabc-1").all("job")) == 1


def test_a_correlation_id_is_made_harmless(xml: Caller) -> None:
    assert xml.get("/vms", Correlation_Id="a b<c>" + "d" * 60).response["Correlation-Id"] == "abc" + "d" * 33
