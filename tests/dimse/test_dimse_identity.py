"""Who may associate: policies, and user identities of every kind, both ways, with DCMTK, Orthanc and pynetdicom."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import peers
import pytest
from dimse_drivers import DRIVERS, LOCALHOST, serving
from peers import needs

from dicomkit.dimse.echo import echo
from dicomkit.dimse.pdu import AssociateRJ
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.policies import all_of, called, calling, hosts, identified
from dicomkit.dimse.user_information import UserIdentity
from dicomkit.net.errors import AssociationRejectedError

both = pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
IDENTITIES = [
    UserIdentity.username("jane", response_requested=True),
    UserIdentity.username("jane", passcode="right", response_requested=True),
    UserIdentity.kerberos(b"ticket", response_requested=True),
    UserIdentity.saml("<assertion/>", response_requested=True),
    UserIdentity.jwt("token", response_requested=True),
]
every_identity = pytest.mark.parametrize("identity", IDENTITIES, ids=["name", "passcode", "kerberos", "saml", "jwt"])


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return peers.small_instances(tmp_path / "in", patients=1, slices=1)


@both
@pytest.mark.parametrize(
    ("policy", "reason"),
    [(calling(["OTHER"]), 3), (calling(denied=["DICOMKIT"]), 3), (called("NOBODY"), 7), (hosts("10.0.0.1"), 1)],
)
def test_policies_reject(driver, policy, reason):
    with serving(driver, list, accept=all_of(policy)) as peer, pytest.raises(AssociationRejectedError) as caught:
        driver.run(echo(peer))
    assert (caught.value.source, caught.value.reason) == (1, reason)
    assert caught.value.hint or reason == 1


@both
@pytest.mark.parametrize(
    ("policy", "result"),
    [
        (lambda request, caller: False, 1),
        (all_of(lambda request, caller: False, lambda request, caller: None), 1),
        (lambda request, caller: "no answer", 1),
        (lambda request, caller: 1 / 0, 2),
        (identified(lambda identity, caller: None), 1),
        (identified(lambda identity, caller: {}.get(identity.name)), 1),
        (identified(lambda identity, caller: 0), 1),
    ],
)
def test_a_policy_that_fails_or_gives_no_answer_takes_nobody(driver, policy, result):
    events: list[Any] = []
    with serving(driver, list, accept=policy, on_event=events.append) as peer:
        jane = Peer(peer.host, peer.port, identity=IDENTITIES[1])
        with pytest.raises(AssociationRejectedError) as caught:
            driver.run(echo(jane))
    assert caught.value.result == result
    assert (result == 2) == any(event.name == "policy failed" for event in events)


@both
@pytest.mark.parametrize("answer", [None, True])
def test_a_policy_that_says_yes(driver, answer):
    with serving(driver, list, accept=all_of(lambda request, caller: answer)) as peer:
        assert driver.run(echo(peer)).category == "Success"


@both
def test_a_policy_may_take_its_time(driver):
    """Another association is served meanwhile, in an event loop too."""
    asked, go_on = threading.Event(), threading.Event()

    def decide(request: Any, caller: Any) -> AssociateRJ | None:
        if caller.calling_aet == "SLOW":
            asked.set()
            assert go_on.wait(10)
        return None

    with serving(driver, list, accept=decide) as peer:
        slow = Peer(peer.host, peer.port, calling_aet="SLOW")
        statuses: list[str] = []
        thread = threading.Thread(target=lambda: statuses.append(driver.run(echo(slow)).category))
        thread.start()
        assert asked.wait(10)
        assert driver.run(echo(peer)).category == "Success"
        go_on.set()
        thread.join(10)
    assert statuses == ["Success"]


@both
def test_user_identity(driver):
    seen = []

    def check(identity, caller):
        seen.append((identity.kind, identity.name, identity.passcode))
        return b"ticket" if identity.passcode == "right" else False

    with serving(driver, list, accept=identified(check)) as peer:
        with_identity = partial(Peer, peer.host, peer.port)
        driver.run(
            echo(with_identity(identity=UserIdentity.username("jane", passcode="right", response_requested=True)))
        )
        for identity in (None, UserIdentity.username("jane", passcode="wrong")):
            with pytest.raises(AssociationRejectedError):
                driver.run(echo(with_identity(identity=identity)))
    assert seen == [(2, "jane", "right"), (2, "jane", "wrong")]


# ---- other people's programs ---------------------------------------------------------------------------------------


@both
@needs("storescu")
@pytest.mark.parametrize(
    ("options", "kind"),
    [
        (("-usr", "jane"), 1),
        (("-usr", "jane", "-pwd", "right"), 2),
        (("-kt", "FILE"), 3),
        (("--saml", "FILE"), 4),
        (("--jwt", "FILE"), 5),
    ],
)
def test_user_identities_of_dcmtk(driver, files, tmp_path, options, kind):
    seen = []

    def check(identity, caller):
        seen.append(identity)
        return True

    token = tmp_path / "token"
    token.write_text("token")
    options = [token if option == "FILE" else option for option in options]
    with serving(driver, tmp_path / "out", accept=identified(check)) as peer:
        peers.storescu(peer.port, files, *options, "-rsp").check()
    assert [identity.kind for identity in seen] == [kind]


@both
@every_identity
def test_identities_are_understood_by_pynetdicom(driver, identity):
    events: list[Any] = []
    with peers.pynetdicom_scp() as server:
        peer = Peer(LOCALHOST, server.port, server.aet, identity=identity)
        assert driver.run(echo(peer, on_event=events.append)).category == "Success"
    assert server.identities == [(identity.kind, identity.primary, identity.secondary)]
    [answer] = [event.data["answer"] for event in events if event.name == "association accepted"]
    assert (answer.user.identity_response is not None) == (identity.kind > 2)


@both
@every_identity
def test_identities_of_pynetdicom(driver, identity):
    pynetdicom = pytest.importorskip("pynetdicom")
    seen: list[UserIdentity] = []

    def check(shown: UserIdentity, caller: Any) -> bytes:
        seen.append(shown)
        return b"welcome"

    item = pynetdicom.pdu_primitives.UserIdentityNegotiation()
    item.user_identity_type, item.primary_field = identity.kind, identity.primary
    item.secondary_field = identity.secondary
    item.positive_response_requested = True
    with serving(driver, list, accept=identified(check)) as peer:
        ae = pynetdicom.AE()
        ae.add_requested_context("1.2.840.10008.1.1")
        association = ae.associate(LOCALHOST, peer.port, ext_neg=[item])
        assert association.is_established
        answer = association.acceptor.user_identity
        association.release()
    assert seen == [identity]
    assert answer.server_response == b"welcome"


@both
@every_identity
@pytest.mark.parametrize(
    "start",
    [
        pytest.param(peers.storescp, marks=needs("storescp"), id="storescp"),
        pytest.param(partial(peers.dcmqrscp, []), marks=needs("dcmqrscp"), id="dcmqrscp"),
    ],
)
def test_identities_are_passed_over_by_who_does_not_know_them(driver, identity, start: Any):
    server: AbstractContextManager[peers.Server] = start()
    with server as running:
        peer = Peer(LOCALHOST, running.port, running.aet, identity=identity)
        assert driver.run(echo(peer)).category == "Success"


@needs("Orthanc")
def test_identities_are_passed_over_by_orthanc():
    with peers.orthanc() as server:
        for driver in DRIVERS:
            for identity in IDENTITIES:
                peer = Peer(LOCALHOST, server.port, server.aet, identity=identity)
                assert driver.run(echo(peer)).category == "Success"
