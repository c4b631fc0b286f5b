"""What is done about leftovers, whatever a tenant shows: judged by rules written down anew here.

The rules are the house's: removed is only what this update made, bears this stack's UUID and holds
no password; one candidate is adopted; doubt stops; what is foreign is never touched.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proself_mail.entra.directory import (
    ApplicationRecord,
    GrantRecord,
    PasswordRecord,
    ServicePrincipalRecord,
)
from proself_mail.entra.ledger import Ledger
from proself_mail.errors import Refused
from proself_mail.schedule import format_instant
from proself_mail.stack.state import APPLICATION, Resource, State
from proself_mail.update import leftovers
from proself_mail.update.journal import Journal

OURS = uuid.UUID("6a1f0c2e-90b4-4f3a-8a1e-0c5c6d3f7a10")
BEGAN = datetime(2027, 4, 1, 12, tzinfo=UTC)
JOURNAL = Journal(Path("update.json"), OURS, BEGAN, carries_on=False, since=BEGAN)
WINDOW_END = datetime(2027, 9, 28, tzinfo=UTC)
DESCRIPTION = "Proself"
OWN_ID = "11111111-1111-4111-8111-111111111111"
KNOWN_KEY = "99999999-9999-4999-8999-999999999999"
OUR_TAG = f"proself-mail:stack={OURS}"
WHOLE = ("proself-mail", OUR_TAG, "proself-mail:environment=test")
FOREIGN_TAGS = (
    (),
    ("proself-mail",),
    ("proself-mail", f"proself-mail:stack={uuid.UUID(int=7)}", "proself-mail:environment=test"),
    tuple(tag.upper() for tag in WHOLE),
    (f"{OUR_TAG}0", "proself-mail:environment=test"),
)
"""What a look-alike bears: no stamp, another stack's, or one that only looks like ours."""
DOUBTFUL_TAGS = (
    (*WHOLE, f"proself-mail:stack={uuid.UUID(int=7)}"),
    (OUR_TAG,),
)
"""Our stamp and another's; ours, not whole."""

around = st.sampled_from(
    [-timedelta(days=90), -timedelta(seconds=1), timedelta(), timedelta(hours=1)]
)


def password(
    key: str, starts: datetime | None, name: str, expires: datetime | None
) -> PasswordRecord:
    return PasswordRecord(key, name, starts, expires)


passwords = st.builds(
    password,
    st.uuids().map(str) | st.just(KNOWN_KEY),
    around.map(lambda after: BEGAN + after) | st.none(),
    st.sampled_from([f"{DESCRIPTION} 2027-04-01", "by hand", ""]),
    st.sampled_from([WINDOW_END, WINDOW_END + timedelta(days=1), None]),
)


def application(
    object_id: str,
    tags: tuple[str, ...],
    created: datetime | None,
    held: tuple[PasswordRecord, ...] = (),
) -> ApplicationRecord:
    return ApplicationRecord(
        object_id, f"client-{object_id}", "Proself mail", created, tags, "AzureADMyOrg",
        (), (), 2, {}, held,
    )  # fmt: skip


applications = st.builds(
    application,
    st.uuids().map(str) | st.just(OWN_ID),
    st.sampled_from([WHOLE, WHOLE, WHOLE, *FOREIGN_TAGS, *DOUBTFUL_TAGS]),
    around.map(lambda after: BEGAN + after) | st.none(),
    st.lists(passwords, max_size=2).map(tuple),
)
listings = st.lists(applications, max_size=5, unique_by=lambda each: each.object_id)


def state_of(*, application_id: str | None, secret: bool) -> State:
    resources: dict[str, Resource] = {}
    if application_id:
        resources[APPLICATION] = Resource(
            APPLICATION, f"/applications/{application_id}", {"clientId": f"client-{application_id}"}
        )
        if secret:
            name = "secret-20270401T000000Z"
            resources[name] = Resource(
                name,
                f"{application_id}/password/{KNOWN_KEY}",
                {"endDate": format_instant(WINDOW_END)},
            )
    return State(resources, (), (), {})


states = st.builds(state_of, application_id=st.sampled_from([OWN_ID, None]), secret=st.booleans())


@dataclass(frozen=True)
class Decided:
    plan: leftovers.Plan | None
    """None where it stopped."""


def decide(state: State, listing: list[ApplicationRecord]) -> Decided:
    try:
        return Decided(leftovers.plan(state, listing, OURS, JOURNAL, DESCRIPTION, "S.test", ()))
    except Refused:
        return Decided(None)


def is_this_updates(each: ApplicationRecord) -> bool:
    return each.created is not None and each.created >= BEGAN


@given(states, listings, st.integers(2, 3))
def test_only_empty_doubles_of_this_update_are_purged(
    state: State, listing: list[ApplicationRecord], number: int
) -> None:
    doubles = [application(f"double-{n}", WHOLE, BEGAN) for n in range(number)]
    alone = decide(state, doubles).plan
    assert alone
    assert len(alone.purge) == number - (state.application_id is None)
    for plan in (alone, decide(state, [*listing, *doubles]).plan):
        for each in plan.purge if plan else ():
            assert each.tags == WHOLE
            assert is_this_updates(each)
            assert each.passwords == ()
            assert each.object_id != state.application_id
            assert each is not (plan and plan.adopt)


