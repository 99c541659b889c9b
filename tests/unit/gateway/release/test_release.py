import asyncio
import contextlib
import hashlib
import itertools
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.core.board import Board
from gateway.core.clock import ManualClock
from gateway.core.errors import ConflictError, NotFoundError, TrunklineError
from gateway.principals.audit import AuditTrail
from gateway.principals.model import NotPermittedError, Principal, PrincipalKind, Right
from gateway.release.commands import commands
from gateway.release.expiry import ReleaseExpiry
from gateway.release.options import STEP_ORDER, Policy, ReleaseOptions
from gateway.release.rules import (
    TRANSITIONS,
    Action,
    ReleaseDigestError,
    ReleasePersonError,
    ReleaseState,
    ReleaseStateError,
    ReleaseStepError,
)
from gateway.release.service import ReleaseService
from tests.support.local_store import LocalStore


def person(name, *steps, kind="sms"):
    return Principal(PrincipalKind.OPERATOR, name, tuple(Right(f"ops.release_{step}", kind) for step in steps))


ALL = (*STEP_ORDER, "override")
SHAN, ZENG, QIU, OU = (person(name, *ALL) for name in ("shan", "zeng", "qiu", "ou"))
FOUR = ReleaseOptions(policies={"sms": Policy(steps=STEP_ORDER), "memo": Policy(steps=("make",))})


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


ONE, TWO = digest("【演练】暴雨红色预警 𠮷 🚒"), digest("暴雨橙色预警")


class Messages:
    """A feature whose things are released."""

    def __init__(self):
        self.content = {"m1": ONE}
        self.fails = False
        self.sent = []

    def digest(self, connection, subject):
        return self.content.get(subject)

    def released(self, unit, release):
        if self.fails:
            raise ConflictError(what="queue", reason="full")
        unit.after_commit(lambda: self.sent.append(release.id))


class Room:
    def __init__(self, options=FOUR):
        self.clock = ManualClock()
        self.store = LocalStore(self.clock)
        self.board = Board()
        self.service = ReleaseService(store=self.store, board=self.board, audit=AuditTrail(self.store), options=options)
        self.messages = Messages()
        self.service.register("sms", self.messages)

    async def request(self, principal=SHAN, **given):
        given = {"kind": "sms", "subject": "m1", "digest": ONE, "title": "暴雨预警", **given}
        return await self.service.request(principal=principal, **given)

    async def step(self, release, step, principal, seen=ONE):
        return await self.service.step(release.id, step=step, kind="sms", digest=seen, principal=principal)

    def released(self):
        return [h.event.id for h in self.store.happenings if h.event.TYPE == "ops.released.v1"]


@pytest.fixture
def room():
    made = Room()
    yield made
    made.store.close()


def test_only_pending_and_rejected_go_anywhere():
    assert {state for state, _ in TRANSITIONS} == {ReleaseState.PENDING, ReleaseState.REJECTED}
    assert {action for state, action in TRANSITIONS if state is ReleaseState.PENDING} == set(Action)


@pytest.mark.parametrize("steps", [("review",), ("make", "make"), ("make", "publish", "sign"), ()])
def test_a_policy_out_of_order_is_refused(steps):
    with pytest.raises((ValueError, IndexError)):
        Policy(steps=steps)


async def test_four_people_release_a_message_once(room):
    release = await room.request()
    assert release.next_step == "review"
    await room.step(release, "review", ZENG)
    await room.step(release, "sign", QIU)
    assert room.released() == []
    done = await room.step(release, "publish", OU)
    assert done.state is ReleaseState.RELEASED
    assert room.released() == room.messages.sent == [release.id]
    with pytest.raises(ReleaseStateError):
        await room.step(release, "publish", OU)
    kept = await room.service.get(release.id)
    assert [(given.step, given.by) for given in kept.given] == [
        ("make", "operator:shan"),
        ("review", "operator:zeng"),
        ("sign", "operator:qiu"),
        ("publish", "operator:ou"),
    ]


async def test_one_step_releases_at_once(room):
    release = await room.service.request(
        kind="memo", subject="x", digest=ONE, title="通知", principal=person("shan", "make", kind="memo")
    )
    assert release.state is ReleaseState.RELEASED
    assert room.released() == [release.id]