def test_what_may_be_another_stacks_is_never_to_be_deleted() -> None:
    """A file that was copied, or a stack on another backend, bears the same UUID."""
    held = (password(KNOWN_KEY, BEGAN - timedelta(days=9), DESCRIPTION, WINDOW_END),)
    theirs = application(OWN_ID, WHOLE, BEGAN - timedelta(days=9), held)
    other = application(str(uuid.UUID(int=9)), WHOLE, BEGAN - timedelta(days=9), held)
    for listing, known in (
        ([theirs], None),
        ([theirs, other], None),
        ([theirs, other], OWN_ID),
        ([other], OWN_ID),
    ):
        state = state_of(application_id=known, secret=False)
        with pytest.raises(Refused, match="another stack has this `stackId`") as refused:
            leftovers.plan(state, listing, OURS, JOURNAL, DESCRIPTION, "S.test", ())
        is_copied = "`proself-mail init --stack S.test` writes" in refused.value.next_step
        assert is_copied == (listing == [theirs])
        may_go = "`proself-mail teardown --stack S.test --keep-stack`" in refused.value.next_step
        assert may_go == is_copied  # where a person has found that Proself has another client ID
        assert ("1 application has" in refused.value.cause) == (listing == [other])
        assert "delete" not in str(refused.value).lower().partition("if there is none, ")[0]


EVERY_SECRET = tuple(
    password(key, starts, name, expires)
    for key in (KNOWN_KEY, str(uuid.UUID(int=8)))
    for starts in (BEGAN - timedelta(seconds=1), BEGAN, BEGAN + timedelta(hours=1), None)
    for name in (f"{DESCRIPTION} 2027-04-01", "by hand", "")
    for expires in (WINDOW_END, WINDOW_END + timedelta(days=1), None)
)


def test_only_secrets_of_this_update_that_another_stands_for_are_removed() -> None:
    own = application(OWN_ID, WHOLE, BEGAN, EVERY_SECRET)
    plan = decide(state_of(application_id=OWN_ID, secret=True), [own]).plan
    assert plan
    assert {each.object_id for each, _ in plan.remove} == {OWN_ID}
    assert [removed for _, removed in plan.remove] == [
        each
        for each in EVERY_SECRET
        if each.key_id != KNOWN_KEY
        and each.starts is not None
        and each.starts >= BEGAN
        and each.display_name.startswith(DESCRIPTION)
        and each.expires == WINDOW_END
    ]


@pytest.mark.parametrize("place", ["made", "pasted", "journal", "unreadable", "recorded"])
def test_a_secret_that_was_in_a_state_is_never_this_updates(place: str) -> None:
    """Proself may have it: the state lost it, or an older state was brought back."""
    key = str(uuid.UUID(int=8))
    made, pasted = Ledger({key: "20270401T000000Z"}).into(""), Ledger({}, pasted=key).into("")
    notes = {"made": made, "pasted": pasted, "unreadable": "proself-mail: {"}.get(place, "")
    record = replace(JOURNAL, notes=made if place == "journal" else "")
    recorded = {key} if place == "recorded" else ()
    held = (password(key, BEGAN, DESCRIPTION, WINDOW_END),)
    own = replace(application(OWN_ID, WHOLE, BEGAN, held), notes=notes)
    state = state_of(application_id=OWN_ID, secret=True)
    plan = leftovers.plan(state, [own], OURS, record, DESCRIPTION, "S.test", recorded)
    assert plan.remove == ()
    [report] = plan.reports
    assert key in report
    assert "once Proself has the newest, remove it in Entra" in report
    lost = replace(state, resources={})
    with pytest.raises(Refused, match="the state is lost or older than the tenant"):
        leftovers.plan(lost, [own], OURS, record, DESCRIPTION, "S.test", recorded)
    none = replace(own, notes="")
    plan = leftovers.plan(state, [none], OURS, JOURNAL, DESCRIPTION, "S.test", ())
    assert [each.key_id for _, each in plan.remove] == [key]


@given(st.sampled_from([OWN_ID, None]), listings)
def test_none_is_removed_where_the_state_knows_none(
    application_id: str | None, listing: list[ApplicationRecord]
) -> None:
    plan = decide(state_of(application_id=application_id, secret=False), listing).plan
    assert plan is None or plan.remove == ()


@given(states, listings)
def test_nothing_is_adopted_but_the_one_that_bears_our_stamp_alone(
    state: State, listing: list[ApplicationRecord]
) -> None:
    plan = decide(state, listing).plan
    if plan and plan.adopt:
        assert state.application_id is None
        assert plan.adopt.tags == WHOLE
        for held in plan.adopt.passwords:  # of a live secret nobody has the value
            assert held.starts is not None
            assert held.starts >= BEGAN


@given(states, listings)
def test_it_ends_with_one_application_or_stops(
    state: State, listing: list[ApplicationRecord]
) -> None:
    plan = decide(state, listing).plan
    ours = {each.object_id for each in listing if OUR_TAG in each.tags} - {state.application_id}
    if plan is None:
        assert ours, "it stopped and there was no other application of ours"
        return
    kept = {state.application_id} if state.application_id else set()
    kept |= {plan.adopt.object_id} if plan.adopt else set()
    assert len(kept) <= 1
    assert ours - kept == {each.object_id for each in plan.purge}


@given(states, listings)
def test_doubt_stops_it(state: State, listing: list[ApplicationRecord]) -> None:
    others = [e for e in listing if OUR_TAG in e.tags and e.object_id != state.application_id]
    worth = [e for e in others if e.passwords or not is_this_updates(e)]
    two_candidates = bool(worth) and (len(others) > 1 or state.application_id is not None)
    claimed = any(each.tags in DOUBTFUL_TAGS for each in others)
    if two_candidates or claimed:
        assert decide(state, listing).plan is None


@given(states, listings, st.data())
def test_what_was_replaced_is_left_to_the_engine(
    state: State, listing: list[ApplicationRecord], data: st.DataObject
) -> None:
    """Whatever it holds: the state knows it, and that it is to go."""
    ids = [each.object_id for each in listing if each.object_id != state.application_id]
    chosen = set(data.draw(st.lists(st.sampled_from(ids)))) if ids else set()
    replaced = tuple(Resource(APPLICATION, f"/applications/{each}", {}) for each in chosen)
    left = [each for each in listing if each.object_id not in chosen]
    expected = decide(state, left).plan
    found = decide(replace(state, replaced=replaced), listing).plan
    assert (found is None) == (expected is None)
    if found and expected:
        told = chosen if state.application_id else set()
        assert replace(found, reports=()) == replace(expected, reports=())
        assert len(found.reports) == len(expected.reports) + len(told)


@given(listings)
def test_a_live_secret_outside_the_state_stops_an_adoption(
    listing: list[ApplicationRecord],
) -> None:
    others = [each for each in listing if OUR_TAG in each.tags]
    live = [p for each in others for p in each.passwords if p.starts is None or p.starts < BEGAN]
    if live:
        assert decide(state_of(application_id=None, secret=False), listing).plan is None


def test_the_application_that_the_outputs_tell_of_is_taken_in_again() -> None:
    """It was taken out of the state: its secrets are no other stack's."""
    held = (password(KNOWN_KEY, BEGAN - timedelta(days=9), DESCRIPTION, WINDOW_END),)
    lost = application(OWN_ID, WHOLE, BEGAN - timedelta(days=9), held)
    for told, adopted in ((OWN_ID, lost), (str(uuid.UUID(int=9)), None)):
        state = State({}, (), (), {"applicationObjectId": told})
        plan = decide(state, [lost]).plan
        assert (plan and plan.adopt) is adopted
        assert plan is None or len(plan.reports) == 1, "the secret is told, and left alone"


@given(states, listings)
def test_every_secret_that_no_state_knows_is_removed_or_told(
    state: State, listing: list[ApplicationRecord]
) -> None:
    plan = decide(state, listing).plan
    own = [each for each in listing if each.object_id == state.application_id]
    if plan and own:
        unknown = [p for p in own[0].passwords if p.key_id not in state.key_ids.values()]
        assert len(plan.remove) + len(plan.reports) == len(unknown)


@given(states, listings)
def test_foreign_objects_change_nothing(state: State, listing: list[ApplicationRecord]) -> None:
    own = [e for e in listing if e.tags not in FOREIGN_TAGS or e.object_id == state.application_id]
    assert decide(state, listing) == decide(state, own)


IDS: Mapping[str, str] = {
    "application": "/applications/o",
    "identifier-uri": "/applications/o/identifierUris/YXBpOi8vY2xpZW50LW8=",
    "service-principal": "/servicePrincipals/s",
    "consent": "/oauth2PermissionGrants/g",
}


@pytest.mark.parametrize("known", [(), ("application",), tuple(IDS)])
def test_what_is_imported_has_the_ids_that_the_plugin_takes(known: tuple[str, ...]) -> None:
    made = ApplicationRecord(
        "o", "client-o", "n", BEGAN, WHOLE, "", ("api://client-o",), (), 2, {}, ()
    )
    principal = ServicePrincipalRecord("s", "client-o", "n", True, WHOLE)
    grants = [
        GrantRecord("user", "s", "exchange", "somebody", frozenset()),
        GrantRecord("other", "s", "graph", None, frozenset()),
        GrantRecord("g", "s", "exchange", None, frozenset()),
    ]
    state = State({name: Resource(name, IDS[name], {}) for name in known}, (), (), {})
    found = leftovers.import_ids(state, made, principal, grants, "exchange", uri_is_there=False)
    assert found == {name: each for name, each in IDS.items() if name not in known}


def test_an_identifier_uri_that_was_set_is_imported_whatever_a_reader_shows() -> None:
    state = state_of(application_id="o", secret=False)
    for shown in (None, application("o", WHOLE, BEGAN)):
        found = leftovers.import_ids(state, shown, None, (), "exchange", uri_is_there=True)
        assert found == {"identifier-uri": IDS["identifier-uri"]}