async def test_the_order_the_person_and_the_right_count(room):
    release = await room.request()
    with pytest.raises(ReleaseStepError):
        await room.step(release, "publish", OU)
    with pytest.raises(ReleasePersonError):
        await room.step(release, "review", SHAN)
    with pytest.raises(NotPermittedError):
        await room.step(release, "review", person("zhu", "make"))
    with pytest.raises(NotPermittedError):
        await room.step(release, "review", person("zhu", "review", kind="fax"))
    assert (await room.service.get(release.id)).next_step == "review"


async def test_a_changed_content_takes_the_steps_back(room):
    release = await room.request()
    await room.step(release, "review", ZENG)
    room.messages.content["m1"] = TWO
    with pytest.raises(ConflictError):
        await room.step(release, "sign", QIU)
    changed = await room.service.change(release.id, kind="sms", digest=TWO, principal=SHAN)
    assert [given.step for given in changed.given] == ["make"]
    with pytest.raises(ReleaseDigestError):
        await room.step(release, "review", ZENG, seen=ONE)
    await room.step(release, "review", ZENG, seen=TWO)


async def test_what_was_rejected_comes_back_changed(room):
    release = await room.request()
    rejected = await room.service.reject(release.id, kind="sms", reason="错别字", principal=ZENG)
    assert rejected.reason == "错别字"
    with pytest.raises(ReleaseStateError):
        await room.step(release, "review", ZENG)
    room.messages.content["m1"] = TWO
    back = await room.service.change(release.id, kind="sms", digest=TWO, principal=SHAN)
    assert back.next_step == "review"
    with pytest.raises(NotPermittedError):
        await room.service.withdraw(release.id, kind="sms", reason="不发了", principal=person("zhu", "make"))
    await room.service.withdraw(release.id, kind="sms", reason="不发了", principal=SHAN)
    again = await room.request(digest=TWO)
    assert again.id != release.id


async def test_two_requests_for_one_thing_are_a_conflict(room):
    await room.request()
    with pytest.raises(ConflictError):
        await room.request(principal=ZENG)
    with pytest.raises(NotFoundError):
        await room.request(subject="none")


async def test_an_emergency_override_is_audited_and_told(room):
    release = await room.request()
    with pytest.raises(NotPermittedError):
        await room.service.override(
            release.id, kind="sms", digest=ONE, reason="决堤", principal=person("zhu", *STEP_ORDER)
        )
    done = await room.service.override(release.id, kind="sms", digest=ONE, reason="决堤", principal=ZENG)
    assert done.overridden
    assert room.store.types()[-2:] == ["ops.release_overridden.v1", "ops.released.v1"]
    rows = await room.store.read(lambda c: c.execute(sa.text("SELECT principal, action, resource FROM audit")).all())
    assert [tuple(row) for row in rows] == [("operator:zeng", "ops.release_override", "sms")]


async def test_a_feature_that_cannot_take_it_takes_the_last_step_back(room):
    release = await room.request()
    room.messages.fails = True
    with pytest.raises(ConflictError):
        await room.service.override(release.id, kind="sms", digest=ONE, reason="决堤", principal=ZENG)
    assert (await room.service.get(release.id)).state is ReleaseState.PENDING
    assert room.released() == []


async def test_a_crash_after_the_commit_releases_once(room):
    release = await room.request()
    room.store.lose_after_commit = True
    await room.service.override(release.id, kind="sms", digest=ONE, reason="决堤", principal=ZENG)
    room.store.lose_after_commit = False
    with pytest.raises(ReleaseStateError):
        await room.service.override(release.id, kind="sms", digest=ONE, reason="决堤", principal=ZENG)
    assert room.released() == [release.id]


async def test_two_who_publish_at_once_release_once(room):
    room.store.run_twice = True
    release = await room.request()
    await room.step(release, "review", ZENG)
    await room.step(release, "sign", QIU)
    third = person("jie", *STEP_ORDER)
    results = await asyncio.gather(
        room.step(release, "publish", OU), room.step(release, "publish", third), return_exceptions=True
    )
    assert sum(isinstance(result, ReleaseStateError) for result in results) == 1
    assert room.released() == [release.id]


async def test_what_nobody_releases_lapses(room):
    release = await room.request(not_after=room.clock.wall() + timedelta(seconds=90))
    adapter = asyncio.create_task(ReleaseExpiry(room.service, room.clock).run(Quiet()), name="release")
    await room.clock.advance(1)
    assert [line.next_step for line in room.board.get("ops", "releases").state.releases] == ["review"]
    for _ in range(10):
        await room.clock.advance(10)
    assert room.store.types()[-1] == "ops.release_expired.v1"
    assert room.board.get("ops", "releases").state.releases == ()
    with pytest.raises(ReleaseStateError):
        await room.step(release, "review", ZENG)
    adapter.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await adapter


async def test_a_step_after_the_time_ends_it_without_the_adapter(room):
    release = await room.request(not_after=room.clock.wall() + timedelta(seconds=90))
    await room.clock.advance(90)
    with pytest.raises(ReleaseStateError):
        await room.step(release, "review", ZENG)
    assert (await room.service.get(release.id)).state is ReleaseState.EXPIRED


async def test_the_mark_of_an_exercise_is_put_once(room):
    assert (
        room.service.marked("暴雨", exercise=True)
        == room.service.marked("【演练】暴雨", exercise=True)
        == "【演练】暴雨"
    )
    assert room.service.marked("暴雨", exercise=False) == "暴雨"


def test_each_step_is_a_command_of_its_own(room):
    names = {command.spec.name for command in commands(room.service)}
    assert names == {f"ops.release_{verb}" for verb in ("review", "sign", "publish", "override", "reject", "withdraw")}


class Quiet:
    def ready(self):
        pass

    def degraded(self, reason):
        pass


class Releases(RuleBasedStateMachine):
    """Anybody does anything in any order; nothing goes out that was not seen by all who had to."""

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner()
        self.room = Room()
        self.content = itertools.count()
        self.release = self.runner.run(self.room.request())
        self.seen = {("make", ONE): "operator:shan"}
        self.overridden = False

    def attempt(self, coroutine):
        async def work():
            try:
                return await coroutine
            except TrunklineError:
                return None

        return self.runner.run(work())

    @property
    def digest(self):
        return self.room.messages.content["m1"]

    @rule(step=st.sampled_from(STEP_ORDER[1:]), who=st.sampled_from([SHAN, ZENG, QIU, OU]), stale=st.booleans())
    def step(self, step, who, stale):
        seen = ONE if stale else self.digest
        if self.attempt(self.room.step(self.release, step, who, seen)) is not None:
            self.seen[step, seen] = str(who)

    @rule(who=st.sampled_from([SHAN, ZENG]))
    def change(self, who):
        before = self.digest
        self.room.messages.content["m1"] = now = digest(str(next(self.content)))
        if self.attempt(self.room.service.change(self.release.id, kind="sms", digest=now, principal=who)) is None:
            self.room.messages.content["m1"] = before
        else:
            self.seen["make", now] = str(who)

    @rule(who=st.sampled_from([ZENG, QIU]))
    def reject(self, who):
        self.attempt(self.room.service.reject(self.release.id, kind="sms", reason="退回", principal=who))

    @rule(really=st.sampled_from([True, False, False, False, False]))
    def override(self, really):
        if really:
            done = self.attempt(
                self.room.service.override(
                    self.release.id, kind="sms", digest=self.digest, reason="决堤", principal=ZENG
                )
            )
            self.overridden = self.overridden or done is not None

    @rule(seconds=st.sampled_from([1, 60, 40_000]))
    def time_passes(self, seconds):
        self.runner.run(self.room.clock.advance(seconds))
        self.runner.run(self.room.service.expire())

    @invariant()
    def released_at_most_once_and_only_when_all_saw_it(self):
        released = self.room.released()
        assert released == self.room.messages.sent
        assert len(released) <= 1
        now = self.runner.run(self.room.service.get(self.release.id))
        assert (now.state is ReleaseState.RELEASED) == bool(released)
        assert len({given.by for given in now.given}) == len(now.given)
        assert {given.digest for given in now.given} <= {now.digest}
        if released and not self.overridden:
            people = [self.seen[step, now.digest] for step in STEP_ORDER]
            assert len(set(people)) == 4

    def teardown(self):
        self.runner.close()
        self.room.store.close()


TestReleases = Releases.TestCase
TestReleases.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
